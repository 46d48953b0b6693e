//! A real Elasticsearch that asks for a password and a certificate, and shows its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::daemon::{Daemon, logweir};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::services::secured::{AUTHORITY, CLIENT, SHIPPER, SHIPPER_PASSWORD, make_authority};
use crate::support::services::{self, Service};
use crate::support::writer::append_numbered;
use crate::support::{eventually, http, within};

const LINES: u64 = 5_000;
/// What the daemon waits for between two attempts while it is not let in, and room for the delivery itself.
const PATIENCE: Duration = Duration::from_secs(90);
const WRONG_PASSWORD: &str = "wrong-7c31aa";
/// `shipper:wrong-7c31aa` as the header of basic authentication encodes it.
const WRONG_CREDENTIALS: &str = "c2hpcHBlcjp3cm9uZy03YzMxYWE=";

#[test]
fn every_line_arrives_once_over_tls_with_a_password() {
    let service = services::secured();
    let scene = Scene::new();
    write_config(&scene, &service, "tls", Some(&service.path(AUTHORITY)));
    scene.write("password", format!("{SHIPPER_PASSWORD}\n"));
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let mut daemon = scene.run();
    let witness = Witness::watch(scene.admin());
    wait_until_delivered(&daemon);
    witness.assert_it_always_added_up();
    assert!(daemon.terminate().success(), "{}", daemon.log());
    assert_every_line_once(&service, "tls");
    assert!(!daemon.log().contains(SHIPPER_PASSWORD), "{}", daemon.log());
}

#[test]
fn a_wrong_password_makes_the_daemon_wait_and_say_what_to_do() {
    let service = services::secured();
    let scene = Scene::new();
    let config = write_config(&scene, &service, "password", Some(&service.path(AUTHORITY)));
    scene.write("password", WRONG_PASSWORD);
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let mut daemon = scene.run();
    let output = eventually(format_args!("the output is paused; {daemon}"), || {
        output_status(&daemon).filter(|output| output["state"] == "paused")
    });
    let log = daemon.log();
    for part in ["401", "check `username` and `password`"] {
        assert!(log.contains(part), "the log does not say {part}: {log}");
    }
    let ledger = Ledger::read(scene.admin()).unwrap();
    assert_eq!((ledger.delivered, ledger.rejected), (0, 0), "{ledger:?}");
    daemon.terminate();
    let told = [daemon.log(), output.to_string()].concat();
    for secret in [WRONG_PASSWORD, WRONG_CREDENTIALS] {
        assert!(!told.contains(secret), "{secret} is told: {told}");
    }
    let listed = logweir(["dead-letter".as_ref(), "list".as_ref(), config.as_os_str()]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "the dead letter is empty\n");

    scene.write("password", SHIPPER_PASSWORD);
    let daemon = scene.run();
    wait_until_delivered(&daemon);
    assert_every_line_once(&service, "password");
}

#[test]
fn an_unknown_authority_is_named_as_the_problem() {
    let service = services::secured();
    // An authority of the same name with another key, and the public ones alone.
    for (own, problem) in [(true, "BadSignature"), (false, "UnknownIssuer")] {
        let scene = Scene::new();
        make_authority(&scene.path("."));
        let authority = scene.path("authority.pem");
        write_config(&scene, &service, "authority", own.then_some(&*authority));
        scene.write("password", SHIPPER_PASSWORD);
        append_numbered(&scene.log_path("app.log"), 0..10);
        let daemon = scene.run();
        let address = service.address().to_string();
        let line = eventually(format_args!("the log tells of the certificate; {daemon}"), || {
            daemon.log().lines().find(|line| line.contains("certificate")).map(str::to_owned)
        });
        for part in [&*address, "invalid peer certificate", problem, "check `ca_file`"] {
            assert!(line.contains(part), "the message does not say {part}: {line}");
        }
        assert!(!daemon.log().contains(SHIPPER_PASSWORD), "{}", daemon.log());
        let ledger = Ledger::read(scene.admin()).unwrap();
        assert_eq!((ledger.delivered, ledger.rejected), (0, 0), "{ledger:?}");
    }
}

#[test]
fn a_missing_client_certificate_is_named_as_the_problem() {
    let service = services::secured();
    let scene = Scene::new();
    let config = write_config(&scene, &service, "certificate", Some(&service.path(AUTHORITY)));
    let text = fs::read_to_string(&config).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("client_"));
    fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
    scene.write("password", SHIPPER_PASSWORD);
    append_numbered(&scene.log_path("app.log"), 0..LINES);
    let mut daemon = scene.run();
    eventually(format_args!("the log says what is missing; {daemon}"), || {
        daemon.log().contains("set `client_certificate` and `client_key`").then_some(())
    });
    daemon.terminate();
    fs::write(&config, text).unwrap();
    let daemon = scene.run();
    wait_until_delivered(&daemon);
    assert_every_line_once(&service, "certificate");
}

/// A namespace of its own for each test: they share the server.
fn write_config(scene: &Scene, service: &Service, namespace: &str, authority: Option<&Path>) -> PathBuf {
    let [certificate, key] = CLIENT.map(|name| service.path(name).display().to_string());
    let authority = authority.map(|path| format!("ca_file = \"{}\"\n", path.display())).unwrap_or_default();
    scene.write_config(&format!(
        r#"shutdown_deadline = "1s"

[sources.app]
type = "file"
paths = ["{{here}}/logs/app.log"]
parse = "nginx_access"
namespace = "{namespace}"

[outputs.store]
type = "elasticsearch"
inputs = ["app"]
urls = ["{}"]
username = "{SHIPPER}"
password = "file:{{here}}/password"
client_certificate = "{certificate}"
client_key = "{key}"
{authority}"#,
        service.url()
    ))
}

#[track_caller]
fn wait_until_delivered(daemon: &Daemon) {
    within(PATIENCE, format_args!("all lines are delivered; {daemon}"), || {
        Ledger::read(daemon.admin()).filter(|ledger| ledger.delivered == LINES && ledger.in_flight == 0)
    });
}

fn output_status(daemon: &Daemon) -> Option<Value> {
    let answer = http::get(daemon.admin(), "/api/outputs").ok().filter(|answer| answer.status == 200)?;
    Some(answer.json()["outputs"]["store"].take())
}

#[track_caller]
fn assert_every_line_once(service: &Service, namespace: &str) {
    let mut times: HashMap<u64, u32> = HashMap::new();
    for document in service.documents(&format!("logs-nginx.access-{namespace}")) {
        let text = document["_source"].to_string();
        let (_, rest) = text.split_once("item/").unwrap();
        *times.entry(rest[..9].parse().unwrap()).or_default() += 1;
    }
    let lost = (0..LINES).filter(|number| !times.contains_key(number)).count();
    let doubled = times.values().filter(|&&times| times > 1).count();
    assert_eq!((lost, doubled), (0, 0), "of {LINES} lines");
}
