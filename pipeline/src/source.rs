//! Sources: what every kind of them is given, and where they put their batches.
//!
//! Owns: [`SourceContext`] and [`BatchSender`]; one folder or file a kind below `source/`.
//! Promises: the batches of one stream reach one worker, in order, so the order of its lines is kept and its event
//! times arrive as they were written.
//! Never: parses.

pub mod file;
#[cfg(feature = "kafka")]
pub mod kafka;
mod line_reader;
pub mod replay;
pub mod results;
pub mod stdin;
pub mod syslog;

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::event::Batch;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::stream::SourceMeta;

/// Bytes that a source reads at once, and at most what one batch holds (a longer line aside): fits the L2 cache.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// A number for a stream that nobody will read again.
fn random_id() -> io::Result<u64> {
    let mut id = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    Ok(u64::from_be_bytes(id))
}

/// What a source is given.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// What is constant for the source.
    pub meta: Arc<SourceMeta>,
    /// Where its batches go.
    pub batches: BatchSender,
    /// The budget from which it takes each chunk.
    pub memory: Arc<Memory>,
    /// The request to stop.
    pub stop: Stop,
    /// Whether to end when everything there is has been read.
    pub once: bool,
}

/// The workers' inboxes.
#[derive(Clone, Debug)]
pub struct BatchSender {
    workers: Vec<Sender<Batch>>,
}

/// All workers are gone.
#[derive(Debug, thiserror::Error)]
#[error("the pipeline has ended")]
pub struct PipelineEnded;

impl BatchSender {
    /// A sender to these workers.
    #[must_use]
    pub fn new(workers: Vec<Sender<Batch>>) -> Self {
        Self { workers }
    }

    /// How many workers there are; a stream's batches go to the one with the number `id % workers`.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Hands the batch to its stream's worker, waiting while that worker's inbox is full.
    ///
    /// # Errors
    /// When the worker is gone.
    pub fn send(&self, batch: Batch) -> Result<(), PipelineEnded> {
        self.worker(&batch)?.send(batch).map_err(|_| PipelineEnded)
    }

    /// Hands the batch to its stream's worker, waiting at most `patience` while that worker's inbox is full. Gives the
    /// batch back when it still is; nothing else of the stream may be sent before it.
    ///
    /// # Errors
    /// When the worker is gone.
    pub fn send_within(&self, batch: Batch, patience: Duration) -> Result<Option<Batch>, PipelineEnded> {
        match self.worker(&batch)?.send_timeout(batch, patience) {
            Ok(()) => Ok(None),
            Err(SendTimeoutError::Timeout(batch)) => Ok(Some(batch)),
            Err(SendTimeoutError::Disconnected(_)) => Err(PipelineEnded),
        }
    }

    fn worker(&self, batch: &Batch) -> Result<&Sender<Batch>, PipelineEnded> {
        let count = self.workers.len() as u64;
        let index = batch.stream.id().checked_rem(count).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.workers.get(index)).ok_or(PipelineEnded)
    }
}
