//! Two outputs, one dead: the living one gets everything, and the dead one too when it comes back.

use logweir_benchmarks::store::{Faults, Store};

use super::{assert_nothing_lost_nothing_doubled, wait_for_documents, wait_until_settled};
use crate::support::ledger::Witness;
use crate::support::scene::{Scene, file_to_store};
use crate::support::writer::append_numbered;

/// Their documents fit into the queue of the dead output, 16 MiB by default: they must not wait for it.
const HELD: u64 = 10_000;
/// Their documents do not: files wait, and nothing is lost.
const LINES: u64 = 60_000;

#[test]
fn two_outputs_one_dead() {
    let scene = Scene::new();
    let living = Store::start(Faults::default()).unwrap();
    let mut dead = Store::start(Faults::default()).unwrap();
    dead.stop();
    let config = file_to_store("\"{here}/logs/app.log\"", "nginx_access", &living.url());
    scene.write_config(&format!(
        "{config}\n[outputs.second]\ntype = \"elasticsearch\"\ninputs = [\"app\"]\nurls = [\"{}\"]\n",
        dead.url()
    ));
    let daemon = scene.run().wait_until_ready();
    let witness = Witness::watch(scene.admin());
    append_numbered(&scene.log_path("app.log"), 0..HELD / 2);
    wait_for_documents(&daemon, &living, HELD as usize / 2);
    append_numbered(&scene.log_path("app.log"), HELD / 2..HELD);
    wait_for_documents(&daemon, &living, HELD as usize);
    append_numbered(&scene.log_path("app.log"), HELD..LINES);
    assert!(dead.is_empty());

    dead.start_again().unwrap();
    wait_until_settled(&daemon, &dead, LINES);
    assert_nothing_lost_nothing_doubled(&living, LINES);
    assert_nothing_lost_nothing_doubled(&dead, LINES);
    witness.assert_it_always_added_up();
}
