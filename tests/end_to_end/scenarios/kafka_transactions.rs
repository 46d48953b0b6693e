//! Kafka to Kafka in transactions: who reads what is committed counts each line once, whatever is killed, fenced, stopped or
//! refused.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::CATCHING_UP;
use super::kafka_source::{bus, numbered, partitions};
use crate::support::daemon::Daemon;
use crate::support::kafka::{Client, Isolation, NewRecord};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, kafka};
use crate::support::{eventually, pause_until, within};

/// A relay from one topic into another of the same cluster, with more keys of the source and of the output.
pub(super) fn relay(kafka: &Kafka, name: &str, source: &str, output: &str) -> Scene {
    let scene = Scene::new();
    let brokers = kafka.addresses(Listener::Plaintext);
    let bus = bus(&brokers, &format!("{name}.in"), name, source);
    scene.write_config(&format!(
        r#"{bus}
[outputs.results]
type = "kafka"
inputs = ["bus"]
brokers = {brokers:?}
topic = "{name}.out"
encoding = "raw"
{output}
"#
    ));
    scene
}

pub(super) fn create_topics(client: &Client, name: &str, partitions: i32) {
    client.create_topic(&format!("{name}.in"), partitions, 1);
    client.create_topic(&format!("{name}.out"), partitions, 1);
}

/// How often each number below `lines` is to be seen by a reader.
fn copies(client: &Client, name: &str, lines: u64, isolation: Isolation) -> Vec<u32> {
    let mut copies = vec![0; usize::try_from(lines).unwrap()];
    let at_least = copies.len();
    for record in client.read_all(&format!("{name}.out"), at_least, isolation, CATCHING_UP) {
        let text = String::from_utf8(record.value.unwrap()).unwrap();
        let number = text.strip_prefix("item/").unwrap()[..9].parse::<usize>().unwrap();
        copies[number] += 1;
    }
    copies
}

/// A reader of what is committed counts each line once, and the group is at the end.
#[track_caller]
fn assert_each_once(client: &Client, name: &str, lines: u64, daemon: &Daemon) {
    wait_until_committed_within(client, name, daemon);
    let copies = copies(client, name, lines, Isolation::ReadCommitted);
    let lost = copies.iter().filter(|copies| **copies == 0).count();
    let doubled = copies.iter().filter(|copies| **copies > 1).count();
    assert_eq!((lost, doubled), (0, 0), "lost and doubled of {lines}");
}

#[track_caller]
fn wait_until_committed_within(client: &Client, name: &str, daemon: &Daemon) {
    let topic = format!("{name}.in");
    let ends = client.end_offsets(&topic).into_iter().map(Some).collect::<Vec<_>>();
    within(CATCHING_UP, format_args!("the group is at the end of {topic}: {daemon}"), || {
        (client.committed(name, &topic) == ends).then_some(())
    });
}

fn committed_records(client: &Client, name: &str) -> i64 {
    client.committed(name, &format!("{name}.in")).into_iter().flatten().sum()
}

