//! Checkpoints: how far each stream is acknowledged, durable under `data_dir`.
//!
//! Owns: [`Checkpoints`], the records of all streams in memory and their copy in the store.
//! Promises: the records in memory are the authority; a stream's record is on the disk before
//! [`Checkpoints::put_durably`] returns; positions of all streams move in one transaction; a store that cannot be
//! written is tried again with a growing pause and then written whole.
//! Never: moves a position past what its stream acknowledged; never stops the process.

mod record;
mod store;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use record::{CUTS_MAX, DecodeError, FileId, Head, Record};
use store::{Changes, Store, Stored};

use crate::stop::Stop;
use crate::stream::Stream;

/// The store's file below `data_dir`.
const STORE_FILE: &str = "checkpoints.redb";
/// How often positions are written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause between two tries to write.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a store that stays unwritable is spoken of.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// The store cannot be read or written at this moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot write checkpoints to {path:?}: {source}; new files wait until this is possible again")]
pub struct CheckpointError {
    path: PathBuf,
    source: Arc<redb::Error>,
}

/// The checkpoints of all sources.
#[derive(Debug)]
pub struct Checkpoints {
    entries: Mutex<Entries>,
    /// Locked before `entries`, and held during disk writes, which `entries` never is.
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Boxed, so that a table that grows is small.
    by_stream: HashMap<u64, Box<Entry>>,
    forgotten: HashSet<u64>,
    /// The sources that have started once.
    started: HashSet<Arc<str>>,
    /// Whether one of them is not stored yet.
    new_start: bool,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    dirty: bool,
    /// The stream whose acknowledged position the record follows, while anyone holds it.
    stream: Option<Arc<Stream>>,
}

#[derive(Debug)]
struct Writer {
    store: Store,
    loaded: bool,
    /// Whether the file may differ from what the entries' `dirty` says.
    rewrite: bool,
    pause: Duration,
    retry_at: Option<Instant>,
    warned_at: Option<Instant>,
    last_error: Option<CheckpointError>,
}

impl Checkpoints {
    /// The checkpoints in this data directory. A store that cannot be opened now is tried again whenever it is needed.
    #[must_use]
    pub fn open(data_dir: &Path) -> Arc<Self> {
        let writer = Writer {
            store: Store::new(data_dir.join(STORE_FILE)),
            loaded: false,
            rewrite: false,
            pause: PAUSE_MIN,
            retry_at: None,
            warned_at: None,
            last_error: None,
        };
        let checkpoints = Arc::new(Self { entries: Mutex::default(), writer: Mutex::new(writer) });
        // A failure is said aloud by the attempt and met again by whoever asks for records.
        drop(checkpoints.writer().ensure_open(&checkpoints));
        checkpoints
    }

    /// All records of a source.
    ///
    /// # Errors
    /// While the store could never be read.
    pub fn records(&self, source: &str) -> Result<Vec<Record>, CheckpointError> {
        self.ensure_loaded()?;
        let entries = self.entries();
        let records = entries.by_stream.values().map(|entry| &entry.record);
        Ok(records.filter(|record| *record.source == *source).cloned().collect())
    }

    /// Whether a source has started before, so that files it does not know are newer than its first start.
    ///
    /// # Errors
    /// While the store could never be read.
    pub fn has_started(&self, source: &str) -> Result<bool, CheckpointError> {
        self.ensure_loaded()?;
        Ok(self.entries().started.contains(source))
    }

    /// Remembers that a source has started, though it has no stream yet; the record of a stream says so as well.
    ///
    /// # Errors
    /// When it is not on the disk; it is then written with the next flush.
    pub fn start_durably(&self, source: &str) -> Result<(), CheckpointError> {
        let mut writer = self.writer();
        self.entries().start(&source.into());
        writer.write(self, Vec::new())
    }

    /// Stores the records of new streams and follows their positions from now on. All or none are taken.
    ///
    /// # Errors
    /// When they are not on the disk; the caller keeps the streams waiting and tries again.
    pub fn put_durably(&self, streams: Vec<(Record, Arc<Stream>)>) -> Result<(), CheckpointError> {
        let mut writer = self.writer();
        let records = streams.iter().map(|(record, _)| record.clone()).collect::<Vec<_>>();
        let mut entries = self.entries();
        records.iter().for_each(|record| entries.start(&record.source));
        drop(entries);
        writer.write(self, records)?;
        let mut entries = self.entries();
        for (record, stream) in streams {
            entries.forgotten.remove(&record.stream);
            let entry = Entry { record, dirty: false, stream: Some(stream) };
            entries.by_stream.insert(entry.record.stream, Box::new(entry));
        }
        Ok(())
    }

    /// Stores places at which events of streams are ended before their own end is written: pairs of a stream's id and
    /// an offset, at most [`CUTS_MAX`] behind a stream's acknowledged position. All or none are taken.
    ///
    /// # Errors
    /// When they are not on the disk; the caller must not end the events there.
    pub fn cut_durably(&self, cuts: &[(u64, u64)]) -> Result<(), CheckpointError> {
        let mut writer = self.writer();
        let mut entries = self.entries();
        for &(stream, offset) in cuts {
            if let Some(entry) = entries.by_stream.get_mut(&stream) {
                entry.take_position();
                entry.record.cuts.push(offset);
                entry.dirty = true;
            }
        }
        drop(entries);
        let written = writer.write(self, Vec::new());
        if written.is_err() {
            let mut entries = self.entries();
            for (stream, offset) in cuts {
                if let Some(entry) = entries.by_stream.get_mut(stream) {
                    entry.record.cuts.retain(|cut| cut != offset);
                }
            }
        }
        written
    }

