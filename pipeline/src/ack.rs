//! Acknowledgement: a batch is done when its last holder is.
//!
//! Owns: [`Ack`], the handle that each holder of a batch (or of its encoded events) keeps.
//! Promises: the stream hears of a batch exactly once, when the last handle is gone; a handle that is dropped
//! without [`Ack::done`] (a panic, an end without drain) makes the whole a failure, so a position never moves past
//! events that nobody has.
//! Never: waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::stream::Stream;

/// The name of the drop of events that their source reads again.
const READ_AGAIN: &str = "read again";

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Events of the batch.
    pub events: u64,
    /// Events that an output refused and the dead-letter output took.
    pub rejected: u64,
    /// Events that transforms dropped, by the name of the transform.
    pub dropped: BTreeMap<Arc<str>, u64>,
    /// Whether every holder was done with the batch.
    pub complete: bool,
    /// Whether the source reads the batch again: all of it counts as dropped, and no position moves over it.
    pub again: bool,
}

/// One holder's share of a batch.
#[derive(Debug)]
pub struct Ack {
    shared: Arc<Shared>,
    done: bool,
}

#[derive(Debug)]
struct Shared {
    stream: Arc<Stream>,
    sequence: u64,
    events: u64,
    failed: AtomicBool,
    again: AtomicBool,
    /// Touched only when something is refused or dropped.
    exceptions: Mutex<Exceptions>,
}

#[derive(Debug, Default)]
struct Exceptions {
    rejected: BTreeSet<u32>,
    dropped: BTreeMap<Arc<str>, u64>,
}

impl Ack {
    /// The first handle for the batch that the stream numbered `sequence`.
    pub(crate) fn new(stream: Arc<Stream>, sequence: u64, events: u64) -> Self {
        let exceptions = Mutex::default();
        let (failed, again) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Shared { stream, sequence, events, failed, again, exceptions };
        Self { shared: Arc::new(shared), done: false }
    }

    /// This holder has delivered, dead-lettered or dropped all that it held.
    pub fn done(mut self) {
        self.done = true;
    }

    /// This holder gives the batch back: the transaction that it was part of has failed, and its source reads it again.
    pub fn read_again(self) {
        self.shared.again.store(true, Ordering::Release);
        self.done();
    }

    /// An output refused the batch's event number `event` for good, and the dead-letter output has it.
    pub fn rejected(&self, event: u32) {
        self.exceptions().rejected.insert(event);
    }

    /// A transform dropped this many events of the batch.
    pub fn dropped(&self, transform: &Arc<str>, events: u64) {
        *self.exceptions().dropped.entry(Arc::clone(transform)).or_default() += events;
    }

    /// The stream that the batch came from.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.shared.stream
    }

    fn exceptions(&self) -> std::sync::MutexGuard<'_, Exceptions> {
        self.shared.exceptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Ack {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), done: false }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.done {
            self.shared.failed.store(true, Ordering::Release);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let exceptions = std::mem::take(self.exceptions.get_mut().unwrap_or_else(PoisonError::into_inner));
        let again = *self.again.get_mut();
        let outcome = Outcome {
            events: self.events,
            rejected: if again { 0 } else { exceptions.rejected.len() as u64 },
            dropped: if again {
                BTreeMap::from([(READ_AGAIN.into(), self.events)])
            } else {
                exceptions.dropped
            },
            complete: !again && !*self.failed.get_mut(),
            again,
        };
        self.stream.settle(self.sequence, outcome);
    }
}
