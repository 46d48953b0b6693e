//! The ledger: where did my line go?
//!
//! Owns: [`SourceLedger`], one a source, and [`Ledger`], all of them.
//! Promises: at every moment events read = delivered + dropped + rejected + in flight. The four are counted apart
//! (in flight goes up when a batch is read and down when it is settled), under one lock a batch, so the sum is a
//! check and not a definition.
//! Never: counts per event; never goes back.
//!
//! An event here is what a source made: one a line. Of a line that a transform split, the pieces are counted as one, as are
//! the copies of an event that goes to several outputs: it is rejected when a piece was, dropped when no output took any
//! piece, and else delivered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ack::Outcome;

/// The counts of one source since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events read.
    pub read: u64,
    /// Events that every output they go to has, or that go to none.
    pub delivered: u64,
    /// Events that a transform dropped, by its name.
    pub dropped: BTreeMap<Arc<str>, u64>,
    /// Events that at least one output refused; the dead-letter output has them.
    pub rejected: u64,
    /// Events that are somewhere between.
    pub in_flight: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Events that no grammar took.
    pub unparsed: u64,
    /// Events with invalid UTF-8.
    pub invalid_utf8: u64,
}

impl Counts {
    /// Whether every event read is accounted for.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let dropped = self.dropped.values().sum::<u64>();
        self.read == self.delivered + dropped + self.rejected + self.in_flight
    }
}

/// The ledger of one source.
#[derive(Debug, Default)]
pub struct SourceLedger {
    counts: Mutex<Counts>,
}

impl SourceLedger {
    /// A batch was read.
    pub fn read(&self, events: u64, bytes: u64) {
        self.change(|counts| {
            counts.read += events;
            counts.in_flight += events;
            counts.bytes += bytes;
        });
    }

    /// A batch was parsed: how many events no grammar took, and how many hold invalid UTF-8.
    pub fn parsed(&self, unparsed: u64, invalid_utf8: u64) {
        if unparsed + invalid_utf8 > 0 {
            self.change(|counts| {
                counts.unparsed += unparsed;
                counts.invalid_utf8 += invalid_utf8;
            });
        }
    }

    /// A batch was settled. One that is not complete stays in flight, to be read again after a restart, unless its source
    /// reads it again by itself.
    pub(crate) fn settled(&self, outcome: Outcome) {
        if !outcome.complete && !outcome.again {
            return;
        }
        let dropped = outcome.dropped.values().sum::<u64>();
        self.change(|counts| {
            counts.in_flight -= outcome.events;
            counts.rejected += outcome.rejected;
            counts.delivered += outcome.events - dropped - outcome.rejected;
            for (transform, events) in outcome.dropped {
                *counts.dropped.entry(transform).or_default() += events;
            }
        });
    }

    /// The counts of this moment, all of the same moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The ledgers of all sources, by name.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    sources: BTreeMap<String, Arc<SourceLedger>>,
}

impl Ledger {
    /// The ledger of a source, made at the first call.
    pub fn source(&mut self, name: &str) -> Arc<SourceLedger> {
        Arc::clone(self.sources.entry(name.to_owned()).or_default())
    }

    /// Each source's name and counts.
    pub fn counts(&self) -> impl Iterator<Item = (&str, Counts)> {
        self.sources.iter().map(|(name, ledger)| (name.as_str(), ledger.counts()))
    }
}
