//! `percentile`: a number that so many hits of a hundred do not exceed, over a sliding window.
//!
//! Owns: counts by bucket, whose bounds grow by 2 % each, for each pane and for the window.
//! Promises: the value of the nearest rank within 1 %, from a billionth to a trillion on both sides of zero; judged at each
//! hit, the hit included; the window is as [`super::panes`] says.
//! Never: keeps a number; takes one that is not finite.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::bounds::Bounds;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{PANES_MAX, PaneClock, Panes};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// The ratio of a bucket's bounds: (1 + 0.01) / (1 − 0.01).
const GROWTH: f64 = 1.01 / 0.99;
/// The smallest number that is not taken for zero, and the largest that is told from larger ones.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-9..=1e12;
/// More than the buckets between them.
const BUCKETS_MAX: usize = 8192;

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

/// Counts by bucket, in the order of the numbers.
#[derive(Debug, Default)]
struct Counts(Vec<(i16, u32)>);

impl Counts {
    fn add(&mut self, bucket: i16, hits: u32) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(hits),
            Err(place) => self.0.insert(place, (bucket, hits)),
        }
    }

    fn subtract(&mut self, gone: &Self) {
        for (bucket, hits) in &gone.0 {
            if let Ok(place) = self.0.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
                self.0[place].1 = self.0[place].1.saturating_sub(*hits);
            }
        }
        self.0.retain(|(_, hits)| *hits > 0);
    }

    fn all(&self) -> u64 {
        self.0.iter().map(|(_, hits)| u64::from(*hits)).sum()
    }

    /// The bucket in which so many numbers are reached.
    fn bucket(&self, rank: u64) -> Option<i16> {
        let mut reached = 0;
        let is_there = |(_, hits): &&(i16, u32)| {
            reached += u64::from(*hits);
            reached >= rank
        };
        self.0.iter().find(is_there).map(|(bucket, _)| *bucket)
    }

    fn write(&self, out: &mut Encoder<'_>) {
        out.length(self.0.len());
        for (bucket, hits) in &self.0 {
            out.bytes(&bucket.to_le_bytes());
            out.u32(*hits);
        }
    }

    fn read(bytes: &mut Decoder<'_>) -> Option<Self> {
        let mut counts = Self::default();
        for _ in 0..bytes.length(BUCKETS_MAX)? {
            let (bucket, hits) = (i16::from_le_bytes(bytes.array()?), bytes.u32()?);
            counts.add(bucket, hits);
        }
        Some(counts)
    }
}

/// The steps of growth from the smallest number on.
fn steps(magnitude: f64) -> i16 {
    let steps = (magnitude.min(*MAGNITUDES.end()) / MAGNITUDES.start()).ln() / GROWTH.ln();
    steps.ceil() as i16 + 1
}

/// 0 for what is taken for zero; below it for negative numbers.
fn bucket(number: f64) -> i16 {
    match number.abs() {
        magnitude if magnitude < *MAGNITUDES.start() => 0,
        magnitude if number > 0.0 => steps(magnitude),
        magnitude => -steps(magnitude),
    }
}

/// The number in the middle of a bucket, in relation to its bounds.
fn number(bucket: i16) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let steps = i32::from(bucket).abs() - 1;
    let magnitude = MAGNITUDES.start() * GROWTH.powi(steps) * 2.0 / (1.0 + GROWTH);
    magnitude.copysign(f64::from(bucket))
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
            *buckets = buckets.saturating_sub(pane.0.len());
        });
        let pane = panes.newest(self.clock.pane(hit.time));
        *buckets = buckets.saturating_sub(pane.0.len());
        pane.add(bucket(hit.number), 1);
        *buckets += pane.0.len();
        window.add(bucket(hit.number), 1);
        anchor.keep(self.clock.start(oldest), hit);
        let count = window.all();
        let rank = (self.share * count as f64).ceil().max(1.0);
        let value = window.bucket(rank as u64).map_or(0.0, number);
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
        state.panes.heap_bytes() + (state.buckets + state.window.0.len()) * 2 * size_of::<(i16, u32)>()
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
            buckets += pane.0.len();
            pane.0.iter().for_each(|(bucket, hits)| window.add(*bucket, *hits));
        }
        let anchor = Anchor::read(bytes)?;
        Some(Numbers { panes, window, buckets, anchor, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
