//! The YAML of a file as nodes that know their lines.
//!
//! Owns: [`Node`], [`Section`], by which a mapping is asked for its keys, and the limits of YAML.
//! Promises: aliases cannot grow a document beyond the limits; a key stands once; what is not plainly a number, `true`,
//! `false` or null is a text (`no`, `010` and `1_000` are), since the values of Sigma are texts.
//! Never: knows what a key means.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Options, Spanned};
use xxhash_rust::xxh3::Xxh3;

use super::DOCUMENTS_MAX;
use super::error::{Fault, SigmaError};

/// Mappings and lists in each other; the deepest rule has six.
const DEPTH_MAX: usize = 16;
/// Nodes of a document, those that aliases repeat included.
const NODES_MAX: usize = 100_000;

/// A node of a document.
#[derive(Debug)]
pub(super) struct Node {
    /// Its line, from 1; 0 if it is not known.
    pub(super) line: u64,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The documents of a file; empty ones are left out. After a document whose YAML is broken there may be none.
pub(super) fn nodes(text: &str) -> Vec<Result<Node, Fault>> {
    let mut bytes = text.as_bytes();
    let documents = serde_saphyr::read_with_options(&mut bytes, options());
    let mut nodes =
        documents.take(DOCUMENTS_MAX + 1).map(|node| node.map_err(|error| fault(&error))).collect::<Vec<_>>();
    if nodes.len() > DOCUMENTS_MAX {
        nodes.truncate(DOCUMENTS_MAX);
        nodes.push(Err(Fault { line: None, error: SigmaError::Documents(DOCUMENTS_MAX) }));
    }
    nodes
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_anchors: 1000,
            max_aliases: 1000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: DEPTH_MAX,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

fn fault(error: &serde_saphyr::Error) -> Fault {
    let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error.without_snippet() {
        return Fault { line, error: SigmaError::Yaml(format!("the key `{key}` stands twice")) };
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    // The line is told by the fault.
    let reason = match first.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, reason)) => reason,
        None => first.rsplit_once(" at line ").map_or(first, |(reason, _)| reason),
    };
    Fault { line, error: SigmaError::Yaml(reason.to_owned()) }
}

impl Node {
    /// The text of a scalar; none of null, a list or a mapping.
    pub(super) fn text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Adds what it says to a hash, wherever it stands.
    pub(super) fn hash(&self, hash: &mut Xxh3) {
        let text = |text: &str, hash: &mut Xxh3| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        match &self.value {
            Value::List(items) => {
                text(&format!("list {}", items.len()), hash);
                items.iter().for_each(|item| item.hash(hash));
            }
            Value::Map(entries) => {
                text(&format!("map {}", entries.len()), hash);
                for (key, node) in entries {
                    text(key, hash);
                    node.hash(hash);
                }
            }
            scalar => text(&format!("{scalar:?}"), hash),
        }
    }

    /// The mapping that this is, as the section `name`.
    pub(super) fn section(&self, name: &'static str) -> Result<Section<'_>, Fault> {
        match &self.value {
            Value::Map(entries) => Ok(Section { name, line: self.line, entries }),
            _ => {
                let key = if name.is_empty() { "document" } else { name }.to_owned();
                Err(SigmaError::Type { key, expected: "a mapping" }.at(self.line))
            }
        }
    }
}

/// A mapping with the name by which messages call it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'a> {
    name: &'static str,
    pub(super) line: u64,
    pub(super) entries: &'a [(String, Node)],
}

impl<'a> Section<'a> {
    /// The value of a key, if it has one but null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        let (_, node) = self.entries.iter().find(|(name, _)| name == key)?;
        Some(node).filter(|node| !matches!(node.value, Value::Null))
    }

    /// A hash of what these keys say, wherever that stands.
    pub(super) fn digest(&self, keys: &[&str]) -> u64 {
        let mut hash = Xxh3::new();
        keys.iter().filter_map(|key| self.get(key)).for_each(|node| node.hash(&mut hash));
        hash.digest()
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str) -> Result<&'a Node, Fault> {
        self.get(key).ok_or_else(|| SigmaError::Missing(self.path(key)).at(self.line))
    }

    /// A text or what can be read as one.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Fault> {
        let Some(node) = self.get(key) else { return Ok(None) };
        node.text().map(Some).ok_or_else(|| self.type_error(key, "a text").at(node.line))
    }

    /// One text or a list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let text = |node: &Node| {
            node.text().ok_or_else(|| self.type_error(key, "a text or a list of texts").at(node.line))
        };
        match &node.value {
            Value::List(items) => items.iter().map(text).collect(),
            _ => Ok(vec![text(node)?]),
        }
    }

    /// True or false, if the key is there.
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>, Fault> {
        match self.get(key).map(|node| (&node.value, node.line)) {
            None => Ok(None),
            Some((Value::Bool(truth), _)) => Ok(Some(*truth)),
            Some((_, line)) => Err(self.type_error(key, "true or false").at(line)),
        }
    }

    /// Refuses keys that are not of this list, such as "`a` and `b`".
    pub(super) fn only(&self, known: &'static str) -> Result<(), Fault> {
        let unknown = self.entries.iter().find(|(key, _)| !known.contains(&format!("`{key}`")));
        match unknown {
            None => Ok(()),
            Some((key, node)) => {
                Err(SigmaError::UnknownKey { key: key.clone(), section: self.name, known }.at(node.line))
            }
        }
    }

    /// What is wrong when a key has a value of another type.
    pub(super) fn type_error(&self, key: &str, expected: &'static str) -> SigmaError {
        SigmaError::Type { key: self.path(key), expected }
    }

    /// What is wrong when a key has a value that does not exist.
    pub(super) fn value_error(&self, key: &str, found: &str, expected: &'static str) -> SigmaError {
        SigmaError::Value { key: self.path(key), found: found.chars().take(60).collect(), expected }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}
