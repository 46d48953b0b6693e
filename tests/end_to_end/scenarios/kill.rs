//! `kill -9` of the daemon at random points.

use std::time::{Duration, Instant};

use logweir_benchmarks::Random;
use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::pause_until;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::{Rotation, Writer};

#[test]
fn kill_nine_five_times_at_random_points() {
    killed_while(Rotation::Never, 3);
}

#[test]
fn kill_nine_five_times_at_random_points_while_the_file_is_rotated() {
    killed_while(Rotation::Rename { every: Duration::from_millis(700), keep: 40 }, 4);
}

/// With rotation, the files that were renamed while no daemon lived are found by a glob.
fn killed_while(rotation: Rotation, seed: u64) {
    let mut random = Random::new(seed);
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log*\"", "nginx_access", &store.url()));
    let witness = Witness::watch(scene.admin());
    let writer = Writer::start(scene.log_path("app.log"), 20_000, rotation);
    for _ in 0..5 {
        let mut daemon = scene.run();
        pause_until(Instant::now() + Duration::from_millis(200 + random.below(1_500)));
        daemon.kill();
    }
    let lines = writer.finish();

    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, lines);
    assert_nothing_lost_nothing_doubled(&store, lines);
    witness.assert_it_always_added_up();
}