    /// Follows the position of a stream whose record is stored already.
    pub fn follow(&self, stream: &Arc<Stream>) {
        if let Some(entry) = self.entries().by_stream.get_mut(&stream.id()) {
            entry.stream = Some(Arc::clone(stream));
        }
    }

    /// Changes what is known of a stream, apart from its position and cuts; written with the next flush.
    pub fn update(&self, stream: u64, change: impl FnOnce(&mut Record)) {
        if let Some(entry) = self.entries().by_stream.get_mut(&stream) {
            change(&mut entry.record);
            entry.dirty = true;
        }
    }

    /// Forgets a stream.
    pub fn forget(&self, stream: u64) {
        let mut entries = self.entries();
        if entries.by_stream.remove(&stream).is_some() {
            entries.forgotten.insert(stream);
        }
    }

    /// Writes what has changed since the last time, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written; everything stays in memory for the next time.
    pub fn flush(&self) -> Result<(), CheckpointError> {
        let mut writer = self.writer();
        self.entries().take_positions();
        writer.write(self, Vec::new())
    }

    /// Flushes every second until the stop is asked for. The owner flushes once more after the last acknowledgement.
    pub fn run(&self, stop: &Stop) {
        while !stop.wait(FLUSH_EVERY) {
            // A failure was said aloud already, and the next round tries again.
            drop(self.flush());
        }
    }

    fn ensure_loaded(&self) -> Result<(), CheckpointError> {
        let mut writer = self.writer();
        if writer.loaded { Ok(()) } else { writer.ensure_open(self) }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Moves the record to its stream's acknowledged position, which leaves the cuts before it behind. A stream that
    /// only this table still holds has come to its end: it is followed no longer.
    fn take_position(&mut self) {
        let Some(stream) = &self.stream else { return };
        // Asked before the position: once nobody else holds the stream, its position is final.
        let last = Arc::strong_count(stream) == 1;
        let position = stream.acknowledged();
        if position != self.record.position {
            self.record.position = position;
            self.record.cuts.retain(|&cut| cut > position.offset);
            self.dirty = true;
        }
        if last {
            self.stream = None;
        }
    }
}

impl Entries {
    fn start(&mut self, source: &Arc<str>) {
        if !self.started.contains(source) {
            self.started.insert(Arc::clone(source));
            self.new_start = true;
        }
    }

    /// Takes in what was stored.
    fn load(&mut self, stored: Stored) {
        self.started.extend(stored.started);
        for mut record in stored.records {
            self.start(&record.source);
            if let Some(name) = self.started.get(&record.source) {
                record.source = Arc::clone(name);
            }
            self.by_stream.insert(record.stream, Box::new(Entry { record, dirty: false, stream: None }));
        }
    }

    /// Moves each record to its stream's acknowledged position.
    fn take_positions(&mut self) {
        for entry in self.by_stream.values_mut() {
            entry.take_position();
        }
    }

    fn take_changes(&mut self, replace_all: bool) -> Changes {
        let is_wanted = |entry: &Entry| entry.dirty || replace_all;
        // Often few, and after a start all: counted first, as a vector that grows takes twice the memory.
        let wanted = self.by_stream.values().filter(|entry| is_wanted(entry)).count();
        let mut written = Vec::with_capacity(wanted);
        for entry in self.by_stream.values_mut().filter(|entry| is_wanted(entry)) {
            entry.dirty = false;
            written.push(entry.record.clone());
        }
        let all_starts = std::mem::take(&mut self.new_start) || replace_all;
        let started = if all_starts { self.started.iter().cloned().collect() } else { Vec::new() };
        Changes { replace_all, written, forgotten: self.forgotten.drain().collect(), started }
    }
}

impl Writer {
    /// Opens the store if it is not open, unless the last failure was a moment ago.
    fn ensure_open(&mut self, checkpoints: &Checkpoints) -> Result<(), CheckpointError> {
        if let (Some(at), Some(error)) = (self.retry_at, &self.last_error)
            && Instant::now() < at
        {
            return Err(error.clone());
        }
        if self.store.is_open() {
            return Ok(());
        }
        match self.store.open() {
            Ok(stored) if self.loaded => drop(stored),
            Ok(stored) => {
                self.loaded = true;
                checkpoints.entries().load(stored);
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    /// Writes these records and everything that is dirty; after a failure, everything.
    fn write(&mut self, checkpoints: &Checkpoints, records: Vec<Record>) -> Result<(), CheckpointError> {
        self.ensure_open(checkpoints)?;
        let mut changes = checkpoints.entries().take_changes(self.rewrite);
        if changes.is_empty() && records.is_empty() && !self.rewrite {
            return Ok(());
        }
        changes.written.extend(records);
        match self.store.commit(&changes) {
            Ok(()) => {
                if self.warned_at.take().is_some() {
                    tracing::info!(path = %self.store.path().display(), "checkpoints can be written again");
                }
                (self.rewrite, self.pause, self.retry_at, self.last_error) = (false, PAUSE_MIN, None, None);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&mut self, error: CheckpointError) -> CheckpointError {
        let now = Instant::now();
        self.rewrite = true;
        self.retry_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.last_error = Some(error.clone());
        if self.warned_at.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            self.warned_at = Some(now);
            tracing::warn!(%error, "checkpoints cannot be written; trying again");
        }
        error
    }
}
