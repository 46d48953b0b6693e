//! Why a grammar did not take a line.
//!
//! Owns: [`Reject`], the one error of a grammar, and [`Rejection`], the same with words of a format of one's own.
//! Promises: it is small and `Copy`; making it allocates nothing.
//! Never: holds the line.

use core::fmt;

/// A line that a format did not take: where, and what it expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection<'f> {
    /// Bytes of the line before the place where the format stopped.
    pub offset: usize,
    /// What the format expected at that place, as a noun phrase: `a quoted request`.
    pub expected: &'f str,
}

/// A line that a grammar did not take.
pub type Reject = Rejection<'static>;

impl fmt::Display for Rejection<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {} at column {}", self.expected, self.offset + 1)
    }
}

impl core::error::Error for Rejection<'_> {}
