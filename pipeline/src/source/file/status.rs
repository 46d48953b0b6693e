//! What a file source tells about itself.
//!
//! Owns: [`FileSourceStatus`], its counters, and one [`Progress`] a file.
//! Promises: reading it costs the reader thread nothing but an atomic store a batch.
//! Never: decides anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::stream::Stream;

/// The state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FileState {
    /// It waits for its first line, or for its identity to be stored.
    Waiting,
    /// It is read as it grows.
    Active,
    /// It has not grown for a while.
    Idle,
    /// It was renamed or deleted and is read to its end.
    Rotated,
}

impl FileState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Active, Self::Idle, Self::Rotated];

    /// The state in one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Rotated => "rotated",
        }
    }
}

/// One file at one moment.
#[derive(Clone, Debug)]
pub struct FileStatus {
    /// Its path.
    pub path: Arc<Path>,
    /// Its size when last looked at, in bytes.
    pub size: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes before which everything is acknowledged.
    pub acknowledged: u64,
    /// Bytes that are not yet acknowledged.
    pub lag: u64,
    /// What it is doing.
    pub state: FileState,
}

/// How often what happened, since the start.
#[derive(Debug, Default)]
pub struct FileCounters {
    /// Files open now.
    pub open: AtomicU64,
    /// Renamed or deleted files that are still open; counted with every look at idle files.
    pub held: AtomicU64,
    /// Bytes of the deleted ones among them, which keep their space on the disk.
    pub held_bytes: AtomicU64,
    /// Files that were renamed or deleted, read to their end and closed.
    pub rotated: AtomicU64,
    /// Files that were cut short or written anew in place.
    pub truncated: AtomicU64,
    /// Bytes that were in a file when it was cut short and in no copy of it, or when it was given up: lost, unless
    /// someone has read them.
    pub lost_bytes_possible: AtomicU64,
    /// Lines that were longer than the limit.
    pub cut_lines: AtomicU64,
    /// Paths that could not be listed, opened or read.
    pub errors: AtomicU64,
    /// Paths that were left alone because they lead to a file that this process writes.
    pub own_files: AtomicU64,
    /// Reads of idle files that had been closed.
    pub reopened: AtomicU64,
}

impl FileCounters {
    pub(super) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn subtract(counter: &AtomicU64, number: u64) {
        counter.fetch_sub(number, Ordering::Relaxed);
    }
}

/// What a file source tells about itself.
#[derive(Debug, Default)]
pub struct FileSourceStatus {
    /// How often what happened.
    pub counters: FileCounters,
    files: Mutex<BTreeMap<u64, Arc<Progress>>>,
}

impl FileSourceStatus {
    /// All files that are read at this moment, ordered by path.
    #[must_use]
    pub fn files(&self) -> Vec<FileStatus> {
        let files = self.locked().values().map(Arc::clone).collect::<Vec<_>>();
        let mut files = files.iter().map(|progress| progress.status()).collect::<Vec<_>>();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    pub(super) fn add(&self, number: u64, progress: &Arc<Progress>) {
        self.locked().insert(number, Arc::clone(progress));
    }

    pub(super) fn remove(&self, number: u64) {
        self.locked().remove(&number);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Progress>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One file's progress, written by the reader.
#[derive(Debug)]
pub(super) struct Progress {
    path: Arc<Path>,
    size: AtomicU64,
    read: AtomicU64,
    state: AtomicU8,
    stream: Mutex<Option<Arc<Stream>>>,
}

impl Progress {
    pub(super) fn new(path: &Arc<Path>) -> Arc<Self> {
        Arc::new(Self {
            path: Arc::clone(path),
            size: AtomicU64::new(0),
            read: AtomicU64::new(0),
            state: AtomicU8::new(FileState::Waiting as u8),
            stream: Mutex::new(None),
        })
    }

    pub(super) fn set(&self, size: u64, read: u64) {
        self.size.store(size, Ordering::Relaxed);
        self.read.store(read, Ordering::Relaxed);
    }

    pub(super) fn set_state(&self, state: FileState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(super) fn set_stream(&self, stream: Option<Arc<Stream>>) {
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = stream;
    }

    fn status(&self) -> FileStatus {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let acknowledged = stream.as_ref().map_or(0, |stream| stream.acknowledged().offset);
        let size = self.size.load(Ordering::Relaxed);
        let state = usize::from(self.state.load(Ordering::Relaxed));
        FileStatus {
            path: Arc::clone(&self.path),
            size,
            read: self.read.load(Ordering::Relaxed),
            acknowledged,
            lag: size.saturating_sub(acknowledged),
            state: FileState::ALL.get(state).copied().unwrap_or(FileState::Waiting),
        }
    }
}
