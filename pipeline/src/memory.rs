//! The memory budget of the process.
//!
//! Owns: [`Memory`], the count of bytes held by batches and by encoded events, and [`Held`], one share of it.
//! Promises: sources wait while the budget is used up, so a dead output costs bounded memory and no line.
//! Never: refuses what is already read: encoding a batch may go over the limit by that batch, and sources then wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The memory budget of the process.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// Bytes held; given back when dropped.
#[derive(Debug)]
pub struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: Mutex::new(0), freed: Condvar::new() })
    }

    /// Takes `bytes`, waiting at most `patience` for room. With nothing held at all, any number of bytes is granted.
    #[must_use]
    pub fn acquire(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Held> {
        let full = |used: &mut usize| *used > 0 && *used + bytes > self.limit;
        let (mut used, _) = self
            .freed
            .wait_timeout_while(self.used(), patience, full)
            .unwrap_or_else(PoisonError::into_inner);
        if full(&mut used) {
            return None;
        }
        *used += bytes;
        Some(Held { memory: Arc::clone(self), bytes })
    }

    /// Takes `bytes` at once, over the limit if need be: for what is already read.
    #[must_use]
    pub fn take(self: &Arc<Self>, bytes: usize) -> Held {
        *self.used() += bytes;
        Held { memory: Arc::clone(self), bytes }
    }

    /// Waits at most `patience` until less than the limit is held, and says whether that is so.
    #[must_use]
    pub fn wait_for_room(&self, patience: Duration) -> bool {
        let full = |used: &mut usize| *used >= self.limit;
        let (used, _) = self
            .freed
            .wait_timeout_while(self.used(), patience, full)
            .unwrap_or_else(PoisonError::into_inner);
        *used < self.limit
    }

    /// Bytes held at this moment.
    #[must_use]
    pub fn in_use(&self) -> usize {
        *self.used()
    }

    /// The limit, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.memory.used() -= self.bytes;
        self.memory.freed.notify_all();
    }
}
