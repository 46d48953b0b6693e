//! Where a source begins, and where it goes on when the records at its position are gone.

use std::collections::BTreeSet;
use std::ops::Range;

use logweir_benchmarks::store::{Faults, Store};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka_source::{documents, figure, hub, hub_of, numbered, wait_until_committed};
use super::kafka_transactions::{create_topics, relay};
use super::{CATCHING_UP, wait_for_documents, wait_until_settled};
use crate::support::daemon::Daemon;
use crate::support::eventually;
use crate::support::kafka::{Client, Isolation, NewRecord};
use crate::support::services::kafka::{Kafka, kafka};

/// 2025-11-24T16:00:00Z.
const START: i64 = 1_764_000_000_000;
const HOUR: i64 = 3_600_000;

fn to(partition: i32, numbers: Range<u64>) -> impl Iterator<Item = NewRecord> {
    numbered(numbers).map(move |record| NewRecord { partition: Some(partition), ..record })
}

#[track_caller]
fn assert_stored(store: &Store, expected: impl IntoIterator<Item = u64>) {
    let stored = documents(store).into_keys().collect::<BTreeSet<_>>();
    assert_eq!(stored, expected.into_iter().collect::<BTreeSet<_>>());
}

/// The lines of a log that tell of a position.
fn told(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    log.lines().filter(|line| line.contains("position are gone")).map(str::to_owned).collect()
}

#[test]
fn reading_begins_where_the_config_says() {
    let client = kafka().client();
    let now = logweir_pipeline::time::now() / 1_000_000;
    // The start, the time of the first of ten records, that between two, and the first record that is read.
    let cases = [
        ("time", "2025-11-24T16:00:05Z", START, 1_000, 5),
        ("duration", "285m", now - 6 * HOUR, HOUR / 2, 3),
        ("latest", "latest", START, 1_000, 10),
        ("earliest", "earliest", START, 1_000, 0),
    ];
    for (name, start, first, step, begins_at) in cases {
        let topic = format!("positions.start.{name}");
        client.create_topic_with(&topic, 3, 1, &[("retention.ms", "-1")]);
        let at =
            |record: NewRecord, number: i64| NewRecord { timestamp: Some(first + number * step), ..record };
        client.produce(&topic, to(0, 0..10).zip(0..).map(|(record, number)| at(record, number)));
        if name == "time" {
            client.produce(&topic, to(1, 10..12).map(|record| at(record, 4)));
        }
        let store = Store::start(Faults::default()).unwrap();
        let scene = hub(&topic, &topic, &store, &format!("start = \"{start}\""));
        let mut daemon = scene.run().wait_until_ready();
        let ends = if name == "time" { [10, 2, 0] } else { [10, 0, 0] };
        // A position that was looked up is told at once; of the first record, when it is settled.
        let ends = ends.map(|end| Some(end).filter(|&end| end > 0 || name != "earliest"));
        eventually(format_args!("{name}: the group has its positions {daemon}"), || {
            (client.committed(&topic, &topic) == ends).then_some(())
        });
        wait_until_settled(&daemon, &store, 10 - begins_at);
        assert_stored(&store, begins_at..10);
        // The first start was the first one.
        assert!(daemon.terminate().success(), "{daemon}");
        client.produce(&topic, (0..3).flat_map(|partition| to(partition, 20..21)));
        client.produce(&topic, to(2, 21..22));
        let daemon = scene.run().wait_until_ready();
        let arrived = usize::try_from(10 - begins_at).unwrap() + 4;
        wait_for_documents(&daemon, &store, arrived);
        assert_stored(&store, (begins_at..10).chain(20..22));
        assert_eq!(store.len(), arrived, "{daemon}");
    }
}

