//! From conditions to an index.
//!
//! Owns: the numbering of predicates, what of a test can be looked up, and the choice of triggers.
//! Promises: a predicate without a hit is false unless it is marked as open; a condition whose trigger is not hit is
//! false.
//! Never: runs after the start.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use logweir_parsers::KeyId;

use super::super::condition::{Condition, Predicate, Relation, Test};
use super::super::pattern::{Pattern, Shape};
use super::super::text::fold;
use super::super::value::LINE;
use super::field::{At, FieldIndex, FieldTests, Hit};
use super::{
    CONDITIONS_MAX, Index, IndexError, LITERAL_BYTES_MAX, LITERALS_MAX, NO_FIELD, PredicateId, Tree,
};

/// How often a predicate is hit, as far as can be told: the least is the best trigger. First whether it is hit
/// whenever the field is there; then in how many conditions it stands, for what many ask is common; then the length of
/// its shortest literal.
type Frequency = (bool, u32, Reverse<usize>);

#[derive(Default)]
struct Compiler<'a> {
    numbers: HashMap<&'a Predicate, PredicateId>,
    predicates: Vec<Predicate>,
    uses: Vec<u32>,
}

/// Compiles conditions; automata have tables up to so many bytes of literals.
pub(super) fn compile(conditions: &[Condition], table_literal_bytes: usize) -> Result<Index, IndexError> {
    if conditions.len() > CONDITIONS_MAX {
        return Err(IndexError::Conditions(conditions.len()));
    }
    let mut compiler = Compiler::default();
    let mut trees = conditions.iter().map(|condition| compiler.tree(condition)).collect::<Vec<_>>();
    let Compiler { predicates, uses, .. } = compiler;
    let open = predicates.iter().map(|predicate| predicate.tests.contains(&Test::Null)).collect::<Vec<_>>();
    let mut gathered = Gathered::default();
    let mut frequencies = Vec::with_capacity(predicates.len());
    for ((predicate, number), uses) in predicates.iter().zip(0..).zip(uses) {
        let (always, least) = gathered.add(predicate, number);
        frequencies.push((always, uses, Reverse(least)));
    }
    let mut triggered = vec![Vec::new(); predicates.len()];
    let mut always = Vec::new();
    for (tree, number) in trees.iter_mut().zip(0_u32..) {
        tree.order(&open, &frequencies);
        match tree.trigger(&open, &frequencies) {
            Some((_, trigger)) => trigger.iter().for_each(|id| triggered[*id as usize].push(number)),
            None => always.push(number),
        }
    }
    let (fields, places, line) = gathered.finish(table_literal_bytes)?;
    let triggered = triggered.into_iter().map(Vec::into_boxed_slice).collect();
    Ok(Index { predicates, open, trees, triggered, always, fields, places, line })
}

impl<'a> Compiler<'a> {
    fn tree(&mut self, condition: &'a Condition) -> Tree {
        match condition {
            Condition::All(members) => Tree::All(members.iter().map(|member| self.tree(member)).collect()),
            Condition::Any(members) => Tree::Any(members.iter().map(|member| self.tree(member)).collect()),
            Condition::Not(member) => Tree::Not(Box::new(self.tree(member))),
            Condition::Field(predicate) => Tree::Predicate(self.number(predicate)),
        }
    }

    fn number(&mut self, predicate: &'a Predicate) -> PredicateId {
        let number = match self.numbers.entry(predicate) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                // Far below 2³²: there are at most 100,000 conditions, each from a file of at most 8 MiB.
                let number = PredicateId::try_from(self.predicates.len()).unwrap_or(PredicateId::MAX);
                self.predicates.push(predicate.clone());
                self.uses.push(0);
                *new.insert(number)
            }
        };
        self.uses[number as usize] += 1;
        number
    }
}

impl Tree {
    /// Predicates one of which must be true for the tree to be true, and how often the most frequent of them is hit.
    fn trigger(&self, open: &[bool], frequencies: &[Frequency]) -> Option<(Frequency, Vec<PredicateId>)> {
        match self {
            Self::Predicate(id) => (!open[*id as usize]).then(|| (frequencies[*id as usize], vec![*id])),
            Self::All(members) => members
                .iter()
                .filter_map(|member| member.trigger(open, frequencies))
                .min_by_key(|(frequency, _)| *frequency),
            Self::Any(members) => {
                let triggers = members.iter().map(|member| member.trigger(open, frequencies));
                triggers.reduce(|left, right| {
                    let ((left, mut ids), (right, more)) = (left?, right?);
                    ids.extend(more);
                    Some((left.max(right), ids))
                })?
            }
            Self::Not(_) => None,
        }
    }

    /// Puts the members first that decide soonest: what a look at the hits answers, then what is rare.
    fn order(&mut self, open: &[bool], frequencies: &[Frequency]) {
        match self {
            Self::All(members) | Self::Any(members) => {
                members.iter_mut().for_each(|member| member.order(open, frequencies));
                members.sort_by_key(|member| match member {
                    Self::Predicate(id) => (open[*id as usize], Some(frequencies[*id as usize])),
                    _ => (true, None),
                });
            }
            Self::Not(member) => member.order(open, frequencies),
            Self::Predicate(_) => {}
        }
    }
}

