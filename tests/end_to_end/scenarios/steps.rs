//! Steps on their way through the real daemon: what is dropped is in the ledger under its step's name, what fails is
//! delivered and counted, what is hidden is nowhere.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde_json::Value;

use super::CATCHING_UP;
use crate::support::http;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;

const CONFIG: &str = r#"
workers = 2

[sources.app]
type = "file"
paths = ["{here}/logs/app.log"]
parse = "json"

[transforms.clean]
inputs = ["app"]
steps = [
  { drop = { "route" = "/healthz" } },
  { convert = { "count" = "int" } },
  { redact = ["message"] },
  { sample = { rate = 0.5, by = ["visit"] } },
  { set = { "service.name" = "{route}-shop" } },
]

[outputs.file]
type = "file"
inputs = ["clean"]
path = "{here}/out.ndjson"
"#;
const LINES: u64 = 2_000;
const VISITS: u64 = 100;

/// Every tenth line asks after the health; four of the others have a count that is none.
fn lines() -> String {
    let mut text = String::new();
    for number in 0..LINES {
        let route = if number % 10 == 0 { "/healthz" } else { "/cart" };
        let count = if number % 500 == 1 { "many".to_owned() } else { number.to_string() };
        let visit = number % VISITS;
        writeln!(
            text,
            r#"{{"msg":"mail to user{number}@example.org","route":"{route}","count":"{count}","visit":{visit}}}"#
        )
        .unwrap();
    }
    text
}

#[test]
fn every_dropped_event_is_in_the_ledger_under_its_step() {
    let scene = Scene::new();
    scene.write_config(CONFIG);
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    fs::write(scene.log_path("app.log"), lines()).unwrap();
    let ledger = logweir_benchmarks::pace::wait_for(CATCHING_UP, || {
        Ledger::read(scene.admin()).filter(|ledger| ledger.read == LINES && ledger.in_flight == 0)
    });
    let ledger = ledger.unwrap_or_else(|| panic!("not everything arrived; {daemon}"));

    let documents = fs::read_to_string(scene.path("out.ndjson")).unwrap();
    assert_eq!(documents.lines().count() as u64, ledger.delivered);
    assert!(!documents.contains("@example.org") && documents.contains("mail to [email]"), "{documents:.300}");
    let mut visits = BTreeMap::<u64, u64>::new();
    for document in documents.lines() {
        let document = serde_json::from_str::<Value>(document).unwrap();
        *visits.entry(document["visit"].as_u64().unwrap()).or_default() += 1;
        assert_eq!(document["service.name"], "/cart-shop");
        assert_eq!(document["count"].is_i64(), document["event.kind"] != "pipeline_error", "{document}");
    }
    assert!(visits.values().all(|events| *events == LINES / VISITS), "a visit is kept whole: {visits:?}");

    let answer = http::get(scene.admin(), "/api/ledger").unwrap().json();
    let dropped = answer["sources"]["app"]["dropped"].clone();
    assert_eq!(dropped["clean.drop"], LINES / 10);
    assert_eq!(dropped["clean.sample"], LINES - LINES / 10 - ledger.delivered);
    let metrics = http::get(scene.admin(), "/metrics").unwrap().body;
    let failed = "logweir_step_events_failed_total{step=\"clean.convert\"} 4";
    assert!(metrics.contains(failed), "{metrics}");
    witness.assert_it_always_added_up();
}
