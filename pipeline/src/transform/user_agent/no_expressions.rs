//! What stands for the expressions in a build without the feature `user-agent`.
//!
//! Owns: [`Expressions`], of which there are none.
//! Promises: a config with the step is told what is missing.
//! Never: reads a text.

use super::super::findings::Findings;
use super::UserAgentError;

/// What texts would be read with.
pub(super) enum Expressions {}

impl Expressions {
    /// Says that there are none.
    pub(super) fn from_yaml(_: &[u8]) -> Result<Self, UserAgentError> {
        Err(UserAgentError::NotBuilt)
    }

    /// Is never called: there are none.
    pub(super) fn findings(&self, _: &str) -> Findings {
        match *self {}
    }
}
