//! Files to a real Kafka: every line stands in its topic once, in the order of its file, whatever the brokers do.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::kafka::{Client, Isolation, Record};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, PASSWORD, USER, kafka};
use crate::support::writer::{Rotation, Writer, append_numbered};
use crate::support::{PATIENCE, eventually, free_port, pause_until, within};

const LINES: u64 = 3_000;
/// How long a backlog may take after the last misfortune.
const CATCHING_UP: Duration = Duration::from_secs(150);

/// The config of files into a Kafka output with these keys.
pub(super) fn config(kafka: &Kafka, keys: &str) -> String {
    config_of(kafka, "", keys)
}

/// The same with more keys of the source.
pub(super) fn config_of(kafka: &Kafka, source: &str, keys: &str) -> String {
    let brokers = format!("{:?}", kafka.addresses(Listener::Plaintext));
    format!(
        r#"[sources.app]
type = "file"
paths = ["{{here}}/logs/*.log"]
parse = "nginx_access"
{source}

[outputs.bus]
type = "kafka"
inputs = ["app"]
brokers = {brokers}
{keys}
"#
    )
}

/// A line of a topic, by the record and the place in it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    origin: String,
    record: &'a Record,
}

/// The lines of records, in the records' order.
pub(super) fn lines(records: &[Record]) -> Vec<Line<'_>> {
    let of = |record| values(record).into_iter().map(move |(origin, text)| (record, origin, text));
    records
        .iter()
        .flat_map(of)
        .map(|(record, origin, text)| {
            let (_, rest) = text.split_once("item/").unwrap_or_else(|| panic!("no number in {text}"));
            Line { number: rest[..9].parse().unwrap(), origin, record }
        })
        .collect()
}

/// The identities and texts of the events in a record.
fn values(record: &Record) -> Vec<(String, String)> {
    let text = str::from_utf8(record.value.as_deref().unwrap()).unwrap();
    match header(record, "content-type") {
        "application/x-ndjson" => text
            .split('\n')
            .map(|line| {
                let document: Value = serde_json::from_str(line).unwrap();
                (document["event.id"].as_str().unwrap().to_owned(), line.to_owned())
            })
            .collect(),
        _ => vec![(header(record, "logweir-origin").to_owned(), text.to_owned())],
    }
}

fn header<'a>(record: &'a Record, name: &str) -> &'a str {
    let found = record.headers.iter().find(|(key, _)| key == name);
    let value = found.and_then(|(_, value)| value.as_deref());
    str::from_utf8(value.unwrap_or_else(|| panic!("{name} is missing in {record:?}"))).unwrap()
}

/// Each of these lines stands in the topic once, under an identity of its own, and each key's in their order in one
/// partition.
#[track_caller]
pub(super) fn assert_each_line_once(records: &[Record], expected: u64) {
    let lines = lines(records);
    let mut times = BTreeMap::new();
    let mut origins = HashMap::new();
    let mut last: HashMap<&[u8], (i32, &str)> = HashMap::new();
    for line in &lines {
        *times.entry(line.number).or_insert(0_u32) += 1;
        assert_eq!(line.origin.len(), 22, "{line:?}");
        let before = origins.insert(line.origin.clone(), line.number);
        assert!(before.is_none_or(|number| number == line.number), "one identity for two lines: {line:?}");
        let key = line.record.key.as_deref().unwrap();
        if let Some((partition, origin)) = last.insert(key, (line.record.partition, &line.origin)) {
            assert_eq!(partition, line.record.partition, "a key in two partitions");
            // Identities of one stream are in the order of its bytes; '-' and '_' of base64url are not in that of ASCII.
            assert!(rank(origin) < rank(&line.origin), "{origin} before {line:?}");
        }
    }
    let lost = (0..expected).filter(|number| !times.contains_key(number)).count();
    let doubled = times.values().filter(|&&times| times > 1).count();
    assert_eq!((lost, doubled, times.len() as u64), (0, 0, expected), "of {} lines", lines.len());
}

/// An identity by the values of its characters.
fn rank(origin: &str) -> Vec<usize> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    origin.chars().map(|character| ALPHABET.find(character).unwrap()).collect()
}

#[track_caller]
pub(super) fn wait_until_settled(daemon: &Daemon, lines: u64) -> Ledger {
    within(CATCHING_UP, format_args!("{lines} lines are settled; {daemon}"), || {
        let ledger = Ledger::read(daemon.admin())?;
        (ledger.read >= lines && ledger.in_flight == 0).then_some(ledger)
    })
}

pub(super) fn read(client: &Client, topic: &str) -> Vec<Record> {
    client.read_all(topic, 1, Isolation::ReadCommitted, PATIENCE)
}

