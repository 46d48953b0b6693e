//! The plan by which the store misbehaves.
//!
//! Promises: which item is hit follows from its `_id` and the seed alone, so an item keeps its fate over every retry
//! and every restart. Never: state; what was seen already is the business of [`super::documents`].

use crate::random::mix;

/// What goes wrong, and how often. The default is a server without faults.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Chooses which ids are hit.
    pub seed: u64,
    /// Of 1,000 items, how many are answered 429 the first time.
    pub too_many_requests_per_mille: u64,
    /// Of 1,000 items, how many are answered 503 the first time.
    pub unavailable_per_mille: u64,
    /// Of 1,000 items, how many are answered 400 every time.
    pub rejected_per_mille: u64,
    /// Every n-th request is answered 503 as a whole, and nothing of it is stored.
    pub whole_unavailable_every: Option<u64>,
    /// Every n-th request is stored, and its connection is cut before the answer.
    pub cut_every: Option<u64>,
    /// A body longer than this is answered 413, in bytes as sent.
    pub max_body_bytes: Option<usize>,
}

/// What the plan holds for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    TooManyRequestsOnce,
    UnavailableOnce,
    Rejected,
}

impl Faults {
    /// The faults that the torture scenario names: 3 % 429 once, 1 % 503 once, 1 % 400 for ever, every 25th
    /// request 503, every 40th cut before its answer.
    pub fn torture(seed: u64) -> Self {
        Self {
            seed,
            too_many_requests_per_mille: 30,
            unavailable_per_mille: 10,
            rejected_per_mille: 10,
            whole_unavailable_every: Some(25),
            cut_every: Some(40),
            max_body_bytes: None,
        }
    }

    pub(super) fn fate(&self, id: &str) -> Fate {
        let hash = id.bytes().fold(mix(self.seed), |hash, byte| mix(hash ^ u64::from(byte)));
        let draw = hash % 1000;
        let throttled = self.too_many_requests_per_mille;
        let unavailable = throttled + self.unavailable_per_mille;
        let rejected = unavailable + self.rejected_per_mille;
        match draw {
            _ if draw < throttled => Fate::TooManyRequestsOnce,
            _ if draw < unavailable => Fate::UnavailableOnce,
            _ if draw < rejected => Fate::Rejected,
            _ => Fate::Stored,
        }
    }
}
