//! What aggregates and rules remember: kept over `kill -9`, a stop, and a store that is away.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};
use serde_json::Value;

use super::aggregates::{CONFIG, SECONDS, START, append, expected, found, lines, readings};
use super::kafka_source::bus;
use crate::support::daemon::Daemon;
use crate::support::eventually;
use crate::support::http;
use crate::support::kafka::{Client, NewRecord};
use crate::support::ledger::Ledger;
use crate::support::pause_until;
use crate::support::scene::Scene;
use crate::support::services::kafka::{Listener, kafka};

/// What watches the readings beside the windows: the windows themselves are watched, too.
const FURTHER: &str = r#"
[aggregates.per_two_minutes]
inputs = ["per_minute"]
window = { tumbling = "2m" }
compute = { readings = { sum = "logweir.metrics.count" } }

[rules.many]
title = "Many readings of a sensor"
inputs = ["readings"]
where = { "kind" = "temperature" }
by = ["sensor"]
window = { sliding = "10s" }
count = { at_least = 20 }
suppress = "1m"

[rules.correlations]
inputs = ["readings"]
sigma = { paths = ["{here}/sensors.yml"], log_source = { product = "sensor" } }
suppress = "20s"

[outputs.store]
type = "elasticsearch"
inputs = ["per_minute", "per_two_minutes", "rules"]
urls = ["{store}"]
"#;

/// A correlation that is judged at each reading, one that is when a timespan is over, and one about both.
const CORRELATIONS: &str = "
title: Reading
name: reading
logsource: {product: sensor}
detection: {temperature: {kind: temperature}, condition: temperature}
---
title: Many readings
id: c-1
correlation: {type: event_count, rules: reading, group-by: sensor, timespan: 10s, condition: {gte: 20}, generate: false}
---
title: Not many readings
id: c-2
correlation: {type: event_count, rules: reading, group-by: sensor, timespan: 10s, condition: {lt: 14}}
---
title: Many, then not many
id: c-3
correlation: {type: temporal_ordered, rules: [c-1, c-2], group-by: sensor, timespan: 1m, generate: true}
";

/// Count and sum by minute and sensor.
type Windows = BTreeMap<(i64, String), (u64, u64)>;

/// So much later that it closes all windows before it, and opens one that stays open.
fn last_reading(number: i64) -> String {
    let end = START + i64::try_from(SECONDS).unwrap() + 3_600;
    lines(&[((end + number) * 1000, 0, 1)])
}

/// The stored documents of a dataset or name.
fn stored(store: &Store, name: &str) -> Vec<Value> {
    let documents =
        store.stored().into_iter().map(|document| serde_json::from_slice(&document.source).unwrap());
    let is_of = |document: &Value| {
        document["logweir.aggregate.name"] == name || document["logweir.rule.name"] == name
    };
    documents.filter(is_of).collect()
}

/// The windows of each minute stand in the store, each once, with these counts and sums.
#[track_caller]
fn assert_windows(store: &Store, expected: &Windows) {
    let lines =
        stored(store, "per_minute").iter().map(|document| format!("{document}\n")).collect::<String>();
    let stored = found(&lines);
    assert_eq!(stored.len(), expected.len(), "a window has two identities");
    let other = stored.iter().filter(|(key, sums)| expected.get(key) != Some(sums)).collect::<Vec<_>>();
    assert!(other.is_empty(), "{other:?}");
}

fn config(scene: &Scene, store: &Store, before: &str) {
    let further = FURTHER.replace("{store}", &store.url());
    scene.write("sensors.yml", CORRELATIONS);
    scene.write_config(&format!("{before}{CONFIG}{further}"));
}

fn wait_for_reading(daemon: &Daemon, lines: u64) {
    eventually("all lines are read", || {
        let ledger = Ledger::read(daemon.admin())?;
        (ledger.read >= lines && ledger.in_flight == 0).then_some(())
    });
}

