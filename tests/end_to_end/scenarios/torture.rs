//! A `_bulk` server that misbehaves in every way at once.

use std::path::Path;

use logweir_benchmarks::store::{Faults, Mode, Store};
use serde_json::Value;

use super::{assert_nothing_lost_nothing_doubled, short, wait_for_documents, wait_until_settled};
use crate::support::daemon::logweir;
use crate::support::eventually;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

const LINES: u64 = 60_000;

#[test]
fn a_server_with_every_fault_stores_all_but_what_it_rejects_for_ever() {
    let scene = Scene::new();
    let store = Store::start(Faults::torture(5)).unwrap();
    let config = scene.write_config(&small_batches(&store));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let witness = Witness::watch(scene.admin());
    let mut daemon = scene.run();
    wait_until_settled(&daemon, &store, LINES);

    let (verdict, counts) = (store.verdict(0..LINES), store.counts());
    assert!(
        verdict.lost.is_empty() && verdict.doubled.is_empty() && verdict.strangers == 0,
        "{}",
        short(&verdict)
    );
    assert_eq!(store.len() + verdict.rejected.len(), LINES as usize);
    assert_eq!(counts.malformed, 0);
    // A test that met no fault proved nothing.
    assert!(counts.cut >= 2 && counts.whole_unavailable >= 2, "{counts:?}");
    assert!(counts.too_many_requests > 0 && counts.unavailable > 0 && counts.rejected > 0, "{counts:?}");

    let ledger = Ledger::read(scene.admin()).unwrap();
    assert_eq!((ledger.read, ledger.rejected), (LINES, verdict.rejected.len() as u64), "{ledger:?}");
    witness.assert_it_always_added_up();
    assert!(daemon.terminate().success());
    assert_dead_letters(&config, &verdict.rejected);
}

#[test]
fn a_body_that_is_too_large_is_split() {
    let scene = Scene::new();
    let store = Store::start(Faults { max_body_bytes: Some(100_000), ..Faults::default() }).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("app.log"), 0..20_000);
    let daemon = scene.run();
    wait_until_settled(&daemon, &store, 20_000);
    assert_nothing_lost_nothing_doubled(&store, 20_000);
}

#[test]
fn a_refused_password_pauses_and_says_so() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    store.set_mode(Mode::Unauthorized);
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    append_numbered(&scene.log_path("app.log"), 0..1_000);
    let daemon = scene.run();
    eventually("the log tells of the 401", || daemon.log().contains("401").then_some(()));
    store.set_mode(Mode::Serving);
    wait_until_settled(&daemon, &store, 1_000);
    assert_nothing_lost_nothing_doubled(&store, 1_000);
}

#[test]
fn a_server_that_hangs_is_given_up_after_the_request_timeout() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let config = file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url());
    scene.write_config(&format!("{config}request_timeout = \"1s\"\n"));
    append_numbered(&scene.log_path("app.log"), 0..1_000);
    let daemon = scene.run();
    wait_for_documents(&daemon, &store, 1_000);
    store.set_mode(Mode::Hanging);
    append_numbered(&scene.log_path("app.log"), 1_000..2_000);
    eventually("the log tells of the timeout", || daemon.log().contains("time").then_some(()));
    store.set_mode(Mode::Serving);
    wait_until_settled(&daemon, &store, 2_000);
    assert_nothing_lost_nothing_doubled(&store, 2_000);
}

#[test]
fn compressed_bodies_arrive_whole() {
    let scene = Scene::new();
    let store = Store::start(Faults::torture(9)).unwrap();
    scene.write_config(&format!("{}compression = \"gzip\"\n", small_batches(&store)));
    append_numbered(&scene.log_path("app.log"), 0..20_000);
    let daemon = scene.run();
    wait_until_settled(&daemon, &store, 20_000);
    let verdict = store.verdict(0..20_000);
    assert!(verdict.lost.is_empty() && verdict.doubled.is_empty(), "{}", short(&verdict));
}

/// Enough requests that every 25th and every 40th come several times.
fn small_batches(store: &Store) -> String {
    let config = file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url());
    format!("{config}batch_bytes = \"256KiB\"\n")
}

/// Every rejected line stands in the dead letters once, with the output, the status and the store's reason.
#[track_caller]
fn assert_dead_letters(config: &Path, rejected: &[u64]) {
    let listed = logweir(["dead-letter".as_ref(), "list".as_ref(), config.as_os_str()]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let mut found = Vec::new();
    for record in dead_letters(&config.with_file_name("data")) {
        assert_eq!((&record["output"], &record["status"]), (&"store".into(), &400.into()), "{record}");
        assert!(record["reason"].as_str().unwrap().contains("failed to parse field [planned]"), "{record}");
        let document = record["document"].to_string();
        let (_, rest) = document.split_once("item/").unwrap();
        found.push(rest[..9].parse::<u64>().unwrap());
    }
    found.sort_unstable();
    assert_eq!(found, rejected, "the dead letters are not the rejected lines, each once");
}

/// The records under a data directory, whatever folder they are in.
fn dead_letters(folder: &Path) -> Vec<Value> {
    let mut records = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            records.extend(dead_letters(&path));
        } else if path.extension().is_some_and(|extension| extension == "ndjson") {
            let text = std::fs::read_to_string(path).unwrap();
            records.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    records
}
