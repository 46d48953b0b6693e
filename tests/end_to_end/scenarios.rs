//! Nothing lost, nothing doubled: numbered lines through every misfortune, counted at the end.
//!
//! Each scenario ends in the same three statements: every line is in the store once, none twice, and the ledger added
//! up whenever it was looked at.

mod aggregates;
mod branches;
mod brokers_gone;
mod copytruncate;
mod dead_letter;
mod dead_store;
mod disk_full;
mod edge_and_hub;
mod email;
mod failover;
mod file_output;
mod kafka_examples;
mod kafka_foreign;
mod kafka_metrics;
mod kafka_output;
mod kafka_output_topics;
mod kafka_positions;
mod kafka_protocol;
mod kafka_secured;
mod kafka_source;
mod kafka_support;
mod kafka_transactions;
mod kept_state;
mod kill;
mod once;
mod own_files;
mod permissions;
mod real_stores;
mod rebalance;
mod rename_rotation;
mod rules;
mod secured;
mod split;
mod steps;
mod stopping;
mod syslog;
mod together;
mod torture;
mod two_outputs;
mod webhook;

use std::time::Duration;

use logweir_benchmarks::store::{Store, Verdict};

use crate::support::daemon::Daemon;
use crate::support::ledger::Ledger;

/// How long a backlog may take to arrive after the last misfortune.
const CATCHING_UP: Duration = Duration::from_secs(90);

/// Waits until `lines` lines are stored or rejected, then until nothing is in flight.
#[track_caller]
pub(crate) fn wait_until_settled(daemon: &Daemon, store: &Store, lines: u64) {
    let mut last = (0, None);
    let settled = logweir_benchmarks::pace::wait_for(CATCHING_UP, || {
        let arrived = store.len() as u64 + store.rejected_documents();
        let ledger = Ledger::read(daemon.admin());
        last = (arrived, ledger);
        (arrived >= lines && ledger.is_some_and(|ledger| ledger.in_flight == 0)).then_some(())
    });
    if settled.is_none() {
        let (arrived, ledger) = last;
        panic!(
            "{arrived} of {lines} lines arrived within {CATCHING_UP:?}; ledger {ledger:?}; store {:?}; {}; {daemon}",
            store.counts(),
            short(&store.verdict(0..lines)),
        );
    }
}

/// The end of a scenario whose store rejects nothing.
#[track_caller]
fn assert_nothing_lost_nothing_doubled(store: &Store, lines: u64) {
    let verdict = store.verdict(0..lines);
    assert!(
        verdict == Verdict::default(),
        "of {lines} lines: {}{}",
        short(&verdict),
        ids_of_first_doubled(store, &verdict)
    );
    assert_eq!(store.counts().malformed, 0, "documents that no store would take");
}

/// A verdict in one line: counts, and the first numbers of each kind.
fn short(verdict: &Verdict) -> String {
    let some = |numbers: &[u64]| format!("{} {:?}", numbers.len(), &numbers[..numbers.len().min(5)]);
    format!(
        "lost {}, doubled {}, rejected {}, strangers {}",
        some(&verdict.lost),
        some(&verdict.doubled),
        some(&verdict.rejected),
        verdict.strangers
    )
}

/// The ids under which the first doubled line stands: they lead back to the files and offsets it was read from.
fn ids_of_first_doubled(store: &Store, verdict: &Verdict) -> String {
    let Some(number) = verdict.doubled.first() else { return String::new() };
    let text = format!("item/{number:09}");
    let holds = |source: &[u8]| String::from_utf8_lossy(source).contains(&text);
    let ids =
        store.stored().into_iter().filter(|document| holds(&document.source)).map(|document| document.id);
    format!("; line {number} stands under {}", ids.collect::<Vec<_>>().join(" and "))
}

/// Waits until the store has `documents`, as the sign that a daemon works.
#[track_caller]
fn wait_for_documents(daemon: &Daemon, store: &Store, documents: usize) {
    let arrived =
        logweir_benchmarks::pace::wait_for(CATCHING_UP, || (store.len() >= documents).then_some(()));
    if arrived.is_none() {
        let (stored, ledger) = (store.len(), Ledger::read(daemon.admin()));
        panic!(
            "{stored} of {documents} documents are stored after {CATCHING_UP:?}; ledger {ledger:?}; {daemon}"
        );
    }
}
