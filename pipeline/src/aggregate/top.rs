//! The values that occur most often.
//!
//! Owns: [`Top`].
//! Promises: exact, and the same in any order, as long as a key has no more than 1,000 different values in a window; above
//! that, values that are new are counted together as others.
//! Never: holds a value of more than [`super::samples::VALUE_BYTES_MAX`] bytes.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::snapshot::{Decoder, Encoder, Saved};

/// Values that are counted.
const VALUES_MAX: usize = 1_000;

/// How often each value occurs. A value is its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Top {
    counts: HashMap<Box<[u8]>, u64, FixedState>,
    others: u64,
}

impl Top {
    pub(super) fn add(&mut self, value: &[u8], count: u64) {
        if let Some(known) = self.counts.get_mut(value) {
            *known += count;
        } else if self.counts.len() < VALUES_MAX {
            self.counts.insert(value.into(), count);
        } else {
            self.others += count;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        // In their order, so that what finds no room is the same each time.
        for (value, count) in other.first(usize::MAX) {
            self.add(value, count);
        }
        self.others += other.others;
    }

    /// The values that occur most often, and how often; of those that occur as often, the first in the order of bytes.
    pub(super) fn first(&self, values: usize) -> Vec<(&[u8], u64)> {
        let mut all = self.counts.iter().map(|(value, count)| (&**value, *count)).collect::<Vec<_>>();
        all.sort_unstable_by_key(|(value, count)| (Reverse(*count), *value));
        all.truncate(values);
        all
    }

    /// Bytes beside its own.
    pub(super) fn bytes(&self) -> usize {
        let values = self.counts.keys().map(|value| value.len()).sum::<usize>();
        values + self.counts.capacity() * size_of::<(Box<[u8]>, u64)>()
    }
}

impl Saved for Top {
    const BYTES_MIN: usize = 16;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u64(self.others);
        out.u64(self.counts.len() as u64);
        for (value, count) in &self.counts {
            out.text(value);
            out.u64(*count);
        }
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let mut top = Self { others: from.u64()?, ..Self::default() };
        for _ in 0..from.u64()? {
            let value = from.text()?;
            top.add(value, from.u64()?);
        }
        Some(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_equals_in_their_order() {
        let mut top = Top::default();
        for value in ["b", "a", "c", "b", "d", "c", "b"] {
            top.add(value.as_bytes(), 1);
        }
        assert_eq!(top.first(3), [(&b"b"[..], 3), (b"c", 2), (b"a", 1)]);
        let mut other = Top::default();
        other.add(b"d", 4);
        other.merge(&top);
        assert_eq!(other.first(2), [(&b"d"[..], 5), (b"b", 3)]);
    }

    #[test]
    fn it_stays_small() {
        let mut top = Top::default();
        (0..5_000_u32).for_each(|value| top.add(&value.to_le_bytes(), 1));
        assert_eq!((top.counts.len(), top.others), (VALUES_MAX, 4_000));
    }
}
