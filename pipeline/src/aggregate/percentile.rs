//! Percentiles.
//!
//! Owns: [`Percentiles`], a DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019).
//! Promises: a percentile is within 1 % of the number that it stands for; the same for the same numbers in any order.
//! Never: holds more than 2,048 bins a sign: beyond 17 decades the numbers nearest to zero share one.

use std::cmp::Ordering;

use crate::snapshot::{Decoder, Encoder, Saved};

/// (1 + ε) / (1 − ε) for ε = 1 %.
const GAMMA: f64 = 1.01 / 0.99;
/// The natural logarithm of [`GAMMA`].
const LN_GAMMA: f64 = 0.020_000_666_706_669_43;
/// Bins of the positive, and of the negative numbers.
const BINS_MAX: usize = 2_048;
/// Numbers this near to zero are zero.
const ZERO: f64 = 1e-200;

/// A sketch of a set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Percentiles {
    positive: Bins,
    negative: Bins,
    zeros: u64,
}

impl Percentiles {
    /// Adds a number that is one.
    pub(super) fn add(&mut self, number: f64) {
        match number.partial_cmp(&0.0) {
            _ if number.abs() < ZERO => self.zeros += 1,
            Some(Ordering::Greater) => self.positive.add(bin(number), 1),
            Some(Ordering::Less) => self.negative.add(bin(-number), 1),
            _ => {}
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.positive.merge(&other.positive);
        self.negative.merge(&other.negative);
        self.zeros += other.zeros;
    }

    /// The number that `percent` of all are at most; `None` when there are none.
    pub(super) fn at(&self, percent: f64) -> Option<f64> {
        let (negative, positive) = (self.negative.count(), self.positive.count());
        let count = negative + self.zeros + positive;
        let last = count.checked_sub(1)?;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = ((percent / 100.0 * count as f64).ceil() as u64).saturating_sub(1).min(last);
        if rank < negative {
            return self.negative.number(negative - 1 - rank).map(|number| -number);
        }
        match (rank - negative).checked_sub(self.zeros) {
            Some(rank) => self.positive.number(rank),
            None => Some(0.0),
        }
    }

    /// Bytes beside its own.
    pub(super) fn bytes(&self) -> usize {
        (self.positive.0.capacity() + self.negative.0.capacity()) * size_of::<(i32, u32)>()
    }
}

/// The bin of a positive number.
fn bin(number: f64) -> i32 {
    #[allow(clippy::cast_possible_truncation)] // a float's logarithm is small
    let bin = (number.min(f64::MAX).ln() / LN_GAMMA).ceil() as i32;
    bin
}

/// How many numbers each bin has, in the order of the bins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bins(Vec<(i32, u32)>);

impl Bins {
    fn add(&mut self, bin: i32, count: u32) {
        // What a full sketch is too small for counts in its lowest bin.
        let lowest = self.lowest(bin);
        let bin = bin.max(lowest);
        match self.0.binary_search_by_key(&bin, |(known, _)| *known) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(count),
            Err(place) => self.0.insert(place, (bin, count)),
        }
        self.collapse(lowest);
    }

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bin, count)| self.add(*bin, *count));
    }

    /// The lowest bin that may be, when there is this one too.
    fn lowest(&self, bin: i32) -> i32 {
        let highest = self.0.last().map_or(bin, |(highest, _)| bin.max(*highest));
        highest.saturating_sub(BINS_MAX as i32 - 1)
    }

    /// Puts all below the lowest bin into it. By the highest bin alone, so that the order of the numbers does not matter.
    fn collapse(&mut self, lowest: i32) {
        let below = self.0.partition_point(|(bin, _)| *bin < lowest);
        if below == 0 {
            return;
        }
        let count = self.0.drain(..below).fold(0_u32, |sum, (_, count)| sum.saturating_add(count));
        match self.0.first_mut() {
            Some((bin, known)) if *bin == lowest => *known = known.saturating_add(count),
            _ => self.0.insert(0, (lowest, count)),
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The number of this rank, counted from 0.
    fn number(&self, rank: u64) -> Option<f64> {
        let mut before = 0;
        let bin = self.0.iter().find(|(_, count)| {
            before += u64::from(*count);
            before > rank
        });
        bin.map(|(bin, _)| 2.0 * GAMMA.powi(*bin) / (GAMMA + 1.0))
    }
}

impl Saved for Percentiles {
    const BYTES_MIN: usize = 24;

    fn save(&self, out: &mut Encoder<'_>) {
        out.list(self.positive.0.iter());
        out.list(self.negative.0.iter());
        out.u64(self.zeros);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let mut bins = || {
            let bins = from.list::<(i32, u32)>()?;
            let is_one = bins.len() <= BINS_MAX && bins.is_sorted_by_key(|(bin, _)| *bin);
            is_one.then_some(Bins(bins))
        };
        Some(Self { positive: bins()?, negative: bins()?, zeros: from.u64()? })
    }
}

impl Saved for (i32, u32) {
    const BYTES_MIN: usize = 8;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u32(self.0.cast_unsigned());
        out.u32(self.1);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        Some((from.u32()?.cast_signed(), from.u32()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = f64>) -> Percentiles {
        let mut percentiles = Percentiles::default();
        numbers.into_iter().for_each(|number| percentiles.add(number));
        percentiles
    }

    #[test]
    fn the_constant_is_the_logarithm() {
        assert!((GAMMA.ln() - LN_GAMMA).abs() < 1e-17);
    }

    #[test]
    fn percentiles_are_within_one_percent() {
        let numbers =
            (1..=1000).map(f64::from).chain((1..=500).map(|number| f64::from(-number))).chain([0.0; 10]);
        let mut sorted = numbers.clone().collect::<Vec<_>>();
        sorted.sort_by(f64::total_cmp);
        let sketch = of(numbers);
        for percent in [0.1, 1.0, 25.0, 33.0, 50.0, 75.0, 95.0, 99.9, 100.0] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let exact = sorted[((percent / 100.0 * 1510.0_f64).ceil() as usize).saturating_sub(1)];
            let found = sketch.at(percent).unwrap();
            assert!((found - exact).abs() <= exact.abs() * 0.010_001, "{percent}: {found} for {exact}");
        }
        assert_eq!(of([]).at(50.0), None);
    }

    #[test]
    fn any_order_and_any_parts_give_the_same() {
        let numbers = [1e-30, 5.0, 1e30, 2.0, 1e-9, 7e12, -4.0, 0.0, 1e25];
        let forwards = of(numbers);
        assert_eq!(forwards, of(numbers.into_iter().rev()));
        let mut merged = of(numbers[4..].iter().copied());
        merged.merge(&of(numbers[..4].iter().copied()));
        assert_eq!(forwards, merged);
    }

    #[test]
    fn it_stays_small() {
        let sketch =
            of((-300..300).flat_map(|power| (1..100).map(move |n| f64::from(n) * 10_f64.powi(power))));
        assert!(sketch.positive.0.len() <= BINS_MAX, "{}", sketch.positive.0.len());
        assert!(sketch.at(99.0).unwrap() > 1e290);
    }
}
