//! The Kafka that the other scenarios stand on: records come back as they were written, a cluster outlives its leader,
//! and only who may connect does.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::kafka::{Client, Isolation, NewRecord, Record};
use crate::support::services::kafka::{Kafka, Listener, PASSWORD, kafka};
use crate::support::{PATIENCE, eventually, wait_for};

const WRONG_PASSWORD: &str = "wrong-9b1f02";

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let client = kafka().client();
    client.create_topic("support.record", 2, 1);
    let written = NewRecord {
        partition: Some(1),
        key: Some(b"key".to_vec()),
        value: Some(b"value".to_vec()),
        headers: vec![("full".to_owned(), Some(b"header".to_vec())), ("null".to_owned(), None)],
        timestamp: Some(1_764_000_000_123),
    };
    let tombstone = NewRecord { value: None, ..written.clone() };
    client.produce("support.record", [written.clone(), tombstone]);
    let read = client.read_all("support.record", 2, Isolation::ReadCommitted, PATIENCE);
    let expected = Record {
        partition: 1,
        offset: 0,
        key: written.key,
        value: written.value,
        headers: written.headers,
        timestamp: written.timestamp,
    };
    assert_eq!(read, [expected.clone(), Record { offset: 1, value: None, ..expected }]);
    assert_eq!(client.end_offsets("support.record"), [0, 2]);
}

#[test]
fn a_reader_of_what_is_committed_sees_no_aborted_record() {
    let client = kafka().client();
    client.create_topic("support.transaction", 1, 1);
    let producer: BaseProducer = client.config().set("transactional.id", "support").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for value in ["aborted", "committed", "aborted too"] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<(), str>::to("support.transaction").payload(value)).unwrap();
        producer.flush(PATIENCE).unwrap();
        if value == "committed" {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    for (isolation, expected) in [
        (Isolation::ReadUncommitted, &["aborted", "committed", "aborted too"][..]),
        (Isolation::ReadCommitted, &["committed"]),
    ] {
        let read = client.read_all("support.transaction", expected.len(), isolation, PATIENCE);
        assert_eq!(values(&read), expected);
    }
}

#[test]
fn a_topic_has_the_settings_it_was_made_with() {
    let client = kafka().client();
    client.create_topic_with("support.large", 1, 1, &[("max.message.bytes", "4000000")]);
    let config = [("message.max.bytes", "4000000")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let settings =
        kafka().settings(Listener::Plaintext).into_iter().map(|(key, value)| (key.to_owned(), value));
    Client::new(settings.chain(config)).produce("support.large", [NewRecord::of(vec![b'x'; 2_000_000])]);
    let read = client.read_all("support.large", 1, Isolation::ReadUncommitted, PATIENCE);
    assert_eq!(read[0].value.as_ref().map(Vec::len), Some(2_000_000));
}

#[test]
fn the_offsets_of_a_group_are_told() {
    let client = kafka().client();
    client.create_topic("support.group", 2, 1);
    assert_eq!(client.committed("support.group", "support.group"), [None, None]);
    let consumer: BaseConsumer = client.config().set("group.id", "support.group").create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("support.group", 1, Offset::Offset(7)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    assert_eq!(client.committed("support.group", "support.group"), [None, Some(7)]);
}

#[test]
fn a_cluster_of_three_outlives_its_leader() {
    let mut kafka = Kafka::start(3, &[]);
    let client = kafka.client();
    client.create_topic("support.cluster", 1, 3);
    client.produce("support.cluster", [NewRecord::of("before")]);
    let first = client.leader("support.cluster", 0).unwrap();
    kafka.kill_9(first);
    let second = eventually("another broker leads", || {
        client.leader("support.cluster", 0).filter(|&leader| leader != first)
    });
    client.produce("support.cluster", [NewRecord::of("meanwhile")]);

    kafka.restart(first);
    kafka.suspend(second);
    eventually("a third broker leads, or the first again", || {
        client.leader("support.cluster", 0).filter(|&leader| leader != second)
    });
    client.produce("support.cluster", [NewRecord::of("hung")]);
    kafka.resume(second);
    eventually("all brokers are alive", || client.brokers().ok().filter(|alive| alive.len() == 3));
    let read = client.read_all("support.cluster", 3, Isolation::ReadUncommitted, PATIENCE);
    assert_eq!(values(&read), ["before", "meanwhile", "hung"]);
}

#[test]
fn who_shows_what_a_listener_asks_for_is_let_in() {
    for listener in [Listener::Tls, Listener::MutualTls, Listener::Scram] {
        let client = Client::new(kafka().settings(listener));
        eventually(format_args!("{listener:?}"), || client.brokers().ok());
    }
}

#[test]
fn who_does_not_is_refused_with_a_reason() {
    // Settings that are taken away, one that takes their place, and what the reason holds.
    let wrong = ("sasl.password", WRONG_PASSWORD.to_owned());
    let cases: [(Listener, &[&str], _, _); 3] = [
        (Listener::Scram, &["sasl.password"], Some(wrong), "invalid credentials"),
        (
            Listener::MutualTls,
            &["ssl.certificate.location", "ssl.key.location"],
            None,
            "certificate required",
        ),
        (Listener::Tls, &["ssl.ca.location"], None, "certificate verify failed"),
    ];
    for (listener, without, replacement, reason) in cases {
        let mut settings = kafka().settings(listener);
        settings.retain(|(name, _)| !without.contains(name));
        settings.extend(replacement);
        let client = Client::new(settings);
        let mut last = None;
        let refusal = wait_for(PATIENCE, || {
            last = client.brokers().err();
            last.clone().filter(|refusal| refusal.contains(reason))
        });
        let Some(refusal) = refusal else {
            panic!("{listener:?} without {without:?}, instead of {reason}: {last:?}")
        };
        for secret in [WRONG_PASSWORD, PASSWORD] {
            assert!(!refusal.contains(secret), "{refusal}");
        }
    }
}

fn values(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(record.value.as_deref().unwrap()).unwrap()).collect()
}
