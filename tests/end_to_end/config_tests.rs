//! `logweir test`, a config that says what is to become of lines, and `logweir explain`, which tells what becomes of one.

use crate::support::daemon::logweir;
use crate::support::scene::Scene;

const CONFIG: &str = r#"[sources.web]
type = "stdin"
parse = "nginx_access"

[transforms.clean]
inputs = ["web"]
steps = [{ drop = { "url.path" = "/healthz" } }]

[outputs.screen]
type = "console"
inputs = ["clean"]

[[tests]]
name = "one"
source = "web"
lines = [
  '203.0.113.7 - - [23/Nov/2026:08:30:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "-"',
  '203.0.113.7 - - [23/Nov/2026:08:30:00 +0000] "GET /a HTTP/1.1" 200 2 "-" "-"',
]
"#;

/// What `logweir test` says of the config with this end, and whether it is content.
fn said(expectations: &str) -> (bool, String) {
    let scene = Scene::new();
    let config = scene.write_config(&(CONFIG.to_owned() + expectations));
    let output = logweir(["test".as_ref(), config.as_os_str()]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_difference_is_told_at_its_place() {
    for (expectations, expected) in [
        ("dropped_by = \"clean\"", &["one: it reaches `screen`", "expected `clean` to drop it"][..]),
        ("outputs = [\"screen\"]", &["one: `clean.drop` drops it", "expected `screen`", "GET /healthz"]),
        ("fields = { \"http.response.status_code\" = 404 }", &["is 200 in `screen`", "expected 404"]),
        ("fields = { \"user.name\" = \"alice\" }", &["`user.name` is absent in `screen`"]),
        ("absent = [\"url.path\"]", &["`url.path` is \"/a\" in `screen`", "expected it to be absent"]),
    ] {
        let (is_content, said) = said(expectations);
        assert!(!is_content, "{expectations}: {said}");
        for part in expected.iter().chain(&["tests failed: 1 of 1"]) {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    }
}

#[test]
fn what_is_as_expected_passes() {
    let (is_content, said) = said("fields = { \"@timestamp\" = \"2026-11-23T08:30:00.000Z\" }");
    assert!(!is_content, "the first line is dropped: {said}");
    let (is_content, said) = self::said("absent = [\"user.name\"]");
    assert!(is_content && said.contains("all tests passed: 1"), "{said}");
}

#[test]
fn a_test_that_cannot_fail_is_refused() {
    let (is_content, said) = said("");
    assert!(!is_content && said.contains("a test that expects nothing"), "{said}");
}

#[test]
fn the_way_of_a_line_is_told_step_by_step() {
    let scene = Scene::new();
    let config = scene.write_config(
        r#"[sources.app]
type = "stdin"
parse = ["json", "nginx_access"]

[transforms.clean]
inputs = ["app"]
steps = [{ drop = { "url.path" = "/healthz" } }, { rename = { "user.name" = "user.id" } }]

[outputs.screen]
type = "console"
inputs = ["clean"]
"#,
    );
    let explain = |path: &str| {
        let line =
            format!(r#"203.0.113.7 - bob [23/Nov/2026:08:30:00 +0000] "GET {path} HTTP/1.1" 200 2 "-" "-""#);
        let output = logweir(["explain".as_ref(), config.as_os_str(), line.as_ref()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let kept = explain("/a");
    for part in [
        "app: it is not json, stops at column 1:",
        "^ expected a JSON object",
        "app reads it as nginx_access",
        "- user.name: bob",
        "+ user.id: bob",
        "→ screen takes it: {\"@timestamp\":\"2026-11-23T08:30:00.000Z\"",
    ] {
        assert!(kept.contains(part), "{part} is not in: {kept}");
    }
    let dropped = explain("/healthz");
    let reason = "clean.drop\n  yes: url.path is \"/healthz\", matches \"/healthz\"\n  drops it";
    assert!(dropped.contains(reason) && !dropped.contains("takes it"), "{dropped}");
}

#[test]
fn the_grammar_that_reads_the_message_is_told() {
    let scene = Scene::new();
    let said = |parse_message: &str, program: &str, message: &str| {
        let config = scene.write_config(&format!(
            "[sources.app]\ntype = \"stdin\"\nparse = \"syslog\"\nparse_message = {parse_message}\n\n\
             [outputs.screen]\ntype = \"console\"\ninputs = [\"app\"]\n"
        ));
        let line = format!("<38>Oct 11 22:14:15 web {program}[12]: {message}");
        let output = logweir(["explain".as_ref(), config.as_os_str(), line.as_ref()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let accepted = "Accepted password for bob from 192.0.2.7 port 22 ssh2";
    for (parse_message, program, message, expected) in [
        ("\"auto\"", "sshd", accepted, "app reads its message as sshd\n"),
        ("\"auto\"", "su", "hello", "app: its message is not su, stops at column 1:\n  hello\n  ^ expected"),
        ("\"auto\"", "su", "hello", "app: its message stays as it is\n"),
        ("\"auto\"", "shop", "hello", "app: no format is known for messages of `shop`\n"),
        ("[\"su\", \"sshd\"]", "shop", accepted, "app: its message is not su, stops at column 1:"),
        ("[\"su\", \"sshd\"]", "shop", accepted, "app reads its message as sshd\n"),
    ] {
        let told = said(parse_message, program, message);
        assert!(told.contains(expected), "{expected} is not in: {told}");
    }
}

/// A config whose events go several ways.
const ROUTED: &str = r#"[sources.app]
type = "stdin"
parse = "json"

[transforms.clean]
inputs = ["app"]
steps = [{ set = { "slow" = true }, when = { "took|gt" = 1.5, "not" = { "who" = "probe*" } } }]

[routes.split]
inputs = ["clean"]
errors = { "grade" = ["error", "fatal"] }
known = { "who|exists" = true }

[routes.every]
inputs = ["clean"]
mode = "all"
slow = { "slow" = true }
named = { "who|startswith" = "b" }

[outputs.one]
type = "console"
inputs = ["split.errors", "split.known"]

[outputs.two]
type = "console"
inputs = ["every.slow"]
"#;

#[test]
fn the_values_that_decided_each_condition_are_told() {
    let scene = Scene::new();
    let config = scene.write_config(ROUTED);
    let explain = |line: &str| {
        let output = logweir(["explain".as_ref(), config.as_os_str(), line.as_ref()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (line, expected) in [
        (
            r#"{"took":2,"who":"bob","grade":"warn"}"#,
            &[
                "clean.set\n  yes: who is \"bob\", does not match \"probe*\"; took is 2, matches > 1.5\n  + slow: true",
                "split.errors\n  no: grade is \"warn\", does not match \"error\" or \"fatal\"\nsplit.known",
                "split.known\n  yes: who is \"bob\", matches anything\n→ one takes it",
                "every.slow\n  yes: slow is \"true\", matches \"true\"\n→ two takes it",
                "every.named\n  yes: who is \"bob\", matches \"b*\"\n  nothing reads it",
            ][..],
        ),
        (
            r#"{"took":2,"who":"probe7"}"#,
            &[
                "clean.set\n  no: who is \"probe7\", matches \"probe*\"\n  changes nothing",
                "split.errors\n  no: grade is absent, does not match \"error\"",
                "every.slow\n  no: slow is absent, does not match \"true\"\nevery.named\n  no: ",
                "every.rest\n  nothing reads it",
            ],
        ),
        (
            r#"{"grade":"FATAL"}"#,
            &[
                "clean.set\n  no: took is absent, does not match > 1.5",
                "split.errors\n  yes: grade is \"FATAL\", matches \"fatal\"",
            ],
        ),
    ] {
        let told = explain(line);
        for part in expected {
            assert!(told.contains(part), "{part} is not in: {told}");
        }
        // In a route that lets an event leave by its first port, nobody asks further.
        assert!(!line.contains("FATAL") || !told.contains("split.known"), "{told}");
    }
}

#[test]
fn a_test_can_expect_a_port_of_a_route() {
    let said = |expectations: &str| {
        let scene = Scene::new();
        let tests = format!(
            "[[tests]]\nname = \"one\"\nsource = \"app\"\nlines = ['{{\"grade\":\"error\",\"who\":\"bob\"}}']\n{expectations}\n"
        );
        let config = scene.write_config(&(ROUTED.to_owned() + &tests));
        let output = logweir(["test".as_ref(), config.as_os_str()]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    for (expectations, code, expected) in [
        ("route = \"split.errors\"", 0, "all tests passed: 1"),
        ("route = \"every.named\"", 0, "all tests passed: 1"),
        ("route = \"split.known\"", 1, "one: it leaves by `every.named`, `split.errors`"),
        ("route = \"split.known\"", 1, "expected `split.known`"),
        ("route = \"split.unknown\"", 2, "did you mean `split.known`?"),
    ] {
        let (found, said) = said(expectations);
        assert_eq!(found, Some(code), "{expectations}: {said}");
        assert!(said.contains(expected), "{expected} is not in: {said}");
    }
}

#[test]
fn a_step_that_remembers_is_told_of_once() {
    let scene = Scene::new();
    let config = scene.write_config(
        r#"[sources.app]
type = "stdin"
parse = "json"

[transforms.clean]
inputs = ["app"]
steps = [{ dedupe = { by = ["message"], window = "1h" } }, { set = { "seen" = true } }]

[outputs.screen]
type = "console"
inputs = ["clean"]
"#,
    );
    let lines = scene.write("lines", "{\"msg\":\"a\"}\n{\"msg\":\"a\"}\n");
    let output = logweir(["explain".as_ref(), config.as_os_str(), "--file".as_ref(), lines.as_os_str()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.matches("clean.set\n  + seen: true\n→ screen takes it").count(), 1, "{told}");
    assert_eq!(told.matches("clean.dedupe\n  drops it").count(), 1, "{told}");
}
