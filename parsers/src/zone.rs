//! The zone of times that name none.
//!
//! Owns: [`Zone`]: a distance from UTC, or a table of when it changes.
//! Promises: every local time has one distance. An hour that clocks show twice is its first time; one that they leave
//! out counts from the distance before it.
//! Never: knows the rules of a zone; whoever makes the table does.

use alloc::sync::Arc;

/// A change of a zone's distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The moment of the change, in seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Seconds east of UTC from then on.
    pub offset: i32,
}

/// What turns a local time into a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC before the first change.
    first: i32,
    /// In order; `at` is the local second from which on the distance holds.
    changes: Option<Arc<[Change]>>,
}

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self::fixed(0);

    /// A zone that is always so many seconds east of UTC.
    #[must_use]
    pub const fn fixed(offset: i32) -> Self {
        Self { first: offset, changes: None }
    }

    /// A zone that is `first` seconds east of UTC until the first of these changes, which are in order.
    #[must_use]
    pub fn changing(first: i32, changes: impl Iterator<Item = Change>) -> Self {
        let mut before = first;
        let local = changes.map(|Change { at, offset }| {
            // In an hour that is shown twice the earlier distance holds, and it does in one that is left out.
            let at = at.saturating_add(i64::from(before.max(offset)));
            before = offset;
            Change { at, offset }
        });
        Self { first, changes: Some(local.collect()) }
    }

    /// Seconds east of UTC at a local time: seconds since 1970-01-01T00:00:00 of that zone.
    #[inline]
    #[must_use]
    pub fn offset_at(&self, local: i64) -> i32 {
        match &self.changes {
            None => self.first,
            Some(changes) => {
                let behind = changes.partition_point(|change| change.at <= local);
                behind.checked_sub(1).map_or(self.first, |last| changes[last].offset)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_jump_give_one_moment() {
        // As in central Europe in 2026: one hour east of UTC, two in summer.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        let changes = [Change { at: spring, offset: 7_200 }, Change { at: autumn, offset: 3_600 }];
        let zone = Zone::changing(3_600, changes.into_iter());
        for (local, offset) in [
            (spring + 3_600 - 1, 3_600),
            (spring + 3_600, 3_600), // 02:00:00, which no clock shows
            (spring + 7_200 - 1, 3_600),
            (spring + 7_200, 7_200),
            (autumn + 3_600, 7_200), // 02:00:00, the first time
            (autumn + 7_200 - 1, 7_200),
            (autumn + 7_200, 3_600),
        ] {
            assert_eq!(zone.offset_at(local), offset, "{local}");
        }
        assert_eq!(Zone::fixed(-60).offset_at(i64::MIN), -60);
    }
}
