//! How many different values there were.
//!
//! Owns: [`Distinct`].
//! Promises: exact up to 256 values; above that HyperLogLog with 4,096 registers (Flajolet et al. 2007), read with the estimator
//! of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6): 1.6 % standard error, no
//! tables of corrections; the same for the same values in any order.
//! Never: holds a value, or more than 4 KiB.

use crate::snapshot::{Decoder, Encoder, Saved};

/// Values that are counted exactly.
const EXACT_MAX: usize = 256;
/// The bits of a hash that choose its register.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The bits of a hash that are left to count zeros in.
const RANK_BITS: u32 = 64 - INDEX_BITS;

/// A set of 64-bit hashes, of which the size can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Distinct {
    /// The hashes, in order.
    Exact(Vec<u64>),
    /// The longest run of zeros among the hashes of each register, plus one.
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    pub(super) fn add(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => match hashes.binary_search(&hash) {
                Ok(_) => {}
                Err(place) if hashes.len() < EXACT_MAX => hashes.insert(place, hash),
                Err(_) => {
                    note(self.registers(), hash);
                }
            },
            Self::Registers(registers) => note(registers, hash),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.add(*hash)),
            Self::Registers(others) => {
                let registers = self.registers();
                registers.iter_mut().zip(others.iter()).for_each(|(own, other)| *own = (*own).max(*other));
            }
        }
    }

    /// The registers, into which exact hashes are put first.
    fn registers(&mut self) -> &mut [u8; REGISTERS] {
        if let Self::Exact(hashes) = self {
            let mut registers = Box::new([0; REGISTERS]);
            hashes.iter().for_each(|hash| note(&mut registers, *hash));
            *self = Self::Registers(registers);
        }
        match self {
            Self::Registers(registers) => registers,
            Self::Exact(_) => unreachable!("it was replaced above"),
        }
    }

    /// How many there are, or about how many.
    pub(super) fn estimate(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers),
        }
    }

    /// Bytes beside its own.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Exact(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Registers(_) => REGISTERS,
        }
    }
}

#[inline]
fn note(registers: &mut [u8; REGISTERS], hash: u64) {
    let index = usize::try_from(hash >> RANK_BITS).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation)] // at most 53
    let rank = ((hash << INDEX_BITS).leading_zeros().min(RANK_BITS) + 1) as u8;
    registers[index] = registers[index].max(rank);
}

fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    const SIZE: f64 = REGISTERS as f64;
    let mut counts = [0_u32; RANK_BITS as usize + 2];
    registers.iter().for_each(|rank| counts[usize::from(*rank)] += 1);
    let count = |rank: usize| f64::from(counts[rank]);
    let highest = RANK_BITS as usize + 1;
    let mut sum = SIZE * tau(1.0 - count(highest) / SIZE);
    for rank in (1..highest).rev() {
        sum = 0.5 * (sum + count(rank));
    }
    sum += SIZE * sigma(count(0) / SIZE);
    let estimate = SIZE * SIZE / (2.0 * std::f64::consts::LN_2 * sum);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // positive, and below 2⁶⁴ for all that can be counted
    let whole = estimate.round() as u64;
    whole
}

/// x + Σ x^(2^k) 2^(k−1).
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// (1 − x − Σ (1 − x^(2^−k))² 2^−k) / 3.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

impl Saved for Distinct {
    const BYTES_MIN: usize = 1;

    fn save(&self, out: &mut Encoder<'_>) {
        match self {
            Self::Exact(hashes) => {
                out.u8(0);
                out.list(hashes.iter());
            }
            Self::Registers(registers) => {
                out.u8(1);
                out.bytes(&**registers);
            }
        }
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        match from.u8()? {
            0 => {
                let hashes = from.list::<u64>()?;
                (hashes.len() <= EXACT_MAX && hashes.is_sorted()).then_some(Self::Exact(hashes))
            }
            1 => from.array().map(|registers| Self::Registers(Box::new(registers))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn of(numbers: std::ops::Range<u64>) -> Distinct {
        let mut distinct = Distinct::default();
        numbers.for_each(|number| distinct.add(xxh3_64(&number.to_le_bytes())));
        distinct
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_to_about_two_percent() {
        for size in [0, 1, 17, 256] {
            assert_eq!(of(0..size).estimate(), size);
        }
        for size in [257, 1_000, 5_000, 30_000, 1_000_000] {
            let estimate = of(0..size).estimate();
            #[allow(clippy::cast_precision_loss)]
            let error = estimate.abs_diff(size) as f64 / size as f64;
            assert!(error < 0.04, "{size}: {estimate}");
        }
    }

    #[test]
    fn parts_merge_to_the_whole_in_any_order() {
        let whole = of(0..3_000);
        let parts = [of(0..100), of(50..2_000), of(1_900..2_950), of(2_950..3_000)];
        for order in [[0, 1, 2, 3], [3, 1, 0, 2], [2, 0, 3, 1]] {
            let mut merged = Distinct::default();
            order.iter().for_each(|part| merged.merge(&parts[*part]));
            assert_eq!(merged, whole);
        }
        let mut small = of(0..100);
        small.merge(&of(90..200));
        assert_eq!(small, of(0..200));
    }
}
