//! Records of a real cluster through the daemon into a store: each once, whatever they are and whoever reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use super::{assert_nothing_lost_nothing_doubled, wait_for_documents, wait_until_settled};
use crate::support::daemon::Daemon;
use crate::support::kafka::{Client, NewRecord};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, kafka};
use crate::support::{eventually, http};

const ORIGIN: &str = "AQIDBAUGBwgAAAAAAAAAAg";

/// A hub: these topics into the store, with more keys of the source.
pub(super) fn hub(topics: &str, group: &str, store: &Store, more: &str) -> Scene {
    hub_of(kafka(), topics, group, &store.url(), more)
}

/// The same of any cluster into any store.
pub(super) fn hub_of(kafka: &Kafka, topics: &str, group: &str, url: &str, more: &str) -> Scene {
    hub_at(&kafka.addresses(Listener::Plaintext), topics, group, url, more)
}

/// The same by any listener of the brokers, for which there are keys among the others.
pub(super) fn hub_at(brokers: &[String], topics: &str, group: &str, url: &str, more: &str) -> Scene {
    let scene = Scene::new();
    scene.write_config(&format!(
        "{}\n[outputs.store]\ntype = \"elasticsearch\"\ninputs = [\"bus\"]\nurls = [\"{url}\"]\n",
        bus(brokers, topics, group, more)
    ));
    scene
}

/// The config of a source `bus` of these topics, with more keys.
pub(super) fn bus(brokers: &[String], topics: &str, group: &str, more: &str) -> String {
    format!(
        r#"
memory = "64MiB"

[sources.bus]
type = "kafka"
brokers = {brokers:?}
topics = ["{topics}"]
group = "{group}"
{more}
"#
    )
}

pub(super) fn numbered(numbers: std::ops::Range<u64>) -> impl Iterator<Item = NewRecord> {
    numbers.map(|number| NewRecord {
        key: Some(number.to_be_bytes().to_vec()),
        ..NewRecord::of(format!("item/{number:09} of the bus"))
    })
}

/// What the admin interface says of the source.
pub(super) fn source(daemon: &Daemon) -> Option<Value> {
    let answer = http::get(daemon.admin(), "/api/sources").ok()?;
    answer.json()["sources"].get("bus").cloned()
}

pub(super) fn figure(daemon: &Daemon, name: &str) -> u64 {
    source(daemon).and_then(|source| source[name].as_u64()).unwrap_or_default()
}

pub(super) fn partitions(daemon: &Daemon) -> usize {
    source(daemon).and_then(|source| Some(source["partitions"].as_array()?.len())).unwrap_or_default()
}

pub(super) fn wait_until_committed(client: &Client, group: &str, topic: &str) {
    let ends = client.end_offsets(topic).into_iter().map(|end| (end > 0).then_some(end)).collect::<Vec<_>>();
    eventually(format_args!("the group is at the end of {topic}"), || {
        (client.committed(group, topic) == ends).then_some(())
    });
}