#[test]
fn a_position_that_retention_overtook_is_told_and_counted() {
    let client = kafka().client();
    for (protocol, policy, first_read, lost) in
        [("consumer", "earliest", 25, 5), ("classic", "earliest", 25, 5), ("consumer", "latest", 30, 10)]
    {
        let topic = format!("positions.retention.{protocol}.{policy}");
        client.create_topic(&topic, 2, 1);
        client.produce(&topic, to(0, 0..10).chain(to(1, 10..20)));
        let store = Store::start(Faults::default()).unwrap();
        let more = format!("group_protocol = \"{protocol}\"\non_lost_position = \"{policy}\"");
        let scene = hub(&topic, &topic, &store, &more);
        let mut daemon = scene.run().wait_until_ready();
        wait_until_settled(&daemon, &store, 20);
        assert!(daemon.terminate().success(), "{daemon}");

        client.produce(&topic, to(0, 20..30).chain(to(1, 30..40)));
        client.delete_records(&topic, 0, 15);
        let mut daemon = scene.run().wait_until_ready();
        wait_until_settled(&daemon, &store, 20 + (40 - first_read));
        eventually(format_args!("the group is at the end {daemon}"), || {
            (client.committed(&topic, &topic) == [Some(20), Some(20)]).then_some(())
        });
        client.produce(&topic, to(0, 40..45).chain(to(1, 45..50)));
        wait_until_settled(&daemon, &store, 20 + (50 - first_read));
        assert_stored(&store, (0..20).chain(first_read..50));
        assert_eq!(figure(&daemon, "position_resets"), 1);
        assert_eq!(figure(&daemon, "possibly_lost_records"), lost);
        let told = told(&daemon);
        assert_eq!(told.len(), 1, "{daemon}");
        let places = format!(r#""partition":0,"from":10,"to":{},"records":{lost}"#, 10 + lost);
        assert!(told[0].contains(&places) && told[0].contains(&topic), "{told:?} instead of {places}");
        assert!(daemon.terminate().success(), "{daemon}");
    }
}

#[test]
fn a_lost_position_may_be_the_end() {
    const TOPIC: &str = "positions.stop";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(0..10));
    let store = Store::start(Faults::default()).unwrap();
    let scene = hub(TOPIC, TOPIC, &store, "on_lost_position = \"stop\"");
    let mut daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, 10);
    assert!(daemon.terminate().success(), "{daemon}");
    client.produce(TOPIC, numbered(10..20));
    client.delete_records(TOPIC, 0, 15);
    let mut daemon = scene.run();
    assert_eq!(daemon.wait().code(), Some(1), "{daemon}");
    let reason = "is at offset 10 in partition 0 of `positions.stop`, which has 15 to 20";
    assert!(daemon.log().contains(reason), "{daemon}");
    assert_eq!(client.committed(TOPIC, TOPIC), [Some(10)], "the position is somebody's to move");
}

#[test]
fn a_topic_that_was_made_anew_is_read_from_its_first_record() {
    const TOPIC: &str = "positions.anew";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(0..10));
    let old = Store::start(Faults::default()).unwrap();
    let mut daemon = hub(TOPIC, TOPIC, &old, "").run().wait_until_ready();
    wait_until_settled(&daemon, &old, 10);
    wait_until_committed(&client, TOPIC, TOPIC);
    assert!(daemon.terminate().success(), "{daemon}");

    client.delete_topic(TOPIC);
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(0..4));
    // The group's position is deleted with the topic, unless a member that did not notice tells it again.
    let consumer: BaseConsumer = client.config().set("group.id", TOPIC).create().unwrap();
    let mut beyond = TopicPartitionList::new();
    beyond.add_partition_offset(TOPIC, 0, Offset::Offset(10)).unwrap();
    consumer.commit(&beyond, CommitMode::Sync).unwrap();
    let new = Store::start(Faults::default()).unwrap();
    let scene = hub(TOPIC, TOPIC, &new, "");
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &new, 4);
    wait_until_committed(&client, TOPIC, TOPIC);
    assert_stored(&new, 0..4);
    assert_eq!(figure(&daemon, "position_resets"), 1);
    assert_eq!(figure(&daemon, "possibly_lost_records"), 0, "nobody knows how many");
    assert!(told(&daemon)[0].contains("made anew"), "{daemon}");
}

#[test]
fn a_topic_that_is_made_anew_under_a_running_source_is_read_on() {
    const TOPIC: &str = "positions.meanwhile";
    let client = kafka().client();
    for protocol in ["consumer", "classic"] {
        let topic = format!("{TOPIC}.{protocol}");
        client.create_topic(&topic, 1, 1);
        client.produce(&topic, numbered(0..10));
        let store = Store::start(Faults::default()).unwrap();
        let more = format!(
            "group_protocol = \"{protocol}\"\nlibrdkafka = {{ \"topic.metadata.refresh.interval.ms\" = 1000 }}"
        );
        let scene = hub(&topic, &topic, &store, &more);
        let mut daemon = scene.run().wait_until_ready();
        wait_until_settled(&daemon, &store, 10);
        client.delete_topic(&topic);
        client.create_topic(&topic, 1, 1);
        // A record without an origin is known by its place: the first ten have those of the old topic.
        client.produce(&topic, numbered(10..40));
        wait_for_documents(&daemon, &store, 30);
        wait_until_committed(&client, &topic, &topic);
        assert_stored(&store, (0..10).chain(20..40));
        assert!(daemon.terminate().success(), "{daemon}");
    }
}

