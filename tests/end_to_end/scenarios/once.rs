//! `run --once`: everything to its end, and an exit code that can be believed.

use logweir_benchmarks::store::{Faults, Mode, Store};

use super::assert_nothing_lost_nothing_doubled;
use crate::support::daemon::logweir;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

#[test]
fn once_reads_everything_and_a_second_run_reads_only_what_is_new() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let config = scene.write_config(&file_to_store("\"{here}/logs/*.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("a.log"), 0..5_000);
    append_numbered(&scene.log_path("b.log"), 5_000..10_000);
    let run = || {
        let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run();
    assert_nothing_lost_nothing_doubled(&store, 10_000);
    append_numbered(&scene.log_path("a.log"), 10_000..11_000);
    run();
    assert_nothing_lost_nothing_doubled(&store, 11_000);
    assert_eq!(store.counts().conflicts, 0, "the second run sent lines again");
}

#[test]
fn once_reads_a_last_line_without_its_newline() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let config = scene.write_config(&file_to_store("\"{here}/logs/*.log\"", "raw", &store.url()));
    std::fs::write(scene.log_path("a.log"), "item/000000000 whole\nitem/000000001 cut off").unwrap();
    assert!(logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]).status.success());
    assert_nothing_lost_nothing_doubled(&store, 2);
}

#[test]
fn once_waits_for_a_store_that_is_not_there_yet() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    store.set_mode(Mode::Unauthorized);
    let config = scene.write_config(&file_to_store("\"{here}/logs/*.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("a.log"), 0..100);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]));
        crate::support::eventually("the store was asked", || (store.refused_requests() > 0).then_some(()));
        assert!(!run.is_finished());
        store.set_mode(Mode::Serving);
        assert!(run.join().unwrap().status.success());
    });
    assert_nothing_lost_nothing_doubled(&store, 100);
}
