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
        "app: not json, stops at column 1:",
        "^ expected a JSON object",
        "app reads it as nginx_access",
        "- user.name: bob",
        "+ user.id: bob",
        "→ screen takes it: {\"@timestamp\":\"2026-11-23T08:30:00.000Z\"",
    ] {
        assert!(kept.contains(part), "{part} is not in: {kept}");
    }
    let dropped = explain("/healthz");
    assert!(dropped.contains("clean.drop\n  drops it") && !dropped.contains("takes it"), "{dropped}");
}
