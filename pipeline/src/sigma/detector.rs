//! Which kind of rule finds a correlation.
//!
//! Owns: [`detector`].
//! Promises: what goes on to be true as more happens (a count, a number of values or of rules, or a sum above a bound) is found at the
//! event with which it becomes true, in the timespan before it; anything else is judged when a timespan is over that began with the
//! first event of the group. What can never be true is refused.
//! Never: counts anything.

use super::correlation::{Bounds, CorrelationDocument, CorrelationKind, Operator};
use super::error::SigmaError;
use crate::rule::{
    self, Closing, Combination, Combined, Count, CountWindow, Distinct, Limits, Measure, RuleKind, SPAN_MAX,
    Sequence, Sum,
};

/// Steps of a `temporal_ordered`.
const STEPS_MAX: usize = 31;

/// When a correlation is true.
pub(super) enum Asked<'a> {
    /// When what is computed is within these bounds; a temporal one computes how many of its rules matched.
    Bounds(&'a Bounds),
    /// When these of its rules, by their places, matched.
    Combination(Combination),
}

/// The rule that finds what the correlation asks for.
pub(super) fn detector(document: &CorrelationDocument, asked: Asked<'_>) -> Result<RuleKind, SigmaError> {
    let (span, rules) = (document.timespan, document.rules.len());
    if span > SPAN_MAX {
        return Err(SigmaError::Timespan);
    }
    let members = u32::try_from(rules).unwrap_or(u32::MAX);
    let kind = match asked {
        Asked::Combination(formula) if formula.has_not() => {
            let bounds = rule::Bounds { at_least: Some(1.0), ..rule::Bounds::default() };
            RuleKind::Closing(Closing { span, measure: Measure::Combination(formula), bounds })
        }
        Asked::Combination(formula) => RuleKind::Combined(Combined { span, members, formula }),
        Asked::Bounds(bounds) => match document.kind {
            CorrelationKind::TemporalOrdered => ordered(span, rules, bounds)?,
            CorrelationKind::Temporal => distinct(span, bounds, Some(rules))?,
            CorrelationKind::ValueCount => distinct(span, bounds, None)?,
            CorrelationKind::EventCount => count(span, bounds)?,
            CorrelationKind::ValueSum if bounds.has_only_lower() => {
                RuleKind::Sum(Sum { span, bounds: limits(bounds) })
            }
            CorrelationKind::ValueSum => closing(span, Measure::Sum, bounds),
            CorrelationKind::ValueAverage => closing(span, Measure::Average, bounds),
            CorrelationKind::ValuePercentile(percent) => closing(span, Measure::Percentile(percent), bounds),
            CorrelationKind::ValueMedian => closing(span, Measure::Median, bounds),
        },
    };
    match kind.detector(Limits { max_keys: 1, suppress: None }) {
        Ok(_) => Ok(kind),
        Err(error) => Err(SigmaError::Detector(error.to_string())),
    }
}

fn closing(span: i64, measure: Measure, bounds: &Bounds) -> RuleKind {
    RuleKind::Closing(Closing { span, measure, bounds: limits(bounds) })
}

fn count(span: i64, bounds: &Bounds) -> Result<RuleKind, SigmaError> {
    Ok(match least(bounds, None)? {
        Some(at_least) => {
            let window = CountWindow::Sliding { span };
            RuleKind::Count(Count { window, at_least: Some(at_least), at_most: None })
        }
        None => closing(span, Measure::Count, bounds),
    })
}

/// How many different values, or how many of so many rules.
fn distinct(span: i64, bounds: &Bounds, most: Option<usize>) -> Result<RuleKind, SigmaError> {
    Ok(match least(bounds, most)? {
        Some(at_least) => {
            let at_least = u32::try_from(at_least).unwrap_or(u32::MAX);
            RuleKind::Distinct(Distinct { span, at_least })
        }
        None => closing(span, Measure::Distinct, bounds),
    })
}

fn ordered(span: i64, rules: usize, bounds: &Bounds) -> Result<RuleKind, SigmaError> {
    let is_all = least(bounds, Some(rules))? == Some(rules as u64);
    match u8::try_from(rules) {
        _ if !is_all => Err(SigmaError::Correlation("must ask for all of its rules when they are ordered")),
        Ok(1) => distinct(span, bounds, Some(rules)),
        Ok(steps) if rules <= STEPS_MAX => {
            Ok(RuleKind::Sequence(Sequence { steps, within: span, in_order: true }))
        }
        _ => Err(SigmaError::Steps(STEPS_MAX)),
    }
}

/// The number of things from which on the bounds hold, if they go on to hold: of nothing there is no group, so it is one at least.
/// There are at most so many things.
fn least(bounds: &Bounds, most: Option<usize>) -> Result<Option<u64>, SigmaError> {
    let most = most.map_or(f64::MAX, |most| most as f64);
    let near = bounds.members().iter().flat_map(|(_, bound)| [bound - 1.0, *bound, bound + 1.0]);
    let possible = near.chain([1.0, most]).filter(|number| (1.0..=most).contains(number));
    let Some(least) = possible.filter(|number| bounds.holds(*number)).min_by(f64::total_cmp) else {
        return Err(SigmaError::Correlation(
            "can never be true: there is an event when it is asked, and no more rules match than it names",
        ));
    };
    Ok(bounds.has_only_lower().then_some(least as u64))
}

fn limits(bounds: &Bounds) -> rule::Bounds {
    let mut limits = rule::Bounds::default();
    for (operator, bound) in bounds.members() {
        let bound = Some(*bound);
        match operator {
            Operator::Greater => limits.above = bound,
            Operator::GreaterOrEqual => limits.at_least = bound,
            Operator::Less => limits.below = bound,
            Operator::LessOrEqual => limits.at_most = bound,
            Operator::Equal => (limits.at_least, limits.at_most) = (bound, bound),
            Operator::NotEqual => limits.other_than = bound,
        }
    }
    limits
}
