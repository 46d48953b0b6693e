//! Many conditions, answered together.
//!
//! Owns: [`Index`], what is built once, and [`Matcher`], one worker's use of it.
//! Promises: gives exactly the conditions for which [`Condition::is_true`] says so; what an event costs depends on
//! its length and on what it hits, hardly on the number of conditions; memory is bounded when the index is built.
//! Never: allocates per event, once its buffers have grown.
//!
//! Each distinct predicate has a number, however many conditions share it. An event's fields are looked at once,
//! each by the [`FieldIndex`] of its key, which hits the predicates that are true, or may be: literals are found by
//! one automaton a field, whole values, numbers and networks in hash tables. A condition is evaluated only when its
//! *trigger* is hit: predicates of which one must be true for the condition to be true.
//!
//! The automata run over the texts of the fields that conditions name, rather than over the raw line. That is always
//! sound, and the line is not: a field's text may come from a transform, may stand in the line with escapes, or may
//! be a constant that does not stand there at all. It also makes a hit of `contains`, `startswith` or `endswith` the
//! answer itself, where a hit in the line would only say that the fields must be looked at. Conditions without a field ask
//! of the line itself, which has an automaton of its own.

mod compile;
mod field;
mod matcher;

use self::field::FieldIndex;
pub use self::matcher::Matcher;
use super::condition::{Condition, Predicate};

/// Most conditions of an index.
const CONDITIONS_MAX: usize = 100_000;
/// Most literals of an index.
const LITERALS_MAX: usize = 1_000_000;
/// All literals of an index together, in bytes. Their automata take up to 20 times as much, 80 while they are built.
const LITERAL_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Literals whose automata have a table of every state and byte, in bytes: up to 32 MiB of tables. The automata of more
/// literals are a twentieth as large and half as fast.
const TABLE_LITERAL_BYTES: usize = 64 * 1024;

/// Why conditions do not become an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// There are too many conditions.
    #[error("{0} conditions, and the limit is {CONDITIONS_MAX}; split them between several processes")]
    Conditions(usize),
    /// There are too many texts in them.
    #[error("{0} texts to look for, and the limit is {LITERALS_MAX}; put long lists into a lookup table")]
    Literals(usize),
    /// The texts in them are too long.
    #[error(
        "{0} bytes of texts to look for, and the limit is {LITERAL_BYTES_MAX}; put long lists into a lookup table"
    )]
    LiteralBytes(usize),
    /// An automaton could not be built.
    #[error("cannot build the automaton of the texts to look for: {0}")]
    Automaton(String),
}

/// The number of a distinct predicate.
type PredicateId = u32;

/// Conditions, compiled for being answered together.
#[derive(Debug)]
pub struct Index {
    /// The distinct predicates; one that hits leave open is evaluated as it is.
    predicates: Vec<Predicate>,
    /// By predicate: whether it may be true without a hit.
    open: Vec<bool>,
    /// The conditions, by the order in which they were given.
    trees: Vec<Tree>,
    /// By predicate: the conditions to evaluate when it is hit.
    triggered: Vec<Box<[u32]>>,
    /// The conditions to evaluate for every event.
    always: Vec<u32>,
    fields: Vec<FieldIndex>,
    /// By key: its place in `fields`, or [`NO_FIELD`].
    places: Vec<u16>,
    /// The place in `fields` of the whole line, or [`NO_FIELD`].
    line: u16,
}

/// The place of the keys that no condition names.
const NO_FIELD: u16 = u16::MAX;

/// A condition whose predicates have numbers.
#[derive(Debug)]
enum Tree {
    All(Box<[Tree]>),
    Any(Box<[Tree]>),
    Not(Box<Tree>),
    Predicate(PredicateId),
}

impl Index {
    /// Compiles conditions; their numbers are their places.
    ///
    /// # Errors
    /// A limit is exceeded.
    pub fn new(conditions: &[Condition]) -> Result<Self, IndexError> {
        compile::compile(conditions, TABLE_LITERAL_BYTES)
    }

    /// An index without tables, such as many literals make.
    #[cfg(test)]
    pub(super) fn compact(conditions: &[Condition]) -> Result<Self, IndexError> {
        compile::compile(conditions, 0)
    }

    /// How many conditions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether it has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }
}
