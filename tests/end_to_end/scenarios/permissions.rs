//! Permissions that are taken from a daemon which is not root, and given back.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::daemon::{Daemon, binary};
use crate::support::eventually;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Starts the daemon of the scene as a user whom permissions bind.
fn run_unprivileged(scene: &Scene) -> Daemon {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user and must run as root");
    // Wherever the binary stands, others may be kept out of there.
    let copy = scene.path("logweir");
    fs::copy(binary(), &copy).unwrap();
    chown(scene.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    command.args(user).arg("--clear-groups").arg(copy);
    let (config, log) = (scene.path("logweir.toml"), scene.path("daemon.log"));
    Daemon::run_by(&mut command, &config, scene.admin(), &log).wait_until_ready()
}

/// How many messages say that this path may not be read, and what to do.
fn told(daemon: &Daemon, path: &str) -> usize {
    let log = daemon.log();
    let path = format!("{path}\"");
    log.lines().filter(|line| line.contains(&path) && line.contains("chmod")).count()
}

#[test]
fn what_was_forbidden_for_a_while_is_delivered_once() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/*.log\"", "nginx_access", &store.url()));
    let (file, folder) = (scene.log_path("a.log"), scene.path("logs"));

    // Before the start.
    append_numbered(&file, 0..100);
    set_mode(&file, 0o000);
    let mut daemon = run_unprivileged(&scene);
    eventually(format_args!("the file is named; {daemon}"), || (told(&daemon, "a.log") == 1).then_some(()));
    assert_eq!(store.len(), 0);
    set_mode(&file, 0o644);
    wait_until_settled(&daemon, &store, 100);

    // While it is open.
    set_mode(&file, 0o000);
    append_numbered(&file, 100..200);
    wait_until_settled(&daemon, &store, 200);

    // The folder, with an open file and a new one.
    set_mode(&file, 0o644);
    set_mode(&folder, 0o000);
    append_numbered(&file, 200..300);
    append_numbered(&scene.log_path("b.log"), 300..400);
    eventually(format_args!("the folder is named; {daemon}"), || (told(&daemon, "logs") >= 1).then_some(()));
    set_mode(&folder, 0o755);
    wait_until_settled(&daemon, &store, 400);

    // While the daemon is stopped.
    assert!(daemon.terminate().success(), "{daemon}");
    append_numbered(&file, 400..500);
    set_mode(&file, 0o000);
    let before = told(&daemon, "a.log");
    let daemon = run_unprivileged(&scene);
    eventually(format_args!("the file is named; {daemon}"), || {
        (told(&daemon, "a.log") == before + 1).then_some(())
    });
    set_mode(&file, 0o644);
    wait_until_settled(&daemon, &store, 500);
    assert_nothing_lost_nothing_doubled(&store, 500);
    assert!(told(&daemon, "a.log") + told(&daemon, "logs") <= 6, "the messages are repeated; {daemon}");
}
