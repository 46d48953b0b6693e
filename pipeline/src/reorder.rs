//! Events in the order of their times.
//!
//! Owns: [`Reorder`].
//! Promises: what comes out stands in the order of the events' times, of equal ones in the order of their origins, whatever the
//! order in which it came in: what is computed from it is the same for any order within the lateness, by construction.
//! Never: lets an event out before the watermark is behind it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder, Saved};

/// Items that wait until nothing can come before them.
#[derive(Clone, Debug)]
pub(crate) struct Reorder<T> {
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
}

#[derive(Clone, Debug)]
struct Waiting<T> {
    at: (i64, Origin),
    item: T,
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self { waiting: BinaryHeap::new() }
    }
}

impl<T> Reorder<T> {
    /// Takes an item of this time and origin, which is not late.
    pub(crate) fn push(&mut self, time: i64, origin: Origin, item: T) {
        self.waiting.push(Reverse(Waiting { at: (time, origin), item }));
    }

    /// The next item that the watermark is behind, with its time. One at the watermark may still get an equal before it.
    pub(crate) fn pop_before(&mut self, watermark: i64) -> Option<(i64, T)> {
        let Reverse(first) = self.waiting.peek()?;
        if first.at.0 >= watermark {
            return None;
        }
        self.waiting.pop().map(|Reverse(first)| (first.at.0, first.item))
    }

    /// How many items wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl<T: Saved> Reorder<T> {
    pub(crate) fn save(&self, out: &mut Encoder<'_>) {
        out.u64(self.waiting.len() as u64);
        self.waiting.iter().for_each(|Reverse(waiting)| waiting.item.save(out));
    }

    /// What was saved; `place` says time and origin of an item.
    pub(crate) fn load(from: &mut Decoder<'_>, place: impl Fn(&T) -> (i64, Origin)) -> Option<Self> {
        let items = from.list::<T>()?;
        let waiting = |item| Reverse(Waiting { at: place(&item), item });
        Some(Self { waiting: items.into_iter().map(waiting).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order_once_the_watermark_is_behind_them() {
        let mut reorder = Reorder::default();
        for (time, offset) in [(5, 2), (3, 9), (5, 1), (8, 0), (4, 4)] {
            reorder.push(time, Origin { stream: 1, offset }, offset);
        }
        let mut out = Vec::new();
        while let Some((time, offset)) = reorder.pop_before(8) {
            out.push((time, offset));
        }
        assert_eq!(out, [(3, 9), (4, 4), (5, 1), (5, 2)]);
        assert_eq!(reorder.waiting(), 1);
    }
}
