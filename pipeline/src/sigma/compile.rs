//! From a detection to a condition.
//!
//! Owns: [`Compiler`]: fields get their names here, selections take their places in the formula.
//! Promises: a field with several names matches when one of them does, and is absent when all are; no rule grows beyond
//! [`TESTS_MAX`] comparisons, however small its text.
//! Never: knows what a modifier means.

use logweir_parsers::KeyId;

use super::detection::{Detection, Entry, LogSource, Selection};
use super::error::{Fault, SigmaError};
use super::formula::{Formula, is_of};
use super::{Options, TESTS_MAX};
use crate::matcher::{Condition, Item, ItemError, LINE, Literal, Predicate, Test};

/// Modifiers by which one value becomes many tests.
const MULTIPLYING: [&str; 2] = ["expand", "windash"];

/// What detections of one log source are compiled with.
pub(super) struct Compiler<'a> {
    pub(super) options: &'a Options<'a>,
    pub(super) log_source: &'a LogSource,
}

/// A condition and the number of its comparisons.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) condition: Condition,
    pub(super) tests: usize,
}

impl Compiler<'_> {
    /// The condition of a rule or a filter.
    pub(super) fn compile(&self, detection: &Detection) -> Result<Compiled, Fault> {
        let mut selections = Vec::new();
        let mut left = TESTS_MAX;
        for (name, selection) in &detection.selections {
            let condition = self.selection(selection, &mut left)?;
            selections.push((name.as_str(), Compiled { tests: tests_of(&condition), condition }));
        }
        let mut left = TESTS_MAX;
        let mut members = Vec::new();
        for (formula, line) in &detection.formulas {
            members.push(place(formula, &selections, &mut left).map_err(|error| error.at(*line))?);
        }
        Ok(Compiled { condition: joined(members, Condition::Any), tests: TESTS_MAX - left })
    }

    fn selection(&self, selection: &Selection, left: &mut usize) -> Result<Condition, Fault> {
        match selection {
            Selection::Fields(entries) => {
                let entries =
                    entries.iter().map(|entry| self.entry(entry, left)).collect::<Result<_, _>>()?;
                Ok(joined(entries, Condition::All))
            }
            Selection::Any(members) => {
                let members =
                    members.iter().map(|member| self.selection(member, left)).collect::<Result<_, _>>()?;
                Ok(joined(members, Condition::Any))
            }
        }
    }

    fn entry(&self, entry: &Entry, left: &mut usize) -> Result<Condition, Fault> {
        let item =
            Item::parse(&entry.item).map_err(|error| SigmaError::item(&entry.item, &error).at(entry.line))?;
        let values = self.values(entry);
        let keys = self.keys(item.field).map_err(|error| error.at(entry.line))?;
        let condition = |key, values: &[Literal]| {
            item.condition(key, values, self.options.keys, self.options.placeholders)
        };
        let fault = |error: &ItemError, at: usize| {
            let line = entry.values.get(at).map_or(entry.line, |(_, line)| *line);
            SigmaError::item(&entry.item, error).at(line)
        };
        // A value of these may stand for a thousand tests: they are counted before they are kept.
        if entry.item.split('|').any(|modifier| MULTIPLYING.contains(&modifier)) {
            let mut tests = 0;
            for (at, value) in values.iter().enumerate() {
                let one = condition(LINE, std::slice::from_ref(value)).map_err(|error| fault(&error, at))?;
                tests += tests_of(&one) * keys.len();
                spend(left, tests_of(&one) * keys.len()).map_err(|error| error.at(entry.line))?;
            }
            *left += tests;
        }
        let mut conditions = Vec::new();
        for key in keys {
            let one = condition(key, &values).map_err(|error| match error {
                ItemError::Value { index, .. } => fault(&error, index),
                _ => fault(&error, 0),
            })?;
            spend(left, tests_of(&one)).map_err(|error| error.at(entry.line))?;
            conditions.push(one);
        }
        Ok(any_name(conditions))
    }

    /// The values of an item; those of `fieldref` are fields, which have names here too.
    fn values(&self, entry: &Entry) -> Vec<Literal> {
        let is_reference = entry.item.split('|').skip(1).any(|modifier| modifier == "fieldref");
        let values = entry.values.iter().flat_map(|(value, _)| match value {
            Literal::Text(field) if is_reference => {
                self.names(field).into_iter().map(Literal::Text).collect::<Vec<_>>()
            }
            value => vec![value.clone()],
        });
        values.collect()
    }

    /// The names that a field of Sigma has here: one at least.
    pub(super) fn names(&self, field: &str) -> Vec<String> {
        let names = (self.options.field_names)(field, self.log_source);
        if names.is_empty() { vec![field.to_owned()] } else { names }
    }

    /// The keys of a field of Sigma; the line if there is no field.
    pub(super) fn keys(&self, field: &str) -> Result<Vec<KeyId>, SigmaError> {
        if field.is_empty() {
            return Ok(vec![LINE]);
        }
        let key = |name: &String| {
            let name = Some(name).filter(|name| !name.is_empty());
            let key = name.and_then(|name| self.options.keys.intern(name));
            key.ok_or_else(|| SigmaError::Field(field.chars().take(60).collect()))
        };
        self.names(field).iter().map(key).collect()
    }
}

