//! The same promises against real stores that are killed with -9 and started again.

use std::collections::HashMap;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::support::http;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::{Scene, file_to_store};
use crate::support::services::{self, Service};
use crate::support::within;
use crate::support::writer::{Rotation, Writer};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn elasticsearch_killed_and_started_again_while_lines_flow() {
    killed_while_lines_flow(services::elasticsearch());
}

#[test]
fn opensearch_killed_and_started_again_while_lines_flow() {
    killed_while_lines_flow(services::opensearch());
}

/// What the sink of the benchmarks answers, too.
#[test]
fn an_answer_asked_for_errors_only_has_no_items_when_all_went_well() {
    for service in [services::elasticsearch(), services::opensearch()] {
        let path = "/logs-short.answer-default/_bulk?filter_path=errors%2Citems.*.failure_store";
        let body = "{\"create\":{}}\n{\"@timestamp\":\"2026-11-23T12:00:00Z\"}\n".repeat(3);
        let answer = http::send(service.address(), "POST", path, &body).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"errors":false}"#));
    }
}

fn killed_while_lines_flow(mut service: MutexGuard<'_, Service>) {
    let scene = Scene::new();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &service.url()));
    let mut daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    let rotation = Rotation::Rename { every: Duration::from_secs(5), keep: 40 };
    let writer = Writer::start(scene.log_path("app.log"), 2_000, rotation);
    let delivered = |least: u64| {
        within(PATIENCE, format_args!("{least} lines are delivered; {daemon}"), || {
            (Ledger::read(scene.admin())?.delivered >= least).then_some(())
        });
    };
    for _ in 0..2 {
        delivered(Ledger::read(scene.admin()).unwrap().delivered + 2_000);
        service.kill();
        service.start_again();
    }
    delivered(Ledger::read(scene.admin()).unwrap().delivered + 2_000);
    let lines = writer.finish();
    delivered(lines);
    witness.assert_it_always_added_up();
    assert!(daemon.terminate().success(), "{}", daemon.log());

    assert_nothing_lost_nothing_doubled(&service, "logs-nginx*", lines);
}

/// Each of these lines stands in the index once.
#[track_caller]
pub(super) fn assert_nothing_lost_nothing_doubled(service: &Service, index: &str, lines: u64) {
    let mut times: HashMap<u64, u32> = HashMap::new();
    for document in service.documents_with(index, "url.*") {
        let text = document["_source"].to_string();
        let (_, rest) = text.split_once("item/").unwrap();
        *times.entry(rest[..9].parse().unwrap()).or_default() += 1;
    }
    let lost = (0..lines).filter(|number| !times.contains_key(number)).count();
    let doubled = times.values().filter(|&&times| times > 1).count();
    assert_eq!((lost, doubled), (0, 0), "of {lines} lines");
}