#[test]
fn every_encoding_holds_each_line_once() {
    let client = kafka().client();
    for (encoding, content_type, most_records) in [
        ("json", "application/json", 2 * LINES),
        ("raw", "text/plain", 2 * LINES),
        ("ndjson", "application/x-ndjson", LINES / 10),
    ] {
        let topic = format!("output.{encoding}");
        client.create_topic(&topic, 3, 1);
        let scene = Scene::new();
        scene.write_config(&config(kafka(), &format!("topic = \"{topic}\"\nencoding = \"{encoding}\"")));
        append_numbered(&scene.log_path("one.log"), 0..LINES);
        append_numbered(&scene.log_path("two.log"), LINES..2 * LINES);
        let mut daemon = scene.run().wait_until_ready();
        let ledger = wait_until_settled(&daemon, 2 * LINES);
        assert_eq!((ledger.delivered, ledger.rejected), (2 * LINES, 0), "{daemon}");
        assert!(daemon.terminate().success(), "{daemon}");

        let records = read(&client, &topic);
        assert_each_line_once(&records, 2 * LINES);
        assert!(records.len() as u64 <= most_records, "{encoding}: {} records", records.len());
        for record in &records {
            assert_eq!((header(record, "source"), header(record, "content-type")), ("app", content_type));
            assert!(record.timestamp.is_some_and(|time| time > 1_000_000_000_000), "{record:?}");
        }
        let keys = records.iter().map(|record| &record.key).collect::<std::collections::HashSet<_>>();
        assert_eq!(keys.len(), 2, "one key a file");
    }
}

#[test]
fn a_topic_named_by_a_field_is_created() {
    let client = kafka().client();
    let scene = Scene::new();
    let keys = "topic = \"made.{data_stream.dataset}\"\nkey = \"{http.request.method}\"\ncompression = \"zstd\"\n\
                create_topics = { partitions = 4, replication = 1 }";
    scene.write_config(&config(kafka(), keys));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, LINES);
    assert_eq!(client.end_offsets("made.nginx.access").len(), 4);
    assert_each_line_once(&read(&client, "made.nginx.access"), LINES);
}

#[test]
fn a_topic_that_does_not_exist_is_waited_for() {
    let client = kafka().client();
    let scene = Scene::new();
    scene.write_config(&config(kafka(), "topic = \"output.later\""));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let daemon = scene.run().wait_until_ready();
    eventually(format_args!("the daemon says so; {daemon}"), || {
        daemon.log().contains("the topic `output.later` does not exist").then_some(())
    });
    client.create_topic("output.later", 1, 1);
    wait_until_settled(&daemon, LINES);
    assert_each_line_once(&read(&client, "output.later"), LINES);
}

#[test]
fn brokers_that_hang_or_die_are_waited_for() {
    let mut kafka = Kafka::start(1, &[]);
    let client = kafka.client();
    client.create_topic("output.outage", 3, 1);
    let scene = Scene::new();
    scene.write_config(&config(&kafka, "topic = \"output.outage\"\nencoding = \"json\""));
    let witness = Witness::watch(scene.admin());
    let writer = Writer::start(scene.log_path("app.log"), 5_000, Rotation::Never);
    let mut daemon = scene.run().wait_until_ready();
    eventually("records arrive", || {
        client.end_offsets("output.outage").iter().any(|&end| end > 0).then_some(())
    });

    kafka.suspend(1);
    pause_until(Instant::now() + Duration::from_secs(3));
    kafka.resume(1);
    pause_until(Instant::now() + Duration::from_secs(1));
    kafka.kill_9(1);
    eventually(format_args!("the daemon says so; {daemon}"), || {
        daemon.log().contains("no broker can be reached").then_some(())
    });
    kafka.restart(1);
    let lines = writer.finish();

    let ledger = wait_until_settled(&daemon, lines);
    assert_eq!((ledger.delivered, ledger.rejected), (lines, 0), "{daemon}");
    assert!(daemon.log().contains("the output delivers again"), "{daemon}");
    assert!(daemon.terminate().success(), "{daemon}");
    assert_each_line_once(&read(&client, "output.outage"), lines);
    witness.assert_it_always_added_up();
}

#[test]
fn a_daemon_without_a_broker_ends_when_it_is_asked_to() {
    let scene = Scene::new();
    let plaintext = format!("{:?}", kafka().addresses(Listener::Plaintext));
    let nowhere = format!("[\"127.0.0.1:{}\"]", free_port());
    scene.write_config(&config(kafka(), "topic = \"output.nowhere\"").replace(&plaintext, &nowhere));
    append_numbered(&scene.log_path("app.log"), 0..10);
    let mut daemon = scene.run().wait_until_ready();
    eventually(format_args!("the daemon says so; {daemon}"), || {
        daemon.log().contains("Connection refused").then_some(())
    });
    let ledger = Ledger::read(scene.admin()).unwrap();
    assert_eq!((ledger.read, ledger.in_flight), (10, 10), "{daemon}");
    daemon.terminate();
}

