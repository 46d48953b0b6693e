//! Paths that are not what they should be, and ports that are taken.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use logweir_benchmarks::store::{Faults, Store};

use super::{check, said};
use crate::support::daemon::{binary, logweir};
use crate::support::eventually;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

#[test]
fn a_missing_file_is_waited_for() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/late/app.log\"", "nginx_access", &store.url()));
    let _daemon = scene.run().wait_until_ready();
    fs::create_dir(scene.log_path("late")).unwrap();
    append_numbered(&scene.log_path("late/app.log"), 0..100);
    eventually("the late file arrives", || (store.len() == 100).then_some(()));
}

#[test]
fn a_directory_or_a_fifo_named_for_a_file_is_told_with_what_to_write_instead() {
    let scene = Scene::new();
    make_folder_and_fifo(&scene);
    for (name, told) in [("folder.log", "folder.log/*.log"), ("pipe.log", "stdin")] {
        let paths = format!("\"{{here}}/logs/{name}\"");
        let config = scene.write_config(&file_to_store(&paths, "raw", "http://127.0.0.1:1"));
        let said = said(&check(&config));
        assert!(said.contains(name) && said.contains(told) && said.contains("logweir.toml:"), "{said}");
    }
}

#[test]
fn a_directory_or_a_fifo_beside_a_file_is_passed_by() {
    for paths in [
        "\"{here}/logs/*.log\"",
        "\"{here}/logs/folder.log\", \"{here}/logs/pipe.log\", \"{here}/logs/good.log\"",
    ] {
        let scene = Scene::new();
        make_folder_and_fifo(&scene);
        let store = Store::start(Faults::default()).unwrap();
        scene.write_config(&file_to_store(paths, "nginx_access", &store.url()));
        append_numbered(&scene.log_path("good.log"), 0..100);
        let daemon = scene.run().wait_until_ready();
        eventually(format_args!("the good file arrives; {daemon}"), || (store.len() == 100).then_some(()));
        append_numbered(&scene.log_path("good.log"), 100..200);
        eventually(format_args!("it is followed; {daemon}"), || (store.len() == 200).then_some(()));
    }
}

fn make_folder_and_fifo(scene: &Scene) {
    fs::create_dir(scene.log_path("folder.log")).unwrap();
    assert!(Command::new("mkfifo").arg(scene.log_path("pipe.log")).status().unwrap().success());
}

#[test]
fn an_unreadable_folder_is_told() {
    let scene = Scene::new();
    let closed = scene.log_path("closed");
    fs::create_dir(&closed).unwrap();
    append_numbered(&closed.join("app.log"), 0..1);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let store = Store::start(Faults::default()).unwrap();
    let paths = "\"{here}/logs/closed/*.log\", \"{here}/logs/good.log\"";
    let config = scene.write_config(&file_to_store(paths, "nginx_access", &store.url()));
    append_numbered(&scene.log_path("good.log"), 0..100);
    let log = fs::File::create(scene.path("daemon.log")).unwrap();
    // Root reads everything; without these two capabilities it is like anyone else.
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(binary());
        command
    } else {
        Command::new(binary())
    };
    let mut child = command
        .arg("run")
        .arg(config)
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    eventually("the good file arrives", || (store.len() == 100).then_some(()));
    let told = crate::support::wait_for(crate::support::PATIENCE, || {
        scene.daemon_log().contains("closed").then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(told.is_some(), "the log does not name the folder: {}", scene.daemon_log());
}

#[test]
fn a_configured_admin_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scene = Scene::new();
    let config = file_to_store("\"{here}/logs/app.log\"", "raw", "http://127.0.0.1:1");
    let text = format!("data_dir = \"{{here}}/data\"\n\n[admin]\nlisten = \"{address}\"\n\n{config}");
    let here = scene.path("").display().to_string();
    let config = scene.write("taken.toml", text.replace("{here}", &here));
    let output = logweir(["run".as_ref(), config.as_os_str()]);
    assert!(!output.status.success());
    assert!(said(&output).contains(&address), "{}", said(&output));
}
