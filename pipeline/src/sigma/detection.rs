//! What a rule asks of events, as it is written.
//!
//! Owns: [`LogSource`], [`Detection`] with its selections, and how YAML becomes both.
//! Promises: a map is "and", a list of maps "or", a list of values "or"; a value without a field is sought in the line;
//! at most [`VALUES_MAX`] values.
//! Never: knows a modifier; looks up a field.

use super::VALUES_MAX;
use super::error::{Fault, SigmaError};
use super::formula::Formula;
use super::yaml::{Node, Section, Value};
use crate::matcher::Literal;

/// Which events a rule is about; what is absent may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogSource {
    /// The kind of program, such as `webserver`.
    pub category: Option<String>,
    /// The system, such as `linux`.
    pub product: Option<String>,
    /// The program, such as `sshd`.
    pub service: Option<String>,
}

impl LogSource {
    pub(super) fn of(section: &Section<'_>) -> Result<Self, Fault> {
        let source = Self {
            category: section.text("category")?,
            product: section.text("product")?,
            service: section.text("service")?,
        };
        match source == Self::default() {
            false => Ok(source),
            true => {
                let missing = "logsource.category` or `logsource.product` or `logsource.service";
                Err(SigmaError::Missing(missing.to_owned()).at(section.line))
            }
        }
    }

    /// Whether all that is of the other is of this one: what this one says, the other says too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        covers(&self.category, &other.category)
            && covers(&self.product, &other.product)
            && covers(&self.service, &other.service)
    }
}

/// What a rule or a filter asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// By name, in the order of the file.
    pub(super) selections: Vec<(String, Selection)>,
    /// Each with its line; one that is true is enough.
    pub(super) formulas: Vec<(Formula, u64)>,
}

/// A question that a condition can name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selection {
    /// All of these fields are as wanted.
    Fields(Vec<Entry>),
    /// One of these is true.
    Any(Vec<Selection>),
}

/// A field with its modifiers, and what it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// `field|modifier`; without a field for the line.
    pub(super) item: String,
    /// Each with its line.
    pub(super) values: Vec<(Literal, u64)>,
    /// The line of the first value.
    pub(super) line: u64,
}

impl Detection {
    /// Whether it depends on what placeholders stand for.
    pub(super) fn expands(&self) -> bool {
        self.selections.iter().any(|(_, selection)| selection.expands())
    }

    /// Reads a mapping whose other keys are `reserved`.
    pub(super) fn of(section: &Section<'_>, reserved: &[&str]) -> Result<Self, Fault> {
        let condition = section.required("condition")?;
        let formulas = match &condition.value {
            Value::List(items) if !items.is_empty() => {
                items.iter().map(|item| formula(section, item)).collect()
            }
            _ => formula(section, condition).map(|formula| vec![formula]),
        };
        let mut values = 0;
        let mut selections = Vec::new();
        for (name, node) in section.entries {
            if name != "condition" && !reserved.contains(&name.as_str()) {
                selections.push((name.clone(), selection(name, node, &mut values)?));
            }
        }
        Ok(Self { selections, formulas: formulas? })
    }
}

impl Selection {
    /// Whether some of its values depend on placeholders.
    fn expands(&self) -> bool {
        match self {
            Self::Fields(entries) => {
                entries.iter().any(|entry| entry.item.split('|').any(|modifier| modifier == "expand"))
            }
            Self::Any(members) => members.iter().any(Self::expands),
        }
    }
}

fn formula(section: &Section<'_>, node: &Node) -> Result<(Formula, u64), Fault> {
    let Value::Text(text) = &node.value else {
        return Err(section.type_error("condition", "a text or a list of texts").at(node.line));
    };
    Ok((Formula::parse(text).map_err(|error| error.at(node.line))?, node.line))
}

/// Reads a selection; `values` counts those of the whole rule.
fn selection(name: &str, node: &Node, values: &mut usize) -> Result<Selection, Fault> {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => entries
            .iter()
            .map(|(item, node)| entry(item, node, values))
            .collect::<Result<_, _>>()
            .map(Selection::Fields),
        Value::List(items) if !items.is_empty() => any(name, node.line, items, values),
        Value::Map(_) | Value::List(_) | Value::Null => {
            let expected = "a mapping of fields, a list of them or a list of values";
            Err(SigmaError::Type { key: name.to_owned(), expected }.at(node.line))
        }
        _ => Ok(Selection::Fields(vec![entry("", node, values)?])),
    }
}

/// A list: its mappings are selections of their own, its values are one, sought in the line.
fn any(name: &str, line: u64, items: &[Node], values: &mut usize) -> Result<Selection, Fault> {
    let mut members = Vec::new();
    let mut words = Vec::new();
    for item in items {
        match &item.value {
            Value::Map(_) => members.push(selection(name, item, values)?),
            _ => words.push(literal("", item, values)?),
        }
    }
    if !words.is_empty() {
        members.push(Selection::Fields(vec![Entry { item: String::new(), values: words, line }]));
    }
    Ok(Selection::Any(members))
}

fn entry(item: &str, node: &Node, values: &mut usize) -> Result<Entry, Fault> {
    let values = match &node.value {
        Value::List(items) => {
            items.iter().map(|node| literal(item, node, values)).collect::<Result<_, _>>()?
        }
        _ => vec![literal(item, node, values)?],
    };
    Ok(Entry { item: item.to_owned(), values, line: node.line })
}

fn literal(item: &str, node: &Node, values: &mut usize) -> Result<(Literal, u64), Fault> {
    *values += 1;
    if *values > VALUES_MAX {
        return Err(SigmaError::Values(VALUES_MAX).at(node.line));
    }
    let is_line = item.is_empty() || item.starts_with('|');
    let literal = match &node.value {
        Value::Null if !is_line => Literal::Null,
        Value::Bool(truth) => Literal::Bool(*truth),
        // What is sought in a line is text, were it a number elsewhere.
        Value::Integer(number) if is_line => Literal::Text(number.to_string()),
        Value::Integer(number) => Literal::Integer(*number),
        Value::Float(number) => Literal::Float(*number),
        Value::Text(text) => Literal::Text(text.clone()),
        Value::Null | Value::List(_) | Value::Map(_) => {
            let key = if item.is_empty() { "keyword" } else { item }.to_owned();
            let expected = "a text, a number or a list of them";
            return Err(SigmaError::Type { key, expected }.at(node.line));
        }
    };
    Ok((literal, node.line))
}
