//! Rename rotation every half second at 20,000 lines a second.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::pause_until;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::{Rotation, Writer};

const EVERY: Duration = Duration::from_millis(500);
const DURATION: Duration = Duration::from_secs(8);

#[test]
fn rename_rotation_with_only_the_live_path_named() {
    // Five rotated files are kept: what is older is deleted, open or not.
    rotate("\"{here}/logs/app.log\"", 5);
}

#[test]
fn rename_rotation_with_a_glob_over_the_rotated_names() {
    rotate("\"{here}/logs/app.log*\"", 40);
}

fn rotate(paths: &str, keep: u32) {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store(paths, "nginx_access", &store.url()));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    let writer = Writer::start(scene.log_path("app.log"), 20_000, Rotation::Rename { every: EVERY, keep });
    pause_until(Instant::now() + DURATION);
    let lines = writer.finish();

    wait_until_settled(&daemon, &store, lines);
    assert_nothing_lost_nothing_doubled(&store, lines);
    witness.assert_it_always_added_up();
}
