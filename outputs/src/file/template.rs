//! Path templates: `/var/log/out/{service.name}/{@timestamp|%Y-%m-%d}.ndjson`.
//!
//! Owns: [`PathTemplate`], its grammar, and what values may look like in a path.
//! Promises: whatever an event holds, the path stays below the folder of the template's literal beginning: a value
//! has no `/`, no NUL or other control character, does not begin with a dot, is never empty and at most 100 bytes.
//! Never: touches the file system.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::strtime;
use logweir_parsers::{KeyId, key};
use logweir_pipeline::event::{ConstantValue, Value};
use logweir_pipeline::time::SECOND;
use logweir_pipeline::{Batch, Keys};

/// Longest value in a path, in bytes.
const VALUE_MAX: usize = 100;
/// Longest part of a path between two `/`, in bytes: file systems take 255, and rotation appends to it.
const COMPONENT_MAX: usize = 200;
/// Stands for a value that an event does not have.
const MISSING: &str = "unknown";

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no path.
    #[error("the path is empty")]
    Empty,
    /// A brace without its partner.
    #[error("the brace at byte {0} has no partner; write {{{{ or }}}} for the character itself")]
    Brace(usize),
    /// `{}`
    #[error("the field at byte {0} has no name")]
    NoName(usize),
    /// `{field|…}`
    #[error("only {{@timestamp|…}} takes a format, not {{{0}|…}}")]
    FormatOfField(String),
    /// A format that no time can be written with.
    #[error("the time format {format:?} is not valid: {reason}")]
    TimeFormat {
        /// The format.
        format: String,
        /// The cause.
        reason: String,
    },
    /// A path that could leave its folder.
    #[error("the path may not have \"..\" behind a field")]
    ParentFolder,
    /// A control character.
    #[error("the path holds a control character")]
    Control,
    /// The table of keys is full.
    #[error("too many field names; the field {0:?} got no number")]
    TooManyKeys(String),
}

/// A path with places for values of an event.
#[derive(Clone, Debug)]
pub struct PathTemplate {
    parts: Arc<[Part]>,
    /// The text of the last time, for the parts that are times.
    times: Vec<(i64, String)>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Field(KeyId),
    /// A `strftime` format, and its place among the times.
    Time(String, usize),
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str, keys: &Arc<Keys>) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(TemplateError::Control);
        }
        let (mut parts, mut literal, mut times) = (Vec::new(), String::new(), 0);
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            let at = text.len() - rest.len() + place;
            literal.push_str(&rest[..place]);
            let brace = &rest[place..=place];
            rest = &rest[place + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|_| brace == "{").ok_or(TemplateError::Brace(at))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(field_part(&rest[..end], at, times, keys)?);
            times += usize::from(matches!(parts.last(), Some(Part::Time(..))));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let behind_a_field = parts.iter().skip_while(|part| matches!(part, Part::Literal(_)));
        let leaves = |part: &Part| matches!(part, Part::Literal(text) if text.contains(".."));
        if behind_a_field.clone().any(leaves) {
            return Err(TemplateError::ParentFolder);
        }
        Ok(Self { parts: parts.into(), times: vec![(i64::MIN, String::new()); times] })
    }

    /// Whether every event has the same path.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The folder of the literal beginning, and a glob of what the paths are below it, whatever events hold.
    #[must_use]
    pub fn glob(&self) -> (&str, String) {
        let beginning = match self.parts.first() {
            Some(Part::Literal(text)) => text.as_str(),
            _ => "",
        };
        let (folder, name) = match beginning.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((folder, name)) => (folder, name),
            None => (".", beginning),
        };
        let mut glob = String::new();
        push_escaped(name, &mut glob);
        for part in self.parts.iter().skip(usize::from(!beginning.is_empty())) {
            match part {
                Part::Literal(text) => push_escaped(text, &mut glob),
                Part::Field(_) | Part::Time(..) => glob.push('*'),
            }
        }
        let names = glob.split('/').filter(|name| !matches!(*name, "" | "."));
        (folder, names.collect::<Vec<_>>().join("/"))
    }

    /// The parts that are the same for every event.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Field(_) | Part::Time(..) => None,
        })
    }

    /// Writes the path of an event.
    pub fn render(&mut self, batch: &Batch, index: usize, path: &mut String) {
        self.fill_in(batch, index, path);
        if path.split('/').any(|component| component.len() > COMPONENT_MAX) {
            *path = shortened(path);
        }
    }

    /// Writes the text of an event, however long its parts are.
    pub fn fill_in(&mut self, batch: &Batch, index: usize, path: &mut String) {
        path.clear();
        for part in self.parts.iter() {
            match part {
                Part::Literal(text) => path.push_str(text),
                Part::Field(key) => push_value(batch, index, *key, path),
                Part::Time(format, place) => {
                    let second = batch.events[index].timestamp.div_euclid(SECOND);
                    let (last, text) = &mut self.times[*place];
                    if *last != second {
                        *last = second;
                        render_time(second, format, text);
                    }
                    path.push_str(text);
                }
            }
        }
    }
}

