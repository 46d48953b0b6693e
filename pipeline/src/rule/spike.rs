//! `spike`: many more hits in this window than in those before.
//!
//! Owns: the counts of a key's last windows.
//! Promises: judged at each hit, against the mean of the windows before this one, those without a hit included, from the one
//! on in which the key was first seen.
//! Never: fires before it knows `history` windows.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{Panes, read_count};
use super::{Fired, Hit, RuleError, SPAN_MAX};
use crate::snapshot::{Decoder, Encoder};

/// The most windows that are remembered.
const WINDOWS_MAX: u32 = 1024;

/// Settings of `spike`.
#[derive(Clone, Debug, PartialEq)]
pub struct Spike {
    /// The size of the tumbling windows, which begin at its multiples.
    pub size: i64,
    /// How many windows before this one the mean is of, at most.
    pub windows: u32,
    /// How many there must be.
    pub history: u32,
    /// How many times the mean the count must exceed.
    pub times: f64,
    /// Hits that there must be in this window.
    pub at_least: u64,
}

impl Spike {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<SpikeKind, RuleError> {
        RuleError::unless_span(self.size, "window.tumbling")?;
        RuleError::unless((1..=WINDOWS_MAX).contains(&self.windows), "spike.windows", "1 to 1,024")?;
        RuleError::unless((1..=self.windows).contains(&self.history), "spike.history", "1 to spike.windows")?;
        RuleError::unless(self.times.is_finite() && self.times > 0.0, "spike.times", "above 0")?;
        RuleError::unless(self.at_least > 0, "spike.at_least", "above 0")?;
        let span = self.size.checked_mul(i64::from(self.windows) + 2).filter(|span| *span <= SPAN_MAX);
        RuleError::unless(span.is_some(), "spike.windows", "at most 400 days in all")?;
        let alarms = Alarms::new(span.unwrap_or(SPAN_MAX), suppress);
        Ok(SpikeKind { settings: self.clone(), windows: i64::from(self.windows), alarms })
    }
}

#[derive(Debug, Default)]
pub(super) struct History {
    windows: Panes<u64>,
    sum: u64,
    /// The window in which the key was first seen.
    since: i64,
    /// The first hit of this window.
    anchor: Anchor,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct SpikeKind {
    settings: Spike,
    windows: i64,
    alarms: Alarms,
}

impl Kind for SpikeKind {
    type State = History;

    fn hit(&self, state: &mut History, hit: &Hit, emit: Emit<'_>) {
        let Spike { size, times, at_least, .. } = self.settings;
        let window = hit.time.div_euclid(size);
        let History { windows, sum, since, anchor, alarm } = state;
        windows.expire(window - self.windows, |hits| *sum = sum.saturating_sub(hits));
        if windows.is_empty() {
            *since = window;
        }
        let count = windows.newest(window);
        *count = count.saturating_add(1);
        *sum = sum.saturating_add(1);
        let count = *count;
        anchor.keep(window * size, hit);
        let known = window.saturating_sub(*since).min(self.windows);
        let threshold = times * sum.saturating_sub(count) as f64 / known.max(1) as f64;
        let is_known = known >= i64::from(self.settings.history);
        let holds = is_known && count >= at_least && count as f64 > threshold;
        if self.alarms.judge(alarm, hit.time, holds) {
            let window =
                Fired { start: window * size, end: (window + 1) * size, ..Fired::at(hit, 0, *anchor) };
            emit(Fired { count, value: count as f64, threshold, ..window });
        }
    }

    fn forget_at(&self, state: &History, now: i64) -> i64 {
        let last = state.windows.last().map_or(i64::MIN, |window| {
            window.saturating_add(self.windows + 1).saturating_mul(self.settings.size)
        });
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &History) -> Standing {
        if state.alarm.is_set() { Standing::Kept } else { Standing::Far }
    }

    fn heap_bytes(&self, state: &History) -> usize {
        state.windows.heap_bytes()
    }

    fn write(&self, state: &History, out: &mut Encoder<'_>) {
        state.windows.write(out, |hits, out| out.u64(*hits));
        out.i64(state.since);
        state.anchor.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<History> {
        let windows = Panes::read(bytes, WINDOWS_MAX as usize + 1, read_count)?;
        let sum = windows.iter().fold(0_u64, |sum, hits| sum.saturating_add(*hits));
        let (since, anchor) = (bytes.i64()?, Anchor::read(bytes)?);
        Some(History { windows, sum, since, anchor, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
