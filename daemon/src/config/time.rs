//! `[time]`, and what an aggregate may say otherwise.
//!
//! Owns: the keys about event time and lateness.
//! Promises: every limit has a safe default.
//! Never: knows windows.

use std::time::Duration;

use logweir_pipeline::watermark::{TimeLimits, nanos};

use super::decode::{Decoder, Found};
use super::schema::{SectionKind, Table, table};

/// `[time]`.
pub(crate) const TIME: SectionKind = SectionKind {
    header: "time",
    component: None,
    summary: "How event time is told. Every aggregate may say otherwise.",
    shared: &[],
    keys: &[TimeKeys::KEYS],
};

table! {
    /// The keys of `[time]`.
    struct TimeKeys {
        /// How far out of order the events of a file, partition or connection may come: a window is over when an event comes
        /// that is so much younger than its end.
        lateness: Duration = "10s",
        /// How long a file, partition or connection may bring nothing before windows no longer wait for it.
        idle_after: Duration = "30s",
        /// How far an event's time may lie ahead of the time when it was read. One further ahead counts as happening when it
        /// was read, and closes no window.
        future_limit: Duration = "10m",
    }
}

table! {
    /// The same keys in a component.
    pub(super) struct OwnTimeKeys {
        /// How far out of order events may come. Absent: as `[time]` says.
        lateness: Option<Duration>,
        /// How long a file, partition or connection may bring nothing before windows no longer wait for it. Absent: as
        /// `[time]` says.
        idle_after: Option<Duration>,
        /// How far an event's time may lie ahead of the time when it was read. Absent: as `[time]` says.
        future_limit: Option<Duration>,
    }
}

/// The limits of the section.
pub(super) fn decode(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<TimeLimits> {
    let keys = TimeKeys::decode(found, decoder)?;
    Some(TimeLimits {
        lateness: nanos(keys.lateness),
        idle_after: nanos(keys.idle_after),
        future_limit: nanos(keys.future_limit),
    })
}

impl OwnTimeKeys {
    /// The limits, where they are not the common ones.
    pub(super) fn over(&self, common: TimeLimits) -> TimeLimits {
        let own = |own: Option<Duration>, common| own.map_or(common, nanos);
        TimeLimits {
            lateness: own(self.lateness, common.lateness),
            idle_after: own(self.idle_after, common.idle_after),
            future_limit: own(self.future_limit, common.future_limit),
        }
    }
}
