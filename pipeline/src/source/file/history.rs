//! What is known of the streams that this source has read, now and before the start.
//!
//! Owns: [`History`].
//! Promises: a file that comes back, or is opened again, goes on where it was read to, as the same stream; what is
//! too old or too much is forgotten, the oldest first.
//! Never: does I/O; the checkpoints do.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::siblings::Lost;
use crate::checkpoint::{FileId, Record};
use crate::stream::Stream;

/// Streams without a file that are remembered: a rotation every minute for a week.
const GONE_MAX: usize = 10_000;

/// The streams that this source has read.
#[derive(Debug, Default)]
pub(super) struct History {
    by_stream: HashMap<u64, Known>,
    by_file: HashMap<FileId, Vec<u64>>,
    gone: usize,
}

/// One stream: its record with the position that reading has reached, and whether a file is open for it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) record: Record,
    pub(super) stream: Weak<Stream>,
    pub(super) has_file: bool,
}

impl History {
    pub(super) fn new(records: Vec<Record>) -> Self {
        let mut history = Self::default();
        for record in records {
            history.insert(record, Weak::new(), false);
        }
        history
    }

    /// Adds a stream that a file is open for.
    pub(super) fn add(&mut self, record: Record, stream: &Arc<Stream>) {
        self.remove(record.stream);
        self.insert(record, Arc::downgrade(stream), true);
    }

    fn insert(&mut self, record: Record, stream: Weak<Stream>, has_file: bool) {
        self.by_file.entry(record.file).or_default().push(record.stream);
        self.gone += usize::from(!has_file);
        self.by_stream.insert(record.stream, Known { record, stream, has_file });
    }

    fn remove(&mut self, stream: u64) -> Option<Known> {
        let known = self.by_stream.remove(&stream)?;
        self.gone -= usize::from(!known.has_file);
        if let Some(streams) = self.by_file.get_mut(&known.record.file) {
            streams.retain(|&other| other != stream);
            if streams.is_empty() {
                self.by_file.remove(&known.record.file);
            }
        }
        Some(known)
    }

    pub(super) fn get(&self, stream: u64) -> Option<&Known> {
        self.by_stream.get(&stream)
    }

    /// Changes a stream's record; its file may become another.
    pub(super) fn change(&mut self, stream: u64, change: impl FnOnce(&mut Known)) {
        if let Some(mut known) = self.remove(stream) {
            change(&mut known);
            self.insert(known.record, known.stream, known.has_file);
        }
    }

    /// The streams of this file, or of others with its number before it.
    pub(super) fn of_file(&self, id: FileId) -> impl Iterator<Item = &Known> {
        let streams = self.by_file.get(&id).into_iter().flatten();
        streams.filter_map(|stream| self.by_stream.get(stream))
    }

    /// The streams that no file is open for.
    pub(super) fn gone(&self) -> impl Iterator<Item = &Known> {
        self.by_stream.values().filter(|known| !known.has_file)
    }

    /// The generation that a new stream of this file gets.
    pub(super) fn next_generation(&self, id: FileId) -> u32 {
        self.of_file(id).map(|known| known.record.generation.saturating_add(1)).max().unwrap_or(0)
    }

    /// What each path led to when it was last seen.
    pub(super) fn lost(&self) -> HashMap<PathBuf, Lost> {
        let mut lost: HashMap<PathBuf, Lost> = HashMap::new();
        for Known { record, .. } in self.by_stream.values() {
            let path = lost.entry(record.path.clone()).or_default();
            path.files.push(record.file);
            path.birth = path.birth.max(record.birth);
        }
        lost
    }

    /// Forgets streams without a file that were not seen for `ttl`, and the oldest beyond what is remembered. Returns
    /// the forgotten ones. `now` is in nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn expire(&mut self, now: i64, ttl: Duration) -> Vec<u64> {
        let oldest = now.saturating_sub(i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX));
        let mut gone =
            self.gone().map(|known| (known.record.last_seen, known.record.stream)).collect::<Vec<_>>();
        gone.sort_unstable();
        let excess = gone.len().saturating_sub(GONE_MAX);
        let mut forgotten = Vec::new();
        for (index, (last_seen, stream)) in gone.into_iter().enumerate() {
            if index < excess || last_seen < oldest {
                self.remove(stream);
                forgotten.push(stream);
            }
        }
        forgotten
    }

    /// Whether it is worth looking for streams to forget.
    pub(super) fn is_full(&self) -> bool {
        self.gone > GONE_MAX + GONE_MAX / 10
    }
}
