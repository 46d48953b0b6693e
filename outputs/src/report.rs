//! What an output says aloud.
//!
//! Owns: [`Reporter`]: changes of an output's state, and troubles, in the log.
//! Promises: a change of state is said at once; the same trouble at most every ten seconds, with how often it came.
//! Never: says what stands in a document or a secret.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use crate::status::{OutputState, OutputStatus};
use crate::verdict::Refusal;

/// The shortest time between two reports of the same kind.
const INTERVAL: Duration = Duration::from_secs(10);

/// Says how an output is doing.
#[derive(Debug)]
pub struct Reporter {
    status: Arc<OutputStatus>,
    troubles: Mutex<Throttle>,
    rejections: Mutex<Throttle>,
}

#[derive(Debug, Default)]
struct Throttle {
    last: Option<Instant>,
    since: usize,
}

impl Throttle {
    /// Counts, and gives the count when it is time to speak.
    fn count(&mut self, count: usize, at_once: bool) -> Option<usize> {
        self.since += count;
        let now = Instant::now();
        let is_time = at_once || self.last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        is_time.then(|| {
            self.last = Some(now);
            std::mem::take(&mut self.since)
        })
    }
}

impl Reporter {
    /// A reporter for the output with this status.
    #[must_use]
    pub fn new(status: Arc<OutputStatus>) -> Self {
        Self { status, troubles: Mutex::default(), rejections: Mutex::default() }
    }

    /// The output delivers. Returns whether it did not before.
    pub fn healthy(&self) -> bool {
        if self.status.state() == OutputState::Healthy {
            return false;
        }
        let changed = self.status.set_state(OutputState::Healthy) != OutputState::Healthy;
        if changed {
            tracing::info!(output = self.status.name(), "the output delivers again");
        }
        changed
    }

    /// The output does not get on.
    pub fn trouble(&self, state: OutputState, reason: &str) {
        let before = self.status.set_state(state);
        self.status.set_error(reason);
        let worse = state == OutputState::Paused && before != state;
        let mut throttle = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = throttle.count(1, worse) {
            let (output, state) = (self.status.name(), state.name());
            tracing::warn!(output, state, times, "the output does not get on: {reason}");
        }
    }

    /// The delivery of a payload panicked, which is a bug; its events are not acknowledged.
    pub fn broken(&self, error: &JoinError) {
        self.status.set_error(&error.to_string());
        tracing::error!(output = self.status.name(), %error, "a delivery ended; restart to send its events again");
    }

    /// Events were refused for good.
    pub fn rejected(&self, events: usize, refusal: &Refusal) {
        let mut throttle = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(events) = throttle.count(events, false) {
            let (output, status) = (self.status.name(), refusal.status);
            tracing::warn!(output, status, events, "events went to the dead letter: {}", refusal.label);
        }
    }
}
