//! The request to stop.
//!
//! Owns: [`Stop`], one flag that threads wait on.
//! Promises: whoever waits wakes at once when the stop is asked for; a stop is never taken back.
//! Never: ends a thread.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request to stop, shared by all that heed it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Asks everyone to stop.
    pub fn ask(&self) {
        let (asked, changed) = &*self.shared;
        *asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Whether the stop was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `patience` or until the stop is asked for; says whether it was.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        let (asked, changed) = &*self.shared;
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, _) = changed
            .wait_timeout_while(asked, patience, |asked| !*asked)
            .unwrap_or_else(PoisonError::into_inner);
        *asked
    }
}
