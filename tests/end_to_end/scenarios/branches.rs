//! One source on several ways: each output gets the events as they are on its own.

use std::fs;

use logweir_benchmarks::store::{Faults, Store};

use super::assert_nothing_lost_nothing_doubled;
use crate::support::daemon::logweir;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

const BRANCHES: &str = r#"
[transforms.short]
inputs = ["app"]
steps = [
  { rename = { "url.original" = "labels.url" } },
  { remove = ["user_agent.original"] },
]

[outputs.lean]
type = "file"
inputs = ["short"]
path = "{here}/lean.ndjson"

[transforms.failed]
inputs = ["app"]
steps = [{ drop = { "http.response.status_code" = 200 } }]

[outputs.errors]
type = "file"
inputs = ["failed"]
path = "{here}/errors.ndjson"
"#;

#[test]
fn outputs_before_and_behind_transforms_each_get_their_own() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let straight = file_to_store("\"{here}/logs/*.log\"", "nginx_access", &store.url());
    let config = scene.write_config(&(straight + BRANCHES));
    append_numbered(&scene.log_path("a.log"), 0..10_000);
    let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    assert_nothing_lost_nothing_doubled(&store, 10_000);
    let lean = fs::read_to_string(scene.path("lean.ndjson")).unwrap();
    assert_eq!(lean.lines().count(), 10_000);
    assert!(lean.lines().all(|line| line.contains("\"labels.url\":") && !line.contains("\"url.original\":")));
    let errors = fs::read_to_string(scene.path("errors.ndjson")).unwrap();
    assert!(!errors.is_empty() && errors.lines().count() < 10_000);
    assert!(errors.lines().all(|line| line.contains("\"url.original\":") && !line.contains("_code\":200")));
}

#[test]
fn a_route_sends_each_event_by_one_port_and_counts_what_nothing_reads() {
    let scene = Scene::new();
    let config = scene.write_config(
        r#"[sources.app]
type = "file"
paths = ["{here}/logs/*.log"]
parse = "nginx_access"

[routes.split]
inputs = ["app"]
failed = { "http.response.status_code|gte" = 400 }
posted = { "http.request.method" = "POST" }

[outputs.failed]
type = "file"
inputs = ["split.failed"]
path = "{here}/failed.ndjson"

[outputs.posted]
type = "file"
inputs = ["split.posted"]
path = "{here}/posted.ndjson"
"#,
    );
    append_numbered(&scene.log_path("a.log"), 0..10_000);
    let output = logweir(["run".as_ref(), "--once".as_ref(), config.as_os_str()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = |name: &str| {
        let text = fs::read_to_string(scene.path(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let (failed, posted) = (lines("failed.ndjson"), lines("posted.ndjson"));
    let status = |event: &serde_json::Value| event["http.response.status_code"].as_i64().unwrap();
    assert!(!failed.is_empty() && failed.iter().all(|event| status(event) >= 400));
    let is_post = |event: &serde_json::Value| event["http.request.method"] == "POST";
    assert!(!posted.is_empty() && posted.iter().all(|event| status(event) < 400 && is_post(event)));
    let log = fs::read_to_string(scene.log_path("a.log")).unwrap();
    let expected = log.lines().filter(|line| line.contains("\"POST ")).count();
    assert_eq!(posted.len() + failed.iter().filter(|event| is_post(event)).count(), expected);
}
