//! Numbers by their size.
//!
//! Owns: counts by bucket, whose bounds grow by 2 % each.
//! Promises: the value of a percentile within 1 %, from a billionth to a trillion on both sides of zero, whatever order the numbers
//! came in.
//! Never: keeps a number.

use crate::snapshot::{Decoder, Encoder};

/// The ratio of a bucket's bounds: (1 + 0.01) / (1 − 0.01).
const GROWTH: f64 = 1.01 / 0.99;
/// The smallest number that is not taken for zero, and the largest that is told from larger ones.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-9..=1e12;
/// More than the buckets between them.
const BUCKETS_MAX: usize = 8192;

/// Counts by bucket, in the order of the numbers.
#[derive(Debug, Default)]
pub(super) struct Counts(Vec<(i16, u32)>);

impl Counts {
    /// Bytes of a bucket.
    pub(super) const BUCKET_BYTES: usize = size_of::<(i16, u32)>();

    /// Counts a number, which is finite.
    pub(super) fn add(&mut self, number: f64) {
        self.add_to(bucket(number), 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, hits)| self.add_to(*bucket, *hits));
    }

    /// How many buckets there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn add_to(&mut self, bucket: i16, hits: u32) {
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(hits),
            Err(place) => self.0.insert(place, (bucket, hits)),
        }
    }

    pub(super) fn subtract(&mut self, gone: &Self) {
        for (bucket, hits) in &gone.0 {
            if let Ok(place) = self.0.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
                self.0[place].1 = self.0[place].1.saturating_sub(*hits);
            }
        }
        self.0.retain(|(_, hits)| *hits > 0);
    }

    /// How many numbers were counted.
    pub(super) fn all(&self) -> u64 {
        self.0.iter().map(|(_, hits)| u64::from(*hits)).sum()
    }

    /// The number that this share of all numbers does not exceed, by its nearest rank; 0 of none.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = rank(share, self.all());
        let mut reached = 0;
        let is_there = |(_, hits): &&(i16, u32)| {
            reached += u64::from(*hits);
            reached >= rank
        };
        self.0.iter().find(is_there).map_or(0.0, |(bucket, _)| number(*bucket))
    }

    pub(super) fn write(&self, out: &mut Encoder<'_>) {
        out.length(self.0.len());
        for (bucket, hits) in &self.0 {
            out.bytes(&bucket.to_le_bytes());
            out.u32(*hits);
        }
    }

    pub(super) fn read(bytes: &mut Decoder<'_>) -> Option<Self> {
        let mut counts = Self::default();
        for _ in 0..bytes.length(BUCKETS_MAX)? {
            let (bucket, hits) = (i16::from_le_bytes(bytes.array()?), bytes.u32()?);
            counts.add_to(bucket, hits);
        }
        Some(counts)
    }
}

/// Which of so many numbers in order it is that a share of them does not exceed, from 1.
pub(super) fn rank(share: f64, count: u64) -> u64 {
    (share * count as f64).ceil().max(1.0) as u64
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
