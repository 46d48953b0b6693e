//! `closing`: what the hits of a window come to, judged when it is over.
//!
//! Owns: the window of a key, which its first hit begins and the first hit behind it begins anew.
//! Promises: a hit exactly `span` after the first one belongs to the window; a window fires at most once, and is over at the same
//! time whatever comes behind it. Exact; a percentile of more than [`EXACT_MAX`] numbers is as exact as [`super::buckets`] has it.
//! Never: takes a number that is not finite; makes a window of nothing.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::bounds::Bounds;
use super::buckets::{Counts, rank};
use super::combination::Combination;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// The most different values of a window.
const VALUES_MAX: usize = 4096;
/// The most numbers of a window that are kept as they are.
const EXACT_MAX: usize = 512;

/// Settings of a rule about whole windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// From the first hit of a window to the last, both in.
    pub span: i64,
    /// What is computed.
    pub measure: Measure,
    /// What it has to keep.
    pub bounds: Bounds,
}

/// What is computed of the hits of a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// How many there are.
    Count,
    /// How many different values they have.
    Distinct,
    /// 1 when the values that they have make it true, else 0.
    Combination(Combination),
    /// The sum of their numbers.
    Sum,
    /// The mean of their numbers.
    Average,
    /// The number that this share of them does not exceed.
    Percentile(f64),
    /// The number in the middle, or the mean of both.
    Median,
}

impl Closing {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<ClosingKind, RuleError> {
        RuleError::unless_span(self.span, "the window")?;
        self.bounds.check()?;
        let values_max = match self.measure {
            // One more than any bound is as good as many more.
            Measure::Distinct => self.bounds.highest().max(0.0) as usize + 1,
            _ => VALUES_MAX,
        };
        RuleError::unless(values_max <= VALUES_MAX, "a threshold of different values", "below 4,096")?;
        let (span, measure, bounds) = (self.span, self.measure.clone(), self.bounds);
        Ok(ClosingKind { span, measure, bounds, values_max, alarms: Alarms::new(span, suppress) })
    }
}

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Nothing between windows.
    count: u64,
    first: Anchor,
    last: Anchor,
    measured: Measured,
    alarm: Alarm,
}

/// What is remembered of the hits of a window.
#[derive(Debug, Default)]
enum Measured {
    #[default]
    Nothing,
    Sum(f64),
    /// In order.
    Values(Vec<u64>),
    /// The first ones in the order in which they came, and what came behind them.
    Numbers(Vec<f64>, Counts),
}

#[derive(Debug)]
pub(super) struct ClosingKind {
    span: i64,
    measure: Measure,
    bounds: Bounds,
    values_max: usize,
    alarms: Alarms,
}

impl Measured {
    fn of(measure: &Measure) -> Self {
        match measure {
            Measure::Count => Self::Nothing,
            Measure::Sum | Measure::Average => Self::Sum(0.0),
            Measure::Distinct | Measure::Combination(_) => Self::Values(Vec::new()),
            Measure::Percentile(_) | Measure::Median => Self::Numbers(Vec::new(), Counts::default()),
        }
    }

    fn add(&mut self, hit: &Hit, values_max: usize) {
        match self {
            Self::Nothing => {}
            Self::Sum(sum) => *sum += hit.number,
            Self::Values(values) => {
                if let Err(place) = values.binary_search(&hit.value)
                    && values.len() < values_max
                {
                    values.insert(place, hit.value);
                }
            }
            Self::Numbers(numbers, _) if numbers.len() < EXACT_MAX => numbers.push(hit.number),
            Self::Numbers(_, more) => more.add(hit.number),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Sum(_) => 0,
            Self::Values(values) => values.capacity() * size_of::<u64>(),
            // Vectors grow to twice what they have at most.
            Self::Numbers(numbers, more) => {
                numbers.capacity() * size_of::<f64>() + more.len() * 2 * Counts::BUCKET_BYTES
            }
        }
    }
}

impl ClosingKind {
    /// The first time at which a hit is not of the window.
    fn end(&self, state: &Window) -> i64 {
        state.first.time.saturating_add(self.span + 1)
    }

