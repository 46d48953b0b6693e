//! How an output is doing.
//!
//! Owns: [`OutputStatus`], counters and state of one output, for metrics and the admin API.
//! Promises: reading it never waits for the output.
//! Never: counts per event while encoding; everything is counted a payload at a time.

#[cfg(feature = "kafka")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "kafka")]
use crate::kafka::ProducerStatistics;

/// What an output is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OutputState {
    /// It delivers, or has nothing to do.
    Healthy,
    /// Its store is away or overloaded; it tries again.
    Retrying,
    /// Its store does not let us in, or the dead letter is full; someone must do something.
    Paused,
    /// It has ended.
    Ended,
}

impl OutputState {
    /// The state's name in metrics and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// Counters and state of one output.
#[derive(Debug)]
pub struct OutputStatus {
    name: String,
    kind: &'static str,
    pub(crate) delivered: AtomicU64,
    pub(crate) already_stored: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) soft_failures: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) concurrency: AtomicUsize,
    state: AtomicU8,
    last_error: Mutex<Option<String>>,
    #[cfg(feature = "kafka")]
    producer: Mutex<Option<Arc<ProducerStatistics>>>,
}

/// The figures of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputCounts {
    /// Events that the store has.
    pub delivered: u64,
    /// Events of [`OutputCounts::delivered`] that it had from before a restart.
    pub already_stored: u64,
    /// Events that the store refused for good.
    pub rejected: u64,
    /// Events that the store took but keeps apart because it could not index them.
    pub soft_failures: u64,
    /// Events sent again.
    pub retried: u64,
    /// Requests sent.
    pub requests: u64,
    /// Bytes of request bodies sent.
    pub bytes: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// The most requests that may be under way now.
    pub concurrency: usize,
}

impl OutputStatus {
    /// The status of an output that did nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            delivered: AtomicU64::new(0),
            already_stored: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            soft_failures: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            concurrency: AtomicUsize::new(0),
            state: AtomicU8::new(OutputState::Healthy as u8),
            last_error: Mutex::default(),
            #[cfg(feature = "kafka")]
            producer: Mutex::default(),
        }
    }

    /// The output's name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The output's kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What the output is doing.
    #[must_use]
    pub fn state(&self) -> OutputState {
        let state = self.state.load(Relaxed);
        let states = [OutputState::Healthy, OutputState::Retrying, OutputState::Paused];
        states.into_iter().find(|&known| known as u8 == state).unwrap_or(OutputState::Ended)
    }

    /// The last trouble, in words.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a Kafka producer told of itself last.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn producer(&self) -> Option<Arc<ProducerStatistics>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The figures of this moment.
    #[must_use]
    pub fn counts(&self) -> OutputCounts {
        OutputCounts {
            delivered: self.delivered.load(Relaxed),
            already_stored: self.already_stored.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            soft_failures: self.soft_failures.load(Relaxed),
            retried: self.retried.load(Relaxed),
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            concurrency: self.concurrency.load(Relaxed),
        }
    }

    pub(crate) fn set_state(&self, state: OutputState) -> OutputState {
        let before = self.state();
        self.state.store(state as u8, Relaxed);
        before
    }

    #[cfg(feature = "kafka")]
    pub(crate) fn set_producer(&self, statistics: ProducerStatistics) {
        *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(statistics));
    }

    pub(crate) fn set_error(&self, reason: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

/// Adds a count.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Relaxed);
}
