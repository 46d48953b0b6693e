//! From `field|modifier = value` to a condition.
//!
//! Owns: [`Item`], a field's name with its modifiers, what modifiers may stand together, and [`ItemError`].
//! Promises: what comes out was checked: expressions compile, networks are networks, numbers are numbers.
//! Never: knows how values are written (TOML, YAML).

mod encoding;
mod error;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use logweir_parsers::KeyId;

pub use self::error::ItemError;
use super::condition::{Condition, Place, Predicate, Reference, Relation, Test};
use super::expression::{Expression, Flags};
use super::modifier::Modifier;
use super::network::Network;
use super::number::Number;
use super::pattern::Pattern;
use crate::event::Keys;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Null, which TOML does not have.
    Null,
}

/// The lists of values that `%name%` stands for with the modifier `expand`.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// A field's name with its modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The field; empty for the line.
    pub field: &'a str,
    modifiers: Vec<Modifier>,
    kind: Kind,
}

/// What the modifiers come down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Expression(Flags),
    Network,
    Relation(Relation),
    Exists,
    Reference(Place),
}

impl<'a> Item<'a> {
    /// Reads `field|modifier|modifier`. Without a field the values are sought anywhere in the line, unless a modifier says
    /// where.
    ///
    /// # Errors
    /// A modifier is unknown or does not fit the others.
    pub fn parse(key: &'a str) -> Result<Self, ItemError> {
        let mut parts = key.split('|');
        let field = parts.next().unwrap_or_default();
        let by_name =
            |name: &str| Modifier::by_name(name).ok_or_else(|| ItemError::UnknownModifier(name.to_owned()));
        let mut modifiers = parts.map(by_name).collect::<Result<Vec<_>, _>>()?;
        let kind = kind(&modifiers)?;
        if field.is_empty() {
            check_keyword(&modifiers, kind)?;
            if kind == Kind::Text && !modifiers.iter().any(|modifier| text::is_place(*modifier)) {
                modifiers.push(Modifier::Contains);
            }
        }
        Ok(Self { field, modifiers, kind })
    }

    /// The condition that the field `key`, or [`super::LINE`], is as these values say; other fields that they name get their keys in `keys`.
    ///
    /// # Errors
    /// There is no value, or one is not what the modifiers need.
    pub fn condition(
        &self,
        key: KeyId,
        values: &[Literal],
        keys: &Arc<Keys>,
        placeholders: &Placeholders,
    ) -> Result<Condition, ItemError> {
        if values.is_empty() {
            return Err(ItemError::NoValues);
        }
        let has = |modifier| self.modifiers.contains(&modifier);
        let mut tests = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let tests_of_value = match (self.kind, value) {
                (Kind::Exists, Literal::Bool(_)) if values.len() == 1 => Ok(vec![Test::Exists]),
                (Kind::Exists, _) => Err("true or false".into()),
                _ => self.tests(value, keys, placeholders),
            };
            tests.push(tests_of_value.map_err(|problem: error::Problem| problem.of_value(index))?);
        }
        let field = |tests| Condition::Field(Predicate { key, tests });
        let condition = match has(Modifier::All) && tests.len() > 1 {
            true => Condition::All(tests.into_iter().map(field).collect()),
            false => field(tests.concat()),
        };
        let absent = self.kind == Kind::Exists && values == [Literal::Bool(false)];
        Ok(if absent != has(Modifier::NotEqual) { Condition::Not(Box::new(condition)) } else { condition })
    }

    /// The tests that a value stands for; one that is passed is enough.
    fn tests(
        &self,
        value: &Literal,
        keys: &Arc<Keys>,
        placeholders: &Placeholders,
    ) -> Result<Vec<Test>, error::Problem> {
        let cased = self.modifiers.contains(&Modifier::Cased);
        let test = match (self.kind, value) {
            (Kind::Text, _) => {
                return match plain_test(value, &self.modifiers) {
                    Some(test) => Ok(vec![test]),
                    None => text::patterns(value, &self.modifiers, placeholders),
                };
            }
            (Kind::Expression(flags), Literal::Text(source)) => {
                Test::Expression(Expression::new(source, flags)?)
            }
            (Kind::Expression(_), _) => return Err("a regular expression, as a text".into()),
            (Kind::Network, Literal::Text(text)) => Test::Network(Network::parse(text)?),
            (Kind::Network, _) => return Err("a network, such as \"10.0.0.0/8\"".into()),
            (Kind::Relation(relation), value) => {
                Test::Number(relation, number(value).ok_or("a number, without quotes")?)
            }
            (Kind::Reference(place), Literal::Text(name)) => {
                let key = Some(name).filter(|name| !name.is_empty()).and_then(|name| keys.intern(name));
                let key = key.ok_or("the name of a field, 1 to 256 bytes long")?;
                Test::Field(Reference { key, place, cased })
            }
            (Kind::Reference(_), _) => return Err("the name of a field, as a text".into()),
            (Kind::Exists, _) => Test::Exists,
        };
        Ok(vec![test])
    }
}

