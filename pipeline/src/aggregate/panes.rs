//! Tumbling and hopping windows.
//!
//! Owns: [`Panes`].
//! Promises: an event is added once, to its pane, however many windows it is in; each window's result comes once, when the
//! watermark has reached its end, in the order of the ends; what a window costs to close does not depend on how many panes it has.
//! Never: sees an event that is late.
//!
//! Panes that the watermark has passed wait in two stacks (the "two-stacks" algorithm; Tangwongsan, Hirzel, Schneider: "Low-latency
//! sliding-window aggregation in worst-case constant time", DEBS 2017, section 2): the older ones each hold the sum of themselves and
//! all younger ones in their stack, the younger ones have one sum together. A window is the oldest pane of the one stack and the
//! sum of the other; each pane is merged twice in its life. That takes nothing from a function but that parts merge in any order.

use std::collections::VecDeque;

use super::function::Kept;
use super::rows::{Full, Rows};
use super::samples::Sample;
use crate::snapshot::{Decoder, Encoder, Saved};
use crate::window::{Grid, Window};

/// The state of tumbling or hopping windows.
#[derive(Clone, Debug)]
pub(super) struct Panes {
    grid: Grid,
    kept: Vec<Kept>,
    groups_max: usize,
    /// Panes that events may still come for, the oldest first.
    open: VecDeque<Pane>,
    /// Closed panes, the youngest first, each with all before it in the list.
    older: Vec<Pane>,
    /// Closed panes younger than those, the oldest first.
    younger: Vec<Pane>,
    /// The sum of `younger`.
    younger_sum: Rows,
    /// The end of the last window that was closed while panes are closed.
    last_end: Option<i64>,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Pane {
    start: i64,
    rows: Rows,
}

impl Panes {
    pub(super) fn new(grid: Grid, kept: &[Kept], groups_max: usize) -> Self {
        Self {
            grid,
            kept: kept.to_vec(),
            groups_max,
            open: VecDeque::new(),
            older: Vec::new(),
            younger: Vec::new(),
            younger_sum: Rows::new(kept),
            last_end: None,
            refused: 0,
        }
    }

    /// Adds an event that is not late.
    ///
    /// # Errors
    /// Its group is new, and there is no room for it.
    #[inline]
    pub(super) fn add(&mut self, sample: &Sample<'_>) -> Result<(), Full> {
        let start = self.grid.pane_start(sample.time);
        // Most events belong to the youngest pane.
        let place = match self.open.back() {
            Some(pane) if pane.start == start => self.open.len() - 1,
            _ => self.place(start),
        };
        self.open[place].rows.add(sample, self.groups_max)
    }

    /// The place of the pane that begins here; it is made if it is not there.
    fn place(&mut self, start: i64) -> usize {
        let place = self.open.partition_point(|pane| pane.start < start);
        if self.open.get(place).is_none_or(|pane| pane.start != start) {
            self.open.insert(place, Pane { start, rows: Rows::new(&self.kept) });
        }
        place
    }

    /// Closes the windows whose ends the watermark has reached, and gives the groups of each to `take`.
    pub(super) fn close(&mut self, watermark: i64, mut take: impl FnMut(Window, &Rows)) {
        while let Some(end) = self.next_end().filter(|end| *end <= watermark) {
            let window = self.grid.ending(end);
            if self.grid.is_tumbling() {
                if let Some(pane) = self.open.pop_front() {
                    take(window, &pane.rows);
                }
                continue;
            }
            self.last_end = Some(end);
            while self.open.front().is_some_and(|pane| pane.start < end) {
                self.open.pop_front().into_iter().for_each(|pane| self.close_pane(pane));
            }
            self.expire(window.start);
            match self.older.last() {
                None => take(window, &self.younger_sum),
                Some(oldest) if self.younger_sum.is_empty() => take(window, &oldest.rows),
                Some(oldest) => {
                    let mut sum = oldest.rows.clone();
                    self.refused += sum.merge(&self.younger_sum, self.groups_max);
                    take(window, &sum);
                }
            }
            self.forget_what_is_over(end);
        }
    }

    /// The end of the next window that has events; the earliest moment when one closes.
    fn next_end(&self) -> Option<i64> {
        let open = self.open.front().map(|pane| self.grid.first_end(pane.start));
        let closed = self.last_end.map(|end| end.saturating_add(self.grid.every()));
        open.into_iter().chain(closed).min()
    }

    /// Forgets what is closed when the window after the one that ended here has nothing of it.
    fn forget_what_is_over(&mut self, end: i64) {
        let newest = self.younger.last().or(self.older.first()).map(|pane| pane.start);
        let next = self.grid.ending(end.saturating_add(self.grid.every()));
        if newest.is_none_or(|newest| newest < next.start) {
            self.older.clear();
            self.younger.clear();
            self.younger_sum = Rows::new(&self.kept);
            self.last_end = None;
        }
    }

    fn close_pane(&mut self, pane: Pane) {
        self.refused += self.younger_sum.merge(&pane.rows, self.groups_max);
        self.younger.push(pane);
    }

    /// Drops what begins before a window does.
    fn expire(&mut self, window_start: i64) {
        if self.older.is_empty() && self.younger.first().is_some_and(|pane| pane.start < window_start) {
            self.turn_over(window_start);
        }
        while self.older.last().is_some_and(|pane| pane.start < window_start) {
            self.older.pop();
            if self.older.is_empty() {
                self.expire(window_start);
            }
        }
    }

    /// Moves all younger panes that are still needed to the older ones.
    fn turn_over(&mut self, window_start: i64) {
        for mut pane in self.younger.drain(..).rev().take_while(|pane| pane.start >= window_start) {
            if let Some(after) = self.older.last() {
                self.refused += pane.rows.merge(&after.rows, self.groups_max);
            }
            self.older.push(pane);
        }
        self.younger_sum = Rows::new(&self.kept);
    }

    /// How often a group found no room in a window since it was asked last.
    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Groups, each as often as there are panes with it.
    pub(super) fn groups(&self) -> usize {
        self.rows().map(Rows::len).sum()
    }

    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        self.rows().map(Rows::bytes).sum()
    }

    pub(super) fn save(&self, out: &mut Encoder<'_>) {
        self.last_end.save(out);
        save_panes(self.open.iter(), out);
        save_panes(self.older.iter(), out);
        save_panes(self.younger.iter(), out);
        self.younger_sum.save(out);
    }

    /// Takes over what windows of the same settings have saved.
    pub(super) fn load(&mut self, from: &mut Decoder<'_>) -> Option<()> {
        self.last_end = Saved::load(from)?;
        self.open = load_panes(&self.kept, from)?.into();
        self.older = load_panes(&self.kept, from)?;
        self.younger = load_panes(&self.kept, from)?;
        self.younger_sum = Rows::load(&self.kept, from)?;
        Some(())
    }

    fn rows(&self) -> impl Iterator<Item = &Rows> {
        let panes = self.open.iter().chain(&self.older).chain(&self.younger);
        panes.map(|pane| &pane.rows).chain([&self.younger_sum])
    }
}

fn save_panes<'p>(panes: impl ExactSizeIterator<Item = &'p Pane>, out: &mut Encoder<'_>) {
    out.u64(panes.len() as u64);
    for pane in panes {
        out.i64(pane.start);
        pane.rows.save(out);
    }
}

fn load_panes(kept: &[Kept], from: &mut Decoder<'_>) -> Option<Vec<Pane>> {
    let panes = from.u64()?;
    let load = |_| Some(Pane { start: from.i64()?, rows: Rows::load(kept, from)? });
    (0..panes).map(load).collect()
}
