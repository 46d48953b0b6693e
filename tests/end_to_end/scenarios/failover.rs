//! Two nodes, of which one is dead, dies or hangs: the other one takes over, and no line waits long.

use std::time::Duration;

use logweir_benchmarks::store::{Faults, Mode, Store};

use super::together::assert_every_line_has_one_id;
use super::{assert_nothing_lost_nothing_doubled, wait_for_documents};
use crate::support::daemon::Daemon;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::writer::{Rotation, Writer, append_numbered};
use crate::support::{free_port, within};

/// The longest that a line may take while one node is away: far above the usual, far below the longest rest of a node.
const NO_LONG_STALL: Duration = Duration::from_secs(5);

#[test]
fn a_dead_node_costs_no_line_and_no_long_stall() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&two_nodes(&format!("http://127.0.0.1:{}", free_port()), &store.url()));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    // Long enough for the dead node's rests to end several times.
    for round in 1..=20 {
        append_numbered(&scene.log_path("app.log"), (round - 1) * 200..round * 200);
        within(NO_LONG_STALL, format_args!("round {round} arrives; {daemon}"), || {
            (store.len() as u64 == round * 200).then_some(())
        });
    }
    assert_nothing_lost_nothing_doubled(&store, 4_000);
    assert_eq!(store.counts().conflicts, 0, "the dead node made the daemon send lines twice");
    witness.assert_it_always_added_up();
}

#[test]
fn a_node_that_dies_leaves_the_rest_to_the_other() {
    let scene = Scene::new();
    let mut first = Store::start(Faults::default()).unwrap();
    let second = Store::start(Faults::default()).unwrap();
    scene.write_config(&two_nodes(&first.url(), &second.url()));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    let writer = Writer::start(scene.log_path("app.log"), 5_000, Rotation::Never);
    wait_for_documents(&daemon, &first, 1_000);
    wait_for_documents(&daemon, &second, 1_000);
    first.stop();
    let before = second.len();
    wait_for_documents(&daemon, &second, before + 10_000);
    let lines = writer.finish();
    wait_until_delivered(&daemon, lines, NO_LONG_STALL);
    assert_every_line_has_one_id(&[&first, &second], lines);
    witness.assert_it_always_added_up();
}

#[test]
fn a_node_that_hangs_costs_a_request_timeout_and_no_line() {
    let scene = Scene::new();
    let (first, second) =
        (Store::start(Faults::default()).unwrap(), Store::start(Faults::default()).unwrap());
    scene.write_config(&(two_nodes(&first.url(), &second.url()) + "request_timeout = \"1s\"\n"));
    first.set_mode(Mode::Hanging);
    append_numbered(&scene.log_path("app.log"), 0..5_000);
    let daemon = scene.run();
    wait_until_delivered(&daemon, 5_000, Duration::from_secs(15));
    assert_nothing_lost_nothing_doubled(&second, 5_000);
    assert!(first.refused_requests() > 0, "the hanging node was never asked");
}

#[track_caller]
fn wait_until_delivered(daemon: &Daemon, lines: u64, patience: Duration) {
    within(patience, format_args!("{lines} lines are delivered; {daemon}"), || {
        Ledger::read(daemon.admin()).filter(|ledger| ledger.delivered == lines && ledger.in_flight == 0)
    });
}

fn two_nodes(first: &str, second: &str) -> String {
    format!(
        r#"[sources.app]
type = "file"
paths = ["{{here}}/logs/app.log"]
parse = "nginx_access"

[outputs.store]
type = "elasticsearch"
inputs = ["app"]
urls = ["{first}", "{second}"]
"#
    )
}