    /// What a window came to; all that is remembered of it is used up.
    fn value(&self, state: &mut Window) -> f64 {
        match (&self.measure, &mut state.measured) {
            (Measure::Distinct, Measured::Values(values)) => values.len() as f64,
            (Measure::Combination(formula), Measured::Values(values)) => {
                let happened = |value: usize| values.binary_search(&(value as u64)).is_ok();
                f64::from(u8::from(formula.is_true(&happened)))
            }
            (Measure::Sum, Measured::Sum(sum)) => *sum,
            (Measure::Average, Measured::Sum(sum)) => *sum / state.count as f64,
            (Measure::Percentile(percent), Measured::Numbers(numbers, more)) => {
                percentile(numbers, more, *percent / 100.0)
            }
            (Measure::Median, Measured::Numbers(numbers, more)) => median(numbers, more),
            _ => state.count as f64,
        }
    }

    fn fired(&self, state: &Window, value: f64) -> Fired {
        Fired {
            key: 0,
            part: 0,
            start: state.first.time,
            end: state.first.time.saturating_add(self.span),
            first: state.first.time,
            last: state.last.time,
            count: state.count,
            value,
            threshold: self.bounds.threshold(),
            first_event: state.first.event,
            last_event: state.last.event,
        }
    }
}

/// The number of the nearest rank.
fn percentile(numbers: &mut [f64], more: &mut Counts, share: f64) -> f64 {
    if more.len() > 0 {
        numbers.iter().for_each(|number| more.add(*number));
        return more.percentile(share);
    }
    numbers.sort_unstable_by(f64::total_cmp);
    let rank = rank(share, numbers.len() as u64) as usize;
    numbers.get(rank - 1).copied().unwrap_or(0.0)
}

fn median(numbers: &mut [f64], more: &mut Counts) -> f64 {
    let lower = percentile(numbers, more, 0.5);
    match numbers.get(numbers.len() / 2) {
        Some(upper) if more.len() == 0 && numbers.len().is_multiple_of(2) => lower.midpoint(*upper),
        _ => lower,
    }
}

impl Kind for ClosingKind {
    type State = Window;

    fn hit(&self, state: &mut Window, hit: &Hit, _: Emit<'_>) {
        if !hit.number.is_finite() {
            return;
        }
        if state.count == 0 {
            (state.first, state.measured) = (Anchor::at(hit), Measured::of(&self.measure));
        }
        state.last = Anchor::at(hit);
        state.count = state.count.saturating_add(1);
        state.measured.add(hit, self.values_max);
    }

    fn settle(&self, state: &mut Window, until: i64, emit: Emit<'_>) {
        let end = self.end(state);
        if state.count == 0 || end > until {
            return;
        }
        let value = self.value(state);
        if self.alarms.judge(&mut state.alarm, end, self.bounds.hold(value)) {
            emit(self.fired(state, value));
        }
        (state.count, state.measured) = (0, Measured::Nothing);
        self.alarms.end(&mut state.alarm);
    }

    fn forget_at(&self, state: &Window, now: i64) -> i64 {
        self.alarms.until(state.alarm, now, if state.count == 0 { i64::MIN } else { self.end(state) })
    }

    fn due(&self, state: &Window, now: i64) -> i64 {
        if state.count == 0 { self.forget_at(state, now) } else { self.end(state) }
    }

    /// Any window may fire until it is over.
    fn standing(&self, _: &Window) -> Standing {
        Standing::Kept
    }

    fn heap_bytes(&self, state: &Window) -> usize {
        state.measured.heap_bytes()
    }

    fn write(&self, state: &Window, out: &mut Encoder<'_>) {
        out.u64(state.count);
        state.first.write(out);
        state.last.write(out);
        out.bytes(&state.alarm.bytes());
        match &state.measured {
            Measured::Nothing => {}
            Measured::Sum(sum) => out.f64(*sum),
            Measured::Values(values) => out.list(values.iter()),
            Measured::Numbers(numbers, more) => {
                out.list(numbers.iter());
                more.write(out);
            }
        }
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Window> {
        let (count, first, last) = (bytes.u64()?, Anchor::read(bytes)?, Anchor::read(bytes)?);
        let alarm = Alarm::from_bytes(bytes.array()?);
        let of = if count == 0 { Measured::Nothing } else { Measured::of(&self.measure) };
        let measured = match of {
            Measured::Nothing => Measured::Nothing,
            Measured::Sum(_) => Measured::Sum(bytes.f64()?),
            Measured::Values(_) => {
                let values = bytes.list::<u64>()?;
                let fit = values.len() <= self.values_max && values.is_sorted();
                Measured::Values(fit.then_some(values)?)
            }
            Measured::Numbers(..) => {
                let numbers = bytes.list::<f64>()?;
                let fit = numbers.len() <= EXACT_MAX;
                Measured::Numbers(fit.then_some(numbers)?, Counts::read(bytes)?)
            }
        };
        Some(Window { count, first, last, measured, alarm })
    }
}
