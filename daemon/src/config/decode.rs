//! From a TOML table to checked values, key by key.
//!
//! Owns: [`Decoder`], which gathers what is wrong, and [`Found`], a table that a config has.
//! Promises: an unknown key, a wrong value and a missing key are each told with place, expectation and the nearest
//! right name; decoding goes on after each.
//! Never: knows a key, or a type of value.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::{Diagnostic, Place};
use super::expand;
use super::formats::OwnFormats;
use super::nearest::suggest;
use super::raw::{ConfigFile, Entry, Located, entries};
use super::schema::{Absent, Key};
use super::value::Value;

/// A table of the config.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Its header, as the user wrote it, or what stands for it in a message.
    pub(crate) name: Located<'a, str>,
    /// Its entries.
    pub(crate) entries: Vec<Entry<'a>>,
}

impl<'a> Found<'a> {
    /// This TOML table, by the name for messages.
    pub(crate) fn new(name: Located<'a, str>, table: &'a DeTable<'a>) -> Self {
        Self { name, entries: entries(name.place.file, table).collect() }
    }
}

/// A value and the key that it is given for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The value.
    pub(crate) value: &'a DeValue<'a>,
    /// Where it stands.
    pub(crate) place: Place,
    /// The key.
    pub(crate) key: &'a Key,
    /// The name of the key's table, for messages.
    pub(crate) table: &'a str,
}

impl<'a> Given<'a> {
    /// A value inside this one.
    pub(super) fn inner(self, value: &'a DeValue<'a>, place: Place) -> Self {
        Self { value, place, ..self }
    }
}

/// Turns tables into values and gathers what is wrong with them.
pub(crate) struct Decoder<'a> {
    files: &'a [ConfigFile],
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// The formats of the config.
    pub(crate) formats: OwnFormats,
    /// What is wrong, so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Decoder<'a> {
    /// A decoder for tables from these files; `environment` gives the value of a variable.
    pub(crate) fn new(files: &'a [ConfigFile], environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { files, environment, formats: OwnFormats::default(), diagnostics: Vec::new() }
    }

    /// Notes what is wrong.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The value of a key of this table, or what stands in for it; `None` when it is wrong, which is told.
    pub(crate) fn value<T: Value>(&mut self, found: &Found<'_>, key: &Key) -> Option<T> {
        let Located { value: table, place } = found.name;
        if let Some(Entry { value, .. }) = found.entries.iter().find(|entry| entry.key.value == key.name) {
            return T::decode(Given { value: value.value, place: value.place, key, table }, self);
        }
        match key.absent {
            Absent::None => T::absent(),
            Absent::Default(default) => {
                let default = DeValue::parse(default).ok()?;
                T::decode(Given { value: default.get_ref(), place, key, table }, self)
            }
            Absent::Error => {
                let (name, expected) = (key.name, (key.describe)().expected);
                self.report(
                    Diagnostic::error(format!("{table} has no `{name}`"))
                        .at(place, format!("expected `{name} = …` here, {expected}"))
                        .help(format!("`{name}`: {}", key.summary)),
                );
                None
            }
        }
    }

    /// Tells of each key of the table that is not among these.
    pub(crate) fn refuse_unknown(
        &mut self,
        found: &Found<'_>,
        keys: impl Iterator<Item = &'static Key> + Clone,
    ) {
        let names = keys.map(|key| key.name);
        for Entry { key, .. } in &found.entries {
            if !names.clone().any(|name| name == key.value) {
                let (label, known) = suggest(key.value, names.clone(), "no such key");
                self.report(
                    Diagnostic::error(format!("unknown key `{}` in {}", key.value, found.name.value))
                        .at(key.place, label)
                        .help(format!("the keys here are {known}")),
                );
            }
        }
    }

    /// Says that a value is not what its key expects; `hint` stands at the value.
    pub(super) fn wrong<T>(&mut self, given: Given<'_>, hint: Option<String>) -> Option<T> {
        let Given { key, table, place, .. } = given;
        let expected = format!("expected {}", (key.describe)().expected);
        let label = hint.map_or(expected.clone(), |hint| format!("{expected}; {hint}"));
        self.report(
            Diagnostic::error(format!("wrong value for `{}` in {table}", key.name))
                .at(place, label)
                .help(format!("`{}`: {}", key.name, key.summary)),
        );
        None
    }

    /// Says that a value is of another type than its key expects.
    pub(super) fn wrong_type<T>(&mut self, given: Given<'_>) -> Option<T> {
        let type_name = match given.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(given, Some(format!("this is {type_name}")))
    }

    /// A value that must be a text, with its `${VARIABLES}` replaced.
    pub(super) fn text(&mut self, given: Given<'_>) -> Option<String> {
        let DeValue::String(text) = given.value else {
            return self.wrong_type(given);
        };
        match expand::expand(text, self.environment) {
            Ok(text) => Some(text.into_owned()),
            Err(error) => {
                self.report(Diagnostic::error(error.to_string()).at(given.place, error.expected()).help(
                    "write `${NAME}` for a variable, `${NAME:-default}` to have a default, `$${` for the letters `${`",
                ));
                None
            }
        }
    }

    /// The place of a span of a text that stands here; of the whole, where it was written with escapes or variables.
    pub(super) fn place_within(&self, place: Place, text: &str, span: Range<usize>) -> Place {
        let written = self.files.get(place.file).and_then(|file| file.text.get(place.start..place.end));
        let quotes = ["'\''", "\"\"\"", "'", "\""].into_iter().find(|quotes| {
            let inside = written.and_then(|written| written.strip_prefix(quotes)?.strip_suffix(quotes));
            inside == Some(text)
        });
        quotes.map_or(place, |quotes| {
            let start = place.start + quotes.len();
            Place::new(place.file, start + span.start..start + span.end)
        })
    }

    /// The path, from the folder of the file in which it stands.
    pub(super) fn resolve(&self, place: Place, path: &str) -> PathBuf {
        self.files.get(place.file).map_or(Path::new(""), ConfigFile::folder).join(path)
    }
}