/// The test of a value that is no pattern: a number, or null.
fn plain_test(value: &Literal, modifiers: &[Modifier]) -> Option<Test> {
    let plain = modifiers
        .iter()
        .all(|modifier| matches!(modifier, Modifier::All | Modifier::NotEqual | Modifier::Cased));
    match value {
        Literal::Null if plain => Some(Test::Null),
        value if plain => number(value).map(|number| Test::Number(Relation::Equal, number)),
        _ => None,
    }
}

fn number(value: &Literal) -> Option<Number> {
    match value {
        Literal::Integer(number) => Some((*number).into()),
        Literal::Float(number) => Number::from_float(*number),
        Literal::Text(_) | Literal::Bool(_) | Literal::Null => None,
    }
}

/// Refuses the modifiers that a line is no value for.
fn check_keyword(modifiers: &[Modifier], kind: Kind) -> Result<(), ItemError> {
    match kind {
        Kind::Text | Kind::Expression(_) => Ok(()),
        _ => {
            let main = modifiers.iter().find(|modifier| main_kind(**modifier).is_some());
            Err(ItemError::NeedsField(main.map_or("", |main| main.name())))
        }
    }
}

/// What the modifiers come down to, when they may stand together.
fn kind(modifiers: &[Modifier]) -> Result<Kind, ItemError> {
    for (place, modifier) in modifiers.iter().enumerate() {
        if modifiers[..place].contains(modifier) {
            return Err(ItemError::Twice(modifier.name()));
        }
    }
    let Some((main, mut kind)) =
        modifiers.iter().find_map(|modifier| Some((*modifier, main_kind(*modifier)?)))
    else {
        text::check_order(modifiers)?;
        return Ok(Kind::Text);
    };
    for &modifier in modifiers {
        if modifier == main || is_compatible(main, modifier) {
            kind = with(kind, modifier);
        } else {
            return Err(ItemError::Together(main.name(), modifier.name()));
        }
    }
    match kind {
        Kind::Expression(_) if modifiers[0] != main => Err(ItemError::NotFirst(main.name())),
        kind => Ok(kind),
    }
}

/// The kind that a modifier alone makes, if it makes any but text.
fn main_kind(modifier: Modifier) -> Option<Kind> {
    Some(match modifier {
        Modifier::Expression => Kind::Expression(Flags::default()),
        Modifier::Network => Kind::Network,
        Modifier::Greater => Kind::Relation(Relation::Greater),
        Modifier::GreaterOrEqual => Kind::Relation(Relation::GreaterOrEqual),
        Modifier::Less => Kind::Relation(Relation::Less),
        Modifier::LessOrEqual => Kind::Relation(Relation::LessOrEqual),
        Modifier::Exists => Kind::Exists,
        Modifier::FieldReference => Kind::Reference(Place::Whole),
        _ => return None,
    })
}

/// Whether another modifier may stand beside the one that makes the kind.
fn is_compatible(main: Modifier, other: Modifier) -> bool {
    match main {
        Modifier::Exists => false,
        Modifier::Expression => matches!(
            other,
            Modifier::IgnoreCase
                | Modifier::MultiLine
                | Modifier::DotAll
                | Modifier::All
                | Modifier::NotEqual
        ),
        Modifier::FieldReference => matches!(
            other,
            Modifier::StartsWith
                | Modifier::EndsWith
                | Modifier::Contains
                | Modifier::Cased
                | Modifier::All
                | Modifier::NotEqual
        ),
        _ => matches!(other, Modifier::All | Modifier::NotEqual),
    }
}

/// The kind with what another modifier says.
fn with(kind: Kind, modifier: Modifier) -> Kind {
    match (kind, modifier) {
        (Kind::Expression(flags), Modifier::IgnoreCase) => {
            Kind::Expression(Flags { ignore_case: true, ..flags })
        }
        (Kind::Expression(flags), Modifier::MultiLine) => {
            Kind::Expression(Flags { multi_line: true, ..flags })
        }
        (Kind::Expression(flags), Modifier::DotAll) => Kind::Expression(Flags { dot_all: true, ..flags }),
        (Kind::Reference(_), Modifier::StartsWith) => Kind::Reference(Place::Start),
        (Kind::Reference(_), Modifier::EndsWith) => Kind::Reference(Place::End),
        (Kind::Reference(_), Modifier::Contains) => Kind::Reference(Place::Anywhere),
        (kind, _) => kind,
    }
}

/// The test that a value's text is of a pattern.
fn text_test(pieces: Vec<super::pattern::Piece>, cased: bool) -> Test {
    Test::Text(Pattern::new(pieces, cased))
}