fn field_part(text: &str, at: usize, times: usize, keys: &Arc<Keys>) -> Result<Part, TemplateError> {
    let (name, format) = match text.split_once('|') {
        Some((name, format)) => (name.trim(), Some(format)),
        None => (text.trim(), None),
    };
    match format {
        _ if name.is_empty() => Err(TemplateError::NoName(at)),
        Some(format) if name == "@timestamp" => {
            let time_format = |reason| TemplateError::TimeFormat { format: format.to_owned(), reason };
            strtime::format(format, &Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC))
                .map_err(|error| time_format(error.to_string()))?;
            Ok(Part::Time(format.to_owned(), times))
        }
        Some(_) => Err(TemplateError::FormatOfField(name.to_owned())),
        None if name == "@timestamp" => Ok(Part::Time("%Y-%m-%dT%H:%M:%SZ".to_owned(), times)),
        None => keys.intern(name).map(Part::Field).ok_or_else(|| TemplateError::TooManyKeys(name.to_owned())),
    }
}

fn render_time(second: i64, format: &str, text: &mut String) {
    let time = Timestamp::from_second(second).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let rendered = strtime::format(format, &time).unwrap_or_default();
    text.clear();
    push_clean(rendered.as_bytes(), text);
}

fn push_value(batch: &Batch, index: usize, key: KeyId, path: &mut String) {
    if key == key::TIMESTAMP {
        return;
    }
    match batch.get(index, key) {
        Some(value) => match (batch.text(value), value) {
            (Some(text), _) => push_clean(text, path),
            (None, Value::Integer(number)) => push_display(number, path),
            (None, Value::Float(number)) => push_display(number, path),
            (None, Value::Bool(truth)) => push_display(truth, path),
            _ => path.push_str(MISSING),
        },
        None => match batch.constant(index, key) {
            Some(ConstantValue::Text(text)) => push_clean(text.as_bytes(), path),
            Some(ConstantValue::Integer(number)) => push_display(number, path),
            Some(ConstantValue::Bool(truth)) => push_display(truth, path),
            _ => path.push_str(MISSING),
        },
    }
}

fn push_display(value: impl std::fmt::Display, path: &mut String) {
    // Writing to a string does not fail.
    path.write_fmt(format_args!("{value}")).unwrap_or_default();
}

/// Writes a value so that it is one harmless piece of a path.
fn push_clean(value: &[u8], path: &mut String) {
    let start = path.len();
    for character in String::from_utf8_lossy(value).chars() {
        if path.len() - start + character.len_utf8() > VALUE_MAX {
            break;
        }
        let first_dot = character == '.' && path.len() == start;
        let harmful = first_dot || character.is_control() || matches!(character, '/' | '\\');
        path.push(if harmful { '_' } else { character });
    }
    if path.len() == start {
        path.push_str(MISSING);
    }
}

/// Writes a text so that a glob takes it as it is.
fn push_escaped(text: &str, glob: &mut String) {
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            glob.push('\\');
        }
        glob.push(character);
    }
}

/// The path with each too long component cut.
fn shortened(path: &str) -> String {
    let cut = |component: &str| component[..component.floor_char_boundary(COMPONENT_MAX)].to_owned();
    path.split('/').map(cut).collect::<Vec<_>>().join("/")
}