#[test]
fn any_record_is_read_once_and_none_stops_the_source() {
    let client = Client::new(
        kafka()
            .settings(Listener::Plaintext)
            .into_iter()
            .chain([("message.max.bytes", "4000000".to_owned())]),
    );
    let store = Store::start(Faults::default()).unwrap();
    for topic in ["source.kinds.a", "source.kinds.b"] {
        client.create_topic_with(topic, 1, 1, &[("max.message.bytes", "4000000")]);
    }
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    let ndjson = "{\"message\":\"item/000000004\"}\n{\"message\":\"item/000000005\"}\n";
    client.produce(
        "source.kinds.a",
        [
            NewRecord::of("item/000000000 is plain text\n"),
            NewRecord { value: None, key: Some(b"gone".to_vec()), ..NewRecord::default() },
            NewRecord::of(r#"{"level":"warn","msg":"item/000000001 is JSON"}"#),
            NewRecord::of(b"item/000000002 \xff\xfe\x00 is garbage".to_vec()),
            NewRecord {
                headers: vec![header("logweir-origin", ORIGIN)],
                ..NewRecord::of("item/000000003 has an origin")
            },
            NewRecord {
                headers: vec![header("content-type", "application/x-ndjson")],
                ..NewRecord::of(ndjson)
            },
        ],
    );
    let large = format!("item/000000006 {}", "x".repeat(2_000_000));
    client.produce("source.kinds.b", [NewRecord::of(large), NewRecord::of("item/000000007 is the last")]);

    let scene = hub("source.kinds.*", "source.kinds", &store, "parse = [\"json\", \"raw\"]");
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, 8);
    assert_nothing_lost_nothing_doubled(&store, 8);
    for topic in ["source.kinds.a", "source.kinds.b"] {
        wait_until_committed(&client, "source.kinds", topic);
    }
    assert_eq!(figure(&daemon, "null_values"), 1);
    let documents = documents(&store);
    assert_eq!(documents[&3].0, ORIGIN);
    assert_eq!(documents[&1].1["log.level"], "warn");
    assert_eq!(documents[&1].1["message"], "item/000000001 is JSON");
    assert_eq!(documents[&4].1["message"], "item/000000004");
    assert_eq!(documents[&6].1["message"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(documents[&6].1["log.flags"][0], "truncated");
    assert!(documents[&0].1.get("host.name").is_none(), "the record is not about this host");
}

/// The `_id` and the document of each number.
pub(super) fn documents(store: &Store) -> BTreeMap<u64, (String, Value)> {
    let document = |document: logweir_benchmarks::store::Document| {
        let value = serde_json::from_slice::<Value>(&document.source).unwrap();
        let message = value["message"].as_str().unwrap();
        let number = message.split("item/").nth(1).unwrap()[..9].parse::<u64>().unwrap();
        (number, (document.id, value))
    };
    store.stored().into_iter().map(document).collect()
}

#[test]
fn kill_nine_loses_nothing_and_what_is_read_twice_has_the_same_id() {
    const LINES: u64 = 60_000;
    let client = kafka().client();
    client.create_topic("source.kill", 3, 1);
    let store = Store::start(Faults::default()).unwrap();
    // A member that was killed is known again by its name.
    let more = "group_instance_id = \"hub-1\"\ngroup_protocol = \"classic\"";
    let scene = hub("source.kill", "source.kill", &store, more);
    let witness = Witness::watch(scene.admin());
    thread::scope(|threads| {
        let writer = threads.spawn(|| {
            let parts = (0..20).map(|part| part * LINES / 20..(part + 1) * LINES / 20);
            parts.for_each(|part| client.produce("source.kill", numbered(part)));
        });
        for kill in 1..=3 {
            let mut daemon = scene.run();
            wait_for_documents(&daemon, &store, kill * 10_000);
            daemon.kill();
        }
        writer.join().unwrap();
    });
    let mut daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, LINES);
    assert_nothing_lost_nothing_doubled(&store, LINES);
    assert!(store.counts().conflicts > 0, "nothing was read twice, so the test proved nothing");
    witness.assert_it_always_added_up();
    assert!(daemon.terminate().success(), "{daemon}");
    wait_until_committed(&client, "source.kill", "source.kill");
}

#[test]
fn a_killed_member_s_name_is_waited_for_where_the_broker_assigns() {
    let client = kafka().client();
    client.create_topic("source.name", 1, 1);
    client.produce("source.name", numbered(0..10));
    let store = Store::start(Faults::default()).unwrap();
    let scene = hub("source.name", "source.name", &store, "group_instance_id = \"hub-1\"");
    let mut daemon = scene.run().wait_until_ready();
    wait_for_documents(&daemon, &store, 10);
    daemon.kill();
    client.produce("source.name", numbered(10..20));
    let daemon = scene.run().wait_until_ready();
    eventually("it is told", || daemon.log().contains("a member of this name").then_some(()));
    wait_until_settled(&daemon, &store, 20);
    assert_nothing_lost_nothing_doubled(&store, 20);
}

#[test]
fn members_share_partitions_and_one_that_joins_or_leaves_loses_nothing() {
    const LINES: u64 = 60_000;
    for protocol in ["consumer", "classic"] {
        let topic = format!("source.members.{protocol}");
        let client = kafka().client();
        client.create_topic(&topic, 6, 1);
        let store = Store::start(Faults::default()).unwrap();
        let more = format!("group_protocol = \"{protocol}\"");
        let scenes = [(); 3].map(|()| hub(&topic, &topic, &store, &more));
        let first = scenes[0].run().wait_until_ready();
        let mut second = scenes[1].run().wait_until_ready();
        eventually(format_args!("two share: {first} {second}"), || {
            (partitions(&first) == 3 && partitions(&second) == 3).then_some(())
        });
        let half = |number: u64| number * LINES / 2..(number + 1) * LINES / 2;
        thread::scope(|threads| {
            let writer = threads.spawn(|| {
                for part in 0..20 {
                    client.produce(&topic, numbered(part * LINES / 40..(part + 1) * LINES / 40));
                }
            });
            wait_for_documents(&first, &store, 2_000);
            let third = scenes[2].run().wait_until_ready();
            eventually(format_args!("three share: {first} {second} {third}"), || {
                [&first, &second, &third].iter().all(|daemon| partitions(daemon) == 2).then_some(())
            });
            writer.join().unwrap();
            let writer = threads.spawn(|| client.produce(&topic, numbered(half(1))));
            assert!(second.terminate().success(), "{second}");
            writer.join().unwrap();
            wait_for_documents(&first, &store, usize::try_from(LINES).unwrap());
            for daemon in [&first, &third] {
                eventually("nothing is in flight", || {
                    let ledger = Ledger::read(daemon.admin())?;
                    (ledger.in_flight == 0 && ledger.adds_up()).then_some(())
                });
            }
            wait_until_committed(&client, &topic, &topic);
        });
        assert_nothing_lost_nothing_doubled(&store, LINES);
    }
}

#[test]
fn a_dead_store_pauses_the_partitions_and_no_member_is_put_out() {
    const LINES: u64 = 40_000;
    let client = kafka().client();
    client.create_topic("source.dead", 2, 1);
    let mut store = Store::start(Faults::default()).unwrap();
    // The session is over long before the store is back, if the member is not heard of.
    let more = "group_protocol = \"classic\"\nqueue_bytes = \"1MiB\"\nlibrdkafka = { \"session.timeout.ms\" = 6000, \
                \"max.poll.interval.ms\" = 6000, \"heartbeat.interval.ms\" = 1000 }";
    let scene = hub("source.dead", "source.dead", &store, more);
    let daemon = scene.run().wait_until_ready();
    client.produce("source.dead", numbered(0..100));
    wait_for_documents(&daemon, &store, 100);
    let rebalances = figure(&daemon, "rebalances");
    store.stop();
    let wide = |record: NewRecord| {
        let value = record.value.map(|value| [&value[..], &[b' '; 2_000]].concat());
        NewRecord { value, ..record }
    };
    client.produce("source.dead", numbered(100..LINES).map(wide));
    eventually(format_args!("the partitions are paused {daemon}"), || {
        (figure(&daemon, "pauses") > 0).then_some(())
    });
    let paused_at = std::time::Instant::now();
    eventually("the interval between two polls is over", || {
        (paused_at.elapsed() > std::time::Duration::from_secs(10)).then_some(())
    });
    store.start_again().unwrap();
    wait_until_settled(&daemon, &store, LINES);
    assert_nothing_lost_nothing_doubled(&store, LINES);
    assert_eq!(figure(&daemon, "rebalances"), rebalances, "{daemon}");
    wait_until_committed(&client, "source.dead", "source.dead");
}

#[test]
fn a_position_that_the_group_does_not_take_is_counted_and_stops_nothing() {
    const TOPIC: &str = "source.commit";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(0..10));
    let mut store = Store::start(Faults::default()).unwrap();
    let more = "librdkafka = { \"topic.metadata.refresh.interval.ms\" = 1000 }";
    let scene = hub(TOPIC, TOPIC, &store, more);
    let mut daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, 10);
    wait_until_committed(&client, TOPIC, TOPIC);
    // Read while the store is dead, settled when the topic is no more.
    store.stop();
    client.produce(TOPIC, numbered(10..20));
    eventually(format_args!("the records are under way {daemon}"), || {
        (Ledger::read(daemon.admin())?.in_flight == 10).then_some(())
    });
    client.delete_topic(TOPIC);
    store.start_again().unwrap();
    wait_until_settled(&daemon, &store, 20);
    eventually(format_args!("a commit fails {daemon}"), || {
        (figure(&daemon, "commit_failures") > 0).then_some(())
    });
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(20..50));
    // A record without an origin is known by its place: the first twenty have those of the old topic.
    wait_for_documents(&daemon, &store, 30);
    wait_until_committed(&client, TOPIC, TOPIC);
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn a_cluster_that_is_away_is_told_once_and_waited_for() {
    let mut kafka = Kafka::start(1, &[]);
    let client = kafka.client();
    client.create_topic("source.away", 1, 1);
    client.produce("source.away", numbered(0..10));
    let store = Store::start(Faults::default()).unwrap();
    let scene = hub_of(&kafka, "source.away", "source.away", &store.url(), "");
    let mut daemon = scene.run().wait_until_ready();
    wait_for_documents(&daemon, &store, 10);
    kafka.kill_9(1);
    eventually(format_args!("it is told {daemon}"), || {
        daemon.log().contains("cannot read for now").then_some(())
    });
    kafka.restart(1);
    client.produce("source.away", numbered(10..20));
    wait_until_settled(&daemon, &store, 20);
    assert_nothing_lost_nothing_doubled(&store, 20);
    let log = daemon.log();
    let kinds = log.lines().filter(|line| line.contains("cannot read for now")).collect::<Vec<_>>();
    assert!(kinds.len() <= 4, "{kinds:#?}");
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
    kafka.kill_9(1);
    assert!(daemon.terminate().success(), "{daemon}");
}