/// The tests of all fields.
#[derive(Default)]
struct Gathered {
    fields: HashMap<KeyId, FieldTests>,
    literals: usize,
    literal_bytes: usize,
}

impl Gathered {
    /// Adds the tests of a predicate. Returns whether it is hit whenever the field is there, and the length of its
    /// shortest literal.
    fn add(&mut self, predicate: &Predicate, number: PredicateId) -> (bool, usize) {
        let (mut always, mut least) = (false, usize::MAX);
        for test in &predicate.tests {
            match self.add_test(predicate.key, test, number) {
                Some(len) => least = least.min(len),
                None => always = true,
            }
        }
        (always, least)
    }

    /// Adds a test. Returns the length of what is looked up, in bytes, unless every value hits it.
    fn add_test(&mut self, key: KeyId, test: &Test, predicate: PredicateId) -> Option<usize> {
        let sure = Hit { predicate, sure: true };
        let unsure = Hit { predicate, sure: false };
        let field = self.field(key);
        match test {
            Test::Null => return Some(0),
            Test::Exists => field.present.push(sure),
            Test::Field(_) => field.present.push(unsure),
            Test::Number(Relation::Equal, number) => {
                field.numbers.entry(*number).or_default().push(sure);
                return Some(2);
            }
            Test::Number(relation, number) => field.relations.push((*relation, *number, sure)),
            Test::Network(network) => {
                field.networks.entry(*network).or_default().push(sure);
                return Some(usize::from(network.prefix() / 8));
            }
            Test::Expression(expression) => match expression.literals() {
                Some(literals) => {
                    literals.iter().for_each(|literal| self.add_literal(key, literal, At::Anywhere, unsure));
                    return literals.iter().map(String::len).min();
                }
                None => field.present.push(unsure),
            },
            Test::Text(pattern) => return self.add_pattern(key, pattern, predicate),
        }
        None
    }

    fn add_pattern(&mut self, key: KeyId, pattern: &Pattern, predicate: PredicateId) -> Option<usize> {
        let (shape, literal) = pattern.shape();
        let sure = match shape {
            Shape::AnyText => true,
            Shape::Wildcards => false,
            Shape::Is | Shape::StartsWith | Shape::EndsWith | Shape::Contains => !pattern.is_cased(),
        };
        let hit = Hit { predicate, sure };
        let folded = literal.chars().map(fold).collect::<String>();
        let at = match shape {
            Shape::Is => {
                self.count(&folded);
                self.field(key).whole.entry(folded.as_bytes().into()).or_default().push(hit);
                return Some(folded.len());
            }
            _ if folded.is_empty() => {
                self.field(key).any_text.push(hit);
                return None;
            }
            Shape::StartsWith => At::Start,
            Shape::EndsWith => At::End,
            Shape::AnyText | Shape::Contains | Shape::Wildcards => At::Anywhere,
        };
        self.add_literal(key, &folded, at, hit);
        Some(folded.len())
    }

    fn add_literal(&mut self, key: KeyId, literal: &str, at: At, hit: Hit) {
        self.count(literal);
        self.field(key).literals.entry(literal.as_bytes().into()).or_default().add(at, hit);
    }

    fn field(&mut self, key: KeyId) -> &mut FieldTests {
        self.fields.entry(key).or_default()
    }

    fn count(&mut self, literal: &str) {
        self.literals += 1;
        self.literal_bytes += literal.len();
    }

    /// The fields, where each key's is, and where the line's is. The smallest automata get their tables first.
    fn finish(self, mut table_literal_bytes: usize) -> Result<(Vec<FieldIndex>, Vec<u16>, u16), IndexError> {
        if self.literals > LITERALS_MAX {
            return Err(IndexError::Literals(self.literals));
        }
        if self.literal_bytes > LITERAL_BYTES_MAX {
            return Err(IndexError::LiteralBytes(self.literal_bytes));
        }
        let keys = self.fields.keys().filter(|key| **key != LINE);
        let len = keys.map(|key| usize::from(key.0) + 1).max().unwrap_or(0);
        let (mut places, mut line) = (vec![NO_FIELD; len], NO_FIELD);
        let mut sorted = self.fields.into_iter().collect::<Vec<_>>();
        sorted.sort_by_key(|(key, tests)| (tests.literal_bytes(), *key));
        let mut fields = Vec::with_capacity(sorted.len());
        let mut literals = 0;
        for ((key, tests), place) in sorted.into_iter().zip(0..) {
            let rest = table_literal_bytes.checked_sub(tests.literal_bytes());
            table_literal_bytes = rest.unwrap_or(0);
            let field = FieldIndex::new(tests, literals, rest.is_some())?;
            literals += field.literals();
            fields.push(field);
            *if key == LINE { &mut line } else { &mut places[usize::from(key.0)] } = place;
        }
        Ok((fields, places, line))
    }
}
