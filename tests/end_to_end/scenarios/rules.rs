//! Rules: alerts about real lines of sshd, by `run` and by `backtest`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::daemon::logweir;
use crate::support::eventually;
use crate::support::http;
use crate::support::scene::Scene;

const CONFIG: &str = r#"
[time]
lateness = "10s"
idle_after = "1s"

[sources.auth]
type = "file"
paths = ["{here}/logs/auth.log"]
parse = "syslog"
parse_message = "auto"

[rules.guessing]
title = "SSH password guessing"
level = "high"
tags = ["attack.credential_access", "attack.t1110.001"]
inputs = ["auth"]
where = { "event.category" = "authentication", "event.outcome" = "failure" }
by = ["source.ip"]
window = { sliding = "10m" }
count = { at_least = 5 }

[rules.campaign]
title = "Several addresses guess passwords"
level = "critical"
inputs = ["guessing"]
window = { sliding = "1h" }
distinct = { of = "source.ip", at_least = 3 }

[outputs.alerts]
type = "file"
inputs = ["rules"]
path = "{here}/out/alerts.ndjson"
"#;

/// Failures of these addresses, one a second, so many each, in turn.
fn failures(addresses: &[&str], times: u32) -> String {
    let mut text = String::new();
    for number in 0..times {
        for (place, address) in addresses.iter().enumerate() {
            let second = usize::try_from(number).unwrap() * addresses.len() + place;
            let (minute, second) = (second / 60, second % 60);
            writeln!(
                text,
                "2026-11-23T08:{minute:02}:{second:02}+00:00 web sshd[4711]: Failed password for root from {address} port 50000 ssh2"
            )
            .unwrap();
        }
    }
    text
}

/// Rule and address of each alert.
fn alerts(documents: &str) -> Vec<(String, String)> {
    let of = |line: &str| {
        let alert = serde_json::from_str::<Value>(line).unwrap();
        assert_eq!(alert["event.kind"], "alert");
        let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        (text("rule.name"), text("source.ip"))
    };
    documents.lines().map(of).collect()
}

#[test]
fn guesses_become_alerts_and_alerts_of_alerts() {
    let scene = Scene::new();
    let config = scene.write_config(CONFIG);
    let addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"];
    let log = scene.write("logs/auth.log", failures(&addresses[3..], 4) + &failures(&addresses[..3], 6));
    let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let by_run = std::fs::read_to_string(scene.path("out/alerts.ndjson")).unwrap();
    let mut found = alerts(&by_run);
    found.sort();
    let guessing = |address: &str| ("SSH password guessing".to_owned(), address.to_owned());
    let mut expected = addresses[..3].iter().map(|address| guessing(address)).collect::<Vec<_>>();
    expected.push(("Several addresses guess passwords".to_owned(), String::new()));
    expected.sort();
    assert_eq!(found, expected);

    let output = logweir(["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), log.as_os_str()]);
    let mut tested = alerts(&String::from_utf8(output.stdout).unwrap());
    tested.sort();
    assert_eq!(tested, found);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("guessing: 3 results, 0 events late"), "{said}");
}

#[test]
fn an_alert_comes_while_the_daemon_runs_and_shows_in_its_api() {
    let scene = Scene::new();
    scene.write_config(CONFIG);
    let mut daemon = scene.run().wait_until_ready();
    scene.write("logs/auth.log", failures(&["203.0.113.1"], 20));
    let documents = eventually("the alert", || {
        let documents = std::fs::read_to_string(scene.path("out/alerts.ndjson")).ok()?;
        documents.ends_with('\n').then_some(documents)
    });
    assert_eq!(alerts(&documents), [("SSH password guessing".to_owned(), "203.0.113.1".to_owned())]);
    let alert = serde_json::from_str::<Value>(documents.trim_end()).unwrap();
    let evidence = alert["logweir.alert.evidence"].as_array().unwrap();
    let path = scene.log_path("auth.log").display().to_string();
    for event in evidence {
        assert_eq!(event["log.file.path"], path);
        assert!(event["event.original"].as_str().unwrap().contains("Failed password"));
    }
    assert_eq!(alert["threat.technique.subtechnique.id"][0], "T1110.001");
    let rules = http::get(daemon.admin(), "/api/rules").unwrap().json();
    assert_eq!(rules["rules"]["guessing"]["results"], 1, "{rules}");
    assert!(daemon.terminate().success(), "{}", daemon.log());
}

#[test]
fn a_rule_of_sigma_that_cannot_be_loaded_is_told_and_the_others_work() {
    let scene = Scene::new();
    let rule = |title: &str, detection: &str| {
        format!(
            "title: {title}\nlogsource:\n    product: linux\n    service: sshd\ndetection:\n{detection}\n"
        )
    };
    std::fs::create_dir(scene.path("sigma")).unwrap();
    scene.write(
        "sigma/good.yml",
        rule("Root logs in", "    root:\n        user.name: root\n    condition: root"),
    );
    scene.write(
        "sigma/bad.yml",
        rule("Undefined", "    root:\n        user.name: root\n    condition: admin"),
    );
    scene.write(
        "sigma/pipe.yml",
        rule("Old", "    root:\n        user.name: root\n    condition: root | count() > 5"),
    );
    scene.write("sigma/broken.yml", "title: [");
    scene.write("sigma/notes.txt", "no rule");
    let config = scene.write_config(
        r#"
[sources.auth]
type = "file"
paths = ["{here}/logs/auth.log"]
parse = "syslog"
parse_message = "auto"

[rules.linux]
inputs = ["auth"]
sigma = { paths = ["{here}/sigma"], log_source = { product = "linux", service = "sshd" } }

[outputs.alerts]
type = "file"
inputs = ["linux"]
path = "{here}/out/alerts.ndjson"
"#,
    );
    let log = scene.write("logs/auth.log", failures(&["203.0.113.1"], 2));
    let output = logweir(["check".as_ref(), config.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for expected in ["bad.yml", "`admin`", "pipe.yml", "broken.yml"] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    assert!(!said.contains("good.yml") && !said.contains("notes.txt"), "{said}");
    let output = logweir(["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), log.as_os_str()]);
    let tested = alerts(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(tested, vec![("Root logs in".to_owned(), "203.0.113.1".to_owned()); 2]);
}
