//! What a grammar may know that is not in the line.
//!
//! Owns: [`Context`].
//! Promises: grammars have no clock; the same line and context give the same fields.
//! Never: reads the time.

use crate::Zone;

/// Facts about the reading of a line, passed in by the caller.
#[derive(Clone, Debug)]
pub struct Context {
    /// When the line was read: nanoseconds since 1970-01-01T00:00:00Z. Resolves a missing year.
    pub read_at: i64,
    /// The zone of a time that names none.
    pub zone: Zone,
}
