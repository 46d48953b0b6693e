//! `ratio`: the share of some hits among all.
//!
//! Owns: [`Tally`], hits that count and all hits, by panes.
//! Promises: judged at each hit, once there are `at_least` of them; the window is as [`super::panes`] says.
//! Never: fires at equality: the share must be above.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{PANES_MAX, PaneClock, Panes};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `ratio`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// The length of the sliding window.
    pub span: i64,
    /// The share above which it fires.
    pub above: f64,
    /// Hits that there must be in the window.
    pub at_least: u64,
}

impl Ratio {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<RatioKind, RuleError> {
        RuleError::unless_span(self.span, "window.sliding")?;
        RuleError::unless((0.0..1.0).contains(&self.above), "ratio.above", "at least 0 and below 1")?;
        RuleError::unless(self.at_least > 0, "ratio.at_least", "above 0")?;
        let clock = PaneClock::new(self.span);
        // A key is remembered for less than a pane longer than its window.
        let alarms = Alarms::new(2 * self.span, suppress);
        Ok(RatioKind { clock, above: self.above, least: self.at_least, alarms })
    }
}

/// How many hits count, and how many there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) part: u64,
    pub(super) all: u64,
}

impl Tally {
    fn add(&mut self, hit: &Hit) {
        self.all = self.all.saturating_add(1);
        self.part = self.part.saturating_add(u64::from(hit.steps & 1));
    }

    pub(super) fn ratio(self) -> f64 {
        self.part as f64 / self.all.max(1) as f64
    }

    fn write(&self, out: &mut Encoder<'_>) {
        out.u64(self.part);
        out.u64(self.all);
    }

    fn read(bytes: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { part: bytes.u64()?, all: bytes.u64()? })
    }
}

/// The tallies of a sliding window.
#[derive(Debug, Default)]
pub(super) struct TallyWindow {
    panes: Panes<Tally>,
    pub(super) sum: Tally,
    pub(super) anchor: Anchor,
}

impl TallyWindow {
    /// Takes a hit, with which the window ends.
    pub(super) fn add(&mut self, clock: PaneClock, hit: &Hit) {
        let oldest = clock.oldest(hit.time);
        let Self { panes, sum, anchor } = self;
        panes.expire(oldest, |pane| {
            sum.part = sum.part.saturating_sub(pane.part);
            sum.all = sum.all.saturating_sub(pane.all);
        });
        panes.newest(clock.pane(hit.time)).add(hit);
        sum.add(hit);
        anchor.keep(clock.start(oldest), hit);
    }

    /// The first time at which nothing of it is left.
    pub(super) fn gone_at(&self, clock: PaneClock) -> i64 {
        self.panes.last().map_or(i64::MIN, |pane| clock.gone_at(pane))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.panes.heap_bytes()
    }

    pub(super) fn write(&self, out: &mut Encoder<'_>) {
        self.panes.write(out, Tally::write);
        self.anchor.write(out);
    }

    pub(super) fn read(bytes: &mut Decoder<'_>) -> Option<Self> {
        let panes = Panes::read(bytes, PANES_MAX, Tally::read)?;
        let sum = panes.iter().fold(Tally::default(), |sum, pane| Tally {
            part: sum.part.saturating_add(pane.part),
            all: sum.all.saturating_add(pane.all),
        });
        Some(Self { panes, sum, anchor: Anchor::read(bytes)? })
    }
}

#[derive(Debug, Default)]
pub(super) struct RatioState {
    window: TallyWindow,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct RatioKind {
    clock: PaneClock,
    above: f64,
    least: u64,
    alarms: Alarms,
}

impl Kind for RatioKind {
    type State = RatioState;

    fn hit(&self, state: &mut RatioState, hit: &Hit, emit: Emit<'_>) {
        state.window.add(self.clock, hit);
        let (Tally { part: count, all }, value) = (state.window.sum, state.window.sum.ratio());
        if self.alarms.judge(&mut state.alarm, hit.time, all >= self.least && value > self.above) {
            let threshold = self.above;
            emit(Fired { count, value, threshold, ..Fired::at(hit, self.clock.span, state.window.anchor) });
        }
    }

    fn forget_at(&self, state: &RatioState, now: i64) -> i64 {
        self.alarms.until(state.alarm, now, state.window.gone_at(self.clock))
    }

    fn standing(&self, state: &RatioState) -> Standing {
        match state.window.sum.all {
            _ if state.alarm.is_set() => Standing::Kept,
            all if all < self.least.div_ceil(2) => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &RatioState) -> usize {
        state.window.heap_bytes()
    }

    fn write(&self, state: &RatioState, out: &mut Encoder<'_>) {
        state.window.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<RatioState> {
        let window = TallyWindow::read(bytes)?;
        Some(RatioState { window, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
