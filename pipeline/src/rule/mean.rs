//! `sum` and `avg`: a number added up over a sliding window.
//!
//! Owns: sums by panes, added up anew at each hit, so that nothing drifts.
//! Promises: judged at each hit, the hit included; the window is as [`super::panes`] says.
//! Never: takes a number that is not finite: such a hit is none.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::bounds::Bounds;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{PANES_MAX, PaneClock, Panes};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `sum`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The length of the sliding window.
    pub span: i64,
    /// What the sum has to keep.
    pub bounds: Bounds,
}

/// Settings of `avg`.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    /// The length of the sliding window.
    pub span: i64,
    /// What the mean has to keep.
    pub bounds: Bounds,
    /// Hits that there must be in the window.
    pub at_least: u64,
}

impl Sum {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<MeanKind, RuleError> {
        MeanKind::new(self.span, self.bounds, 1, false, suppress)
    }
}

impl Average {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<MeanKind, RuleError> {
        MeanKind::new(self.span, self.bounds, self.at_least, true, suppress)
    }
}

/// A sum and of how many.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sum: f64,
    count: u64,
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    panes: Panes<Total>,
    anchor: Anchor,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct MeanKind {
    clock: PaneClock,
    bounds: Bounds,
    least: u64,
    is_mean: bool,
    alarms: Alarms,
}

impl MeanKind {
    fn new(
        span: i64,
        bounds: Bounds,
        least: u64,
        is_mean: bool,
        suppress: Option<i64>,
    ) -> Result<Self, RuleError> {
        RuleError::unless_span(span, "window.sliding")?;
        bounds.check()?;
        RuleError::unless(least > 0, "at_least", "above 0")?;
        Ok(Self {
            clock: PaneClock::new(span),
            bounds,
            least,
            is_mean,
            alarms: Alarms::new(2 * span, suppress),
        })
    }
}

impl Kind for MeanKind {
    type State = Totals;

    fn hit(&self, state: &mut Totals, hit: &Hit, emit: Emit<'_>) {
        if !hit.number.is_finite() {
            return self.alarms.age(&mut state.alarm, hit.time);
        }
        let oldest = self.clock.oldest(hit.time);
        state.panes.expire(oldest, |_| ());
        let pane = state.panes.newest(self.clock.pane(hit.time));
        (pane.sum, pane.count) = (pane.sum + hit.number, pane.count.saturating_add(1));
        state.anchor.keep(self.clock.start(oldest), hit);
        let add = |sum: Total, pane: &Total| Total {
            sum: sum.sum + pane.sum,
            count: sum.count.saturating_add(pane.count),
        };
        let Total { sum, count } = state.panes.iter().fold(Total::default(), add);
        let value = if self.is_mean { sum / count as f64 } else { sum };
        if self.alarms.judge(&mut state.alarm, hit.time, count >= self.least && self.bounds.hold(value)) {
            let threshold = self.bounds.threshold();
            emit(Fired { count, value, threshold, ..Fired::at(hit, self.clock.span, state.anchor) });
        }
    }

    fn forget_at(&self, state: &Totals, now: i64) -> i64 {
        let last = state.panes.last().map_or(i64::MIN, |pane| self.clock.gone_at(pane));
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &Totals) -> Standing {
        if state.alarm.is_set() { Standing::Kept } else { Standing::Far }
    }

    fn heap_bytes(&self, state: &Totals) -> usize {
        state.panes.heap_bytes()
    }

    fn write(&self, state: &Totals, out: &mut Encoder<'_>) {
        state.panes.write(out, |pane, out| {
            out.f64(pane.sum);
            out.u64(pane.count);
        });
        state.anchor.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Totals> {
        let total = |bytes: &mut Decoder<'_>| Some(Total { sum: bytes.f64()?, count: bytes.u64()? });
        let (panes, anchor) = (Panes::read(bytes, PANES_MAX, total)?, Anchor::read(bytes)?);
        Some(Totals { panes, anchor, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
