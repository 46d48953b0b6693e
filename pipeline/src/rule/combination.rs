//! Which of some things happened, joined by `and`, `or` and `not`.
//!
//! Owns: [`Combination`], and [`Combined`], the settings of a rule that is judged at each hit.
//! Promises: a combination without `not` goes on to be true as more happens, so it need not wait for the end of a window.
//! Never: knows what the things are: a hit says which it is by its value.

use super::distinct::DistinctKind;
use super::{Distinct, RuleError};

/// Things joined by `and`, `or` and `not`, by their numbers from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Combination {
    /// This one.
    Member(usize),
    /// Not this.
    Not(Box<Combination>),
    /// All of these.
    All(Vec<Combination>),
    /// One of these.
    Any(Vec<Combination>),
}

impl Combination {
    /// The answer when those happened.
    #[must_use]
    pub fn is_true(&self, happened: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::Member(number) => happened(*number),
            Self::Not(member) => !member.is_true(happened),
            Self::All(members) => members.iter().all(|member| member.is_true(happened)),
            Self::Any(members) => members.iter().any(|member| member.is_true(happened)),
        }
    }

    /// Whether something in it must not happen.
    #[must_use]
    pub fn has_not(&self) -> bool {
        match self {
            Self::Member(_) => false,
            Self::Not(_) => true,
            Self::All(members) | Self::Any(members) => members.iter().any(Self::has_not),
        }
    }
}

/// Settings of a rule that fires at the hit with which a combination becomes true in a sliding window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// The length of the sliding window, both ends in.
    pub span: i64,
    /// How many things there are.
    pub members: u32,
    /// Which of them must happen; it has no `not`.
    pub formula: Combination,
}

impl Combined {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<DistinctKind, RuleError> {
        RuleError::unless(!self.formula.has_not(), "the combination", "without `not`")?;
        let kind = Distinct { span: self.span, at_least: self.members }.kind(suppress)?;
        Ok(kind.with_formula(self.formula.clone()))
    }
}
