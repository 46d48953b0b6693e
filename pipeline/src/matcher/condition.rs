//! What a user asks of events, and its plain meaning.
//!
//! Owns: [`Condition`], [`Predicate`] and [`Test`], and their evaluation for one event.
//! Promises: this evaluation is the meaning of the language; the index of many conditions gives the same answers. A
//! field that is absent makes every test false but [`Test::Null`]; a list makes a test true when one item does.
//! Never: changes an event; allocates, except for a regular expression on a text with JSON escapes.

use logweir_parsers::KeyId;

use super::expression::Expression;
use super::network::{Address, Network};
use super::number::Number;
use super::pattern::Pattern;
use super::text::{Text, compared};
use super::value::{Found, Scalar};
use crate::event::{Batch, Value};

/// A question about an event that has the answer yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Whether all of these are true; without members: yes.
    All(Vec<Condition>),
    /// Whether one of these is true; without members: no.
    Any(Vec<Condition>),
    /// Whether this is false.
    Not(Box<Condition>),
    /// Whether a field is as wanted.
    Field(Predicate),
}

impl Condition {
    /// The answer for event `index` of the batch.
    #[must_use]
    pub fn is_true(&self, batch: &Batch, index: usize) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.is_true(batch, index)),
            Self::Any(members) => members.iter().any(|member| member.is_true(batch, index)),
            Self::Not(member) => !member.is_true(batch, index),
            Self::Field(predicate) => predicate.is_true(batch, index),
        }
    }
}

/// Whether a field passes one of several tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Predicate {
    /// The field, or [`super::LINE`].
    pub key: KeyId,
    /// The tests; one that it passes is enough.
    pub tests: Vec<Test>,
}

impl Predicate {
    /// The answer for event `index` of the batch.
    #[must_use]
    pub fn is_true(&self, batch: &Batch, index: usize) -> bool {
        let Some(found) = Found::of(batch, index, self.key) else {
            return self.tests.iter().any(|test| matches!(test, Test::Null));
        };
        // Most questions are one test of one plain value: no list to walk, no number to write as a text.
        match (found, &*self.tests) {
            (Found::Own(Value::Integer(number)), [Test::Number(relation, wanted)]) => {
                return relation.holds(number.into(), *wanted);
            }
            (Found::Own(Value::Text(span)), [Test::Text(pattern)]) => {
                return pattern.is_match(Text::Plain(span.of(&batch.chunk)));
            }
            _ => {}
        }
        self.tests.iter().any(|test| matches!(test, Test::Exists))
            || found.any(batch, |scalar| self.tests.iter().any(|test| test.is_true(scalar, batch, index)))
    }
}

/// One thing that can be asked of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// The event has the field, be its value null or an empty list.
    Exists,
    /// The event lacks the field, or its value is JSON's null.
    Null,
    /// The value's text is of this pattern.
    Text(Pattern),
    /// The value is a number, or a text that reads like one, in this relation to another.
    Number(Relation, Number),
    /// The value's text has a match of this expression.
    Expression(Expression),
    /// The value is an IP address of this network.
    Network(Network),
    /// The value's text relates to that of another field of the event; never so when one of them is absent.
    Field(Reference),
}

impl Test {
    fn is_true(&self, scalar: Scalar<'_>, batch: &Batch, index: usize) -> bool {
        let Some(text) = scalar.text else {
            return matches!(self, Self::Null);
        };
        match self {
            Self::Exists | Self::Null => false,
            Self::Text(pattern) => pattern.is_match(text),
            Self::Number(relation, number) => {
                scalar.as_number().is_some_and(|found| relation.holds(found, *number))
            }
            Self::Expression(expression) => expression.is_match(text),
            Self::Network(network) => {
                Address::from_text(text).is_some_and(|address| network.contains(address))
            }
            Self::Field(reference) => Found::of(batch, index, reference.key)
                .is_some_and(|found| found.any(batch, |other| reference.holds(scalar, other))),
        }
    }
}

/// How a value relates to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// It is that number.
    Equal,
    /// It is greater.
    Greater,
    /// It is greater or that number.
    GreaterOrEqual,
    /// It is less.
    Less,
    /// It is less or that number.
    LessOrEqual,
}

impl Relation {
    /// Whether `found` stands in this relation to `wanted`.
    #[inline]
    pub(super) fn holds(self, found: Number, wanted: Number) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
        }
    }
}

/// How a value relates to that of another field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The other field.
    pub key: KeyId,
    /// Where the other's text must stand in the value's.
    pub place: Place,
    /// Whether upper and lower case differ.
    pub cased: bool,
}

/// Where one text stands in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// It is the whole.
    Whole,
    /// At the start.
    Start,
    /// At the end.
    End,
    /// Anywhere.
    Anywhere,
}

impl Reference {
    /// Numbers are compared as numbers when one of the two is a number and the other reads like one.
    fn holds(&self, value: Scalar<'_>, other: Scalar<'_>) -> bool {
        let (Some(text), Some(wanted)) = (value.text, other.text) else {
            return false;
        };
        let numeric = self.place == Place::Whole && (value.number.is_some() || other.number.is_some());
        if let (true, Some(value), Some(other)) = (numeric, value.as_number(), other.as_number()) {
            return value == other;
        }
        let mut rest = text.chars();
        loop {
            if self.is_at_start(&mut rest.clone(), wanted) {
                return true;
            }
            let later = matches!(self.place, Place::End | Place::Anywhere);
            if !later || rest.next().is_none() {
                return false;
            }
        }
    }

    fn is_at_start(&self, rest: &mut impl Iterator<Item = char>, wanted: Text<'_>) -> bool {
        let same = |wanted| {
            rest.next().is_some_and(|found| compared(found, self.cased) == compared(wanted, self.cased))
        };
        wanted.chars().all(same)
            && (matches!(self.place, Place::Start | Place::Anywhere) || rest.next().is_none())
    }
}
