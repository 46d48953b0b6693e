//! Copies: a rotation that copies a file and then cuts it short.
//!
//! Owns: the part of the [`Reader`] that finds the copy and reads the rest from it.
//! Promises: lines that were in the file when it was copied and not yet read are read from the copy, as lines of the
//! stream that they belong to; a copy that a glob finds while it is made is not read as a file of its own.
//! Never: recovers what a writer appended after the copy and before the cut; nobody has that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::content::{self, Content};
use super::identity::Facts;
use super::reader::Reader;
use super::siblings::originals;
use super::status::FileCounters;
use super::tail::Tail;
use crate::checkpoint::Record;

/// How long what seems to be a copy of a live file may be one in the making.
const COPY_TIME_MAX: Duration = Duration::from_secs(5);

impl Reader {
    /// Looks for a copy of what was in the file `number` as this stream, and reads on in it. Says whether there is one.
    pub(super) fn recover_copy(&mut self, number: u64, stream: u64, now: Instant) -> bool {
        let Some(location) = self.tails.get(&number).map(|tail| Arc::clone(&tail.location)) else {
            return false;
        };
        let Some(record) = self.history.get(stream).map(|known| known.record.clone()) else { return false };
        if record.position.offset == 0 && record.head.len == 0 {
            return false;
        }
        let mut copies = Vec::new();
        for path in files_beside(&location) {
            if let Some(tail) = self.open_copy(&path, &record, now) {
                copies.push(tail);
            }
        }
        let Some(mut tail) = copies.into_iter().max_by_key(|tail| tail.modified) else { return false };
        if let Some(&other) = self.by_file.get(&tail.id) {
            if self.tails.get_mut(&other).is_some_and(|other| is_overwritten(other, stream)) {
                self.rewritten(other, now);
            }
            let read_already = self.tails.get(&other).is_some_and(|other| other.stream.is_some());
            let waiting = self.tails.get(&other).is_some_and(|other| other.storing);
            if read_already || waiting {
                return true;
            }
            self.close(other);
        }
        tracing::info!(copy = %tail.location.display(), from = record.position.offset, "reading the rest of a file \
            that was cut short from its copy");
        self.known.add(tail.id);
        let number = self.next_number;
        self.next_number += 1;
        FileCounters::add(&self.reading.status.counters.open, 1);
        self.by_file.insert(tail.id, number);
        self.reading.status.add(number, &tail.progress);
        self.resume(number, &mut tail, stream);
        tail.decided = true;
        tail.show();
        self.tails.insert(number, Box::new(tail));
        self.heat(number, now);
        true
    }

    /// The file at this path, if it has the bytes that the stream had.
    fn open_copy(&self, path: &Path, record: &Record, now: Instant) -> Option<Tail> {
        let metadata = path.symlink_metadata().ok()?;
        let facts = Facts::from(&metadata);
        if !metadata.is_file() || facts.id == record.file || facts.size < record.position.offset {
            return None;
        }
        let (file, facts) = content::open(path).ok()?;
        let mut tail = Tail::new(Arc::clone(&record.path), path.into(), Content::new(file), facts, now);
        // When a glob leads to it, discovery says so.
        tail.listed = false;
        let first_bytes = tail.first_bytes().ok()?;
        tail.text = super::encoding::Text::of(self.config.encoding, &first_bytes);
        let at = record.position;
        let same_marker = at.offset == 0 || tail.marker_at(at.offset).ok()? == Some(at.marker);
        (!tail.compressed && same_marker && self.naming.head_matches(record.head, &first_bytes))
            .then_some(tail)
    }

    /// Whether a new file begins like the file whose name its own name begins with, and may be its copy in the making.
    /// However short the beginning is: if it is no copy after all, it was only late.
    pub(super) fn copies_live_file(&self, number: u64, first_bytes: &[u8], now: Instant) -> bool {
        let Some(tail) = self.tails.get(&number) else { return false };
        if self.context.once || now.duration_since(tail.changed_at) >= COPY_TIME_MAX {
            return false;
        }
        let (Some(folder), Some(name)) = (tail.location.parent(), tail.location.file_name()) else {
            return false;
        };
        originals(name).any(|original| {
            let metadata = folder.join(original).symlink_metadata();
            let original = metadata.ok().and_then(|metadata| self.by_file.get(&Facts::from(&metadata).id));
            let original = original.filter(|&&original| original != number);
            original.and_then(|original| self.tails.get(original)).is_some_and(|original| {
                original.head.len > 0 && self.naming.head_matches(original.head, first_bytes)
            })
        })
    }
}

/// Whether a file that is the copy of this stream was read as another, and that one is there no longer.
fn is_overwritten(tail: &mut Tail, stream: u64) -> bool {
    let as_another = tail.stream.as_ref().is_some_and(|other| other.id() != stream);
    let place = tail.position;
    // What cannot be read now is met again, and said, by its next turn.
    as_another && tail.marker_at(place.offset).is_ok_and(|marker| marker != Some(place.marker))
}

/// The other files in the folder whose names begin as this one's, up to the first dot.
fn files_beside(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let name = name.as_encoded_bytes();
    let stem = name.iter().skip(1).position(|&byte| byte == b'.').map_or(name, |dot| &name[..=dot]);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok);
    let beside = entries.filter(|entry| {
        let other = entry.file_name();
        other.as_encoded_bytes().starts_with(stem) && other.as_encoded_bytes() != name
    });
    beside.map(|entry| entry.path()).collect()
}
