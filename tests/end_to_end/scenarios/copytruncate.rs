//! Copytruncate six times: what was not read before the truncation is read from the copy.

use std::time::{Duration, Instant};

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::pause_until;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::{Rotation, Writer};

#[test]
fn copytruncate_six_times() {
    let scene = Scene::new();
    let store = Store::start(Faults::default()).unwrap();
    scene.write_config(&file_to_store("\"{here}/logs/app.log\"", "nginx_access", &store.url()));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    let rotation = Rotation::CopyTruncate { every: Duration::from_millis(1_300), times: 6 };
    let writer = Writer::start(scene.log_path("app.log"), 10_000, rotation);
    pause_until(Instant::now() + Duration::from_secs(10));
    let lines = writer.finish();

    wait_until_settled(&daemon, &store, lines);
    assert_nothing_lost_nothing_doubled(&store, lines);
    witness.assert_it_always_added_up();
}
