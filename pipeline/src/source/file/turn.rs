//! How a turn of reading ends.
//!
//! Owns: [`Turn`].
//! Promises: whatever stops a turn is one of these, so that the reader can decide what comes next in one place.
//! Never: decides.

use std::io;

use crate::event::Batch;
use crate::source::PipelineEnded;

/// How a turn of reading ended.
#[derive(Debug)]
pub(super) enum Turn {
    /// There is more to read.
    More,
    /// Everything complete is read.
    AtEnd,
    /// Everything complete is read, and what is left is to be taken up to this offset, once that is stored.
    Cut(u64),
    /// The memory budget is used up.
    NoMemory,
    /// The worker takes no batch now; this one, whose lines are read, waits for it.
    Full(Box<Batch>),
    /// The file was cut short or written anew.
    Rewritten,
    /// The file cannot be read.
    Failed(io::Error),
    /// Nobody takes batches any more.
    Ended,
}

impl From<io::Error> for Turn {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<PipelineEnded> for Turn {
    fn from(_: PipelineEnded) -> Self {
        Self::Ended
    }
}
