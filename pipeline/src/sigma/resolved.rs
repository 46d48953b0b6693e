//! A correlation whose rules and fields are known.
//!
//! Owns: [`Correlation`] as whoever runs it needs it: its rules and fields as numbers.
//! Promises: each group field and each value has a place in every rule.
//! Never: counts anything.

use logweir_parsers::KeyId;

use super::Metadata;
use super::correlation::CorrelationKind;
use crate::rule::RuleKind;

/// A rule about what other rules match, ready for a detector.
#[derive(Clone, Debug)]
pub struct Correlation {
    /// What it says about itself.
    pub metadata: Metadata,
    /// What it computes.
    pub kind: CorrelationKind,
    /// The rules that it is about, in their order.
    pub members: Vec<Member>,
    /// The names of the group fields as they are written; empty for one group of all events.
    pub group_by: Vec<String>,
    /// The names that the group fields have in an alert: those of events where all rules have one, else as they are written.
    pub shown: Vec<String>,
    /// How far apart the events may be, in nanoseconds.
    pub timespan: i64,
    /// What finds it.
    pub detector: RuleKind,
    /// A hash of what it asks for, that of its rules included; not of what it says about itself.
    pub digest: u64,
    /// Whether its result is an alert, and not only part of another correlation.
    pub alerts: bool,
    /// Its file, as the caller calls it.
    pub file: String,
    /// Its line there.
    pub line: u64,
}

/// One of the rules of a correlation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub source: Source,
    /// Where the value of each group field stands.
    pub group: Vec<FieldSource>,
    /// Where each part of what is counted, summed or averaged stands.
    pub values: Vec<FieldSource>,
}

/// What matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The rule of this place in the set.
    Rule(usize),
    /// The correlation of this place in the set.
    Correlation(usize),
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSource {
    /// In the event, under the first of these keys that it has.
    Event(Vec<KeyId>),
    /// It is the group field of this place of the correlation that matched.
    Group(usize),
}
