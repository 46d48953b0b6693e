//! `dedupe`: drops repeats.
//!
//! Owns: [`Dedupe`].
//! Promises: of events with the same values of the given fields, those that lie less than the window from the first one
//! are dropped, by the time of the events; an event with none of the fields stays. After a restart the first event of
//! a key is let through again.
//! Never: knows more keys than its bound; what is forgotten before its time is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use logweir_parsers::KeyId;

use super::recent::Recent;
use super::{Bench, Step, key_hash};
use crate::event::Batch;

/// Drops events whose fields had the same values lately.
#[derive(Debug)]
pub struct Dedupe {
    by: Vec<KeyId>,
    /// In nanoseconds.
    window: u64,
    /// The time of the first event of each key, in nanoseconds.
    seen: Mutex<Recent<i64>>,
}

impl Dedupe {
    /// Drops what has the same values of the fields `by` within `window`. Knows at most `keys_max` keys.
    #[must_use]
    pub fn new(by: Vec<KeyId>, window: Duration, keys_max: usize) -> Self {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        Self { by, window, seen: Mutex::new(Recent::new(keys_max)) }
    }

    fn is_new(&self, seen: &mut Recent<i64>, key: u128, time: i64, bench: &mut Bench) -> bool {
        match seen.get(key) {
            Some(first) if time.abs_diff(*first) < self.window => false,
            Some(first) => {
                *first = time;
                true
            }
            None => {
                let is_live = |first: &i64| time.abs_diff(*first) < self.window;
                bench.forgotten += seen.insert(key, time, is_live);
                true
            }
        }
    }
}

impl Step for Dedupe {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        selected.retain(|&index| {
            let index = index as usize;
            let (key, is_any) = key_hash::of(&self.by, batch, index, bench);
            let time = batch.events[index].timestamp.min(batch.read_at);
            !is_any || self.is_new(&mut seen, key, time, bench)
        });
    }

    fn changes_events(&self) -> bool {
        false
    }
}
