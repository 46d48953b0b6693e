//! Alerts of rules, and any other events, by webhook: to a receiver that fails, is away or refuses, and to a real Alertmanager.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use logweir_benchmarks::store::{Faults, Store};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, binary, logweir};
use crate::support::ledger::Ledger;
use crate::support::receiver::Receiver;
use crate::support::scene::Scene;
use crate::support::{eventually, free_port, http};

const TOKEN: &str = "T0000-c0ffee";
const KEY: &str = "k3y-of-the-receiver";
const ROUTING_KEY: &str = "r0uting-key-of-the-service";

/// A source of lines of sshd, and a rule about five failures of one address.
pub(super) const GUESSING: &str = r#"
[time]
lateness = "1s"
idle_after = "1s"

[sources.auth]
type = "file"
paths = ["{here}/logs/auth.log"]
parse = "syslog"
parse_message = "auto"

[rules.guessing]
title = "SSH \"password\" guessing"
level = "high"
inputs = ["auth"]
where = { "event.category" = "authentication", "event.outcome" = "failure" }
by = ["source.ip"]
window = { sliding = "10m" }
count = { at_least = 5 }
"#;

const CHAT: &str = r#"
[outputs.chat]
type = "webhook"
inputs = ["rules"]
url = "file:{here}/url"
headers = { X-Key = "file:{here}/key" }

[outputs.chat.body]
text = "{rule.name} from {source.ip} ({user.full_name})"
count = "{logweir.alert.count}"
tags = "{tags}"
routing_key = "${ROUTING_KEY}"
"#;

const EVENTS: &str = r#"
[sources.app]
type = "file"
paths = ["{here}/logs/app.log"]
parse = "json"

[outputs.chat]
type = "webhook"
inputs = ["app"]
url = "file:{here}/url"
"#;

/// Failures of one address, one a second: one alert about five of them.
pub(super) fn failures(address: &str) -> String {
    let mut text = String::new();
    for second in 0..20 {
        writeln!(
            text,
            "2026-11-23T08:00:{second:02}+00:00 web sshd[4711]: Failed password for root from {address} port 50000 ssh2"
        )
        .unwrap();
    }
    text
}

/// A config whose alerts go to the webhook.
fn alerts() -> String {
    format!("{GUESSING}{CHAT}")
}

/// A scene with this config, whose webhook goes to `url`.
fn scene(config: &str, url: &str) -> Scene {
    let scene = Scene::new();
    scene.write_config(config);
    scene.write("url", format!("{url}/services/{TOKEN}\n"));
    scene.write("key", KEY);
    scene
}

fn run(scene: &Scene) -> Daemon {
    let mut command = Command::new(binary());
    command.env("ROUTING_KEY", ROUTING_KEY);
    Daemon::run_by(&mut command, &scene.path("logweir.toml"), scene.admin(), &scene.path("daemon.log"))
}

/// What the admin API says of the output.
fn status(daemon: &Daemon) -> Option<Value> {
    let mut answer = http::get(daemon.admin(), "/api/outputs").ok()?.json();
    Some(answer["outputs"]["chat"].take())
}

#[track_caller]
fn assert_no_secret(told: &str) {
    for secret in [TOKEN, KEY, ROUTING_KEY] {
        assert!(!told.contains(secret), "{secret} is told: {told}");
    }
}

#[test]
fn an_alert_comes_once_though_the_receiver_fails_at_first() {
    let retry_after: &[_] = &[("retry-after", "1")];
    let echo = format!("{TOKEN} {KEY} {ROUTING_KEY}");
    let receiver = Receiver::start([(500, &[][..], echo), (429, retry_after, String::new())]);
    let scene = scene(&alerts(), &receiver.url());
    let mut daemon = run(&scene).wait_until_ready();
    scene.write("logs/auth.log", failures("203.0.113.1"));
    eventually(format_args!("the alert is delivered; {daemon}"), || {
        status(&daemon).filter(|output| output["delivered"] == 1)
    });
    let received = receiver.received();
    let [first, second, third] = &received[..] else { panic!("not three requests: {received:?}") };
    let expected = json!({
        "text": "SSH \"password\" guessing from 203.0.113.1 (unknown)",
        "count": 5,
        "routing_key": ROUTING_KEY,
    });
    for request in &received {
        assert_eq!(request.body, expected);
        assert_eq!(request.path, format!("/services/{TOKEN}"));
        assert_eq!(request.headers["x-key"], KEY);
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["idempotency-key"], first.headers["idempotency-key"]);
    }
    assert!(third.at - second.at >= Duration::from_secs(1), "{:?}", third.at - second.at);
    let told = [status(&daemon).unwrap().to_string(), http::get(daemon.admin(), "/metrics").unwrap().body];
    assert!(daemon.terminate().success(), "{}", daemon.log());
    assert!(daemon.log().contains("answered with status 500: *** *** ***"), "{daemon}");
    assert_no_secret(&[daemon.log(), told.concat()].concat());
}

