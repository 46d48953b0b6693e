//! Windows: which stretches of event time belong together.
//!
//! Owns: [`Windows`], the kinds that aggregates know, [`Grid`], windows that follow from the clock alone, and [`Window`].
//! Promises: tumbling and hopping windows are half-open, `[start, end)`, and aligned to 1970-01-01T00:00:00Z plus their offset;
//! all arithmetic saturates, so that no time on earth or beyond panics.
//! Never: holds an event.

use std::fmt;
use std::time::Duration;

use crate::time::SECOND;

/// How events are put together by their times. All lengths are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// Tumbling and hopping windows.
    Grid(Grid),
    /// As long as no two events of a key lie further apart than `gap`, they are one session. Events exactly `gap` apart are.
    Session {
        /// The longest pause within a session.
        gap: i64,
        /// The longest session, from its first event to its last.
        max: i64,
    },
}

impl Windows {
    /// Whether an event of this time comes too late for all its windows.
    #[inline]
    #[must_use]
    pub fn is_late(&self, time: i64, watermark: i64) -> bool {
        match self {
            Self::Grid(grid) => grid.first_end(time) <= watermark,
            // A session may be over as soon as the watermark is behind its last event and the gap; until then one that comes
            // before the watermark may close it or not, by chance.
            Self::Session { .. } => time < watermark,
        }
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs());
        match self {
            Self::Grid(grid) if grid.is_tumbling() => write!(formatter, "windows of {:?}", length(grid.size)),
            Self::Grid(grid) => {
                write!(formatter, "windows of {:?}, one every {:?}", length(grid.size), length(grid.every))
            }
            Self::Session { gap, .. } => {
                write!(formatter, "sessions with pauses of at most {:?}", length(*gap))
            }
        }
    }
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Its end: the first moment behind a tumbling or hopping window, the last event of a session. First, as results come in
    /// the order of the ends.
    pub end: i64,
    /// Its first moment, or the first event of a session.
    pub start: i64,
}

impl Window {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // it is rounded to the nearest
        let nanos = self.end.saturating_sub(self.start) as f64;
        nanos / SECOND as f64
    }
}

/// Windows of one size that begin again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    size: i64,
    every: i64,
    offset: i64,
    pane: i64,
}

/// Why there is no such grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A length is zero or less.
    #[error("a window must have a length")]
    Empty,
    /// Some times would be in no window.
    #[error("windows that begin more rarely than they are long leave gaps")]
    Gaps,
    /// State would be kept in too many pieces.
    #[error("a window would be of more than 10000 pieces")]
    Panes,
}

/// Most panes of a window.
const PANES_MAX: i64 = 10_000;

impl Grid {
    /// Windows of `size` that begin `every` so often, `offset` after the hour or whatever it is; tumbling when both are the same.
    ///
    /// # Errors
    /// Lengths that are not above zero, `every` above `size`, or a size that is more than 10,000 of their greatest common measure.
    pub fn new(size: i64, every: i64, offset: i64) -> Result<Self, GridError> {
        if size <= 0 || every <= 0 {
            return Err(GridError::Empty);
        }
        if every > size {
            return Err(GridError::Gaps);
        }
        let pane = greatest_common_divisor(size, every);
        if size / pane > PANES_MAX {
            return Err(GridError::Panes);
        }
        Ok(Self { size, every, offset: offset.rem_euclid(every), pane })
    }

    /// The length of a window.
    #[must_use]
    pub fn size(&self) -> i64 {
        self.size
    }

    /// The time from the beginning of a window to that of the next.
    #[must_use]
    pub fn every(&self) -> i64 {
        self.every
    }

    /// Whether no two windows overlap.
    #[must_use]
    pub fn is_tumbling(&self) -> bool {
        self.size == self.every
    }

    /// The stretch in which no window begins or ends.
    #[must_use]
    pub fn pane(&self) -> i64 {
        self.pane
    }

    /// The beginning of the pane of a time.
    #[inline]
    #[must_use]
    pub fn pane_start(&self, time: i64) -> i64 {
        floor(time, self.pane, self.offset)
    }

    /// The end of the first window that the time is in. Once it is over, the event is late: it counts in all its windows, or in
    /// none.
    #[inline]
    #[must_use]
    pub fn first_end(&self, time: i64) -> i64 {
        if self.is_tumbling() {
            return floor(time, self.size, self.offset).saturating_add(self.size);
        }
        let before = floor(time.saturating_sub(self.size), self.every, self.offset);
        before.saturating_add(self.every).saturating_add(self.size)
    }

    /// The window that ends at `end`.
    #[must_use]
    pub fn ending(&self, end: i64) -> Window {
        Window { end, start: end.saturating_sub(self.size) }
    }
}

/// The greatest multiple of `step`, moved by `offset`, that is at most `time`.
#[inline]
fn floor(time: i64, step: i64, offset: i64) -> i64 {
    let time = time.saturating_sub(offset);
    time.saturating_sub(time.rem_euclid(step)).saturating_add(offset)
}

fn greatest_common_divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_and_ends_follow_from_the_clock() {
        // size, every, offset, time: pane, first end
        for (size, every, offset, time, pane, end) in [
            (60, 60, 0, 0, 0, 60),
            (60, 60, 0, 59, 0, 60),
            (60, 60, 0, 60, 60, 120),
            (60, 60, 0, -1, -60, 0),
            (60, 60, 15, 14, -45, 15),
            (60, 60, 75, 15, 15, 75),
            (10, 5, 0, 12, 10, 15),
            (10, 5, 0, 10, 10, 15),
            (10, 5, 0, 9, 5, 10),
            (10, 4, 0, 11, 10, 14),
            (10, 4, 1, 11, 11, 15),
            (10, 4, 1, 10, 9, 11),
        ] {
            let grid = Grid::new(size, every, offset).unwrap();
            assert_eq!(
                (grid.pane_start(time), grid.first_end(time)),
                (pane, end),
                "{size} {every} {offset} {time}"
            );
        }
    }

    #[test]
    fn the_first_end_is_that_of_the_first_window_that_holds_the_time() {
        for (size, every, offset) in [(10, 10, 3), (10, 4, 0), (10, 3, 1), (7, 1, 0), (12, 8, 5)] {
            let grid = Grid::new(size, every, offset).unwrap();
            for time in -50..50 {
                let starts = (-200..200).map(|number| offset + number * every);
                let holding = starts.filter(|start| (*start..start + size).contains(&time));
                assert_eq!(holding.map(|start| start + size).min(), Some(grid.first_end(time)));
                let pane = grid.pane_start(time);
                assert!((pane..pane + grid.pane()).contains(&time));
            }
        }
    }

    #[test]
    fn lengths_that_make_no_windows_are_refused() {
        assert_eq!(Grid::new(0, 1, 0), Err(GridError::Empty));
        assert_eq!(Grid::new(5, 0, 0), Err(GridError::Empty));
        assert_eq!(Grid::new(5, 6, 0), Err(GridError::Gaps));
        assert_eq!(Grid::new(1_000_001, 1_000, 0), Err(GridError::Panes));
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_panic() {
        let grid = Grid::new(10, 3, 2).unwrap();
        for time in [i64::MIN, i64::MAX] {
            let _ = (grid.pane_start(time), grid.first_end(time), grid.ending(time));
        }
    }
}
