//! Lines that a step splits, through a store with every fault and `kill -9`: each piece is stored once or is in the dead
//! letter, and the ledger counts lines.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use logweir_benchmarks::store::{Faults, Store};

use super::{short, wait_for_documents, wait_until_settled};
use crate::support::ledger::{Ledger, Witness};
use crate::support::scene::Scene;

const CONFIG: &str = r#"
workers = 2

[sources.app]
type = "file"
paths = ["{here}/logs/app.log"]
parse = "json"

[transforms.pieces]
inputs = ["app"]
steps = [
  { split = { field = "carts" } },
  { split = { field = "carts.items" } },
]

[outputs.store]
type = "elasticsearch"
inputs = ["pieces"]
urls = ["{url}"]
batch_bytes = "256KiB"
"#;
const LINES: u64 = 10_000;
/// Carts of a line, and items of a cart.
const SHAPE: (u64, u64) = (2, 3);
const PIECES: u64 = SHAPE.0 * SHAPE.1;

/// Each line has carts with items, which are numbered through all lines.
fn lines() -> String {
    let mut text = String::new();
    for line in 0..LINES {
        let items = |cart: u64| {
            let first = line * PIECES + cart * SHAPE.1;
            let items = (first..first + SHAPE.1).map(|number| format!("{{\"name\":\"item/{number:09}\"}}"));
            items.collect::<Vec<_>>().join(",")
        };
        let carts = (0..SHAPE.0).map(|cart| format!("{{\"items\":[{}]}}", items(cart)));
        writeln!(text, "{{\"carts\":[{}]}}", carts.collect::<Vec<_>>().join(",")).unwrap();
    }
    text
}

fn run_through(faults: Faults, kills: u64) -> (Store, Ledger) {
    let scene = Scene::new();
    let store = Store::start(faults).unwrap();
    scene.write_config(&CONFIG.replace("{url}", &store.url()));
    let witness = Witness::watch(scene.admin());
    fs::write(scene.log_path("app.log"), lines()).unwrap();
    for kill in 0..kills {
        let mut daemon = scene.run();
        let part = usize::try_from(LINES * PIECES * (kill + 1) / (kills + 2)).unwrap();
        wait_for_documents(&daemon, &store, part);
        daemon.kill();
    }
    let daemon = scene.run().wait_until_ready();
    wait_until_settled(&daemon, &store, LINES * PIECES);
    let ledger = Ledger::read(daemon.admin()).unwrap();
    witness.assert_it_always_added_up();
    assert_eq!(store.counts().malformed, 0, "documents that no store would take");
    (store, ledger)
}

#[test]
fn pieces_are_stored_once_whatever_a_store_does_and_lines_are_counted() {
    let (store, ledger) = run_through(Faults::torture(11), 0);
    let verdict = store.verdict(0..LINES * PIECES);
    assert!(
        verdict.lost.is_empty() && verdict.doubled.is_empty() && verdict.strangers == 0,
        "{}",
        short(&verdict)
    );
    assert!(!verdict.rejected.is_empty(), "a test that met no fault proved nothing");
    let rejected = verdict.rejected.iter().map(|piece| piece / PIECES).collect::<BTreeSet<_>>();
    assert_eq!((ledger.read, ledger.rejected), (LINES, rejected.len() as u64), "{ledger:?}");
}

#[test]
fn pieces_have_the_same_ids_when_their_line_is_read_again() {
    let (store, _) = run_through(Faults::default(), 3);
    let verdict = store.verdict(0..LINES * PIECES);
    assert!(verdict == Default::default(), "{}", short(&verdict));
    assert!(
        store.counts().conflicts > 0,
        "no line was sent twice, so the test proved nothing: {:?}",
        store.counts()
    );
}
