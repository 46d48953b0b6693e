//! What the tests stand on: a folder, a daemon, a writer of numbered lines, the admin API, and servers.

pub(crate) mod daemon;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod ledger;
pub(crate) mod receiver;
pub(crate) mod scene;
pub(crate) mod services;
pub(crate) mod writer;

use std::fmt::Display;
use std::time::Duration;

pub(crate) use logweir_benchmarks::pace::{pause_until, wait_for};

/// How long anything may take that is expected to happen at once on an idle machine; two busy cores are slower.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A loopback port to listen on.
pub(crate) fn free_port() -> u16 {
    logweir_benchmarks::ports::free_port().unwrap()
}

/// Waits for `condition` and fails with `what` at the deadline; `what` is rendered only then, so that a log in it is the
/// log of that moment.
#[track_caller]
pub(crate) fn eventually<T>(what: impl Display, condition: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, condition)
}

/// Like [`eventually`] with another patience.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, what: impl Display, condition: impl FnMut() -> Option<T>) -> T {
    match wait_for(patience, condition) {
        Some(value) => value,
        None => panic!("not within {patience:?}: {what}"),
    }
}
