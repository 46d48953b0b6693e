//! From a TOML table to checked values, driven by the tables of keys.
//!
//! Owns: [`Decoder`], which gathers what is wrong.
//! Promises: an unknown key, a wrong type, a wrong unit and a missing key are each told with place, expectation and
//! the nearest right name; decoding goes on after each.
//! Never: knows what a value is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logweir_parsers::Format;
use logweir_pipeline::event::ConstantValue;
use regex::bytes::Regex;
use toml::de::{DeTable, DeValue};

use super::error::{Diagnostic, Place};
use super::nearest::nearest;
use super::raw::{ConfigFile, Entry, Located, entries};
use super::schema::{Absent, Key, Kind, SectionKind};
use super::secret::Secret;
use super::section::{At, Section, Value};
use super::{expand, units};

/// Turns tables into sections and gathers what is wrong with them.
pub(crate) struct Decoder<'a> {
    files: &'a [ConfigFile],
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// The header of the section at hand, for messages.
    section: String,
    /// What is wrong, so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Decoder<'a> {
    /// A decoder for tables from these files; `environment` gives the value of a variable.
    pub(crate) fn new(files: &'a [ConfigFile], environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { files, environment, section: String::new(), diagnostics: Vec::new() }
    }

    /// Notes what is wrong.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Decodes a section of this kind; `name` is its header, as the user wrote it.
    pub(crate) fn section(
        &mut self,
        name: Located<'_, str>,
        kind: &SectionKind,
        table: &DeTable<'_>,
    ) -> Section {
        let keys = kind.all_keys().collect::<Vec<_>>();
        let found = entries(name.place.file, table).collect::<Vec<_>>();
        self.keys(name, &keys, &found)
    }

    /// Decodes the entries of one table by its keys.
    pub(crate) fn keys(
        &mut self,
        name: Located<'_, str>,
        keys: &[&'static Key],
        found: &[Entry<'_>],
    ) -> Section {
        let outer = std::mem::replace(&mut self.section, name.value.to_owned());
        let mut section = Section { place: name.place, values: BTreeMap::new() };
        for entry in found {
            match keys.iter().find(|key| key.name == entry.key.value) {
                None => self.unknown_key(name.value, entry.key, keys),
                Some(key) => {
                    if let Some(value) = self.value(key, entry.value) {
                        section.values.insert(key.name, At { value, place: entry.value.place });
                    }
                }
            }
        }
        for key in keys {
            if !found.iter().any(|entry| entry.key.value == key.name) {
                self.absent(name, key, &mut section);
            }
        }
        self.section = outer;
        section
    }

    fn unknown_key(&mut self, section: &str, key: Located<'_, str>, keys: &[&'static Key]) {
        let names = keys.iter().map(|key| key.name);
        let label = match nearest(key.value, names.clone()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "no such key".to_owned(),
        };
        let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.report(
            Diagnostic::error(format!("unknown key `{}` in {section}", key.value))
                .at(key.place, label)
                .help(format!("the keys here are {known}")),
        );
    }

    fn absent(&mut self, name: Located<'_, str>, key: &'static Key, section: &mut Section) {
        match key.absent {
            Absent::None => {}
            Absent::Error => self.report(
                Diagnostic::error(format!("{} has no `{}`", name.value, key.name))
                    .at(name.place, format!("expected `{} = …` here, {}", key.name, key.kind.expected()))
                    .help(format!("`{}`: {}", key.name, key.summary)),
            ),
            Absent::Default(default) => {
                if let Ok(value) = DeValue::parse(default) {
                    let located = Located { value: value.get_ref(), place: name.place };
                    if let Some(value) = self.value(key, located) {
                        section.values.insert(key.name, At { value, place: name.place });
                    }
                }
            }
        }
    }

    /// Decodes one value, or says what is wrong with it.
    fn value(&mut self, key: &Key, found: Located<'_, DeValue<'_>>) -> Option<Value> {
        let place = found.place;
        match (key.kind, found.value) {
            (Kind::Integer(least, most), DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                let number = number.filter(|number| (least..=most).contains(number));
                number.map(Value::Integer).or_else(|| self.wrong(key, place, None))
            }
            (Kind::Bool, DeValue::Boolean(truth)) => Some(Value::Bool(*truth)),
            (Kind::Texts | Kind::Globs | Kind::Urls | Kind::Inputs, value) => self.texts(key, value, place),
            (Kind::Formats, value) => self.formats(key, value, place),
            (Kind::Fields | Kind::Renames, DeValue::Table(table)) => self.fields(key, table, place),
            (Kind::Table(keys), DeValue::Table(table)) => {
                let name = format!("`{}` of {}", key.name, self.section);
                let name = Located { value: name.as_str(), place };
                let found = entries(place.file, table).collect::<Vec<_>>();
                Some(Value::Table(self.keys(name, &keys.iter().collect::<Vec<_>>(), &found)))
            }
            (Kind::Steps(keys), DeValue::Array(items)) => {
                let items = items.iter();
                let items = items.map(|item| Located {
                    value: item.get_ref(),
                    place: Place::new(place.file, item.span()),
                });
                Some(Value::Steps(items.filter_map(|item| self.step(key, keys, item)).collect()))
            }
            (kind, DeValue::String(text)) if kind.is_text() => {
                let text = self.expanded(text, place)?;
                self.text_value(key, &text, place)
            }
            (Kind::Bytes(_) | Kind::Duration, DeValue::Integer(_) | DeValue::Float(_)) => {
                self.wrong(key, place, Some("this number has no unit".to_owned()))
            }
            (_, other) => self.wrong(key, place, Some(format!("this is {}", type_name(other)))),
        }
    }

    /// Decodes a value that is written as a text.
    fn text_value(&mut self, key: &Key, text: &str, place: Place) -> Option<Value> {
        match key.kind {
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Secret => self.secret(text, place),
            Kind::Path if text.is_empty() => self.wrong(key, place, Some("this is empty".to_owned())),
            Kind::Path => Some(Value::Path(self.resolve(place, text))),
            Kind::ExistingFile => self.existing_file(text, place),
            Kind::Bytes(least) => match units::parse_bytes(text) {
                Some(bytes) if bytes >= least => Some(Value::Bytes(bytes)),
                Some(_) => self.wrong(key, place, Some(format!("the least is {}", units::bytes_text(least)))),
                None => self.wrong(key, place, did_you_mean(units::correct_bytes(text))),
            },
            Kind::Duration => match units::parse_duration(text) {
                Some(duration) => Some(Value::Duration(duration)),
                None => self.wrong(key, place, did_you_mean(units::correct_duration(text))),
            },
            Kind::Choice(words) => match words.iter().find(|word| **word == text) {
                Some(word) => Some(Value::Text((*word).to_owned())),
                None => {
                    let near = nearest(text, words.iter().copied()).map(str::to_owned);
                    self.wrong(key, place, did_you_mean(near))
                }
            },
            Kind::Pattern => match Regex::new(text) {
                Ok(pattern) => Some(Value::Pattern(pattern)),
                Err(error) => self.wrong(key, place, Some(last_line(&error.to_string()).to_owned())),
            },
            Kind::UtcOffset => match units::parse_utc_offset(text) {
                Some(seconds) => Some(Value::Integer(i64::from(seconds))),
                None => self.wrong(key, place, None),
            },
            Kind::Listen if text == "off" || text.parse::<std::net::SocketAddr>().is_ok() => {
                Some(Value::Text(text.to_owned()))
            }
            _ => self.wrong(key, place, None),
        }
    }

    /// Says that a value is not what the key expects; `hint` stands at the value.
    fn wrong<T>(&mut self, key: &Key, place: Place, hint: Option<String>) -> Option<T> {
        let expected = format!("expected {}", key.kind.expected());
        let label = hint.map_or(expected.clone(), |hint| format!("{expected}; {hint}"));
        self.report(
            Diagnostic::error(format!("wrong value for `{}` in {}", key.name, self.section))
                .at(place, label)
                .help(format!("`{}`: {}", key.name, key.summary)),
        );
        None
    }

    /// The text with its `${VARIABLES}` replaced.
    fn expanded(&mut self, text: &str, place: Place) -> Option<String> {
        match expand::expand(text, self.environment) {
            Ok(text) => Some(text.into_owned()),
            Err(error) => {
                self.report(Diagnostic::error(error.to_string()).at(place, error.expected()).help(
                    "write `${NAME}` for a variable, `${NAME:-default}` to have a default, `$${` for the letters `${`",
                ));
                None
            }
        }
    }

    fn secret(&mut self, text: &str, place: Place) -> Option<Value> {
        let Some(path) = text.strip_prefix("file:") else {
            return Some(Value::Secret(Secret::new(text.to_owned())));
        };
        let path = self.resolve(place, path);
        match std::fs::read_to_string(&path) {
            Ok(secret) => Some(Value::Secret(Secret::new(secret.trim_end_matches(['\r', '\n']).to_owned()))),
            Err(error) => {
                self.report(
                    Diagnostic::error(format!("cannot read the secret file `{}`: {error}", path.display()))
                        .at(place, "expected a file that holds the secret and that this user may read"),
                );
                None
            }
        }
    }

    fn existing_file(&mut self, text: &str, place: Place) -> Option<Value> {
        let path = self.resolve(place, text);
        let opened = std::fs::File::open(&path).and_then(|file| file.metadata());
        let problem = match opened {
            Ok(metadata) if metadata.is_file() => return Some(Value::Path(path)),
            Ok(_) => "it is not a regular file".to_owned(),
            Err(error) => error.to_string(),
        };
        self.report(
            Diagnostic::error(format!("cannot read `{}`: {problem}", path.display()))
                .at(place, "expected a file that this user may read"),
        );
        None
    }

    /// A list of texts, or one text as a list of one.
    fn texts(&mut self, key: &Key, value: &DeValue<'_>, place: Place) -> Option<Value> {
        let mut texts = Vec::new();
        match value {
            DeValue::String(text) => {
                texts.extend(self.expanded(text, place).map(|value| At { value, place }));
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    let place = Place::new(place.file, item.span());
                    let DeValue::String(text) = item.get_ref() else {
                        return self.wrong(
                            key,
                            place,
                            Some(format!("this is {}", type_name(item.get_ref()))),
                        );
                    };
                    texts.extend(self.expanded(text, place).map(|value| At { value, place }));
                }
            }
            other => return self.wrong(key, place, Some(format!("this is {}", type_name(other)))),
        }
        if texts.is_empty()
            && matches!(value, DeValue::Array(items) if items.is_empty())
            && key.must_not_be_empty()
        {
            return self.wrong(key, place, Some("this list is empty".to_owned()));
        }
        if matches!(key.kind, Kind::Globs) {
            for text in &mut texts {
                text.value = self.resolve(text.place, &text.value).to_string_lossy().into_owned();
                self.check_glob(text);
            }
        }
        Some(Value::Texts(texts))
    }

    fn check_glob(&mut self, glob: &At<String>) {
        if let Err(error) = globset::GlobBuilder::new(&glob.value).literal_separator(true).build() {
            self.report(
                Diagnostic::error(format!("`{}` is no pattern: {}", glob.value, error.kind()))
                    .at(glob.place, "expected `*`, `?`, `[a-z]`, `{a,b}`, `**`, or a path without them"),
            );
        }
    }

    fn formats(&mut self, key: &Key, value: &DeValue<'_>, place: Place) -> Option<Value> {
        let Value::Texts(names) = self.texts(key, value, place)? else {
            return None;
        };
        let mut formats = Vec::new();
        for name in names {
            match Format::by_name(&name.value) {
                Some(format) => formats.push(format),
                None => self.report(unknown_format(&name)),
            }
        }
        Some(Value::Formats(formats))
    }

    fn fields(&mut self, key: &Key, table: &DeTable<'_>, place: Place) -> Option<Value> {
        let mut fields = Vec::new();
        self.collect_fields(key, "", table, place.file, &mut fields);
        Some(Value::Fields(fields))
    }

    /// Gathers fields; a table within, as `service.name = "shop"` makes without quotes, joins the names by dots.
    fn collect_fields(
        &mut self,
        key: &Key,
        prefix: &str,
        table: &DeTable<'_>,
        file: usize,
        fields: &mut Vec<At<(String, ConstantValue)>>,
    ) {
        for entry in entries(file, table) {
            let name = format!("{prefix}{}", entry.key.value);
            if let DeValue::Table(inner) = entry.value.value {
                self.collect_fields(key, &format!("{name}."), inner, file, fields);
            } else if let Some(value) = self.constant(key, entry.value) {
                fields.push(At { value: (name, value), place: entry.key.place });
            }
        }
    }

    fn constant(&mut self, key: &Key, found: Located<'_, DeValue<'_>>) -> Option<ConstantValue> {
        match found.value {
            DeValue::String(text) => self.expanded(text, found.place).map(ConstantValue::Text),
            _ if matches!(key.kind, Kind::Renames) => self.wrong(key, found.place, None),
            DeValue::Boolean(truth) => Some(ConstantValue::Bool(*truth)),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(ConstantValue::Integer(number)),
                Err(_) => self.wrong(key, found.place, Some("this number has more than 64 bits".to_owned())),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Some(ConstantValue::Float(number)),
                _ => self.wrong(key, found.place, Some("this number is not finite".to_owned())),
            },
            DeValue::Array(_) => {
                let Value::Texts(texts) = self.texts(key, found.value, found.place)? else {
                    return None;
                };
                Some(ConstantValue::List(texts.into_iter().map(|text| text.value).collect()))
            }
            other => self.wrong(key, found.place, Some(format!("this is {}", type_name(other)))),
        }
    }

    fn step(&mut self, key: &Key, keys: &'static [Key], found: Located<'_, DeValue<'_>>) -> Option<Section> {
        let DeValue::Table(table) = found.value else {
            return self.wrong(key, found.place, Some(format!("this is {}", type_name(found.value))));
        };
        let name = format!("a step of {}", self.section);
        let name = Located { value: name.as_str(), place: found.place };
        let entries = entries(found.place.file, table).collect::<Vec<_>>();
        if entries.len() != 1 {
            let hint = format!("this step has {} keys, and a step does one thing", entries.len());
            return self.wrong(key, found.place, Some(hint));
        }
        let section = self.keys(name, &keys.iter().collect::<Vec<_>>(), &entries);
        section.only_key().is_some().then_some(section)
    }

    /// The path, from the folder of the file in which it stands.
    fn resolve(&self, place: Place, path: &str) -> PathBuf {
        self.files.get(place.file).map_or(Path::new(""), ConfigFile::folder).join(path)
    }
}

fn unknown_format(name: &At<String>) -> Diagnostic {
    let names = logweir_parsers::FORMATS.iter().map(|format| format.name());
    let label = match nearest(&name.value, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "no such format".to_owned(),
    };
    let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Diagnostic::error(format!("unknown format `{}`", name.value))
        .at(name.place, label)
        .help(format!("the formats are {known}; `raw` takes any line"))
}

/// The last line of a regular expression's error; the lines before draw the expression, which is shown already.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

fn did_you_mean(right: Option<String>) -> Option<String> {
    right.map(|right| format!("did you mean \"{right}\"?"))
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
