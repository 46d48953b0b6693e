//! The file output under `kill -9`: an unacknowledged tail is cut off again, so a line stands there once.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use logweir_benchmarks::Random;

use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;
use crate::support::writer::{Rotation, Writer};
use crate::support::{pause_until, within};

#[test]
fn the_file_output_holds_each_line_once_after_kill_nine() {
    let scene = Scene::new();
    scene.write_config(
        r#"[sources.app]
type = "file"
paths = ["{here}/logs/app.log"]
parse = "nginx_access"

[outputs.copy]
type = "file"
inputs = ["app"]
path = "{here}/out/copy.ndjson"
"#,
    );
    let mut random = Random::new(8);
    let witness = Witness::watch(scene.admin());
    let writer = Writer::start(scene.log_path("app.log"), 20_000, Rotation::Never);
    for _ in 0..4 {
        let mut daemon = scene.run();
        pause_until(Instant::now() + Duration::from_millis(300 + random.below(1_200)));
        daemon.kill();
    }
    let lines = writer.finish();

    let mut daemon = scene.run().wait_until_ready();
    within(Duration::from_secs(60), "nothing is in flight and the file is read", || {
        let ledger = Ledger::read(scene.admin())?;
        (ledger.in_flight == 0 && count(&scene.path("out")).len() as u64 >= lines).then_some(())
    });
    assert!(daemon.terminate().success(), "{}", daemon.log());
    let times = count(&scene.path("out"));
    let lost = (0..lines).filter(|number| !times.contains_key(number)).count();
    let doubled = times.values().filter(|&&times| times > 1).count();
    assert_eq!((lost, doubled), (0, 0), "of {lines} lines");
    witness.assert_it_always_added_up();
}

/// How often each number stands in the files of a folder. A last line without its end is being written: not counted.
fn count(folder: &Path) -> HashMap<u64, u32> {
    let mut times = HashMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let (_, rest) = line.split_once("item/").unwrap();
            *times.entry(rest[..9].parse().unwrap()).or_default() += 1;
        }
    }
    times
}
