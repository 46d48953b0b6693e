//! From a file over an edge, a cluster of three brokers and two hubs into a store, while each of them is killed.

use std::time::{Duration, Instant};

use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};

use super::kafka_output::config_of;
use super::kafka_source::{hub_of, wait_until_committed};
use super::{assert_nothing_lost_nothing_doubled, real_stores};
use crate::support::daemon::Daemon;
use crate::support::kafka::Isolation;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services;
use crate::support::services::kafka::Kafka;
use crate::support::writer::{Rotation, Writer};
use crate::support::{PATIENCE, pause_until, within};

/// How long a backlog may take after the last misfortune: a killed hub's partitions move when its session is over.
const CATCHING_UP: Duration = Duration::from_secs(120);
/// Of documents that an edge wrote.
pub(super) const PARSE: &str = "parse = \"json\"";

/// An edge: `logs/*.log` into a topic. A rotated file's name does not match.
pub(super) fn edge(kafka: &Kafka, topic: &str, encoding: &str) -> Scene {
    edge_with(kafka, topic, encoding, "", "")
}

/// The same with keys of the top level and more keys of the source.
pub(super) fn edge_with(kafka: &Kafka, topic: &str, encoding: &str, top: &str, source: &str) -> Scene {
    let keys = format!("topic = \"{topic}\"\nkey = \"{{source.ip}}\"\nencoding = \"{encoding}\"");
    let scene = Scene::new();
    scene.write_config(&format!("{top}\n\n{}", config_of(kafka, source, &keys)));
    scene
}

/// Waits until a store that `count` counts has so many documents.
#[track_caller]
pub(super) fn wait_until_stored(daemons: &[&Daemon], lines: u64, count: impl Fn() -> Option<u64>) {
    let mut last = None;
    let stored = logweir_benchmarks::pace::wait_for(CATCHING_UP, || {
        last = count();
        last.filter(|&count| count >= lines)
    });
    if stored.is_none() {
        let told = daemons.iter().map(|daemon| format!("{:?}; {daemon}", Ledger::read(daemon.admin())));
        let told = told.collect::<Vec<_>>().join("\n");
        panic!("{last:?} of {lines} documents are stored after {CATCHING_UP:?}; {told}");
    }
    for daemon in daemons {
        within(CATCHING_UP, format_args!("nothing is in flight; {daemon}"), || {
            let ledger = Ledger::read(daemon.admin())?;
            (ledger.in_flight == 0 && ledger.adds_up()).then_some(())
        });
    }
}

/// The same of a store that checks what it gets.
#[track_caller]
pub(super) fn wait_until_checked(daemons: &[&Daemon], store: &Store, lines: u64) {
    wait_until_stored(daemons, lines, || Some(store.len() as u64));
    assert_nothing_lost_nothing_doubled(store, lines);
}

#[test]
fn a_line_is_stored_once_whoever_is_killed_on_its_way() {
    let mut kafka = Kafka::start(3, &[]);
    for (seed, encoding) in [(5, "json"), (6, "ndjson")] {
        let mut random = Random::new(seed);
        let topic = format!("way.{encoding}");
        kafka.client().create_topic(&topic, 6, 3);
        let store = Store::start(Faults::default()).unwrap();
        let edge = edge(&kafka, &topic, encoding);
        let hubs = [(); 2].map(|()| hub_of(&kafka, &topic, &topic, &store.url(), PARSE));
        let witnesses = [edge.admin(), hubs[0].admin(), hubs[1].admin()].map(Witness::watch);
        let mut first = hubs[0].run();
        let second = hubs[1].run();
        let writer = Writer::start(edge.log_path("app.log"), 10_000, Rotation::Never);
        let leader = kafka.client().leader(&topic, 0).unwrap();
        for turn in 0..3 {
            let mut daemon = edge.run();
            pause_until(Instant::now() + Duration::from_millis(800 + random.below(1_500)));
            match turn {
                0 => kafka.kill_9(leader),
                1 => first.kill(),
                _ => kafka.restart(leader),
            }
            daemon.kill();
        }
        let first = hubs[0].run();
        let lines = writer.finish();

        let edge_daemon = edge.run().wait_until_ready();
        wait_until_checked(&[&edge_daemon, &first, &second], &store, lines);
        assert!(store.counts().conflicts > 0, "nothing came twice, so the test proved nothing");
        witnesses.into_iter().for_each(Witness::assert_it_always_added_up);
    }
}

#[test]
fn a_line_stands_once_in_a_real_store_that_is_killed_too() {
    const LINES: u64 = 200_000;
    const TOPIC: &str = "way.real";
    const INDEX: &str = "logs-way-default";
    let mut service = services::elasticsearch();
    let mut kafka = Kafka::start(3, &[]);
    let client = kafka.client();
    client.create_topic(TOPIC, 6, 3);
    let mut random = Random::new(7);
    let edge = edge_with(&kafka, TOPIC, "ndjson", "", "dataset = \"way\"");
    let hubs = [(); 2].map(|()| hub_of(&kafka, TOPIC, TOPIC, &service.url(), PARSE));
    let witnesses = [edge.admin(), hubs[0].admin(), hubs[1].admin()].map(Witness::watch);
    let second = hubs[1].run();
    let writer = Writer::start(edge.log_path("app.log"), 10_000, Rotation::Never);
    let leader = client.leader(TOPIC, 0).unwrap();
    for turn in 0..3 {
        let (mut edge_daemon, mut first) = (edge.run(), hubs[0].run());
        let mut pause = || pause_until(Instant::now() + Duration::from_millis(1_000 + random.below(1_500)));
        pause();
        match turn {
            0 => kafka.kill_9(leader),
            1 => service.kill(),
            _ => {
                service.start_again();
                kafka.restart(leader);
            }
        }
        pause();
        edge_daemon.kill();
        pause();
        first.kill();
    }
    let (edge_daemon, first) = (edge.run(), hubs[0].run());
    let lines = writer.finish_after(LINES);

    wait_until_stored(&[&edge_daemon, &first, &second], lines, || service.count(INDEX));
    wait_until_committed(&client, TOPIC, TOPIC);
    real_stores::assert_nothing_lost_nothing_doubled(&service, INDEX, lines);
    witnesses.into_iter().for_each(Witness::assert_it_always_added_up);
    let records = client.read_all(TOPIC, 1, Isolation::ReadCommitted, PATIENCE);
    let documents = records.iter().filter_map(|record| record.value.as_ref());
    let documents: usize =
        documents.map(|value| 1 + value.iter().filter(|&&byte| byte == b'\n').count()).sum();
    assert!(documents as u64 > lines, "no line came twice, so the test proved nothing");
}
