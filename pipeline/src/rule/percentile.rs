//! `percentile`: a number that so many hits of a hundred do not exceed, over a sliding window.
//!
//! Owns: counts by bucket for each pane and for the window.
//! Promises: the value of the nearest rank as exact as [`super::buckets`] has it; judged at each hit, the hit included; the
//! window is as [`super::panes`] says.
//! Never: keeps a number; takes one that is not finite.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::bounds::Bounds;
use super::buckets::Counts;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{PANES_MAX, PaneClock, Panes};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `percentile`.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentile {
    /// The length of the sliding window.
    pub span: i64,
    /// Of a hundred.
    pub percentile: f64,
    /// What the value has to keep.
    pub bounds: Bounds,
    /// Hits that there must be in the window.
    pub at_least: u64,
}

impl Percentile {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<PercentileKind, RuleError> {
        RuleError::unless_span(self.span, "window.sliding")?;
        self.bounds.check()?;
        RuleError::unless(
            self.percentile > 0.0 && self.percentile <= 100.0,
            "percentile",
            "above 0 and at most 100",
        )?;
        RuleError::unless(self.at_least > 0, "at_least", "above 0")?;
        let (clock, alarms) = (PaneClock::new(self.span), Alarms::new(2 * self.span, suppress));
        let share = self.percentile / 100.0;
        Ok(PercentileKind { clock, share, bounds: self.bounds, least: self.at_least, alarms })
    }
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    panes: Panes<Counts>,
    window: Counts,
    /// Buckets of all panes.
    buckets: usize,
    anchor: Anchor,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct PercentileKind {
    clock: PaneClock,
    share: f64,
    bounds: Bounds,
    least: u64,
    alarms: Alarms,
}

impl Kind for PercentileKind {
    type State = Numbers;

    fn hit(&self, state: &mut Numbers, hit: &Hit, emit: Emit<'_>) {
        if !hit.number.is_finite() {
            return self.alarms.age(&mut state.alarm, hit.time);
        }
        let oldest = self.clock.oldest(hit.time);
        let Numbers { panes, window, buckets, anchor, alarm } = state;
        panes.expire(oldest, |pane| {
            window.subtract(&pane);
            *buckets = buckets.saturating_sub(pane.len());
        });
        let pane = panes.newest(self.clock.pane(hit.time));
        *buckets = buckets.saturating_sub(pane.len());
        pane.add(hit.number);
        *buckets += pane.len();
        window.add(hit.number);
        anchor.keep(self.clock.start(oldest), hit);
        let count = window.all();
        let value = window.percentile(self.share);
        if self.alarms.judge(alarm, hit.time, count >= self.least && self.bounds.hold(value)) {
            let threshold = self.bounds.threshold();
            emit(Fired { count, value, threshold, ..Fired::at(hit, self.clock.span, *anchor) });
        }
    }

    fn forget_at(&self, state: &Numbers, now: i64) -> i64 {
        let last = state.panes.last().map_or(i64::MIN, |pane| self.clock.gone_at(pane));
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &Numbers) -> Standing {
        if state.alarm.is_set() { Standing::Kept } else { Standing::Far }
    }

    fn heap_bytes(&self, state: &Numbers) -> usize {
        // Vectors grow to twice what they have at most.
        state.panes.heap_bytes() + (state.buckets + state.window.len()) * 2 * Counts::BUCKET_BYTES
    }

    fn write(&self, state: &Numbers, out: &mut Encoder<'_>) {
        state.panes.write(out, Counts::write);
        state.anchor.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Numbers> {
        let panes = Panes::read(bytes, PANES_MAX, Counts::read)?;
        let (mut window, mut buckets) = (Counts::default(), 0);
        for pane in panes.iter() {
            buckets += pane.len();
            window.merge(pane);
        }
        let anchor = Anchor::read(bytes)?;
        Some(Numbers { panes, window, buckets, anchor, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
