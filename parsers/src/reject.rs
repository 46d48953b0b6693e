//! Why a grammar did not take a line.
//!
//! Owns: [`Reject`], the one error of this crate.
//! Promises: it is small and `Copy`; making it allocates nothing.
//! Never: holds the line.

use core::fmt;

/// A line that a grammar did not take: where, and what it expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Bytes of the line before the place where the grammar stopped.
    pub offset: usize,
    /// What the grammar expected at that place, as a noun phrase: `a quoted request`.
    pub expected: &'static str,
}

impl fmt::Display for Reject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {} at column {}", self.expected, self.offset + 1)
    }
}

impl core::error::Error for Reject {}
