//! Sliding windows that are made of panes.
//!
//! Owns: [`Panes`], what happened in each of the panes of a key; [`PaneClock`], which pane a time is in.
//! Promises: a sliding window has at most 64 panes, and reaches back by its span and less than a pane more, which is a 62nd
//! of the span.
//! Never: keeps an empty pane.

use std::collections::VecDeque;

use crate::snapshot::{Decoder, Encoder};

/// The most panes of a sliding window.
pub(super) const PANES_MAX: usize = 64;

/// The panes of a sliding window.
#[derive(Clone, Copy, Debug)]
pub(super) struct PaneClock {
    pub(super) span: i64,
    width: i64,
}

impl PaneClock {
    pub(super) fn new(span: i64) -> Self {
        // Both ends of the window may cut a pane.
        let whole = PANES_MAX as i64 - 2;
        Self { span, width: (span + whole - 1) / whole }
    }

    /// The number of the pane that a time is in.
    pub(super) fn pane(self, time: i64) -> i64 {
        time.div_euclid(self.width)
    }

    /// The number of the first pane of the window that ends at a time.
    pub(super) fn oldest(self, time: i64) -> i64 {
        self.pane(time.saturating_sub(self.span))
    }

    /// When a pane begins.
    pub(super) fn start(self, pane: i64) -> i64 {
        pane.saturating_mul(self.width)
    }

    /// The first time whose window begins behind a pane.
    pub(super) fn gone_at(self, pane: i64) -> i64 {
        self.start(pane.saturating_add(1)).saturating_add(self.span)
    }
}

/// A pane that is a number.
pub(super) fn read_count(bytes: &mut Decoder<'_>) -> Option<u64> {
    bytes.u64()
}

/// What happened in panes, by their numbers.
#[derive(Debug)]
pub(super) struct Panes<T>(VecDeque<(i64, T)>);

impl<T> Default for Panes<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Default> Panes<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pane of this number, which is the newest one or a newer one.
    pub(super) fn newest(&mut self, pane: i64) -> &mut T {
        if self.0.back().is_none_or(|(newest, _)| *newest < pane) {
            self.0.push_back((pane, T::default()));
        }
        let last = self.0.len() - 1;
        &mut self.0[last].1
    }

    /// The number of the newest pane.
    pub(super) fn last(&self) -> Option<i64> {
        self.0.back().map(|(pane, _)| *pane)
    }

    /// Takes the panes in front of one away.
    pub(super) fn expire(&mut self, oldest: i64, mut gone: impl FnMut(T)) {
        while self.0.front().is_some_and(|(pane, _)| *pane < oldest) {
            if let Some((_, pane)) = self.0.pop_front() {
                gone(pane);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, pane)| pane)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i64, T)>()
    }

    pub(super) fn write(&self, out: &mut Encoder<'_>, mut write: impl FnMut(&T, &mut Encoder<'_>)) {
        out.length(self.0.len());
        for (number, pane) in &self.0 {
            out.i64(*number);
            write(pane, out);
        }
    }

    /// What [`Panes::write`] wrote: at most so many panes, in order.
    pub(super) fn read(
        bytes: &mut Decoder<'_>,
        most: usize,
        mut read: impl FnMut(&mut Decoder<'_>) -> Option<T>,
    ) -> Option<Self> {
        let mut panes = VecDeque::new();
        for _ in 0..bytes.length(most)? {
            let pane = (bytes.i64()?, read(bytes)?);
            if panes.back().is_some_and(|(number, _)| *number >= pane.0) {
                return None;
            }
            panes.push_back(pane);
        }
        Some(Self(panes))
    }
}
