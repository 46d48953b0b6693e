//! From a file over an edge, a cluster of three brokers and two hubs into a store, while each of them is killed.

use std::time::{Duration, Instant};

use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};

use super::assert_nothing_lost_nothing_doubled;
use super::kafka_source::hub_of;
use crate::support::daemon::Daemon;
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener};
use crate::support::writer::{Rotation, Writer};
use crate::support::{pause_until, within};

/// How long a backlog may take after the last misfortune: a killed hub's partitions move when its session is over.
const CATCHING_UP: Duration = Duration::from_secs(120);

fn edge(kafka: &Kafka, topic: &str, encoding: &str) -> Scene {
    let scene = Scene::new();
    scene.write_config(&format!(
        r#"[sources.app]
type = "file"
paths = ["{{here}}/logs/app.log"]
parse = "nginx_access"

[outputs.bus]
type = "kafka"
inputs = ["app"]
brokers = {:?}
topic = "{topic}"
key = "{{source.ip}}"
encoding = "{encoding}"
"#,
        kafka.addresses(Listener::Plaintext)
    ));
    scene
}

fn wait_until_stored(daemons: &[&Daemon], store: &Store, lines: u64) {
    let lines = usize::try_from(lines).unwrap();
    within(CATCHING_UP, format_args!("{lines} documents; {}", daemons[0]), || {
        (store.len() >= lines).then_some(())
    });
    for daemon in daemons {
        within(CATCHING_UP, format_args!("nothing is in flight; {daemon}"), || {
            let ledger = Ledger::read(daemon.admin())?;
            (ledger.in_flight == 0 && ledger.adds_up()).then_some(())
        });
    }
}

#[test]
fn a_line_is_stored_once_whoever_is_killed_on_its_way() {
    let mut kafka = Kafka::start(3, &[]);
    for (seed, encoding) in [(5, "json"), (6, "ndjson")] {
        let mut random = Random::new(seed);
        let topic = format!("way.{encoding}");
        kafka.client().create_topic(&topic, 6, 3);
        let store = Store::start(Faults::default()).unwrap();
        let (edge, hubs) = (
            edge(&kafka, &topic, encoding),
            [(); 2].map(|()| hub_of(&kafka, &topic, &topic, &store, "parse = \"json\"")),
        );
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
        wait_until_stored(&[&edge_daemon, &first, &second], &store, lines);
        assert_nothing_lost_nothing_doubled(&store, lines);
        assert!(store.counts().conflicts > 0, "nothing came twice, so the test proved nothing");
        witnesses.into_iter().for_each(Witness::assert_it_always_added_up);
    }
}
