//! What an aggregate computes.
//!
//! Owns: [`Function`], and [`Plan`], by which several functions share what they read of an event and what they keep.
//! Promises: a field is read once an event, and nothing is kept twice.
//! Never: holds state.

use logweir_parsers::KeyId;

use crate::matcher::Condition;

/// One result of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// How many events there are; with a condition, for how many it is true.
    Count(Option<Condition>),
    /// The sum of a field's numbers.
    Sum(KeyId),
    /// Their mean.
    Average(KeyId),
    /// The least.
    Min(KeyId),
    /// The greatest.
    Max(KeyId),
    /// The value of the earliest event that has the field.
    First(KeyId),
    /// The value of the latest.
    Last(KeyId),
    /// Events in a second of the window; with a condition, those for which it is true.
    Rate(Option<Condition>),
    /// How many different values, or combinations of values, there are: exact up to 256, about 1.6 % off above that.
    Distinct(Vec<KeyId>),
    /// The number that so many percent of all are at most: within 1 % of it.
    Percentile {
        /// The field.
        of: KeyId,
        /// Above 0 and at most 100.
        percent: f64,
    },
    /// The values that occur most often.
    Top {
        /// The field.
        of: KeyId,
        /// How many of them.
        values: usize,
    },
    /// One result divided by another.
    Ratio {
        /// Its place among the results.
        of: usize,
        /// The other's place.
        to: usize,
    },
}

/// What is read of an event. All are 64 bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    /// The bits of a float, not a number when the event has none.
    Number(KeyId),
    /// 1 or 0.
    Truth(Condition),
    /// A hash of the values, [`ABSENT`] when one is missing.
    Hash(Vec<KeyId>),
    /// The place of the value's JSON in the sample's text, [`ABSENT`] when there is none.
    Json(KeyId),
}

/// What stands for a value that an event does not have.
pub(super) const ABSENT: u64 = u64::MAX;

/// What is kept of a key's events in a window. The numbers are places in the list of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Count,
    CountTrue(usize),
    CountNumbers(usize),
    Sum(usize),
    Min(usize),
    Max(usize),
    First(usize),
    Last(usize),
    Distinct(usize),
    Percentile(usize),
    Top(usize),
}

/// How a result follows from what is kept. The numbers are places in the list of what is kept, those of a ratio among the results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Formula {
    Whole(usize),
    Number(usize),
    Value(usize),
    Mean { sum: usize, count: usize },
    Rate(usize),
    Percentile { of: usize, percent: f64 },
    Top { of: usize, values: usize },
    Ratio { of: usize, to: usize },
}

/// How the results of an aggregate are computed together.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) inputs: Vec<Input>,
    pub(super) kept: Vec<Kept>,
    pub(super) formulas: Vec<Formula>,
}

impl Plan {
    pub(super) fn new<'a>(functions: impl Iterator<Item = &'a Function>) -> Self {
        let mut plan = Self::default();
        for function in functions {
            let formula = plan.formula(function);
            plan.formulas.push(formula);
        }
        plan
    }

    fn formula(&mut self, function: &Function) -> Formula {
        match function {
            Function::Count(condition) => Formula::Whole(self.count(condition.as_ref())),
            Function::Rate(condition) => Formula::Rate(self.count(condition.as_ref())),
            Function::Sum(key) => Formula::Number(self.of_number(*key, Kept::Sum)),
            Function::Average(key) => Formula::Mean {
                sum: self.of_number(*key, Kept::Sum),
                count: self.of_number(*key, Kept::CountNumbers),
            },
            Function::Min(key) => Formula::Number(self.of_number(*key, Kept::Min)),
            Function::Max(key) => Formula::Number(self.of_number(*key, Kept::Max)),
            Function::First(key) => Formula::Value(self.of(Input::Json(*key), Kept::First)),
            Function::Last(key) => Formula::Value(self.of(Input::Json(*key), Kept::Last)),
            Function::Distinct(keys) => Formula::Whole(self.of(Input::Hash(keys.clone()), Kept::Distinct)),
            Function::Percentile { of, percent } => {
                Formula::Percentile { of: self.of_number(*of, Kept::Percentile), percent: *percent }
            }
            Function::Top { of, values } => {
                Formula::Top { of: self.of(Input::Json(*of), Kept::Top), values: *values }
            }
            Function::Ratio { of, to } => Formula::Ratio { of: *of, to: *to },
        }
    }

    fn count(&mut self, condition: Option<&Condition>) -> usize {
        match condition {
            Some(condition) => self.of(Input::Truth(condition.clone()), Kept::CountTrue),
            None => place(&mut self.kept, Kept::Count),
        }
    }

    fn of_number(&mut self, key: KeyId, kept: fn(usize) -> Kept) -> usize {
        self.of(Input::Number(key), kept)
    }

    fn of(&mut self, input: Input, kept: fn(usize) -> Kept) -> usize {
        let input = place(&mut self.inputs, input);
        place(&mut self.kept, kept(input))
    }
}

/// The place of an item in the list, to which it is added when it is not there.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_share_what_they_read_and_keep() {
        let (duration, user) = (KeyId(500), KeyId(501));
        let functions = [
            Function::Average(duration),
            Function::Sum(duration),
            Function::Percentile { of: duration, percent: 95.0 },
            Function::Percentile { of: duration, percent: 50.0 },
            Function::Count(None),
            Function::Rate(None),
            Function::Distinct(vec![user]),
            Function::Last(user),
        ];
        let plan = Plan::new(functions.iter());
        assert_eq!(plan.inputs.len(), 3);
        assert_eq!(
            plan.kept,
            [
                Kept::Sum(0),
                Kept::CountNumbers(0),
                Kept::Percentile(0),
                Kept::Count,
                Kept::Distinct(1),
                Kept::Last(2)
            ]
        );
        assert_eq!(plan.formulas.len(), functions.len());
    }
}