#[test]
fn kill_nine_leaves_each_line_once_for_who_reads_what_is_committed() {
    const LINES: u64 = 100_000;
    const NAME: &str = "transactions.kill";
    let client = kafka().client();
    create_topics(&client, NAME, 3);
    // A member that was killed is known again by its name.
    let source = "group_instance_id = \"relay-1\"\ngroup_protocol = \"classic\"";
    // Long enough for a kill to meet a transaction that has records.
    let output = "transactional_id = \"transactions-kill-1\"\ntransaction_interval = \"300ms\"";
    let scene = relay(kafka(), NAME, source, output);
    let witness = Witness::watch(scene.admin());
    thread::scope(|threads| {
        let writer = threads.spawn(|| {
            let parts = (0..20).map(|part| part * LINES / 20..(part + 1) * LINES / 20);
            parts.for_each(|part| client.produce(&format!("{NAME}.in"), numbered(part)));
        });
        for kill in 0..6 {
            let mut daemon = scene.run();
            wait_until_written(&daemon, 0);
            // At another moment of a transaction each time.
            pause_until(std::time::Instant::now() + Duration::from_millis(37 * kill));
            daemon.kill();
        }
        writer.join().unwrap();
    });
    let mut daemon = scene.run().wait_until_ready();
    assert_each_once(&client, NAME, LINES, &daemon);
    let all = copies(&client, NAME, LINES, Isolation::ReadUncommitted);
    assert!(all.iter().any(|copies| *copies > 1), "no kill met a transaction, so the test proved nothing");
    witness.assert_it_always_added_up();
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn who_begins_later_with_the_same_id_ends_who_began_before() {
    const NAME: &str = "transactions.fence";
    let client = kafka().client();
    create_topics(&client, NAME, 2);
    let [first, second] =
        [(); 2].map(|()| relay(kafka(), NAME, "", "transactional_id = \"transactions-fence\""));
    let mut old = first.run().wait_until_ready();
    client.produce(&format!("{NAME}.in"), numbered(0..1_000));
    eventually(format_args!("the first one reads {old}"), || {
        (committed_records(&client, NAME) == 1_000).then_some(())
    });
    let mut new = second.run().wait_until_ready();
    eventually(format_args!("the second one has partitions: {new}"), || {
        (partitions(&new) == 1).then_some(())
    });
    client.produce(&format!("{NAME}.in"), numbered(1_000..3_000));
    assert!(!old.wait().success(), "{old}");
    let log = old.log();
    assert!(log.contains("another logweir has begun transactions"), "{log}");
    assert!(log.contains("transactional_id `transactions-fence`"), "{log}");
    assert_each_once(&client, NAME, 3_000, &new);
    assert!(new.terminate().success(), "{new}");
}

#[test]
fn members_with_an_id_each_share_partitions_and_one_may_join_and_leave() {
    const LINES: u64 = 60_000;
    for protocol in ["consumer", "classic"] {
        let name = format!("transactions.members.{protocol}");
        let client = kafka().client();
        create_topics(&client, &name, 6);
        let source = format!("group_protocol = \"{protocol}\"");
        let relay_of =
            |member: u32| relay(kafka(), &name, &source, &format!("transactional_id = \"{name}-{member}\""));
        let scenes = [1, 2, 3].map(relay_of);
        let mut members = scenes[..2].iter().map(|scene| scene.run().wait_until_ready()).collect::<Vec<_>>();
        thread::scope(|threads| {
            let writer = threads.spawn(|| {
                let parts = (0..25).map(|part| part * LINES / 25..(part + 1) * LINES / 25);
                parts.for_each(|part| client.produce(&format!("{name}.in"), numbered(part)));
            });
            for _ in 0..3 {
                let mut third = scenes[2].run().wait_until_ready();
                eventually(format_args!("three share: {third}"), || {
                    (partitions(&third) == 2 && Ledger::read(third.admin())?.delivered > 0).then_some(())
                });
                assert!(third.terminate().success(), "{third}");
            }
            writer.join().unwrap();
        });
        assert_each_once(&client, &name, LINES, &members[0]);
        for member in &mut members {
            assert!(member.terminate().success(), "{member}");
        }
    }
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_lines_are_read_again() {
    const LINES: u64 = 20_000;
    const NAME: &str = "transactions.late";
    let mut kafka = Kafka::start(1, &[]);
    let client = kafka.client();
    create_topics(&client, NAME, 2);
    let output = "transactional_id = \"late\"\ntransaction_interval = \"2s\"\n\
                  librdkafka = { \"transaction.timeout.ms\" = 3000 }";
    let scene = relay(&kafka, NAME, "", output);
    let mut daemon = scene.run().wait_until_ready();
    for part in 0..4 {
        client.produce(&format!("{NAME}.in"), numbered(part * LINES / 4..(part + 1) * LINES / 4));
        wait_until_written(&daemon, part * LINES / 4);
        kafka.suspend(1);
        // Longer than the timeout, and longer than a coordinator takes between two looks at timeouts.
        pause_until(std::time::Instant::now() + Duration::from_secs(5));
        kafka.resume(1);
    }
    assert_each_once(&client, NAME, LINES, &daemon);
    assert!(daemon.log().contains("a transaction is aborted"), "nothing was aborted: {daemon}");
    assert!(daemon.terminate().success(), "{daemon}");
}

/// Waits until more than so many lines are written, be it in a transaction that is open.
#[track_caller]
fn wait_until_written(daemon: &Daemon, lines: u64) {
    within(CATCHING_UP, format_args!("more than {lines} are written: {daemon}"), || {
        (Ledger::read(daemon.admin())?.delivered > lines).then_some(())
    });
}

#[test]
fn a_daemon_that_hung_for_longer_than_its_transaction_goes_on() {
    const LINES: u64 = 40_000;
    const NAME: &str = "transactions.hung";
    let client = kafka().client();
    create_topics(&client, NAME, 2);
    let source = "group_protocol = \"classic\"";
    let output = "transactional_id = \"hung\"\ntransaction_interval = \"2s\"\n\
                  librdkafka = { \"transaction.timeout.ms\" = 3000 }";
    let scene = relay(kafka(), NAME, source, output);
    let mut daemon = scene.run().wait_until_ready();
    client.produce(&format!("{NAME}.in"), numbered(0..LINES));
    wait_until_written(&daemon, 0);
    daemon.signal(Signal::STOP);
    // A coordinator looks every ten seconds at which transactions have timed out.
    pause_until(std::time::Instant::now() + Duration::from_secs(15));
    daemon.signal(Signal::CONT);
    assert_each_once(&client, NAME, LINES, &daemon);
    assert!(daemon.log().contains("a transaction is aborted"), "nothing was aborted: {daemon}");
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn a_record_that_a_broker_refuses_goes_to_the_dead_letter_and_the_others_are_there_once() {
    const LINES: u64 = 5_000;
    const NAME: &str = "transactions.refused";
    let client = kafka().client();
    client.create_topic(&format!("{NAME}.in"), 3, 1);
    client.create_topic_with(&format!("{NAME}.out"), 1, 1, &[("max.message.bytes", "60000")]);
    // Random enough that it does not become small when it is compressed.
    let large = (0..200_000_u64).map(|n| char::from(b'a' + (n.wrapping_mul(n) % 7919 % 26) as u8));
    let large = format!("refused/{}", large.collect::<String>());
    client.produce(&format!("{NAME}.in"), numbered(0..LINES / 2));
    client.produce(&format!("{NAME}.in"), [NewRecord::of(large)]);
    client.produce(&format!("{NAME}.in"), numbered(LINES / 2..LINES));
    let output =
        "transactional_id = \"refused\"\ncompression = \"none\"\nlibrdkafka = { \"batch.size\" = 40000 }";
    let scene = relay(kafka(), NAME, "", output);
    let mut daemon = scene.run().wait_until_ready();
    assert_each_once(&client, NAME, LINES, &daemon);
    eventually(format_args!("one is rejected: {daemon}"), || {
        let ledger = Ledger::read(daemon.admin())?;
        (ledger.rejected == 1 && ledger.in_flight == 0).then_some(())
    });
    assert!(daemon.terminate().success(), "{daemon}");
}
