//! `burn_rate`: an error budget is used up too fast, over a long window and still over a short one.
//!
//! Owns: a key's tallies for each length of window that the rule has. Each length has its own panes: that is a few
//! additions more a hit than panes of growing width would take, and no window is coarser than a 62nd of it.
//! Promises: each pair of windows fires by itself, judged at each hit.
//! Never: judges a pair before its long window has `at_least` hits.

use super::alarm::{Alarm, Alarms};
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::PaneClock;
use super::ratio::TallyWindow;
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// The most pairs of windows.
const PAIRS_MAX: usize = 8;

/// Settings of `burn_rate`.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnRate {
    /// The share of hits that are to be good: 0.999 leaves a budget of 0.001.
    pub objective: f64,
    /// Pairs of windows, the most urgent first.
    pub windows: Vec<BurnWindows>,
    /// Hits that there must be in the long window.
    pub at_least: u64,
}

/// A pair of windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnWindows {
    /// The window that says that it matters.
    pub long: i64,
    /// The window that says that it still goes on.
    pub short: i64,
    /// How many times faster than the budget allows, in both.
    pub factor: f64,
}

impl BurnRate {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<BurnRateKind, RuleError> {
        RuleError::unless(
            self.objective > 0.0 && self.objective < 1.0,
            "burn_rate.objective",
            "above 0 and below 1",
        )?;
        RuleError::unless(
            (1..=PAIRS_MAX).contains(&self.windows.len()),
            "burn_rate.windows",
            "1 to 8 pairs",
        )?;
        RuleError::unless(self.at_least > 0, "burn_rate.at_least", "above 0")?;
        let mut spans = Vec::new();
        for pair in &self.windows {
            RuleError::unless_span(pair.long, "burn_rate.windows.long")?;
            RuleError::unless_span(pair.short, "burn_rate.windows.short")?;
            RuleError::unless(pair.short <= pair.long, "burn_rate.windows.short", "at most the long one")?;
            RuleError::unless(
                pair.factor.is_finite() && pair.factor > 0.0,
                "burn_rate.windows.factor",
                "above 0",
            )?;
            spans.extend([pair.long, pair.short]);
        }
        spans.sort_unstable();
        spans.dedup();
        let place = |span| spans.partition_point(|other| *other < span);
        let pairs =
            self.windows.iter().map(|pair| (place(pair.long), place(pair.short), pair.factor)).collect();
        let alarms = Alarms::new(2 * spans.last().copied().unwrap_or(0), suppress);
        let clocks = spans.into_iter().map(PaneClock::new).collect();
        Ok(BurnRateKind { budget: 1.0 - self.objective, pairs, clocks, least: self.at_least, alarms })
    }
}

#[derive(Debug, Default)]
pub(super) struct Budget {
    /// One a length of window; none before the first hit.
    windows: Vec<TallyWindow>,
    /// One a pair.
    alarms: [Alarm; PAIRS_MAX],
}

#[derive(Debug)]
pub(super) struct BurnRateKind {
    budget: f64,
    /// The places of the long and the short window, and the factor.
    pairs: Vec<(usize, usize, f64)>,
    clocks: Vec<PaneClock>,
    least: u64,
    alarms: Alarms,
}

impl Kind for BurnRateKind {
    type State = Budget;

    fn hit(&self, state: &mut Budget, hit: &Hit, emit: Emit<'_>) {
        state.windows.resize_with(self.clocks.len(), TallyWindow::default);
        for (window, clock) in state.windows.iter_mut().zip(&self.clocks) {
            window.add(*clock, hit);
        }
        for (part, (long, short, factor)) in self.pairs.iter().enumerate() {
            let (window, short) = (&state.windows[*long], &state.windows[*short]);
            let value = window.sum.ratio() / self.budget;
            let burns = value >= *factor && short.sum.ratio() / self.budget >= *factor;
            let holds = burns && window.sum.all >= self.least;
            if self.alarms.judge(&mut state.alarms[part], hit.time, holds) {
                let fired = Fired::at(hit, self.clocks[*long].span, window.anchor);
                let (part, count) = (part as u8, window.sum.part);
                emit(Fired { part, count, value, threshold: *factor, ..fired });
            }
        }
    }

    fn forget_at(&self, state: &Budget, now: i64) -> i64 {
        let windows =
            state.windows.iter().zip(&self.clocks).map(|(window, clock)| window.gone_at(*clock)).max();
        let until = |time: i64, alarm: &Alarm| self.alarms.until(*alarm, now, time);
        state.alarms.iter().fold(windows.unwrap_or(i64::MIN), until)
    }

    fn standing(&self, state: &Budget) -> Standing {
        if state.alarms.iter().any(|alarm| alarm.is_set()) { Standing::Kept } else { Standing::Far }
    }

    fn heap_bytes(&self, state: &Budget) -> usize {
        let panes = state.windows.iter().map(TallyWindow::heap_bytes).sum::<usize>();
        panes + state.windows.capacity() * size_of::<TallyWindow>()
    }

    fn write(&self, state: &Budget, out: &mut Encoder<'_>) {
        out.length(state.windows.len());
        state.windows.iter().for_each(|window| window.write(out));
        state.alarms.iter().for_each(|alarm| out.bytes(&alarm.bytes()));
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Budget> {
        let windows = bytes.length(self.clocks.len())?;
        let windows = (0..windows).map(|_| TallyWindow::read(bytes)).collect::<Option<_>>()?;
        let mut alarms = [Alarm::default(); PAIRS_MAX];
        for alarm in &mut alarms {
            *alarm = Alarm::from_bytes(bytes.array()?);
        }
        Some(Budget { windows, alarms })
    }
}
