//! What an answer means.
//!
//! Owns: [`Verdict`], the words in which a client tells the driver what became of a payload.
//! Promises: every item of a payload is delivered, to be sent again, or rejected with a status and a reason.
//! Never: does anything about it; the driver does.

use std::time::Duration;

/// What became of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store has every item.
    Delivered {
        /// Items that the store keeps apart because it could not index them.
        soft_failures: u64,
    },
    /// Items differ. Those not named are delivered.
    Mixed(Mixed),
    /// Nothing is known to be delivered: send the whole payload again.
    Retry(Trouble),
    /// The store will not take the payload as a whole: too large, or malformed. Halves are tried; a single item is
    /// rejected.
    Refused(Refusal),
    /// What was written of the payload will not be seen, and its source reads its events again.
    Abandoned,
    /// The output has ended for good, as a closed pipe has.
    Closed(String),
}

/// The items that are not simply delivered, each list in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mixed {
    /// Items to be sent again, and why the first of them failed.
    pub retry: Option<(Vec<u32>, Trouble)>,
    /// Items refused for good.
    pub rejected: Vec<(u32, Refusal)>,
    /// Items that the store keeps apart because it could not index them.
    pub soft_failures: u64,
}

/// Why something is to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of trouble.
    pub cause: Cause,
    /// The reason in words.
    pub reason: String,
    /// How long the store asks to wait.
    pub after: Option<Duration>,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The store has too much to do, or did not answer in time: send less at once.
    Overload,
    /// No answer, or half of one.
    Unreachable,
    /// The store does not know us or does not let us: someone must change the configuration.
    Unauthorized,
    /// An answer that should not be: a wrong address, a bug of the store.
    Unexpected,
}

/// Why something is refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status in the sense of HTTP.
    pub status: u16,
    /// The kind of error, which holds nothing of the document.
    pub label: String,
    /// The reason in words, which may quote the document.
    pub reason: String,
}

impl Trouble {
    /// Trouble without a wish of the store.
    #[must_use]
    pub fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into(), after: None }
    }
}