/// The numbers that a relay has written, as who reads what is committed sees them.
#[track_caller]
fn assert_written(client: &Client, name: &str, expected: impl IntoIterator<Item = u64>) {
    let expected = expected.into_iter().collect::<Vec<_>>();
    wait_until_committed(client, name, &format!("{name}.in"));
    let records =
        client.read_all(&format!("{name}.out"), expected.len(), Isolation::ReadCommitted, CATCHING_UP);
    let number = |value: Vec<u8>| String::from_utf8(value).unwrap()["item/".len()..][..9].parse().unwrap();
    let mut written = records.into_iter().map(|record| number(record.value.unwrap())).collect::<Vec<u64>>();
    written.sort_unstable();
    assert_eq!(written, expected);
}

#[test]
fn within_transactions_the_first_position_is_told_by_one() {
    const NAME: &str = "positions.transactions";
    let client = kafka().client();
    create_topics(&client, NAME, 2);
    let topic = format!("{NAME}.in");
    client.produce(&topic, to(0, 0..10));
    for protocol in ["consumer", "classic"] {
        let ends = client.end_offsets(&topic);
        let source = format!("start = \"latest\"\ngroup_protocol = \"{protocol}\"");
        let output = format!("transactional_id = \"{NAME}\"");
        let scene = relay(kafka(), NAME, &source, &output);
        let mut daemon = scene.run().wait_until_ready();
        eventually(format_args!("the group has its positions {daemon}"), || {
            let committed = client.committed(NAME, &topic);
            committed.iter().zip(&ends).all(|(committed, end)| *committed == Some(*end)).then_some(())
        });
        assert!(daemon.terminate().success(), "{daemon}");
        // The first start was the first one.
        let first = 10 + 10 * u64::from(protocol == "classic");
        client.produce(&topic, to(0, first..first + 5).chain(to(1, first + 5..first + 10)));
        let mut daemon = scene.run().wait_until_ready();
        assert_written(&client, NAME, 10..first + 10);
        assert!(daemon.terminate().success(), "{daemon}");
    }
}

#[test]
fn within_transactions_reading_goes_on_behind_a_lost_position() {
    const NAME: &str = "positions.transactions.lost";
    let client = kafka().client();
    create_topics(&client, NAME, 2);
    let topic = format!("{NAME}.in");
    client.produce(&topic, to(0, 0..10).chain(to(1, 10..20)));
    let scene = relay(kafka(), NAME, "", &format!("transactional_id = \"{NAME}\""));
    let mut daemon = scene.run().wait_until_ready();
    assert_written(&client, NAME, 0..20);
    assert!(daemon.terminate().success(), "{daemon}");
    client.produce(&topic, to(0, 20..30).chain(to(1, 30..40)));
    client.delete_records(&topic, 0, 15);
    let mut daemon = scene.run().wait_until_ready();
    assert_written(&client, NAME, (0..20).chain(25..40));
    assert_eq!((figure(&daemon, "position_resets"), figure(&daemon, "possibly_lost_records")), (1, 5));
    assert_eq!(told(&daemon).len(), 1, "{daemon}");
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn a_partition_without_a_leader_holds_up_no_other() {
    const TOPIC: &str = "positions.leaderless";
    for protocol in ["consumer", "classic"] {
        let mut kafka = Kafka::start(3, &[]);
        let client = kafka.client();
        client.create_topic(TOPIC, 3, 1);
        let leaders = [0, 1, 2].map(|partition| client.leader(TOPIC, partition).unwrap());
        client.produce(TOPIC, to(0, 0..5).chain(to(1, 5..10)).chain(to(2, 10..15)));
        kafka.kill_9(leaders[2]);
        let store = Store::start(Faults::default()).unwrap();
        let more = format!("start = \"latest\"\ngroup_protocol = \"{protocol}\"");
        let scene = hub_of(&kafka, TOPIC, TOPIC, &store.url(), &more);
        let mut daemon = scene.run().wait_until_ready();
        eventually(format_args!("{protocol}: two partitions have positions {daemon}"), || {
            (client.committed(TOPIC, TOPIC)[..2] == [Some(5), Some(5)]).then_some(())
        });
        client.produce(TOPIC, to(0, 20..25).chain(to(1, 25..30)));
        wait_for_documents(&daemon, &store, 10);
        kafka.start_again(leaders[2]);
        eventually(format_args!("{protocol}: so has the third {daemon}"), || {
            (client.committed(TOPIC, TOPIC)[2] == Some(5)).then_some(())
        });
        client.produce(TOPIC, to(2, 30..35));
        wait_for_documents(&daemon, &store, 15);
        assert_stored(&store, 20..35);
        assert!(daemon.terminate().success(), "{daemon}");
    }
}
