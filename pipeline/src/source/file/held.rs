//! Renamed and deleted files that are still open.
//!
//! Owns: the part of the [`Reader`] that counts them, and gives deleted ones up when the config says so.
//! Promises: without [`FileConfig::deleted_close_after`] none is closed before it is read to its end; what is given up
//! is said aloud and counted.
//! Never: reads a line.
//!
//! [`FileConfig::deleted_close_after`]: super::config::FileConfig::deleted_close_after

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::content::Content;
use super::reader::Reader;
use super::status::FileCounters;

impl Reader {
    /// Looks at the files that no path of the source leads to.
    pub(super) fn look_at_held(&mut self, now: Instant) {
        let (mut held, mut bytes, mut overdue) = (0, 0, Vec::new());
        for (&number, tail) in self.tails.iter_mut().filter(|(_, tail)| !tail.listed) {
            let Some(Ok(facts)) = tail.content.as_ref().map(Content::facts) else { continue };
            held += 1;
            if facts.links > 0 {
                tail.deleted_at = None;
                continue;
            }
            bytes += facts.size;
            let since = now.duration_since(*tail.deleted_at.get_or_insert(now));
            if self.config.deleted_close_after.is_some_and(|limit| since >= limit) {
                tail.note(facts, now);
                overdue.push(number);
            }
        }
        let counters = &self.reading.status.counters;
        counters.held.store(held, Ordering::Relaxed);
        counters.held_bytes.store(bytes, Ordering::Relaxed);
        for number in overdue {
            self.give_up(number);
        }
    }

    /// Closes a deleted file, read to its end or not.
    fn give_up(&mut self, number: u64) {
        let Some(tail) = self.tails.get(&number) else { return };
        // How long a compressed file is shows only at its end.
        let unread = if tail.size == u64::MAX { tail.disk_size } else { tail.unread() };
        if unread > 0 {
            FileCounters::add(&self.reading.status.counters.lost_bytes_possible, unread);
            tracing::warn!(path = %tail.location.display(), unread,
                "a deleted file was not read to its end within deleted_close_after; its last bytes are given up");
        }
        self.close(number);
    }
}