#[test]
fn windows_and_alerts_are_the_same_whenever_the_daemon_is_killed() {
    let mut random = Random::new(11);
    let files = [21, 22, 23].map(|seed| readings(seed, 20_000));
    let expected = expected(&files.concat());
    // What one run without misfortune tells.
    let (calm, calm_store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    config(&calm, &calm_store, "");
    // What comes of the same files while the daemon is killed again and again.
    let (scene, store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    config(&scene, &store, "");
    let chunks = 60;
    let parts =
        files.each_ref().map(|file| file.chunks(file.len().div_ceil(chunks)).map(lines).collect::<Vec<_>>());
    let mut daemon = scene.run();
    for chunk in 0..chunks {
        for (number, parts) in parts.iter().enumerate() {
            for scene in [&scene, &calm] {
                append(&scene.log_path(&format!("{number}.json")), &parts[chunk]);
            }
        }
        pause_until(Instant::now() + Duration::from_millis(random.below(120)));
        if chunk % 7 == 3 {
            daemon.kill();
            daemon = scene.run();
        }
    }
    for number in 0..3_i64 {
        for scene in [&scene, &calm] {
            append(&scene.log_path(&format!("{number}.json")), &last_reading(number));
        }
    }
    let calm_daemon = calm.run().wait_until_ready();
    let windows = expected.len();
    for (of, store) in [("the calm run", &calm_store), ("the killed one", &store)] {
        eventually(format!("all windows of {of}"), || {
            (stored(store, "per_minute").len() >= windows && stored(store, "per_two_minutes").len() >= 4)
                .then_some(())
        });
    }
    assert_windows(&store, &expected);
    // The clock alone would close the windows of windows after the fourth.
    for (name, most) in [("per_two_minutes", 4), ("many", usize::MAX), ("correlations", usize::MAX)] {
        let of = |store: &Store| {
            let mut documents = stored(store, name).into_iter().map(without_evidence).collect::<Vec<_>>();
            documents.sort();
            documents.truncate(most);
            documents
        };
        eventually(format!("{name}: the killed one tells what the calm one does"), || {
            let (by_killed, by_calm) = (of(&store), of(&calm_store));
            (by_calm.len() > 3 && by_killed == by_calm).then_some(())
        });
    }
    drop((daemon, calm_daemon));
}

/// An alert without its lines: their paths and ids are of one installation.
fn without_evidence(mut document: Value) -> String {
    document["logweir.alert.evidence"].take();
    document.to_string()
}

#[test]
fn what_a_store_has_not_taken_at_a_stop_comes_after_it() {
    let (scene, mut store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    config(&scene, &store, "shutdown_deadline = \"1s\"\n");
    store.stop();
    let readings = readings(24, 3_000);
    append(&scene.log_path("a.json"), &(lines(&readings) + &last_reading(0)));
    let mut daemon = scene.run().wait_until_ready();
    let results = eventually("windows are closed", || {
        let aggregates = http::get(daemon.admin(), "/api/aggregates").ok()?.json();
        aggregates["aggregates"]["per_minute"]["results"].as_u64().filter(|results| *results >= 200)
    });
    daemon.terminate();
    store.start_again().unwrap();
    let daemon = scene.run().wait_until_ready();
    let windows = expected(&readings);
    assert!(results >= windows.len() as u64, "{}", daemon.log());
    eventually("all windows", || (stored(&store, "per_minute").len() >= windows.len()).then_some(()));
    assert_windows(&store, &windows);
}

#[test]
fn a_changed_section_begins_anew_and_says_so_and_the_others_go_on() {
    let (scene, store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    config(&scene, &store, "");
    let readings = readings(25, 2_000);
    let (before, after) = readings.split_at(1_000);
    append(&scene.log_path("a.json"), &lines(before));
    let mut daemon = scene.run().wait_until_ready();
    wait_for_reading(&daemon, 1_000);
    assert!(daemon.terminate().success(), "{}", daemon.log());

    let further = FURTHER.replace("{store}", &store.url()).replace("at_least = 20", "at_least = 21");
    scene.write_config(&format!("# A comment changes nothing.\n{CONFIG}{further}"));
    append(&scene.log_path("a.json"), &(lines(after) + &last_reading(0)));
    let daemon = scene.run().wait_until_ready();
    let windows = expected(&readings);
    eventually("all windows", || (stored(&store, "per_minute").len() >= windows.len()).then_some(()));
    assert_windows(&store, &windows);
    let log = daemon.log();
    let anew = log.lines().filter(|line| line.contains("begins anew")).collect::<Vec<_>>();
    assert!(anew.len() == 1 && anew[0].contains("many"), "{log}");
}

#[test]
fn windows_over_a_topic_are_the_same_whenever_the_hub_is_killed() {
    killed_hub("kept.readings", "");
}

#[test]
fn windows_beside_transactions_are_the_same_whenever_the_hub_is_killed() {
    let output = r#"
[outputs.copy]
type = "kafka"
inputs = ["bus"]
brokers = {brokers}
topic = "kept.relayed.copy"
transactional_id = "kept-relayed"
create_topics = { partitions = 1, replication = 1 }
"#;
    killed_hub("kept.relayed", output);
}

/// A hub that is killed three times on its way through a topic, with another output beside the windows.
fn killed_hub(topic: &str, output: &str) {
    const READINGS: i64 = 120_000;
    const KILLS: usize = 3;
    let client = Client::new(kafka().settings(Listener::Plaintext));
    client.create_topic(topic, 3, 1);
    let (scene, store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    let brokers = kafka().addresses(Listener::Plaintext);
    // A member that was killed is known again by its name.
    let more = "parse = \"json\"\ngroup_instance_id = \"hub-1\"\ngroup_protocol = \"classic\"";
    let aggregate = r#"
[time]
idle_after = "10s"

[aggregates.per_minute]
inputs = ["bus"]
by = ["sensor"]
window = { tumbling = "1m" }
compute = { count = "count", sum = { sum = "value" } }

[outputs.store]
type = "elasticsearch"
inputs = ["per_minute"]
urls = ["{store}"]
"#;
    let outputs =
        aggregate.replace("{store}", &store.url()) + &output.replace("{brokers}", &format!("{brokers:?}"));
    scene.write_config(&format!("{}{outputs}", bus(&brokers, topic, topic, more)));
    let reading = |number: i64| (START + number / 100, number % 7);
    let mut windows = Windows::new();
    for (second, sensor) in (0..READINGS).map(reading) {
        let sums = windows.entry((second / 60 + 1, format!("s{sensor}"))).or_default();
        *sums = (sums.0 + 1, sums.1 + 1);
    }
    let record = |number: i64| {
        let (second, sensor) = reading(number);
        let value = format!(r#"{{"@timestamp":{second},"sensor":"s{sensor}","value":1}}"#);
        NewRecord { key: Some(number.to_be_bytes().to_vec()), ..NewRecord::of(value) }
    };
    thread::scope(|threads| {
        threads.spawn(|| {
            let part = READINGS / 20;
            (0..20).for_each(|number| {
                client.produce(topic, (number * part..(number + 1) * part).map(record));
            });
        });
        for kill in 1..=KILLS {
            let mut daemon = scene.run();
            eventually("some windows", || (store.len() >= kill * windows.len() / 5).then_some(()));
            daemon.kill();
        }
    });
    let daemon = scene.run().wait_until_ready();
    eventually("all windows", || (store.len() >= windows.len()).then_some(()));
    assert_windows(&store, &windows);
    drop(daemon);
}
