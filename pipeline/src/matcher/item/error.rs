//! What can be wrong with `field|modifier = value`.
//!
//! Owns: [`ItemError`].
//! Promises: an error says what is wrong and, when a value is, which one and what was expected.
//! Never: quotes a config.

use super::super::network::NetworkError;

/// Why a field's name, modifiers and values are no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// There is no such modifier.
    #[error("unknown modifier `{0}`")]
    UnknownModifier(String),
    /// A modifier stands twice.
    #[error("the modifier `{0}` stands twice")]
    Twice(&'static str),
    /// Two modifiers contradict each other.
    #[error("the modifiers `{0}` and `{1}` cannot stand together")]
    Together(&'static str, &'static str),
    /// A modifier must stand first.
    #[error("the modifier `{0}` must be the first")]
    NotFirst(&'static str),
    /// A modifier needs another one after it.
    #[error("the modifier `{0}` needs {1} after it")]
    Alone(&'static str, &'static str),
    /// A modifier says nothing of a whole line.
    #[error("the modifier `{0}` needs a field before it")]
    NeedsField(&'static str),
    /// There is no value.
    #[error("a condition without a value")]
    NoValues,
    /// A value is of the wrong type, or not what it must be.
    #[error("wrong value of a condition")]
    Value {
        /// Which one, from 0.
        index: usize,
        /// What was expected, as a noun phrase.
        expected: &'static str,
        /// What is wrong in particular, if there is more to say.
        reason: Option<String>,
    },
}

/// What is wrong with one value.
#[derive(Debug)]
pub(super) struct Problem {
    expected: &'static str,
    reason: Option<String>,
}

impl Problem {
    pub(super) fn new(expected: &'static str, reason: impl Into<String>) -> Self {
        Self { expected, reason: Some(reason.into()) }
    }

    pub(super) fn of_value(self, index: usize) -> ItemError {
        ItemError::Value { index, expected: self.expected, reason: self.reason }
    }
}

impl From<&'static str> for Problem {
    fn from(expected: &'static str) -> Self {
        Self { expected, reason: None }
    }
}

/// What is wrong with a regular expression.
impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::new("a regular expression", reason)
    }
}

impl From<NetworkError> for Problem {
    fn from(error: NetworkError) -> Self {
        Self::new("a network, such as \"10.0.0.0/8\"", error.to_string())
    }
}
