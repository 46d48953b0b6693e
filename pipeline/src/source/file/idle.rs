//! Files that do not grow: kept cheap, and noticed when they do.
//!
//! Owns: the part of the [`Reader`] that lets files rest, looks at them, closes and opens their descriptors, and
//! forgets streams of old.
//! Promises: an idle file costs one `stat` every [`FileConfig::idle_check_every`] and, beyond the limit, no descriptor.
//! Never: reads a line.
//!
//! [`FileConfig::idle_check_every`]: super::config::FileConfig::idle_check_every

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::content::{self, Content};
use super::identity::Facts;
use super::reader::{Next, Reader};
use super::status::{FileCounters, FileState};
use crate::checkpoint::FileId;

impl Reader {
    /// Takes a file off the hot list.
    pub(super) fn rest(&mut self, number: u64) {
        let open = self.reading.status.counters.open.load(Ordering::Relaxed);
        let limit = self.config.max_open_files as u64;
        let Some(tail) = self.tails.get_mut(&number) else {
            return;
        };
        tail.hot = false;
        tail.progress.set_state(if tail.stream.is_some() { FileState::Idle } else { FileState::Waiting });
        if open > limit || tail.compressed {
            self.sleep(number);
        }
        self.release(number);
    }

    /// Closes the descriptor of an idle file.
    pub(super) fn sleep(&mut self, number: u64) {
        if let Some(tail) = self.tails.get_mut(&number)
            && tail.content.take().is_some()
        {
            FileCounters::subtract(&self.reading.status.counters.open, 1);
        }
    }

    /// Looks at all files that are not hot, and at how many are open.
    pub(super) fn look_at_idle(&mut self, now: Instant) {
        self.idle_looked_at = now;
        let mut changed = Vec::new();
        for (&number, tail) in self.tails.iter().filter(|(_, tail)| !tail.hot) {
            let facts = match &tail.content {
                Some(content) => content.facts(),
                None => std::fs::metadata(&tail.location).map(|metadata| Facts::from(&metadata)),
            };
            let same = facts.is_ok_and(|facts| {
                let unchanged = facts.size == tail.disk_size && facts.modified == tail.modified;
                facts.id == tail.id && unchanged && facts.links > 0
            });
            if !same {
                changed.push(number);
            }
        }
        for number in changed {
            self.heat(number, now);
        }
        self.look_at_held(now);
        self.limit_open_files();
    }

    /// Closes idle files until no more are open than allowed, those that were idle for longest first.
    fn limit_open_files(&mut self) {
        let open = self.reading.status.counters.open.load(Ordering::Relaxed);
        // Discovery could not open a file: it gets room, whatever the limit says.
        let limit = if self.known.is_starved() { open / 2 } else { self.config.max_open_files as u64 };
        let excess = usize::try_from(open.saturating_sub(limit)).unwrap_or(usize::MAX);
        if excess == 0 {
            return;
        }
        let idle = self.tails.iter().filter(|(_, tail)| !tail.hot && tail.content.is_some());
        let mut idle = idle.map(|(&number, tail)| (tail.changed_at, number)).collect::<Vec<_>>();
        idle.sort_unstable();
        for (_, number) in idle.into_iter().take(excess) {
            self.sleep(number);
        }
    }

    /// Opens a file that was closed to save descriptors.
    ///
    /// # Errors
    /// When it cannot be opened now, and may be later.
    pub(super) fn wake(&mut self, number: u64, now: Instant) -> io::Result<Next> {
        let Some(tail) = self.tails.get_mut(&number) else {
            return Ok(Next::Return);
        };
        match content::open(&tail.location) {
            Ok((file, facts)) if facts.id == tail.id => {
                tail.content = Some(Content::new(file));
                tail.note(facts, now);
                FileCounters::add(&self.reading.status.counters.open, 1);
                FileCounters::add(&self.reading.status.counters.reopened, 1);
                self.check_identity(number, now);
                Ok(Next::GoOn)
            }
            Err(error) if !leads_elsewhere(&error) => Err(error),
            Ok(_) | Err(_) => self.chase(number, now),
        }
    }

    /// A closed file is not at its path any more: looks for it beside that.
    ///
    /// # Errors
    /// When it cannot be looked for or opened now, and may be later.
    fn chase(&mut self, number: u64, now: Instant) -> io::Result<Next> {
        let Some(tail) = self.tails.get_mut(&number) else {
            return Ok(Next::Return);
        };
        tail.listed = false;
        let Some(location) = find_by_number(&tail.location, tail.id)? else {
            FileCounters::add(&self.reading.status.counters.lost_bytes_possible, tail.unread());
            return Ok(Next::Return);
        };
        match content::open(&location)? {
            (file, facts) if facts.id == tail.id => {
                tail.content = Some(Content::new(file));
                tail.location = location.into();
                tail.note(facts, now);
                FileCounters::add(&self.reading.status.counters.open, 1);
                Ok(Next::GoOn)
            }
            // It was renamed again meanwhile.
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Tells the checkpoints which files are still there, and forgets streams of old.
    pub(super) fn tidy_history(&mut self, now: Instant) {
        self.history_looked_at = now;
        let seen = crate::time::now();
        for stream in self.by_stream.keys() {
            self.history.change(*stream, |known| known.record.last_seen = seen);
            self.checkpoints.update(*stream, |record| record.last_seen = seen);
        }
        for stream in self.history.expire(seen, self.config.checkpoint_ttl) {
            self.checkpoints.forget(stream);
        }
    }
}

/// Whether something else than a file is at a path now, or nothing.
fn leads_elsewhere(error: &io::Error) -> bool {
    // What is no regular file is refused as an invalid input.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
    )
}

/// The path in the same folder that leads to this file.
fn find_by_number(path: &Path, id: FileId) -> io::Result<Option<PathBuf>> {
    let Some(folder) = path.parent() else { return Ok(None) };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if leads_elsewhere(&error) => return Ok(None),
        entries => entries?,
    };
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_it =
        |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| Facts::from(&metadata).id == id);
    Ok(paths.find(is_it))
}
