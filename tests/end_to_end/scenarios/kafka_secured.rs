//! Who is let in by a cluster with passwords and certificates reads it; who is not says the broker's reason, and no secret.

use logweir_benchmarks::store::{Faults, Store};

use super::kafka_source::{hub_at, numbered, source};
use super::wait_until_settled;
use crate::support::daemon::{Daemon, logweir};
use crate::support::scene::Scene;
use crate::support::services::kafka::{Listener, PASSWORD, USER, kafka};
use crate::support::{eventually, http};

const RECORDS: u64 = 100;
const WRONG_PASSWORD: &str = "wrong-5c80ee";
/// What stands in the config, or in the files that it names, and nowhere else.
const SECRETS: [&str; 3] = [PASSWORD, WRONG_PASSWORD, "PRIVATE KEY"];

/// A hub that connects at a listener with these keys.
fn hub(topic: &str, group: &str, listener: Listener, keys: &str, store: &Store) -> Scene {
    hub_at(&kafka().addresses(listener), topic, group, &store.url(), keys)
}

fn certificate(name: &str) -> String {
    kafka().certificate(name).display().to_string()
}

fn tls() -> String {
    format!("tls = true\nca_file = \"{}\"", certificate("authority.pem"))
}

fn mutual_tls() -> String {
    let (own, key) = (certificate("client.pem"), certificate("client.key"));
    format!("{}\nclient_certificate = \"{own}\"\nclient_key = \"{key}\"", tls())
}

fn password(mechanism: &str, password: &str) -> String {
    format!("{}\nusername = \"{USER}\"\npassword = \"{password}\"\nsasl_mechanism = \"{mechanism}\"", tls())
}

/// No secret stands in what the daemon, and the check of its config, say.
#[track_caller]
fn assert_no_secret(scene: &Scene, daemon: &Daemon) {
    let check = logweir(["check".as_ref(), scene.path("logweir.toml").as_os_str()]);
    let mut said =
        vec![daemon.log(), String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned()];
    for path in ["/api/sources", "/api/outputs", "/api/ledger", "/metrics"] {
        said.push(http::get(daemon.admin(), path).unwrap().body);
    }
    for said in said {
        for secret in SECRETS {
            assert!(!said.contains(secret), "{secret} stands in {said}");
        }
    }
}

#[test]
fn who_shows_what_is_asked_for_reads() {
    const TOPIC: &str = "secured.good";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    client.produce(TOPIC, numbered(0..RECORDS));
    let cases = [
        ("tls", Listener::Tls, tls()),
        ("mutual", Listener::MutualTls, mutual_tls()),
        ("scram-sha-512", Listener::Scram, password("scram-sha-512", PASSWORD)),
        ("scram-sha-256", Listener::Scram, password("scram-sha-256", PASSWORD)),
        ("plain", Listener::Scram, password("plain", PASSWORD)),
    ];
    for (name, listener, keys) in cases {
        let store = Store::start(Faults::default()).unwrap();
        let scene = hub(TOPIC, &format!("secured.{name}"), listener, &keys, &store);
        let daemon = scene.run().wait_until_ready();
        wait_until_settled(&daemon, &store, RECORDS);
        assert_eq!(store.len() as u64, RECORDS, "{name}: {daemon}");
        assert_no_secret(&scene, &daemon);
    }
}

#[test]
fn who_does_not_is_told_the_broker_s_reason() {
    const TOPIC: &str = "secured.bad";
    let client = kafka().client();
    client.create_topic(TOPIC, 1, 1);
    let invalid = "invalid credentials";
    let cases = [
        ("scram-sha-512", Listener::Scram, password("scram-sha-512", WRONG_PASSWORD), invalid),
        ("scram-sha-256", Listener::Scram, password("scram-sha-256", WRONG_PASSWORD), invalid),
        ("plain", Listener::Scram, password("plain", WRONG_PASSWORD), "Invalid username or password"),
        ("no certificate", Listener::MutualTls, tls(), "certificate required"),
        ("no authority", Listener::Tls, "tls = true".to_owned(), "certificate verify failed"),
    ];
    for (name, listener, keys, reason) in cases {
        let store = Store::start(Faults::default()).unwrap();
        let scene = hub(TOPIC, "secured.bad", listener, &keys, &store);
        let mut daemon = scene.run().wait_until_ready();
        eventually(format_args!("{name}: {reason}; {daemon}"), || {
            let log = daemon.log();
            let mut told = log.lines().filter(|line| line.contains("cannot read for now"));
            told.any(|line| line.contains(reason)).then_some(())
        });
        assert_eq!(source(&daemon).unwrap()["partitions"].as_array().unwrap().len(), 0, "{name}");
        assert_no_secret(&scene, &daemon);
        assert!(daemon.terminate().success(), "{name}: {daemon}");
    }
}
