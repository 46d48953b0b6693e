//! Why a condition is true or false of an event.
//!
//! Owns: [`Condition::reasons`], the comparisons that decided, in words.
//! Promises: names every comparison without which the answer could be another one, each with the value that was compared.
//! Never: runs where events flow; it is for a person who asks about one event.

use std::fmt;

use logweir_parsers::KeyId;

use super::condition::{Condition, Place, Predicate, Reference, Relation, Test};
use super::value::Found;
use crate::event::{Batch, KeyTable};

/// Tests of one field that a reason lists; more are counted.
const TESTS_LISTED: usize = 5;
/// Characters of a value that a reason shows.
const VALUE_CHARACTERS: usize = 200;

impl Condition {
    /// The comparisons that decide whether this is true of event `index` of the batch, such as
    /// `url.path is "/cart", does not match "/healthz"`.
    #[must_use]
    pub fn reasons(&self, batch: &Batch, index: usize, keys: &KeyTable) -> Vec<String> {
        let mut reasons = Vec::new();
        self.add_reasons(batch, index, keys, &mut reasons);
        reasons
    }

    fn add_reasons(&self, batch: &Batch, index: usize, keys: &KeyTable, reasons: &mut Vec<String>) {
        let answer = self.is_true(batch, index);
        match self {
            // One member is enough for "yes" of any and for "no" of all; else each of them decided.
            Self::All(members) | Self::Any(members) => {
                let decides_alone = answer == matches!(self, Self::Any(_));
                let deciding = members.iter().filter(|member| member.is_true(batch, index) == answer);
                let most = if decides_alone { 1 } else { members.len() };
                deciding.take(most).for_each(|member| member.add_reasons(batch, index, keys, reasons));
            }
            Self::Not(member) => member.add_reasons(batch, index, keys, reasons),
            Self::Field(predicate) => reasons.push(predicate.reason(batch, index, keys)),
        }
    }
}

impl Predicate {
    fn reason(&self, batch: &Batch, index: usize, keys: &KeyTable) -> String {
        let passes =
            |test: &&Test| Self { key: self.key, tests: vec![(*test).clone()] }.is_true(batch, index);
        let passed = self.tests.iter().find(passes);
        let verb = if passed.is_some() { "matches" } else { "does not match" };
        let tests = passed.map_or(self.tests.as_slice(), std::slice::from_ref);
        let listed = tests.iter().take(TESTS_LISTED).map(|test| Shown { test, keys }.to_string());
        let mut listed = listed.collect::<Vec<_>>().join(" or ");
        if tests.len() > TESTS_LISTED {
            listed += &format!(" or {} others", tests.len() - TESTS_LISTED);
        }
        format!("{} is {}, {verb} {listed}", name(self.key, keys), value(batch, index, self.key))
    }
}

/// The value of a field as text in quotes, or what it is instead.
fn value(batch: &Batch, index: usize, key: KeyId) -> String {
    let Some(found) = Found::of(batch, index, key) else {
        return "absent".to_owned();
    };
    let mut values = Vec::new();
    found.any(batch, |scalar| {
        values.push(match scalar.text {
            None => "null".to_owned(),
            Some(text) if scalar.number.is_some() => text.chars().collect(),
            Some(text) => format!("\"{}\"", text.chars().take(VALUE_CHARACTERS).collect::<String>()),
        });
        values.len() == TESTS_LISTED
    });
    if values.is_empty() { "no text or number".to_owned() } else { values.join(" and ") }
}

fn name(key: KeyId, keys: &KeyTable) -> String {
    String::from_utf8_lossy(keys.name(key)).into_owned()
}

/// A test as it can be read.
struct Shown<'a> {
    test: &'a Test,
    keys: &'a KeyTable,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.test {
            Test::Exists => formatter.write_str("anything"),
            Test::Null => formatter.write_str("nothing"),
            Test::Text(pattern) => pattern.fmt(formatter),
            Test::Number(relation, number) => write!(formatter, "{} {number}", sign(*relation)),
            Test::Expression(expression) => expression.fmt(formatter),
            Test::Network(network) => network.fmt(formatter),
            Test::Field(Reference { key, place, .. }) => {
                let place = match place {
                    Place::Whole => "",
                    Place::Start => "what begins with ",
                    Place::End => "what ends with ",
                    Place::Anywhere => "what contains ",
                };
                write!(formatter, "{place}the value of {}", name(*key, self.keys))
            }
        }
    }
}

fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => "≥",
        Relation::Less => "<",
        Relation::LessOrEqual => "≤",
    }
}
