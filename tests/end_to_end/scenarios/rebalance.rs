//! Hubs that join and leave while lines flow, and one that is not told of it.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::edge_and_hub::{PARSE, edge, wait_until_checked};
use super::kafka_source::{figure, hub_at, hub_of, numbered, partitions, wait_until_committed};
use super::{assert_nothing_lost_nothing_doubled, wait_for_documents};
use crate::support::ledger::Witness;
use crate::support::services::kafka::{Kafka, Listener, kafka};
use crate::support::writer::{Rotation, Writer};
use crate::support::{eventually, pause_until};

const EVERY: Duration = Duration::from_secs(2);
const STORM: Duration = Duration::from_secs(30);

#[test]
fn a_hub_that_comes_and_goes_costs_nothing_where_the_broker_assigns() {
    storm("consumer", "ndjson");
}

#[test]
fn a_hub_that_comes_and_goes_costs_nothing_where_the_members_assign() {
    storm("classic", "json");
}

#[test]
fn a_member_that_missed_what_the_group_said_joins_again() {
    const TOPIC: &str = "rebalance.missed";
    let kafka = Kafka::start(1, &[Listener::Proxied]);
    let client = kafka.client();
    client.create_topic(TOPIC, 6, 1);
    client.produce(TOPIC, numbered(0..100));
    let store = Store::start(Faults::default()).unwrap();
    let first = hub_at(&kafka.addresses(Listener::Proxied), TOPIC, TOPIC, &store.url(), "");
    let first = first.run().wait_until_ready();
    wait_for_documents(&first, &store, 100);
    assert_eq!(partitions(&first), 6, "{first}");

    kafka.keep_heartbeats_back(true);
    let second = hub_of(&kafka, TOPIC, TOPIC, &store.url(), "");
    let second = second.run().wait_until_ready();
    // One that says which partitions to give back is longer than those that say nothing.
    eventually(format_args!("the group has said so {first} {second}"), || {
        let lengths = kafka.heartbeats_kept_back();
        (lengths.iter().max() > lengths.iter().min()).then_some(())
    });
    kafka.keep_heartbeats_back(false);
    assert_eq!((partitions(&first), partitions(&second)), (6, 0), "the answer was not missed {first}");

    eventually(format_args!("both have their half {first} {second}"), || {
        ((partitions(&first), partitions(&second)) == (3, 3)).then_some(())
    });
    client.produce(TOPIC, numbered(100..200));
    wait_for_documents(&first, &store, 200);
    assert_nothing_lost_nothing_doubled(&store, 200);
}

fn storm(protocol: &str, encoding: &str) {
    let topic = format!("storm.{protocol}");
    let client = kafka().client();
    client.create_topic(&topic, 6, 1);
    let store = Store::start(Faults::default()).unwrap();
    let edge = edge(kafka(), &topic, encoding);
    // The shortest session, so that the partitions of one that was killed move within the storm.
    let session = match protocol {
        "classic" => "librdkafka = { \"session.timeout.ms\" = 6000, \"heartbeat.interval.ms\" = 1000 }",
        _ => "",
    };
    let more = format!("{PARSE}\ngroup_protocol = \"{protocol}\"\n{session}");
    let hubs = [(); 3].map(|()| hub_of(kafka(), &topic, &topic, &store.url(), &more));
    let [edge_witness, first_witness, second_witness, third_witness] =
        [&edge, &hubs[0], &hubs[1], &hubs[2]].map(|scene| Witness::watch(scene.admin()));
    let [edge_daemon, first, second] =
        [&edge, &hubs[0], &hubs[1]].map(|scene| scene.run().wait_until_ready());
    let writer = Writer::start(edge.log_path("app.log"), 3_000, Rotation::Never);
    wait_for_documents(&first, &store, 1_000);

    let rebalances = figure(&first, "rebalances");
    let mut turns_with_partitions = 0;
    let mut quickest_goodbye = Duration::MAX;
    let (start, mut turns) = (Instant::now(), 0);
    while start.elapsed() < STORM {
        turns += 1;
        let joined = Instant::now();
        let mut third = hubs[2].run().wait_until_ready();
        pause_until(joined + EVERY);
        let has_partitions = partitions(&third) > 0;
        turns_with_partitions += u32::from(has_partitions);
        if turns % 3 == 0 {
            third.kill();
            continue;
        }
        let asked = Instant::now();
        assert!(third.terminate().success(), "{third}");
        if has_partitions {
            quickest_goodbye = quickest_goodbye.min(asked.elapsed());
        }
    }
    // Twice as long is what it waits at most until the group has its positions.
    assert!(
        quickest_goodbye < Duration::from_secs(1),
        "{quickest_goodbye:?}: the group's answer is not seen"
    );
    let lines = writer.finish();
    wait_until_checked(&[&edge_daemon, &first, &second], &store, lines);
    wait_until_committed(&client, &topic, &topic);
    let rebalances = figure(&first, "rebalances") - rebalances;
    assert!(
        rebalances > 0 && turns_with_partitions > 0,
        "it never had a partition, so the test proved nothing"
    );
    for witness in [edge_witness, first_witness, second_witness, third_witness] {
        witness.assert_it_always_added_up();
    }
}