#[test]
fn a_receiver_that_was_away_gets_every_alert() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let scene = scene(&alerts(), &format!("http://{address}"));
    let daemon = run(&scene).wait_until_ready();
    scene.write(
        "logs/auth.log",
        failures("203.0.113.1") + &failures("203.0.113.2").replace("T08:00:", "T08:01:"),
    );
    let away = eventually(format_args!("the output waits; {daemon}"), || {
        status(&daemon).filter(|output| output["state"] == "retrying")
    });
    let receiver = Receiver::start_at(address, []);
    eventually(format_args!("both alerts are delivered; {daemon}"), || {
        status(&daemon).filter(|output| output["delivered"] == 2)
    });
    let mut texts =
        receiver.received().iter().map(|request| request.body["text"].to_string()).collect::<Vec<_>>();
    texts.sort();
    assert!(
        texts.len() == 2 && texts[0].contains("203.0.113.1") && texts[1].contains("203.0.113.2"),
        "{texts:?}"
    );
    assert!(away.to_string().contains(&format!("http://{address}")), "{away}");
    assert_no_secret(&[daemon.log(), away.to_string()].concat());
}

#[test]
fn what_is_refused_is_kept_with_the_answer_and_without_secrets() {
    let said = format!("invalid_payload for {TOKEN}, {KEY}, {ROUTING_KEY}");
    let receiver = Receiver::start([(400, &[][..], said)]);
    let scene = scene(&alerts(), &receiver.url());
    let mut daemon = run(&scene).wait_until_ready();
    scene.write("logs/auth.log", failures("203.0.113.1"));
    eventually(format_args!("the alert is refused; {daemon}"), || {
        status(&daemon).filter(|output| output["rejected"] == 1)
    });
    assert!(Ledger::read(scene.admin()).unwrap().adds_up());
    assert!(daemon.terminate().success(), "{}", daemon.log());
    let show = |action: &str| {
        let mut command = Command::new(binary());
        let output = command.args(["dead-letter", action]).arg(scene.path("logweir.toml"));
        String::from_utf8(output.env("ROUTING_KEY", ROUTING_KEY).output().unwrap().stdout).unwrap()
    };
    let record = serde_json::from_str::<Value>(show("show").trim()).unwrap();
    assert_eq!((&record["output"], &record["status"]), (&json!("chat"), &json!(400)));
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.ends_with("answered with status 400: invalid_payload for ***, ***, ***"), "{reason}");
    assert_eq!(record["document"]["source.ip"], "203.0.113.1");
    assert_eq!(record["document"]["event.id"], receiver.received()[0].headers["idempotency-key"]);
    assert!(show("list").contains("invalid_payload"), "{}", show("list"));
    assert_no_secret(&[daemon.log(), show("show"), show("list")].concat());
}

#[test]
fn a_receiver_that_lets_nobody_in_makes_the_output_wait_and_say_so() {
    let refusals = (0..1000).map(|_| (403, &[][..], "no".to_owned()));
    let receiver = Receiver::start(refusals);
    let scene = scene(EVENTS, &receiver.url());
    let daemon = scene.run();
    scene.write("logs/app.log", "{\"n\":1}\n");
    eventually(format_args!("the output is paused; {daemon}"), || {
        status(&daemon).filter(|output| output["state"] == "paused")
    });
    assert!(daemon.log().contains("check `url`, `headers` and the credentials"), "{daemon}");
    let ledger = Ledger::read(scene.admin()).unwrap();
    assert_eq!((ledger.delivered, ledger.rejected, ledger.in_flight), (0, 0, 1), "{ledger:?}");
    assert_no_secret(&daemon.log());
}

