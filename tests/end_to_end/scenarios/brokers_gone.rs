//! Brokers that hang or are dead, all or most of them, while the edge's file is rotated: the edge waits, in bounded
//! memory, and goes on.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::edge_and_hub::{PARSE, edge_with, wait_until_checked};
use super::kafka_source::{hub_of, wait_until_committed};
use super::wait_for_documents;
use crate::support::daemon::Daemon;
use crate::support::ledger::{Ledger, Witness};
use crate::support::services::kafka::Kafka;
use crate::support::writer::{Rotation, Writer};
use crate::support::{pause_until, within};

const TOPIC: &str = "gone";
const OUTAGE: Duration = Duration::from_secs(30);
/// The `memory` of the edge, in MiB: less than what is written in the outage, so it must hold files open instead.
const MEMORY: u64 = 16;
/// What the process may have beside that while it waits, in MiB; all that is written in the outage would be far more.
const BESIDE: u64 = 48;
/// And while it catches up, with payloads of the full size: one is filled while the other is made into records, of which
/// librdkafka has a copy.
const BESIDE_CATCHING_UP: u64 = 96;

#[test]
fn an_edge_waits_for_brokers_in_bounded_memory_while_its_file_is_rotated() {
    let mut kafka = Kafka::start(3, &[]);
    let client = kafka.client();
    client.create_topic(TOPIC, 6, 3);
    let store = Store::start(Faults::default()).unwrap();
    let edge = edge_with(&kafka, TOPIC, "ndjson", &format!("memory = \"{MEMORY}MiB\""), "");
    let hub = hub_of(&kafka, TOPIC, TOPIC, &store.url(), PARSE);
    let witnesses = [&edge, &hub].map(|scene| Witness::watch(scene.admin()));
    let [edge_daemon, hub_daemon] = [&edge, &hub].map(|scene| scene.run().wait_until_ready());
    // Five rotated files are kept, which is half of the outage: what is older is deleted, read or not.
    let rotation = Rotation::Rename { every: Duration::from_secs(3), keep: 5 };
    let writer = Writer::start(edge.log_path("app.log"), 5_000, rotation);
    wait_for_documents(&hub_daemon, &store, 5_000);

    let end = Instant::now() + OUTAGE;
    (1..=3).for_each(|id| kafka.suspend(id));
    wait_until_it_waits(&edge_daemon);
    pause_until(end);
    assert_memory_is_within(&edge_daemon, BESIDE);
    (1..=3).for_each(|id| kafka.resume(id));
    wait_until_it_goes_on(&edge_daemon);

    for id in [1, 2] {
        kafka.kill_9(id);
    }
    wait_until_it_waits(&edge_daemon);
    kafka.start_again(1);
    kafka.restart(2);
    wait_until_it_goes_on(&edge_daemon);
    let lines = writer.finish();

    wait_until_checked(&[&edge_daemon, &hub_daemon], &store, lines);
    wait_until_committed(&client, TOPIC, TOPIC);
    witnesses.into_iter().for_each(Witness::assert_it_always_added_up);
    assert_memory_is_within(&edge_daemon, BESIDE_CATCHING_UP);
}

/// The most that the edge ever had is no more than its budget and so many MiB.
#[track_caller]
fn assert_memory_is_within(edge: &Daemon, beside: u64) {
    let peak = edge.peak_mebibytes();
    assert!(peak <= MEMORY + beside, "{peak} MiB");
}

/// Waits until the daemon says that it waits, and reads no further.
#[track_caller]
fn wait_until_it_waits(daemon: &Daemon) {
    /// Far longer than the source waits between two reads.
    const STILL: Duration = Duration::from_secs(3);
    let told = reports(daemon);
    let mut last = (None, Instant::now());
    within(OUTAGE, format_args!("the edge waits and says so; {daemon}"), || {
        let ledger = Ledger::read(daemon.admin());
        if ledger.is_none() || last.0 != ledger {
            last = (ledger, Instant::now());
        }
        (reports(daemon) > told && last.1.elapsed() >= STILL).then_some(())
    });
}

/// How often it said that its output does not get on.
fn reports(daemon: &Daemon) -> usize {
    daemon.log().matches("the output does not get on").count()
}

/// Waits until more is delivered than the daemon had read before.
#[track_caller]
fn wait_until_it_goes_on(daemon: &Daemon) {
    let read = Ledger::read(daemon.admin()).unwrap().read;
    within(Duration::from_secs(60), format_args!("the edge goes on; {daemon}"), || {
        Ledger::read(daemon.admin()).filter(|ledger| ledger.delivered > read)
    });
}
