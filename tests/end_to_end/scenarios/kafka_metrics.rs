//! What `/metrics` and `/api/sources` tell of both ends of a real cluster.

use std::collections::BTreeMap;

use logweir_benchmarks::store::{Faults, Store};

use super::kafka_source::{hub_of, numbered, source};
use super::wait_until_settled;
use crate::support::daemon::Daemon;
use crate::support::kafka::NewRecord;
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, kafka};
use crate::support::writer::{Rotation, Writer};
use crate::support::{eventually, http};

/// The series of a metric: their labels as they stand there, and their values.
fn series(daemon: &Daemon, name: &str) -> BTreeMap<String, f64> {
    let Ok(answer) = http::get(daemon.admin(), "/metrics") else { return BTreeMap::new() };
    let lines = answer.body.lines().filter_map(|line| line.strip_prefix("logweir_")?.strip_prefix(name));
    let series = lines.filter_map(|rest| rest.strip_prefix('{')?.rsplit_once("} "));
    series.map(|(labels, value)| (labels.to_owned(), value.parse().unwrap())).collect()
}

/// Waits until a metric has a series with these labels for which `is_right` holds.
#[track_caller]
fn wait_for(daemon: &Daemon, name: &str, labels: &str, is_right: impl Fn(f64) -> bool) -> f64 {
    let mut last = BTreeMap::new();
    let found = crate::support::wait_for(crate::support::PATIENCE, || {
        last = series(daemon, name);
        last.iter().find(|(own, value)| own.contains(labels) && is_right(**value)).map(|(_, value)| *value)
    });
    found.unwrap_or_else(|| panic!("{name} has no such series with {labels}: {last:?}; {daemon}"))
}

#[test]
fn the_lag_is_what_is_not_settled_also_while_the_store_is_dead() {
    const TOPIC: &str = "metrics.lag";
    const BEFORE: u64 = 40_000;
    const MEANWHILE: u64 = 1_000;
    let client = kafka().client();
    client.create_topic(TOPIC, 3, 1);
    // More than the hub has memory for, so that it pauses its partitions.
    let wide = |record: NewRecord| {
        let value = record.value.map(|value| [&value[..], &[b' '; 2_000]].concat());
        NewRecord { value, ..record }
    };
    client.produce(TOPIC, numbered(0..BEFORE).map(wide));
    let mut store = Store::start(Faults::default()).unwrap();
    store.stop();
    let more = "queue_bytes = \"1MiB\"\nstatistics_interval = \"500ms\"";
    let scene = hub_of(kafka(), TOPIC, TOPIC, &store.url(), more);
    let daemon = scene.run().wait_until_ready();

    wait_for(&daemon, "kafka_lag_records", "source=\"bus\"", |lag| lag == BEFORE as f64);
    wait_for(&daemon, "kafka_pauses_total", "source=\"bus\"", |pauses| pauses > 0.0);
    client.produce(TOPIC, numbered(BEFORE..BEFORE + MEANWHILE));
    let all = BEFORE + MEANWHILE;
    wait_for(&daemon, "kafka_lag_records", "source=\"bus\"", |lag| lag == all as f64);
    for (partition, end) in client.end_offsets(TOPIC).into_iter().enumerate() {
        let labels = format!("topic=\"{TOPIC}\",partition=\"{partition}\"");
        wait_for(&daemon, "kafka_partition_lag_records", &labels, |lag| lag == end as f64);
    }
    let told = source(&daemon).unwrap();
    assert_eq!((&told["lag"], told["partitions"].as_array().unwrap().len()), (&all.into(), 3), "{told}");
    assert_eq!(wait_for(&daemon, "kafka_partitions", "source=\"bus\"", |_| true), 3.0);
    wait_for(&daemon, "kafka_rebalances_total", "source=\"bus\"", |changes| changes >= 1.0);

    store.start_again().unwrap();
    wait_until_settled(&daemon, &store, all);
    wait_for(&daemon, "kafka_lag_records", "source=\"bus\"", |lag| lag == 0.0);
    let partitions = series(&daemon, "kafka_partition_lag_records");
    assert_eq!(partitions.values().copied().collect::<Vec<_>>(), [0.0; 3], "{partitions:?}");
}

#[test]
fn an_output_tells_how_its_brokers_answer() {
    let mut kafka = Kafka::start(1, &[]);
    kafka.client().create_topic("metrics.output", 1, 1);
    let scene = Scene::new();
    scene.write_config(&format!(
        r#"[sources.app]
type = "file"
paths = ["{{here}}/logs/*.log"]
parse = "nginx_access"

[outputs.bus]
type = "kafka"
inputs = ["app"]
brokers = {:?}
topic = "metrics.output"
statistics_interval = "500ms"
"#,
        kafka.addresses(Listener::Plaintext)
    ));
    let writer = Writer::start(scene.log_path("app.log"), 1_000, Rotation::Never);
    let daemon = scene.run().wait_until_ready();
    let broker =
        format!("output=\"bus\",kind=\"kafka\",broker=\"{}/1\"", kafka.addresses(Listener::Plaintext)[0]);
    wait_for(&daemon, "output_kafka_broker_up", &broker, |up| up == 1.0);
    wait_for(&daemon, "output_kafka_broker_requests_total", &broker, |requests| requests > 10.0);
    for percentile in ["p50", "p99"] {
        let name = format!("output_kafka_broker_round_trip_{percentile}_seconds");
        wait_for(&daemon, &name, &broker, |seconds| seconds > 0.0 && seconds < 60.0);
    }
    for name in ["output_kafka_queue_records", "output_kafka_queue_bytes"] {
        wait_for(&daemon, name, "output=\"bus\"", |_| true);
    }

    // What waits for a broker that is away is told.
    kafka.kill_9(1);
    wait_for(&daemon, "output_kafka_broker_up", &broker, |up| up == 0.0);
    wait_for(&daemon, "output_kafka_broker_disconnects_total", &broker, |ends| ends >= 1.0);
    wait_for(&daemon, "output_kafka_queue_records", "output=\"bus\"", |records| records > 0.0);
    kafka.restart(1);
    writer.finish();
    wait_for(&daemon, "output_kafka_queue_records", "output=\"bus\"", |records| records == 0.0);
    eventually("the metrics end as OpenMetrics do", || {
        http::get(daemon.admin(), "/metrics").ok().filter(|answer| answer.body.ends_with("# EOF\n"))
    });
}
