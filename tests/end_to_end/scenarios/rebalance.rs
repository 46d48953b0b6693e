//! A hub that joins and leaves every two seconds, while lines flow from an edge to two others.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::edge_and_hub::{PARSE, edge, wait_until_checked};
use super::kafka_source::{figure, hub_of, partitions, wait_until_committed};
use super::wait_for_documents;
use crate::support::ledger::Witness;
use crate::support::pause_until;
use crate::support::services::kafka::kafka;
use crate::support::writer::{Rotation, Writer};

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
