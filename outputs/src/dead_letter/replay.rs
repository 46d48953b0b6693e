//! Reading dead letters, and sending them again.
//!
//! Owns: [`Records`], an iterator over what is kept, and [`Replay`], which takes records out while they are re-sent.
//! Promises: a record leaves the folder only after [`Replay::finish`] was told so; a replay that is broken off
//! leaves everything in place; a running daemon may go on adding meanwhile.
//! Never: sends anything.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::vec::IntoIter;

use super::{CURRENT, DeadLetter, DeadLetterError, Record};

/// The records of a dead letter, the oldest first; one that stands twice comes once.
#[derive(Debug)]
pub struct Records {
    files: IntoIter<PathBuf>,
    lines: Option<BufReader<File>>,
    line: Vec<u8>,
    seen: HashSet<u64>,
    hasher: RandomState,
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    dead_letter: Arc<DeadLetter>,
    files: Vec<PathBuf>,
}

impl DeadLetter {
    /// All records.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn records(&self) -> io::Result<Records> {
        Ok(Records::new(self.files()?))
    }

    /// Sets aside what is kept until now, to send it again.
    ///
    /// # Errors
    /// When the folder cannot be changed.
    pub fn begin_replay(self: &Arc<Self>) -> io::Result<Replay> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock()?;
        let current = self.folder.join(CURRENT);
        let time = logweir_pipeline::time::now();
        match std::fs::rename(&current, self.folder.join(format!("replay-{time:020}.ndjson"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Replay { dead_letter: Arc::clone(self), files: self.files()? })
    }
}

impl Replay {
    /// The records to send again.
    #[must_use]
    pub fn records(&self) -> Records {
        Records::new(self.files.clone())
    }

    /// Ends the replay: all its records are settled but those in `kept`, which stay in the dead letter.
    ///
    /// # Errors
    /// When the kept ones cannot be stored; then everything stays.
    pub fn finish(self, kept: &[Record]) -> Result<(), DeadLetterError> {
        if !kept.is_empty() {
            self.dead_letter.add_unbounded(kept)?;
        }
        let folder = self.dead_letter.folder.clone();
        let removed = self.files.iter().try_for_each(std::fs::remove_file);
        removed.map_err(|source| DeadLetterError::Io { folder, source })
    }
}

impl DeadLetter {
    /// Adds records that are in the folder already: what the limit allowed once it allows again.
    fn add_unbounded(&self, records: &[Record]) -> Result<(), DeadLetterError> {
        let unbounded = Self { folder: self.folder.clone(), max_bytes: u64::MAX, turn: Default::default() };
        unbounded.add(records)
    }
}

impl Records {
    fn new(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into_iter(),
            lines: None,
            line: Vec::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    fn read_line(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            if let Some(lines) = &mut self.lines
                && lines.read_until(b'\n', &mut self.line)? > 0
            {
                return Ok(true);
            }
            let Some(path) = self.files.next() else {
                return Ok(false);
            };
            self.lines = Some(BufReader::new(File::open(path)?));
        }
    }

    /// The record of the last line, unless a crash cut it or it came before.
    fn record(&mut self) -> Option<Record> {
        let record = serde_json::from_slice::<Record>(&self.line).ok()?;
        let identity = self.hasher.hash_one((&record.output, &record.id));
        (record.id.is_empty() || self.seen.insert(identity)).then_some(record)
    }
}

impl Iterator for Records {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read_line() {
                Err(error) => return Some(Err(error)),
                Ok(false) => return None,
                Ok(true) => {
                    if let Some(record) = self.record() {
                        return Some(Ok(record));
                    }
                }
            }
        }
    }
}
