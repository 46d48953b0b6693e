//! Sigma 2.1: rules, correlations and filters, from YAML to conditions.
//!
//! Owns: [`Document`], what a file says, and [`RuleSet`], what files say together: every rule is a
//! [`Condition`](crate::matcher::Condition), every reference is resolved.
//! Promises: what cannot be loaded is [`Refused`] by file, line, title and reason, and the rest loads; time and memory are bounded by the
//! limits below, whatever the text; what loads means what the specification says, or was refused.
//! Never: looks at an event; opens a file; knows which source feeds which log source.

mod compile;
mod correlation;
mod detection;
mod detector;
mod document;
mod error;
mod formula;
mod metadata;
mod resolve;
mod resolved;
mod set;
#[cfg(test)]
mod tests;
mod yaml;

use std::sync::Arc;

pub use correlation::{
    Alias, Bounds, CorrelationCondition, CorrelationDocument, CorrelationKind, Operator, timespan,
};
pub use detection::{Detection, LogSource};
pub use document::{Document, FilterDocument, FilterTargets, RuleDocument, documents};
pub use error::{Refused, SigmaError};
pub use formula::{FORMULA_DEPTH_MAX, Formula};
pub use metadata::{Level, Metadata, Status};
pub use resolved::{Correlation, FieldSource, Member, Source};
pub use set::{Rule, RuleSet};

use crate::event::Keys;
use crate::matcher::Placeholders;

/// Bytes of a file unless the caller says otherwise.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Documents of one file.
pub const DOCUMENTS_MAX: usize = 1000;
/// Values of one rule, as they are written.
pub const VALUES_MAX: usize = 10_000;
/// Comparisons of one rule, when its selections stand wherever its condition names them.
pub const TESTS_MAX: usize = 100_000;

/// The names that a field of Sigma has here, given the log source of the rule: the event is asked for each of them. No name: the
/// field's own.
pub type FieldNames<'a> = &'a dyn Fn(&str, &LogSource) -> Vec<String>;

/// What rules are loaded with.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Longest file, in bytes.
    pub file_bytes_max: usize,
    /// The names of fields.
    pub field_names: FieldNames<'a>,
    /// Where the names get their numbers.
    pub keys: &'a Arc<Keys>,
    /// What `%name%` stands for with the modifier `expand`.
    pub placeholders: &'a Placeholders,
}
