//! Sums that do not depend on the order of their parts.
//!
//! Owns: [`Sum`].
//! Promises: the same sum for the same numbers in any order and any grouping, which floats do not give: whether a window was
//! filled by one thread or eight, by events in order or not, its sum is the same to the last digit.
//! Never: overflows: a sum beyond ±2⁶³ stays at that bound.

use crate::snapshot::{Decoder, Encoder, Saved};

/// 2⁶⁴: how many units make a whole.
const UNITS: f64 = 18_446_744_073_709_551_616.0;
/// 2⁶²: greater numbers are cut to it.
const NUMBER_MAX: f64 = 4_611_686_018_427_387_904.0;

/// A sum in units of 2⁻⁶⁴, about 5 × 10⁻²⁰.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(i128);

impl Sum {
    /// Adds a number that is one.
    #[inline]
    pub(super) fn add(&mut self, number: f64) {
        // Exact: multiplying by a power of two changes the exponent only, and the product is below 2¹²⁷.
        #[allow(clippy::cast_possible_truncation)]
        let units = (number.clamp(-NUMBER_MAX, NUMBER_MAX) * UNITS) as i128;
        self.0 = self.0.saturating_add(units);
    }

    #[inline]
    pub(super) fn merge(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// The float nearest to the sum.
    pub(super) fn as_float(self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // it is rounded to the nearest
        let units = self.0 as f64;
        units / UNITS
    }
}

impl Saved for Sum {
    const BYTES_MIN: usize = 16;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u128(self.0.cast_unsigned());
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.u128().map(|bits| Self(bits.cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = Sum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        sum.as_float()
    }

    #[test]
    fn the_order_does_not_matter() {
        let numbers = [1e15, 0.1, -1e15, 0.2, 3.7e-9, 123_456.789];
        let forwards = sum(&numbers);
        let backwards = sum(&numbers.iter().rev().copied().collect::<Vec<_>>());
        assert!(forwards == backwards && (forwards - 123_457.089).abs() < 1e-6, "{forwards}");
    }

    #[test]
    fn what_is_beyond_its_range_stays_at_the_bound() {
        assert!(sum(&[1e300, f64::INFINITY]) >= 9.2e18);
        assert!(sum(&[-1e300, -1e300, -1e300]) <= -9.2e18);
        assert!((sum(&[0.1; 10]) - 1.0).abs() < 1e-15);
    }
}
