//! The writer of checkpoints.
//!
//! Owns: [`Writer`]: the store, and what is known of it.
//! Promises: after a failure the store is tried again with a growing pause, and then written whole; a failure is said aloud,
//! and not with each try.
//! Never: decides when to write.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::record::Record;
use super::states::States;
use super::store::Store;
use super::{CheckpointError, Checkpoints};

/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause between two tries to write.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a store that stays unwritable is spoken of.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// What writes, one at a time.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) loaded: bool,
    pub(super) states: States,
    /// Whether the file may differ from what the entries' `dirty` says.
    rewrite: bool,
    pause: Duration,
    retry_at: Option<Instant>,
    warned_at: Option<Instant>,
    last_error: Option<CheckpointError>,
}

impl Writer {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            store: Store::new(path),
            loaded: false,
            states: States::default(),
            rewrite: false,
            pause: PAUSE_MIN,
            retry_at: None,
            warned_at: None,
            last_error: None,
        }
    }

    /// Opens the store if it is not open, unless the last failure was a moment ago.
    pub(super) fn ensure_open(&mut self, checkpoints: &Checkpoints) -> Result<(), CheckpointError> {
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
    pub(super) fn write(
        &mut self,
        checkpoints: &Checkpoints,
        records: Vec<Record>,
    ) -> Result<(), CheckpointError> {
        self.ensure_open(checkpoints)?;
        let mut changes = checkpoints.entries().take_changes(self.rewrite);
        if changes.is_empty() && records.is_empty() && !self.rewrite && self.states.are_written() {
            return Ok(());
        }
        changes.written.extend(records);
        match self.store.commit(&changes, &self.states) {
            Ok(()) => {
                self.states.written();
                if self.warned_at.take().is_some() {
                    tracing::info!(path = %self.store.path().display(), "checkpoints can be written again");
                }
                (self.rewrite, self.pause, self.retry_at, self.last_error) = (false, PAUSE_MIN, None, None);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(super) fn failed(&mut self, error: CheckpointError) -> CheckpointError {
        let now = Instant::now();
        self.rewrite = true;
        self.states.lost();
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
