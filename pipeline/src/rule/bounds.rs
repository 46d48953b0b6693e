//! What a number is compared with.

use super::RuleError;

/// Limits that a number has to keep all of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Not less.
    pub at_least: Option<f64>,
    /// More.
    pub above: Option<f64>,
    /// Not more.
    pub at_most: Option<f64>,
    /// Less.
    pub below: Option<f64>,
    /// Not equal.
    pub other_than: Option<f64>,
}

impl Bounds {
    /// Whether the number keeps all limits.
    #[must_use]
    pub fn hold(&self, number: f64) -> bool {
        self.at_least.is_none_or(|limit| number >= limit)
            && self.above.is_none_or(|limit| number > limit)
            && self.at_most.is_none_or(|limit| number <= limit)
            && self.below.is_none_or(|limit| number < limit)
            && self.other_than.is_none_or(|limit| (number - limit).abs() > 0.0)
    }

    /// The limit to show: the first that there is.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.all().into_iter().flatten().next().unwrap_or(0.0)
    }

    /// The highest limit.
    pub(super) fn highest(&self) -> f64 {
        self.all().into_iter().flatten().fold(f64::NEG_INFINITY, f64::max)
    }

    /// An error unless there is a limit, and each is a number.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        let mut limits = self.all().into_iter().flatten().peekable();
        RuleError::unless(limits.peek().is_some(), "a threshold", "given")?;
        RuleError::unless(limits.all(f64::is_finite), "a threshold", "a finite number")
    }

    fn all(&self) -> [Option<f64>; 5] {
        [self.at_least, self.above, self.at_most, self.below, self.other_than]
    }
}