#[test]
fn events_go_in_order_and_no_faster_than_allowed() {
    let receiver = Receiver::start([]);
    let scene = scene(&format!("{EVENTS}rate = {{ requests = 2, per = \"1s\" }}\n"), &receiver.url());
    let lines = (0..6).map(|number| format!("{{\"n\":{number}}}\n")).collect::<String>();
    scene.write("logs/app.log", lines);
    let output = logweir(["run".as_ref(), "--once".as_ref(), scene.path("logweir.toml").as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let received = receiver.received();
    let numbers = received.iter().map(|request| request.body["n"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    for three in received.windows(3) {
        // From the start of a request to its arrival times differ.
        assert!(three[2].at - three[0].at > Duration::from_millis(800), "{received:?}");
    }
    for request in &received {
        assert_eq!(request.headers["idempotency-key"], request.body["event.id"]);
    }
}

#[test]
fn a_list_that_is_too_large_is_sent_in_parts() {
    let receiver = Receiver::start([(413, &[][..], String::new())]);
    let config = format!("{EVENTS}per_request = \"array\"\nbody = {{ n = \"{{n}}\" }}\n");
    let scene = scene(&config, &receiver.url());
    let lines = (0..6).map(|number| format!("{{\"n\":{number}}}\n")).collect::<String>();
    scene.write("logs/app.log", lines);
    let output = logweir(["run".as_ref(), "--once".as_ref(), scene.path("logweir.toml").as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let received = receiver.received();
    let bodies = received.iter().map(|request| request.body.to_string()).collect::<Vec<_>>();
    let all = r#"[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4},{"n":5}]"#;
    assert_eq!(bodies, [all, r#"[{"n":0},{"n":1},{"n":2}]"#, r#"[{"n":3},{"n":4},{"n":5}]"#]);
}

/// A real Alertmanager.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route: { receiver: none }\nreceivers: [{ name: none }]\n").unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("apt-get install prometheus-alertmanager: {error}"));
        let server = Self { child, address, _folder: folder };
        eventually("Alertmanager is ready", || {
            http::get(address, "/-/ready").ok().filter(|answer| answer.status == 200)
        });
        server
    }

    fn alerts(&self) -> Vec<Value> {
        let alerts = http::get(self.address, "/api/v2/alerts").unwrap().json();
        alerts.as_array().unwrap().clone()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_example_brings_an_alert_to_every_service() {
    let alertmanager = Alertmanager::start();
    let (slack, teams, pagerduty) = (Receiver::start([]), Receiver::start([]), Receiver::start([]));
    let (scene, store) = (Scene::new(), Store::start(Faults::default()).unwrap());
    // All files of a folder are one config.
    std::fs::create_dir(scene.path("config")).unwrap();
    let shown = format!("{}/../config-examples/webhook.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(shown, scene.path("config/example.toml")).unwrap();
    scene.write("config/admin.toml", format!("[admin]\nlisten = \"{}\"\n", scene.admin()));
    // Alertmanager does not show alerts that are over, and takes one without an end as over after five minutes.
    let now = Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M"]).output().unwrap();
    let minute = String::from_utf8(now.stdout).unwrap();
    scene.write("logs/auth.log", failures("203.0.113.1").replace("2026-11-23T08:00", minute.trim()));
    let output = Command::new(binary())
        .args(["run".as_ref(), "--once".as_ref(), scene.path("config").as_os_str()])
        .env("LOGWEIR_DATA_DIR", scene.path("data"))
        .env("LOGWEIR_LOGS", scene.log_path("auth.log"))
        .env("LOGWEIR_ELASTICSEARCH_URL", store.url())
        .env("SLACK_URL", slack.url())
        .env("TEAMS_URL", teams.url())
        .env("PAGERDUTY_URL", pagerduty.url())
        .env("PAGERDUTY_KEY", ROUTING_KEY)
        .env("ALERTMANAGER_URL", format!("http://{}", alertmanager.address))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let only = |receiver: &Receiver| {
        let received = receiver.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received[0].body.clone()
    };
    let text = only(&slack)["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("*SSH password guessing* (high): 5 events of 203.0.113.1 until 2"), "{text}");
    let card = only(&teams)["attachments"][0]["content"].clone();
    assert_eq!(card["body"][2]["facts"][1], json!({ "title": "Address", "value": "203.0.113.1" }), "{card}");
    let event = only(&pagerduty);
    assert_eq!(
        (&event["routing_key"], &event["payload"]["custom_details"]["count"]),
        (&json!(ROUTING_KEY), &json!(5))
    );
    let alerts = alertmanager.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let labels = json!({ "alertname": "password_guessing", "severity": "high", "instance": "203.0.113.1" });
    assert_eq!(alerts[0]["labels"], labels);
    assert!(store.stored().iter().any(|document| document.id == event["dedup_key"].as_str().unwrap()));
}