/// The conditions of one item under several names of its field as one; they differ in nothing but the key.
fn any_name(mut conditions: Vec<Condition>) -> Condition {
    match conditions.first() {
        Some(Condition::Not(_)) if conditions.len() > 1 => {
            let members = conditions.into_iter().flat_map(members_of).collect();
            Condition::Not(Box::new(any_name(members)))
        }
        Some(Condition::All(_)) if conditions.len() > 1 => {
            let mut names =
                conditions.into_iter().map(|condition| members_of(condition).into_iter()).collect::<Vec<_>>();
            let mut members = Vec::new();
            loop {
                let member = names.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>();
                if member.is_empty() {
                    return Condition::All(members);
                }
                members.push(any_name(member));
            }
        }
        Some(Condition::Field(predicate))
            if conditions.len() > 1 && predicate.tests.contains(&Test::Null) =>
        {
            let mut absent = Vec::new();
            for condition in &mut conditions {
                if let Condition::Field(Predicate { key, tests }) = condition {
                    tests.retain(|test| *test != Test::Null);
                    absent.push(Condition::Field(Predicate { key: *key, tests: vec![Test::Null] }));
                }
            }
            conditions.push(Condition::All(absent));
            Condition::Any(conditions)
        }
        _ => joined(conditions, Condition::Any),
    }
}

fn members_of(condition: Condition) -> Vec<Condition> {
    match condition {
        Condition::All(members) | Condition::Any(members) => members,
        Condition::Not(member) => vec![*member],
        Condition::Field(_) => vec![condition],
    }
}

/// The formula with the conditions of its selections.
fn place(
    formula: &Formula,
    selections: &[(&str, Compiled)],
    left: &mut usize,
) -> Result<Condition, SigmaError> {
    let mut members = |members: &[Formula]| {
        members.iter().map(|member| place(member, selections, left)).collect::<Result<Vec<_>, _>>()
    };
    match formula {
        Formula::Not(member) => Ok(Condition::Not(Box::new(place(member, selections, left)?))),
        Formula::And(formulas) => members(formulas).map(Condition::All),
        Formula::Or(formulas) => members(formulas).map(Condition::Any),
        Formula::Name(name) => {
            let found = selections.iter().find(|(known, _)| known == name);
            let (_, selection) = found.ok_or_else(|| SigmaError::UnknownSelection(name.clone()))?;
            copy(selection, left)
        }
        Formula::OneOf(pattern) | Formula::AllOf(pattern) => {
            let of = selections.iter().filter(|(name, _)| is_of(pattern, name));
            let copies = of.map(|(_, selection)| copy(selection, left)).collect::<Result<Vec<_>, _>>()?;
            match formula {
                _ if copies.is_empty() => Err(SigmaError::NoSelection(pattern.clone())),
                Formula::OneOf(_) => Ok(joined(copies, Condition::Any)),
                _ => Ok(joined(copies, Condition::All)),
            }
        }
    }
}

fn copy(selection: &Compiled, left: &mut usize) -> Result<Condition, SigmaError> {
    spend(left, selection.tests)?;
    Ok(selection.condition.clone())
}

/// Takes comparisons from those that the rule may still have.
pub(super) fn spend(left: &mut usize, tests: usize) -> Result<(), SigmaError> {
    *left = left.checked_sub(tests).ok_or(SigmaError::Tests(TESTS_MAX))?;
    Ok(())
}

fn tests_of(condition: &Condition) -> usize {
    match condition {
        Condition::All(members) | Condition::Any(members) => {
            members.iter().map(tests_of).sum::<usize>().max(1)
        }
        Condition::Not(member) => tests_of(member),
        Condition::Field(predicate) => predicate.tests.len().max(1),
    }
}

fn joined(mut members: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        last => {
            members.extend(last);
            join(members)
        }
    }
}
