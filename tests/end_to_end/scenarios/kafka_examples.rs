//! The example configs of Kafka against a real cluster, as they stand there.

use std::process::Command;

use logweir_benchmarks::store::{Faults, Store};

use super::assert_nothing_lost_nothing_doubled;
use crate::support::daemon::{Daemon, binary};
use crate::support::kafka::{Isolation, NewRecord, Record};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Kafka, Listener, PASSWORD, USER};
use crate::support::writer::append_numbered;
use crate::support::{PATIENCE, eventually};

const LINES: u64 = 2_000;

/// Runs an example over numbered lines, which the config finds, until the store has each once. The topics of the examples
/// have fixed names, so each takes a cluster of its own.
fn run(example: &str, variables: &[(&str, String)]) {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    append_numbered(&scene.log_path("access.log"), 0..LINES);
    // All files of a folder are one config.
    std::fs::create_dir(scene.path("config")).unwrap();
    let shown = format!("{}/../config-examples/{example}", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(shown, scene.path("config/example.toml")).unwrap();
    scene.write("config/admin.toml", format!("[admin]\nlisten = \"{}\"\n", scene.admin()));
    let mut command = Command::new(binary());
    command
        .env("LOGWEIR_DATA_DIR", scene.path("data"))
        .env("LOGWEIR_LOGS", scene.log_path("access.log"))
        .env("LOGWEIR_ELASTICSEARCH_URL", store.url())
        .envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    let (config, log) = (scene.path("config"), scene.path("daemon.log"));
    let mut daemon = Daemon::run_by(&mut command, &config, scene.admin(), &log);
    eventually(format_args!("{example}: {LINES} documents; {daemon}"), || {
        (store.len() as u64 >= LINES).then_some(())
    });
    assert_nothing_lost_nothing_doubled(&store, LINES);
    assert!(!daemon.log().contains(PASSWORD), "{daemon}");
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn edge_and_hub_run_in_one_process() {
    let kafka = Kafka::start(1, &[]);
    let broker = kafka.addresses(Listener::Plaintext).remove(0);
    run("edge-hub-one-process.toml", &[("LOGWEIR_KAFKA_BROKER", broker)]);
}

#[test]
fn what_failed_is_picked_out_of_kafka_into_kafka() {
    let kafka = Kafka::start(1, &[]);
    let client = kafka.client();
    client.create_topic("logs.nginx.access", 2, 1);
    let document = |number: u64| {
        let status = if number.is_multiple_of(2) { 200 } else { 503 };
        let dataset = "\"data_stream.dataset\":\"nginx.access\"";
        format!("{{\"message\":\"{number}\",\"http.response.status_code\":{status},{dataset}}}")
    };
    client.produce("logs.nginx.access", (0..LINES).map(|number| NewRecord::of(document(number))));
    let scene = Scene::new();
    std::fs::create_dir(scene.path("config")).unwrap();
    let shown = format!("{}/../config-examples/kafka-to-kafka.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(shown, scene.path("config/example.toml")).unwrap();
    scene.write("config/admin.toml", format!("[admin]\nlisten = \"{}\"\n", scene.admin()));
    let mut command = Command::new(binary());
    command
        .env("LOGWEIR_DATA_DIR", scene.path("data"))
        .env("LOGWEIR_KAFKA_BROKER", kafka.addresses(Listener::Plaintext).remove(0));
    let (config, log) = (scene.path("config"), scene.path("daemon.log"));
    let mut daemon = Daemon::run_by(&mut command, &config, scene.admin(), &log);
    eventually(format_args!("the group is at the end; {daemon}"), || {
        let ends = client.end_offsets("logs.nginx.access").into_iter().map(Some).collect::<Vec<_>>();
        (client.committed("failures", "logs.nginx.access") == ends).then_some(())
    });
    let wanted = usize::try_from(LINES / 2).unwrap();
    let records = client.read_all("failures.nginx.access", wanted, Isolation::ReadCommitted, PATIENCE);
    let number = |record: Record| {
        let value = serde_json::from_slice::<serde_json::Value>(&record.value.unwrap()).unwrap();
        assert_eq!(value["http.response.status_code"], 503);
        value["message"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let mut numbers = records.into_iter().map(number).collect::<Vec<_>>();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..LINES).filter(|number| !number.is_multiple_of(2)).collect::<Vec<_>>());
    assert!(daemon.terminate().success(), "{daemon}");
}

#[test]
fn a_password_at_one_end_and_a_certificate_at_the_other_let_lines_through() {
    let kafka = Kafka::start(1, &[Listener::Tls, Listener::MutualTls, Listener::Scram]);
    let secrets = tempfile::tempdir().unwrap();
    let password = secrets.path().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let broker = |listener| kafka.addresses(listener).remove(0);
    let certificate = |name| kafka.certificate(name).display().to_string();
    kafka.client().create_topic("logs.nginx.access", 2, 1);
    run(
        "kafka-tls.toml",
        &[
            ("LOGWEIR_KAFKA_PASSWORD_BROKER", broker(Listener::Scram)),
            ("LOGWEIR_KAFKA_CERTIFICATE_BROKER", broker(Listener::MutualTls)),
            ("LOGWEIR_KAFKA_CA_FILE", certificate("authority.pem")),
            ("LOGWEIR_KAFKA_USER", USER.to_owned()),
            ("LOGWEIR_KAFKA_PASSWORD_FILE", password.display().to_string()),
            ("LOGWEIR_KAFKA_CERTIFICATE_FILE", certificate("client.pem")),
            ("LOGWEIR_KAFKA_KEY_FILE", certificate("client.key")),
        ],
    );
}
