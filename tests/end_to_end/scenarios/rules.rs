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

/// Guesses, then a login with the password that was found.
const CORRELATIONS: &str = "
title: Failed login
name: failed_login
level: informational
logsource: {product: linux, service: sshd}
detection: {failed: {event.outcome: failure}, condition: failed}
---
title: Login
name: login
logsource: {product: linux, service: sshd}
detection: {login: {event.outcome: success}, condition: login}
---
title: Password guessing
name: guessing
author: A. Nonymous
level: medium
tags: [attack.t1110.001]
correlation: {type: event_count, rules: [failed_login], group-by: [source.ip], timespan: 5m, condition: {gte: 5}, generate: false}
---
title: Password guessed
id: 6b3f0ad5-5f0e-4ad8-8d8c-0d2f5c6e7a10
author: A. Nonymous
level: critical
correlation: {type: temporal_ordered, rules: [guessing, login], group-by: [source.ip], timespan: 10m, generate: true}
---
title: Needs what is not there
correlation: {type: temporal, rules: [guessing, logout], timespan: 10m}
---
title: Never
correlation: {type: event_count, rules: [login], timespan: 0s, condition: {gte: 5}}
";

#[test]
fn placeholders_of_sigma_stand_for_lists_of_the_config() {
    let scene = Scene::new();
    let rule = |title: &str, name: &str| {
        format!(
            "title: {title}\nlogsource: {{product: linux}}\n\
             detection: {{user: {{user.name|expand: '%{name}%'}}, condition: user}}\n---\n"
        )
    };
    scene.write("admins.txt", "toor\n\nroot\n");
    let rules = rule("Admin", "admins") + &rule("Guest", "guests") + &rule("Unknown", "nobody");
    scene.write("rules.yml", rules);
    let config = scene.write_config(
        r#"
[sources.auth]
type = "file"
paths = ["{here}/logs/auth.log"]
parse = "syslog"
parse_message = "auto"

[rules.linux]
inputs = ["auth"]

[rules.linux.sigma]
paths = "{here}/rules.yml"
log_source = { product = "linux" }
placeholders = { admins = "admins.txt", guests = ["guest", "anonymous"] }

[outputs.alerts]
type = "console"
inputs = ["linux"]
"#,
    );
    let log = scene.write("logs/auth.log", failures(&["203.0.113.1"], 1));
    let output = logweir(["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), log.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("\"Unknown\"") && said.contains("there is no placeholder `%nobody%`"), "{said}");
    let tested = alerts(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(tested, [("Admin".to_owned(), "203.0.113.1".to_owned())]);
}

#[test]
fn correlations_of_sigma_become_alerts_and_those_that_cannot_are_told() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("sigma")).unwrap();
    scene.write("sigma/guessing.yml", CORRELATIONS);
    let config = scene.write_config(
        r#"
[time]
idle_after = "1s"

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
    let accepted = |address: &str, second: u32| {
        format!(
            "2026-11-23T08:02:{second:02}+00:00 web sshd[4711]: Accepted password for root from {address} port 50000 ssh2\n"
        )
    };
    let lines = failures(&["203.0.113.1", "203.0.113.2"], 6)
        + &failures(&["203.0.113.3"], 4)
        + &accepted("203.0.113.2", 1)
        + &accepted("203.0.113.3", 2);
    // Nothing is further out of order than the lateness allows.
    let mut lines = lines.lines().collect::<Vec<_>>();
    lines.sort_by_key(|line| line[..19].to_owned());
    lines.swap(2, 5);
    let log = scene.write("logs/auth.log", lines.join("\n") + "\n");
    let guessing = |address: &str| ("Password guessing".to_owned(), address.to_owned());
    let guessed = ("Password guessed".to_owned(), "203.0.113.2".to_owned());
    let login = |address: &str| ("Login".to_owned(), address.to_owned());
    // The last correlation lets its own alert too.
    let expected = [
        login("203.0.113.2"),
        login("203.0.113.3"),
        guessed,
        guessing("203.0.113.1"),
        guessing("203.0.113.2"),
    ];

    let output = logweir(["check".as_ref(), config.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for expected in [
        "guessing.yml:26: \"Needs what is not there\": there is no rule with the id or name `logout`",
        "guessing.yml:30: \"Never\": `correlation.timespan` is `0s`",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    let output = logweir(["backtest".as_ref(), config.as_os_str(), "--input".as_ref(), log.as_os_str()]);
    let mut tested = alerts(&String::from_utf8(output.stdout).unwrap());
    tested.sort();
    assert_eq!(tested, expected);

    // The daemon tells it when the log falls silent, and shows it.
    let mut daemon = scene.run().wait_until_ready();
    let documents = eventually("the alerts", || {
        let documents = std::fs::read_to_string(scene.path("out/alerts.ndjson")).ok()?;
        (documents.lines().count() == expected.len() && documents.ends_with('\n')).then_some(documents)
    });
    let mut told = alerts(&documents);
    told.sort();
    assert_eq!(told, expected);
    let guessed = documents.lines().find(|line| line.contains("Password guessed")).unwrap();
    let alert = serde_json::from_str::<Value>(guessed).unwrap();
    assert_eq!(
        [&alert["rule.author"], &alert["rule.id"], &alert["related.ip"][0]],
        ["A. Nonymous", "6b3f0ad5-5f0e-4ad8-8d8c-0d2f5c6e7a10", "203.0.113.2"]
    );
    let evidence = alert["logweir.alert.evidence"].as_array().unwrap();
    assert!(evidence[0]["event.original"].as_str().unwrap().contains("Failed password"));
    assert!(evidence[1]["event.original"].as_str().unwrap().contains("Accepted password"));
    let rules = http::get(daemon.admin(), "/api/rules").unwrap().json();
    assert_eq!(rules["rules"]["linux"]["results"], expected.len(), "{rules}");
    assert!(daemon.terminate().success(), "{}", daemon.log());
}