#[test]
fn a_record_that_is_too_large_is_in_the_dead_letter() {
    let client = kafka().client();
    // One that the topic refuses, and one that no broker would be asked to take.
    client.create_topic_with("output.large", 1, 1, &[("max.message.bytes", "20000")]);
    let scene = Scene::new();
    let keys = "topic = \"output.large\"\nencoding = \"raw\"\ncompression = \"none\"\n\
                librdkafka = { \"batch.size\" = 10000 }";
    scene.write_config(&config(kafka(), keys));
    let log = scene.log_path("app.log");
    append_numbered(&log, 0..100);
    let mut text = std::fs::read(&log).unwrap();
    for length in [40_000, 1_500_000] {
        text.extend_from_slice("x".repeat(length).as_bytes());
        text.push(b'\n');
    }
    std::fs::write(&log, text).unwrap();
    append_numbered(&log, 100..200);
    let daemon = scene.run().wait_until_ready();
    let ledger = wait_until_settled(&daemon, 202);
    assert_eq!((ledger.delivered, ledger.rejected), (200, 2), "{daemon}");
    let mut records = read(&client, "output.large");
    assert_each_line_once(&records, 200);
    records.retain(|record| record.value.as_ref().is_some_and(|value| value.len() > 10_000));
    assert_eq!(records, []);
    let letters = std::fs::read_to_string(scene.path("data/dead-letter/current.ndjson")).unwrap();
    let letters =
        letters.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    assert_eq!(letters.len(), 2);
    for letter in letters {
        assert_eq!((&letter["status"], &letter["target"]), (&413.into(), &"output.large".into()), "{letter}");
        assert!(letter["document"].as_str().is_some_and(|line| line.starts_with("xxx")), "{letter}");
    }
}

#[test]
fn a_secured_cluster_is_written_to_and_says_why_it_refuses() {
    let client = kafka().client();
    client.create_topic("output.secured", 1, 1);
    let tls = |listener| {
        let brokers = format!("{:?}", kafka().addresses(listener));
        format!("topic = \"output.secured\"\ntls = true\nbrokers = {brokers}")
    };
    let trusting = |listener| {
        let authority = kafka().certificate("authority.pem").display().to_string();
        format!("{}\nca_file = \"{authority}\"", tls(listener))
    };
    let with_password = |mechanism: &str, password: &str| {
        let keys = trusting(Listener::Scram);
        format!("{keys}\nusername = \"{USER}\"\npassword = \"{password}\"\nsasl_mechanism = \"{mechanism}\"")
    };
    let mechanisms = ["scram-sha-512", "scram-sha-256", "plain"];
    let certificate = |name| kafka().certificate(name).display().to_string();
    let mutual = format!(
        "{}\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
        trusting(Listener::MutualTls),
        certificate("client.pem"),
        certificate("client.key")
    );
    let plaintext = format!("brokers = {:?}\n", kafka().addresses(Listener::Plaintext));
    let mut first = 0;
    let good = mechanisms.map(|mechanism| with_password(mechanism, PASSWORD));
    for keys in good.into_iter().chain([mutual]) {
        let scene = Scene::new();
        scene.write_config(&config(kafka(), &keys).replacen(&plaintext, "", 1));
        append_numbered(&scene.log_path("app.log"), first..first + 100);
        let daemon = scene.run().wait_until_ready();
        let ledger = wait_until_settled(&daemon, 100);
        assert_eq!(ledger.delivered, 100, "{daemon}");
        first += 100;
    }
    assert_each_line_once(&read(&client, "output.secured"), first);

    let wrong = mechanisms.map(|mechanism| (with_password(mechanism, "wrong-77aa"), "authentication"));
    let bad = [
        (trusting(Listener::MutualTls), "certificate required"),
        (tls(Listener::Tls), "certificate verify failed"),
    ];
    for (keys, reason) in wrong.into_iter().chain(bad) {
        let scene = Scene::new();
        scene.write_config(&config(kafka(), &keys).replacen(&plaintext, "", 1));
        append_numbered(&scene.log_path("app.log"), 0..10);
        let daemon = scene.run().wait_until_ready();
        eventually(format_args!("the daemon says why, {reason}; {daemon}"), || {
            let log = daemon.log().to_lowercase();
            let tells = |line: &str| line.contains("\"warn\"") && line.contains(reason);
            log.lines().any(tells).then_some(())
        });
        assert_eq!(Ledger::read(scene.admin()).unwrap().in_flight, 10, "{daemon}");
        assert!(!daemon.log().contains("wrong-77aa"), "{daemon}");
    }
    assert_each_line_once(&read(&client, "output.secured"), first);
}

#[test]
fn an_event_of_a_trace_brings_it_to_the_readers_of_its_record() {
    const TOPIC: &str = "output.trace";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    let scene = Scene::new();
    let keys = format!("topic = \"{TOPIC}\"");
    scene.write_config(&config(kafka(), &keys).replacen("nginx_access", "json", 1));
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let lines = format!(
        "{{\"message\":\"traced\",\"trace.id\":\"{trace}\",\"span.id\":\"{span}\"}}\n{{\"message\":\"not traced\"}}\n"
    );
    std::fs::write(scene.log_path("app.log"), lines).unwrap();
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, 2);
    let records = read(&client, TOPIC);
    assert_eq!(header(&records[0], "traceparent"), format!("00-{trace}-{span}-01"));
    assert!(records[1].headers.iter().all(|(name, _)| name != "traceparent"), "{records:?}");
}
