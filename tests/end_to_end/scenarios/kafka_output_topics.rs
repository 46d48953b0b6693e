//! Topics that go away under an output or refuse it, and a client that has no room: nothing is lost.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use super::kafka_output::{assert_each_line_once, config, lines, read, wait_until_settled};
use crate::support::kafka::Record;
use crate::support::ledger::Ledger;
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, PASSWORD, USER, kafka};
use crate::support::within;
use crate::support::writer::append_numbered;

/// The client tries a topic that went away for a minute or so before it gives its records back.
const GIVING_UP: Duration = Duration::from_secs(180);

/// Each of these lines stands there, once.
#[track_caller]
fn assert_holds(records: &[Record], expected: Range<u64>) {
    let mut times = expected.map(|number| (number, 0_u32)).collect::<BTreeMap<_, _>>();
    for line in lines(records) {
        *times.entry(line.number).or_default() += 1;
    }
    let wrong = times.iter().filter(|(_, times)| **times != 1).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_topic_that_is_deleted_under_an_output_is_made_again_or_waited_for() {
    let client = kafka().client();
    for (name, keys) in [("made", "create_topics = { partitions = 2, replication = 1 }"), ("awaited", "")] {
        let topic = format!("output.deleted.{name}");
        client.create_topic(&topic, 2, 1);
        let scene = Scene::new();
        scene.write_config(&config(kafka(), &format!("topic = \"{topic}\"\n{keys}")));
        let log = scene.log_path("app.log");
        append_numbered(&log, 0..1_000);
        let mut daemon = scene.run().wait_until_ready();
        wait_until_settled(&daemon, 1_000);
        assert_each_line_once(&read(&client, &topic), 1_000);

        client.delete_topic(&topic);
        append_numbered(&log, 1_000..2_000);
        if keys.is_empty() {
            within(GIVING_UP, format_args!("the daemon says so; {daemon}"), || {
                daemon.log().contains("does not exist").then_some(())
            });
            assert_eq!(Ledger::read(scene.admin()).unwrap().in_flight, 1_000, "{daemon}");
            client.create_topic(&topic, 2, 1);
        }
        let ledger = wait_until_settled(&daemon, 2_000);
        assert_eq!((ledger.delivered, ledger.rejected), (2_000, 0), "{daemon}");
        assert_holds(&read(&client, &topic), 1_000..2_000);
        assert!(daemon.terminate().success(), "{daemon}");
    }
}

#[test]
fn a_client_without_room_is_waited_for() {
    const LINES: u64 = 3_000;
    let client = kafka().client();
    client.create_topic("output.full", 1, 1);
    let scene = Scene::new();
    let keys = "topic = \"output.full\"\nlibrdkafka = { \"queue.buffering.max.messages\" = 10 }";
    scene.write_config(&config(kafka(), keys));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let daemon = scene.run().wait_until_ready();
    let ledger = wait_until_settled(&daemon, LINES);
    assert_eq!((ledger.delivered, ledger.rejected), (LINES, 0), "{daemon}");
    assert_each_line_once(&read(&client, "output.full"), LINES);
}

#[test]
fn a_topic_that_this_user_may_not_write_is_told_in_the_dead_letter() {
    const LINES: u64 = 100;
    // Whoever connects without a name, as the brokers do, may do everything, and everybody else nothing.
    let settings = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                    super.users=User:ANONYMOUS\n";
    let kafka = Kafka::start_with(1, &[Listener::Scram], settings);
    let client = kafka.client();
    client.create_topic("output.forbidden", 1, 1);
    let scene = Scene::new();
    let (brokers, authority) = (kafka.addresses(Listener::Scram), kafka.certificate("authority.pem"));
    let keys = format!(
        "topic = \"output.forbidden\"\nbrokers = {brokers:?}\ntls = true\nca_file = {authority:?}\n\
         username = \"{USER}\"\npassword = \"{PASSWORD}\""
    );
    let plaintext = format!("brokers = {:?}\n", kafka.addresses(Listener::Plaintext));
    scene.write_config(&config(&kafka, &keys).replacen(&plaintext, "", 1));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let daemon = scene.run().wait_until_ready();
    let ledger = wait_until_settled(&daemon, LINES);
    assert_eq!((ledger.delivered, ledger.rejected), (0, LINES), "{daemon}");
    let letters = std::fs::read_to_string(scene.path("data/dead-letter/current.ndjson")).unwrap();
    let letters = letters.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let letters = letters.collect::<Vec<_>>();
    assert_eq!(letters.len() as u64, LINES);
    for letter in letters {
        assert_eq!(
            (&letter["status"], &letter["target"]),
            (&403.into(), &"output.forbidden".into()),
            "{letter}"
        );
    }
    assert_eq!(client.end_offsets("output.forbidden"), [0]);
}
