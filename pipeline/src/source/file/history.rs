//! What is known of the streams that this source has read, now and before the start.
//!
//! Owns: [`History`].
//! Promises: a file that comes back, or is opened again, goes on where it was read to, as the same stream; what is
//! too old or too much is forgotten, the oldest first.
//! Never: does I/O; the checkpoints do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::identity::Naming;
use super::resume::HEAD_BYTES_MIN;
use super::siblings::Lost;
use crate::checkpoint::{FileId, Head, Record};
use crate::stream::Stream;

/// Streams without a file that are remembered: a rotation every minute for a week.
const GONE_MAX: usize = 10_000;

/// The streams that this source has read.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Boxed, so that a table that grows is small.
    by_stream: HashMap<u64, Box<Known>>,
    by_file: BTreeSet<(FileId, u64)>,
    /// The streams that no file is open for and whose fingerprint is long enough to know a moved file by.
    by_head: BTreeMap<u32, HashMap<[u8; 16], Vec<u64>>>,
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
        self.by_file.insert((record.file, record.stream));
        if !has_file {
            self.gone += 1;
            if record.head.len >= HEAD_BYTES_MIN {
                let by_hash = self.by_head.entry(record.head.len).or_default();
                by_hash.entry(record.head.hash).or_default().push(record.stream);
            }
        }
        self.by_stream.insert(record.stream, Box::new(Known { record, stream, has_file }));
    }

    fn remove(&mut self, stream: u64) -> Option<Known> {
        let known = self.by_stream.remove(&stream)?;
        if !known.has_file {
            self.gone -= 1;
            self.remove_head(known.record.head, stream);
        }
        self.by_file.remove(&(known.record.file, stream));
        Some(*known)
    }

    fn remove_head(&mut self, head: Head, stream: u64) {
        let Some(by_hash) = self.by_head.get_mut(&head.len) else { return };
        if let Some(streams) = by_hash.get_mut(&head.hash) {
            streams.retain(|&other| other != stream);
            if streams.is_empty() {
                by_hash.remove(&head.hash);
            }
        }
        if by_hash.is_empty() {
            self.by_head.remove(&head.len);
        }
    }

    pub(super) fn get(&self, stream: u64) -> Option<&Known> {
        self.by_stream.get(&stream).map(Box::as_ref)
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
        let streams = self.by_file.range((id, u64::MIN)..=(id, u64::MAX));
        streams.filter_map(|&(_, stream)| self.get(stream))
    }

    /// The streams that no file is open for and that began with these bytes.
    pub(super) fn gone_with_head(&self, naming: &Naming, first_bytes: &[u8]) -> impl Iterator<Item = &Known> {
        let lengths = self.by_head.iter().filter_map(|(&len, by_hash)| {
            let head = naming.head(first_bytes.get(..len as usize)?);
            by_hash.get(&head.hash)
        });
        lengths.flatten().filter_map(|&stream| self.get(stream)).collect::<Vec<_>>().into_iter()
    }

    /// The streams that no file is open for.
    fn gone(&self) -> impl Iterator<Item = &Known> {
        self.by_stream.values().map(Box::as_ref).filter(|known| !known.has_file)
    }

    /// The generation that a new stream of this file gets.
    pub(super) fn next_generation(&self, id: FileId) -> u32 {
        self.of_file(id).map(|known| known.record.generation.saturating_add(1)).max().unwrap_or(0)
    }

    /// What each path has led to. Whatever was made beside it since the oldest of these and is not among them was never
    /// seen, even if a newer one was: the process may have ended between the two.
    pub(super) fn lost(&self) -> HashMap<Arc<Path>, Lost> {
        let mut lost: HashMap<Arc<Path>, Lost> = HashMap::new();
        for record in self.by_stream.values().map(|known| &known.record) {
            let path = lost.entry(record.path.clone()).or_default();
            path.files.push(record.file);
            path.newest = path.newest.max(record.birth);
            path.birth = match path.birth {
                0 => record.birth,
                oldest => oldest.min(record.birth),
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn record(stream: u64, inode: u64, last_seen: i64, head: Head) -> Record {
        let file = FileId { device: 1, inode };
        Record { last_seen, head, ..testing::record(stream, file) }
    }

    #[test]
    fn only_old_streams_without_a_file_are_forgotten() {
        let seconds = |seconds| seconds * crate::time::SECOND;
        let mut history =
            History::new((1..=3).map(|n| record(n, n, seconds(n.cast_signed()), Head::default())).collect());
        history.change(1, |known| known.has_file = true);
        assert_eq!(history.expire(seconds(12), Duration::from_secs(10)), Vec::<u64>::new());
        assert_eq!(history.expire(seconds(13), Duration::from_secs(10)), [2]);
        assert!(history.get(2).is_none() && history.get(1).is_some() && history.get(3).is_some());
    }

    #[test]
    fn the_oldest_beyond_the_limit_are_forgotten() {
        let count = GONE_MAX as u64 + 1500;
        let records = (0..count).map(|n| record(n, n, n.cast_signed(), Head::default()));
        let mut history = History::new(records.collect());
        assert!(history.is_full());
        assert_eq!(history.expire(0, Duration::MAX), (0..1500).collect::<Vec<_>>());
        assert!(!history.is_full());
    }

    #[test]
    fn a_moved_file_is_known_by_its_first_bytes() {
        let naming = Naming { installation: 1, source: "web".into() };
        let (long, short) = (vec![b'x'; 300], vec![b'x'; 200]);
        let mut history =
            History::new(vec![record(1, 1, 0, naming.head(&long)), record(2, 2, 0, naming.head(&short))]);
        let found = |history: &History| {
            let known = history.gone_with_head(&naming, &[b'x'; 400]);
            known.map(|known| known.record.stream).collect::<Vec<_>>()
        };
        assert_eq!(found(&history), [1]);
        history.change(1, |known| known.has_file = true);
        assert!(found(&history).is_empty());
    }
}
