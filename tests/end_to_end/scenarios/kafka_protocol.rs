//! Who assigns the partitions of a group: the brokers where they can, else its members.

use logweir_benchmarks::store::{Faults, Store};

use super::kafka_source::{hub_of, numbered, partitions, wait_until_committed};
use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::eventually;
use crate::support::services::kafka::Kafka;

const GOES_OVER: &str = "goes on with group_protocol";

#[test]
fn where_the_brokers_do_not_assign_the_members_do() {
    let kafka = Kafka::start_with(1, &[], "group.coordinator.rebalance.protocols=classic\n");
    let client = kafka.client();
    client.create_topic("protocol.old", 2, 1);
    client.produce("protocol.old", numbered(0..10));
    let store = Store::start(Faults::default()).unwrap();
    let scene = hub_of(&kafka, "protocol.old", "protocol.old", &store.url(), "");
    let mut daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, 10);
    wait_until_committed(&client, "protocol.old", "protocol.old");
    assert_nothing_lost_nothing_doubled(&store, 10);
    let log = daemon.log();
    let told = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect::<Vec<_>>();
    assert!(told.len() == 1 && told[0].contains(GOES_OVER), "{told:#?}");
    assert!(daemon.terminate().success(), "{daemon}");

    let demands = "group_protocol = \"consumer\"";
    let scene = hub_of(&kafka, "protocol.old", "protocol.old", &store.url(), demands);
    let mut daemon = scene.run();
    assert_eq!(daemon.wait().code(), Some(1), "{daemon}");
    assert!(daemon.log().contains("do not know `group_protocol = \\\"consumer\\\"`"), "{daemon}");
}

#[test]
fn a_group_whose_members_agree_among_themselves_is_joined() {
    let kafka = Kafka::start_with(1, &[], "group.consumer.migration.policy=disabled\n");
    let client = kafka.client();
    client.create_topic("protocol.mixed", 2, 1);
    client.produce("protocol.mixed", numbered(0..10));
    let store = Store::start(Faults::default()).unwrap();
    let hub = |more: &str| hub_of(&kafka, "protocol.mixed", "protocol.mixed", &store.url(), more);
    let scenes = [hub("group_protocol = \"classic\""), hub("group_protocol = \"consumer\""), hub("")];
    let mut classic = scenes[0].run().wait_until_ready();
    wait_until_settled(&classic, &store, 10);

    let mut demands = scenes[1].run().wait_until_ready();
    eventually(format_args!("it says what it waits for {demands}"), || {
        demands.log().contains("waits until they are gone").then_some(())
    });
    assert_eq!(partitions(&demands), 0);
    assert!(demands.terminate().success(), "{demands}");

    let open = scenes[2].run().wait_until_ready();
    eventually(format_args!("two share: {classic} {open}"), || {
        (partitions(&classic) == 1 && partitions(&open) == 1).then_some(())
    });
    assert!(open.log().contains(GOES_OVER), "{open}");
    client.produce("protocol.mixed", numbered(10..50));
    wait_until_settled(&open, &store, 50);
    assert_nothing_lost_nothing_doubled(&store, 50);
    assert!(classic.terminate().success(), "{classic}");
}
