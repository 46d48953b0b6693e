//! Cuts: events that are ended by decision and not by what is written.
//!
//! Owns: the part of the [`Reader`] that stores cuts, and the part of a [`Tail`] that keeps to them.
//! Promises: a last line that nobody ended, or an event of several lines that has waited long enough, is sent only when
//! the place at which it was ended is on the disk. Whoever reads it again, after a `kill -9` before the
//! acknowledgement was stored, ends it there again: the same event under the same id, and what the writer has
//! appended meanwhile is another event.
//! Never: waits for a store that cannot be written, nor for acknowledgements; such an end stays open, and may still be
//! completed by its writer.

use std::time::{Duration, Instant};

use super::lines::End;
use super::reader::{Reader, STORE_RETRY, Visit};
use super::tail::Tail;
use super::turn::Turn;
use crate::checkpoint::CUTS_MAX;

/// How long cuts are gathered at least, so that many files share one commit.
const STORE_EVERY: Duration = Duration::from_millis(50);

/// A place at which a file's events are to be cut, once it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedCut {
    pub(super) number: u64,
    pub(super) stream: u64,
    pub(super) offset: u64,
}

impl Reader {
    /// What becomes of an incomplete end when a decision could not be stored, or when too many are not acknowledged.
    pub(super) fn end_allowed(&mut self, number: u64, end: End, now: Instant) -> End {
        let storable = self.store_again_at.is_none_or(|at| now >= at);
        let Some(tail) = self.tails.get_mut(&number) else { return end };
        if end == End::Open || tail.unread() == 0 || tail.deleted || (storable && tail.has_room_for_cut()) {
            end
        } else {
            End::Open
        }
    }

    /// A file's events are to end at `offset`.
    pub(super) fn cut(&mut self, number: u64, offset: u64, now: Instant) -> Visit {
        let Some(tail) = self.tails.get_mut(&number) else { return Visit::Close };
        let Some(stream) = tail.stream.as_ref().map(|stream| stream.id()) else { return Visit::Close };
        if tail.deleted {
            // Nobody can write to its end under a name, and no later run can open it.
            tail.cut_at(offset);
            return Visit::Again(Duration::ZERO);
        }
        tail.storing = true;
        self.wanted_cuts.push(WantedCut { number, stream, offset });
        Visit::Again(self.cuts_due_at.saturating_duration_since(now))
    }

    /// Stores the cuts that are wanted, all in one commit. On failure the events stay open; the store has said so.
    pub(super) fn store_cuts(&mut self, now: Instant) {
        if self.wanted_cuts.is_empty() || now < self.cuts_due_at {
            return;
        }
        let wanted = std::mem::take(&mut self.wanted_cuts);
        let cuts = wanted.iter().map(|cut| (cut.stream, cut.offset)).collect::<Vec<_>>();
        let stored = self.checkpoints.cut_durably(&cuts).is_ok();
        self.store_again_at = (!stored).then(|| Instant::now() + STORE_RETRY);
        self.cuts_due_at = Instant::now() + STORE_EVERY;
        for cut in wanted {
            let Some(tail) = self.tails.get_mut(&cut.number) else { continue };
            if tail.stream.as_ref().is_some_and(|stream| stream.id() == cut.stream) {
                tail.storing = false;
                if stored {
                    tail.cut_at(cut.offset);
                }
            }
        }
    }
}

impl Tail {
    /// The next place at which events end whatever follows, as far as the file reaches.
    pub(super) fn next_cut(&self) -> Option<u64> {
        let ahead = |&cut: &u64| cut > self.position.offset && cut <= self.size;
        self.cuts.iter().copied().find(ahead)
    }

    /// The end is complete up to `consumed` bytes behind the position, as decided; with 0 nothing is.
    pub(super) fn close_end(&mut self, consumed: u64, end: End) -> Result<(), Turn> {
        if consumed > 0 {
            return Err(Turn::Cut(self.position.offset + consumed));
        }
        self.tried = Some((self.size, end));
        Ok(())
    }

    fn cut_at(&mut self, offset: u64) {
        self.cuts.push(offset);
        self.tried = None;
    }

    fn has_room_for_cut(&mut self) -> bool {
        let acknowledged = self.stream.as_ref().map_or(0, |stream| stream.acknowledged().offset);
        self.cuts.retain(|&cut| cut > acknowledged);
        self.cuts.len() < CUTS_MAX
    }
}
