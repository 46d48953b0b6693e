//! `throttle`: lets so many events of a key through in a time.
//!
//! Owns: [`Throttle`].
//! Promises: at most the given number of events a key in every such time, counted from the key's first event; by the
//! time of the events, so that a backlog that is read at once is not taken for a flood. A time in the future counts
//! as the time of reading.
//! Never: knows more keys than its bound; what is forgotten before its time is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use logweir_parsers::KeyId;

use super::recent::Recent;
use super::{Bench, Step, key_hash};
use crate::event::Batch;

/// Lets so many events of a key through in a time.
#[derive(Debug)]
pub struct Throttle {
    events_max: u64,
    /// In nanoseconds.
    per: i64,
    by: Vec<KeyId>,
    seen: Mutex<Recent<Window>>,
}

/// When the first event of a key was, in nanoseconds, and how many came within the time since.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: i64,
    events: u64,
}

impl Throttle {
    /// Lets `events_max` events through in the time `per`, for each key that the fields `by` make. Without fields all
    /// events are of one key. Knows at most `keys_max` keys.
    #[must_use]
    pub fn new(events_max: u64, per: Duration, by: Vec<KeyId>, keys_max: usize) -> Self {
        let per = i64::try_from(per.as_nanos()).unwrap_or(i64::MAX);
        Self { events_max, per, by, seen: Mutex::new(Recent::new(keys_max)) }
    }

    fn passes(&self, seen: &mut Recent<Window>, key: u128, time: i64, bench: &mut Bench) -> bool {
        match seen.get(key) {
            Some(window) if time.saturating_sub(window.start) < self.per => {
                window.events = window.events.saturating_add(1);
                window.events <= self.events_max
            }
            Some(window) => {
                *window = Window { start: time, events: 1 };
                true
            }
            None => {
                let is_live = |window: &Window| time.saturating_sub(window.start) < self.per;
                bench.forgotten += seen.insert(key, Window { start: time, events: 1 }, is_live);
                true
            }
        }
    }
}

impl Step for Throttle {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        selected.retain(|&index| {
            let index = index as usize;
            let (key, _) = key_hash::of(&self.by, batch, index, bench);
            let time = batch.events[index].timestamp.min(batch.read_at);
            self.passes(&mut seen, key, time, bench)
        });
    }

    fn changes_events(&self) -> bool {
        false
    }
}
