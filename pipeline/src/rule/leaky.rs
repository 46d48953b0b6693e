//! `leaky`: a bucket that a hit adds a drop to, and that loses one every so often.
//!
//! Owns: the level of a key's bucket, as the time at which it will be empty (the generic cell rate algorithm).
//! Promises: fires at the hit that is one more than the capacity; a full bucket takes no more, so that a key is armed
//! again soon after a flood ends.
//! Never: counts hits.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::{Fired, Hit, RuleError, SPAN_MAX};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `leaky`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaky {
    /// Drops that the bucket holds; one more overflows.
    pub capacity: u32,
    /// The time in which it loses one.
    pub leak: i64,
}

impl Leaky {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<LeakyKind, RuleError> {
        RuleError::unless_span(self.leak, "leaky.leak")?;
        RuleError::unless(self.capacity > 0, "leaky.capacity", "above 0")?;
        let capacity = i64::from(self.capacity);
        let full = capacity.checked_add(1).and_then(|drops| drops.checked_mul(self.leak));
        let full = full.filter(|span| *span <= SPAN_MAX).unwrap_or(0);
        RuleError::unless_span(full, "leaky.capacity times leaky.leak")?;
        let alarms = Alarms::new(full, suppress);
        Ok(LeakyKind { capacity: self.capacity, leak: self.leak, full, alarms })
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    empty_at: i64,
    /// The hit that fell into an empty bucket.
    first: Anchor,
    alarm: Alarm,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { empty_at: i64::MIN, first: Anchor::default(), alarm: Alarm::default() }
    }
}

#[derive(Debug)]
pub(super) struct LeakyKind {
    capacity: u32,
    leak: i64,
    /// The time in which one drop too many is gone, with all the others.
    full: i64,
    alarms: Alarms,
}

impl Kind for LeakyKind {
    type State = Bucket;

    fn hit(&self, state: &mut Bucket, hit: &Hit, emit: Emit<'_>) {
        if state.empty_at <= hit.time {
            state.first = Anchor::at(hit);
        }
        let level = state.empty_at.max(hit.time).saturating_add(self.leak);
        state.empty_at = level.min(hit.time.saturating_add(self.full));
        let overflows = level.saturating_sub(hit.time) > self.full - self.leak;
        if self.alarms.judge(&mut state.alarm, hit.time, overflows) {
            let count = u64::from(self.capacity) + 1;
            let (value, threshold) = (count as f64, f64::from(self.capacity));
            let span = hit.time.saturating_sub(state.first.time);
            emit(Fired { count, value, threshold, ..Fired::at(hit, span, state.first) });
        }
    }

    fn forget_at(&self, state: &Bucket, now: i64) -> i64 {
        self.alarms.until(state.alarm, now, state.empty_at)
    }

    fn standing(&self, state: &Bucket) -> Standing {
        // Since the first drop the bucket cannot have been filled by more than this.
        let level = state.empty_at.saturating_sub(state.first.time);
        match level {
            _ if state.alarm.is_set() => Standing::Kept,
            level if level < self.full / 2 => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn write(&self, state: &Bucket, out: &mut Encoder<'_>) {
        out.i64(state.empty_at);
        state.first.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Bucket> {
        let (empty_at, first) = (bytes.i64()?, Anchor::read(bytes)?);
        Some(Bucket { empty_at, first, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
