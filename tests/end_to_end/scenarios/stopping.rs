//! SIGTERM drains, a second signal ends at once, and one data directory has one daemon.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Mode, Store};
use rustix::process::Signal;

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::daemon::logweir;
use crate::support::eventually;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

#[test]
fn sigterm_drains_what_was_read_and_the_next_daemon_sends_nothing_again() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("app.log"), 0..50_000);
    let mut daemon = scene.run();
    eventually("some lines are stored", || (!store.is_empty()).then_some(()));
    assert!(daemon.terminate().success(), "{}", daemon.log());

    let daemon = scene.run();
    wait_until_settled(&daemon, &store, 50_000);
    assert_nothing_lost_nothing_doubled(&store, 50_000);
    assert_eq!(store.counts().conflicts, 0, "a drained daemon's successor sent lines again");
}

#[test]
fn a_second_signal_ends_at_once() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    store.set_mode(Mode::Hanging);
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("app.log"), 0..1_000);
    let mut daemon = scene.run().wait_until_ready();
    eventually("lines are in flight", || {
        let ledger = crate::support::ledger::Ledger::read(scene.admin())?;
        (ledger.in_flight > 0).then_some(())
    });
    daemon.signal(Signal::TERM);
    eventually("the first signal was seen", || (!ready(&scene)).then_some(()));
    daemon.signal(Signal::TERM);
    let second = Instant::now();
    let status = daemon.wait();
    assert!(second.elapsed() < Duration::from_secs(3), "it took {:?}", second.elapsed());
    assert!(!status.success(), "lines were in flight, and yet it ended with {status}");
}

#[test]
fn a_second_daemon_on_one_data_directory_is_refused_by_pid() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let config = scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    let daemon = scene.run().wait_until_ready();
    let second = logweir(["run".as_ref(), config.as_os_str()]);
    let said =
        String::from_utf8_lossy(&second.stderr).into_owned() + &String::from_utf8_lossy(&second.stdout);
    assert!(!second.status.success());
    assert!(said.contains(&daemon.pid().to_string()) && said.contains("data"), "{said}");
}

fn ready(scene: &Scene) -> bool {
    crate::support::http::get(scene.admin(), "/ready").is_ok_and(|answer| answer.status == 200)
}
