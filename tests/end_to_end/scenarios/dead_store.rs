//! The store is dead for a minute while files are rotated, and deleted, under the daemon.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_for_documents, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::pause_until;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::{Rotation, Writer};

#[test]
fn a_store_dead_for_a_minute_with_rotation_going_on() {
    let scene = Scene::new();
    let mut store = Store::start(Faults::default()).unwrap();
    let config = file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url());
    // Less memory than what is written in the minute: the daemon must hold files open instead.
    scene.write_config(&format!("memory = \"16MiB\"\n\n{config}"));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    let rotation = Rotation::Rename { every: Duration::from_secs(3), keep: 5 };
    let writer = Writer::start(scene.log_path("app.log"), 5_000, rotation);
    wait_for_documents(&daemon, &store, 5_000);

    store.stop();
    pause_until(Instant::now() + Duration::from_secs(60));
    store.start_again().unwrap();
    pause_until(Instant::now() + Duration::from_secs(4));
    let lines = writer.finish();

    wait_until_settled(&daemon, &store, lines);
    assert_nothing_lost_nothing_doubled(&store, lines);
    witness.assert_it_always_added_up();
}
