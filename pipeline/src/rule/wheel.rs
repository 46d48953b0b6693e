//! When to look at a key again.
//!
//! Owns: [`Wheel`], 64 lists for the next seconds, 64 for minutes and 64 for hours. The lists' links are in the slots of
//! the keys, of which each is in one list.
//! Promises: a list comes up when its time has come and not later than the first whole second at which a key in it is due.
//! Never: moves a key at a hit. A key that comes up too early is put into a later list.

use super::SECOND;

/// The end of a list.
pub(super) const END: u32 = (1 << 31) - 1;

const LISTS: i64 = 64;
/// Seconds between lists of a level.
const WIDTHS: [i64; 3] = [1, 60, 3600];

/// The heads of the lists.
#[derive(Debug)]
pub(super) struct Wheel {
    /// The second up to which lists came up, from the first time on.
    now: Option<i64>,
    heads: [[u32; LISTS as usize]; WIDTHS.len()],
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { now: None, heads: [[END; LISTS as usize]; WIDTHS.len()] }
    }

    /// Whether lists may have come up since the last turn.
    pub(super) fn is_behind(&self, time: i64) -> bool {
        self.now.is_none_or(|now| time.div_euclid(SECOND) > now)
    }

    /// Goes to a time, and takes the lists on the way there, each with the second at which it comes up.
    pub(super) fn turn(&mut self, time: i64, lists: &mut Vec<(i64, u32)>) {
        let second = time.div_euclid(SECOND);
        let now = self.now.unwrap_or(second);
        for (heads, width) in self.heads.iter_mut().zip(WIDTHS) {
            let (from, to) = (now.div_euclid(width), second.div_euclid(width));
            for list in (from + 1)..=to.min(from + LISTS) {
                let head = std::mem::replace(&mut heads[list.rem_euclid(LISTS) as usize], END);
                if head != END {
                    lists.push((list * width, head));
                }
            }
        }
        self.now = Some(second.max(now));
    }

    /// The head of the list for a key that is due then.
    pub(super) fn list(&mut self, due: i64) -> &mut u32 {
        let second = due.div_euclid(SECOND) + i64::from(due.rem_euclid(SECOND) > 0);
        let now = *self.now.get_or_insert(second - 1);
        let second = second.max(now + 1);
        let ahead = |level: usize| second.div_euclid(WIDTHS[level]) - now.div_euclid(WIDTHS[level]);
        let level = (0..WIDTHS.len()).find(|&level| ahead(level) < LISTS).unwrap_or(WIDTHS.len() - 1);
        let list = now.div_euclid(WIDTHS[level]) + ahead(level).min(LISTS - 1);
        &mut self.heads[level][list.rem_euclid(LISTS) as usize]
    }
}
