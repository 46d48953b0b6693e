//! Checkpoints: how far each stream is acknowledged, and what operators remember, durable under `data_dir`.
//!
//! Owns: [`Checkpoints`], the records of all streams in memory and their copy in the store, and when states are written.
//! Promises: the records in memory are the authority; a stream's record is on the disk before
//! [`Checkpoints::put_durably`] returns; positions of all streams move in one transaction, together with the states of
//! operators, which hold all that the positions have passed; a store that cannot be written is tried again with a growing
//! pause and then written whole.
//! Never: moves a position past what its stream acknowledged; never stops the process.

mod record;
mod states;
mod store;
mod writer;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use states::Keeper;
use states::States;

pub use record::{CUTS_MAX, DecodeError, FileId, Head, Record};
use store::{Changes, Stored};
use writer::Writer;

use crate::stop::Stop;
use crate::stream::Stream;

/// The store's file below `data_dir`.
const STORE_FILE: &str = "checkpoints.redb";
/// How often positions and states are written, unless writing takes long.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The least part of the time between two writes that is not spent on them, as a multiple of what the last one took.
const FLUSH_REST: u32 = 20;

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
    /// Streams whose sources tell others of their positions once they are stored, and how far they are.
    awaited: HashMap<u64, (Weak<Stream>, u64)>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    dirty: bool,
    /// The stream whose acknowledged position the record follows, while anyone holds it.
    stream: Option<Arc<Stream>>,
}

impl Checkpoints {
    /// The checkpoints in this data directory. A store that cannot be opened now is tried again whenever it is needed.
    #[must_use]
    pub fn open(data_dir: &Path) -> Arc<Self> {
        let writer = Writer::new(data_dir.join(STORE_FILE));
        let checkpoints = Arc::new(Self { entries: Mutex::default(), writer: Mutex::new(writer) });
        // A failure is said aloud by the attempt and met again by whoever asks for records.
        drop(checkpoints.writer().ensure_open(&checkpoints));
        checkpoints
    }

    /// What operators have saved, by their names, for those who take it over at the start.
    ///
    /// # Errors
    /// While the store could never be read.
    pub fn states(&self) -> Result<HashMap<String, Vec<u8>>, CheckpointError> {
        self.ensure_loaded()?;
        let mut writer = self.writer();
        let read = writer.store.read_states();
        read.map_err(|error| writer.failed(error))
    }

    /// Writes the states of these with the positions from now on, and forgets those of others. The ones that take another's
    /// results come before it.
    pub fn keep(&self, keepers: Vec<Arc<dyn Keeper>>) {
        self.writer().states = States::new(keepers);
    }

    /// Stores how far this stream is settled with the states of operators, before its source tells others of it.
    pub fn await_store(&self, stream: &Arc<Stream>) {
        let awaited = Arc::downgrade(stream);
        let known = &mut self.entries().awaited;
        if known.get(&stream.id()).is_none_or(|(known, _)| !known.ptr_eq(&awaited)) {
            known.insert(stream.id(), (awaited, stream.acknowledged().offset));
        }
    }

    /// The offset of a stream of which others may be told: how far it is settled, and stored if it has to be.
    #[must_use]
    pub fn committable(&self, stream: &Stream) -> u64 {
        let stored = self.entries().awaited.get(&stream.id()).map(|(_, stored)| *stored);
        stored.unwrap_or_else(|| stream.acknowledged().offset)
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
        let is_full = |(stream, _): &(u64, u64)| {
            entries.by_stream.get(stream).is_some_and(|entry| entry.record.cuts.len() >= CUTS_MAX)
        };
        if cuts.iter().any(is_full) {
            // Positions that move leave cuts behind.
            drop(entries);
            self.flush_with(&mut writer)?;
            entries = self.entries();
        }
        for &(stream, offset) in cuts {
            if let Some(entry) = entries.by_stream.get_mut(&stream) {
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
        self.flush_with(&mut self.writer())
    }

    fn flush_with(&self, writer: &mut Writer) -> Result<(), CheckpointError> {
        // Positions before states: what a position has passed, an operator has taken.
        writer.states.mark();
        let awaited = self.entries().take_positions();
        let awaited =
            awaited.into_iter().map(|stream| (stream.acknowledged().offset, stream)).collect::<Vec<_>>();
        writer.states.save();
        writer.write(self, Vec::new())?;
        self.entries().stored(&awaited);
        Ok(())
    }

    /// Flushes every second, or less often where that takes long, until the stop is asked for. The owner flushes once more
    /// after the last acknowledgement.
    pub fn run(&self, stop: &Stop) {
        let mut pause = FLUSH_EVERY;
        while !stop.wait(pause) {
            let began = Instant::now();
            // A failure was said aloud already, and the next round tries again.
            drop(self.flush());
            pause = FLUSH_EVERY.max(began.elapsed() * FLUSH_REST);
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

    /// Moves each record to its stream's acknowledged position, and gives the streams whose sources await that.
    fn take_positions(&mut self) -> Vec<Arc<Stream>> {
        for entry in self.by_stream.values_mut() {
            entry.take_position();
        }
        self.awaited.retain(|_, (stream, _)| stream.strong_count() > 0);
        self.awaited.values().filter_map(|(stream, _)| stream.upgrade()).collect()
    }

    /// Streams are stored up to these offsets.
    fn stored(&mut self, stored: &[(u64, Arc<Stream>)]) {
        for (offset, stream) in stored {
            let awaited = self.awaited.get_mut(&stream.id());
            if let Some((_, known)) = awaited.filter(|(known, _)| known.as_ptr() == Arc::as_ptr(stream)) {
                *known = *offset;
            }
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
