//! The daemon's own log, outputs and data under the glob of a source: none feeds itself.

use std::collections::HashMap;
use std::fs;

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::daemon::Daemon;
use crate::support::eventually;
use crate::support::ledger::Ledger;
use crate::support::scene::Scene;
use crate::support::writer::append_numbered;

/// A source that reads everything in the scene's folder, whatever writes it.
const EVERYTHING: &str = r#"[sources.app]
type = "file"
paths = ["{here}/**/*"]
exclude = ["*.toml"]
parse = "nginx_access"
"#;

#[test]
fn the_daemons_own_log_and_console_under_the_glob_are_left_alone() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    let outputs = r#"
[outputs.store]
type = "elasticsearch"
inputs = ["app"]
urls = ["{url}"]

[outputs.screen]
type = "console"
inputs = ["app"]
"#;
    let config = scene.write_config(&(EVERYTHING.to_owned() + &outputs.replace("{url}", &store.url())));
    let log = scene.log_path("daemon.log");
    append_numbered(&scene.log_path("app.log"), 0..500);
    let daemon = Daemon::run(&config, scene.admin(), &log).wait_until_ready();
    wait_until_settled(&daemon, &store, 500);
    // A rotation of the log, as logrotate makes it: the daemon writes on under the new name.
    fs::rename(&log, scene.log_path("daemon.log.1")).unwrap();
    append_numbered(&scene.log_path("app.log"), 500..1_000);
    wait_until_settled(&daemon, &store, 1_000);
    assert_nothing_lost_nothing_doubled(&store, 1_000);
    let said = fs::read_to_string(scene.log_path("daemon.log.1")).unwrap();
    let told = said.lines().filter(|line| line.contains("left alone") && line.contains("logs/daemon.log\""));
    assert_eq!(told.count(), 1, "{said}");
    assert_eq!(Ledger::read(scene.admin()).unwrap().read, 1_000);
}

#[test]
fn what_a_file_output_writes_under_the_glob_is_left_alone_also_after_a_restart() {
    let scene = Scene::new();
    let output = r#"
[outputs.copy]
type = "file"
inputs = ["app"]
path = "{here}/logs/copies/{event.dataset}-{@timestamp|%Y}.ndjson"
rotate_bytes = "64KiB"
"#;
    scene.write_config(&(EVERYTHING.to_owned() + output));
    let copies = scene.log_path("copies");
    for (start, end) in [(0, 1_000), (1_000, 1_500), (1_500, 1_600)] {
        append_numbered(&scene.log_path("app.log"), start..end);
        let mut daemon = scene.run().wait_until_ready();
        eventually(format_args!("lines {start} to {end} are copied; {daemon}"), || {
            let ledger = Ledger::read(scene.admin())?;
            let times = numbers(&copies);
            let copied = (0..end).all(|number| times.contains_key(&number));
            (ledger.in_flight == 0 && copied).then_some(())
        });
        // What was written just now would be found by now, and be read with this.
        fs::write(scene.log_path("last.log"), format!("item/{:09} \n", 900_000 + end)).unwrap();
        eventually(format_args!("the next file is copied; {daemon}"), || {
            numbers(&copies).contains_key(&(900_000 + end)).then_some(())
        });
        assert_eq!(Ledger::read(scene.admin()).unwrap().read, end - start + 1, "{daemon}");
        fs::remove_file(scene.log_path("last.log")).unwrap();
        assert!(daemon.terminate().success(), "{daemon}");
        let times = numbers(&copies);
        assert!(times.values().all(|&times| times == 1), "lines stand more than once; {daemon}");
    }
    assert!(fs::read_dir(&copies).unwrap().count() > 2, "nothing was rotated");
}

/// How often each number stands in the files of a folder.
fn numbers(folder: &std::path::Path) -> HashMap<u64, u32> {
    let mut times = HashMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let numbers = text.lines().filter_map(|line| line.split_once("item/")?.1.get(..9)?.parse().ok());
        numbers.for_each(|number: u64| *times.entry(number).or_default() += 1);
    }
    times
}
