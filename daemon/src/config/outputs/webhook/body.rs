//! The body of a webhook's requests.
//!
//! Owns: [`Members`], the table as it stands in the config, and the making of a body from it.
//! Promises: whatever is taken becomes valid JSON; a text that is no template is told at its place.
//! Never: prints a text that a variable was put into.

use std::sync::Arc;

use logweir_outputs::webhook::Body;
use logweir_pipeline::Keys;
use toml::de::{DeTable, DeValue};

use super::super::super::decode::{Decoder, Given};
use super::super::super::error::Place;
use super::super::super::raw::{Entry, entries};
use super::super::super::value::{At, Description, Value};
use super::super::template::template;

/// The members of a JSON object.
pub(super) struct Members(Vec<(String, Part)>);

/// A JSON value whose texts are no templates yet.
enum Part {
    /// A text, and whether a variable is part of it.
    Text(At<String>, bool),
    Fixed(serde_json::Value),
    List(Vec<Part>),
    Table(Members),
}

impl Value for Members {
    fn describe() -> Description {
        Description::new(
            "table",
            "a table that becomes JSON, such as { text = \"{rule.name}: {source.ip}\" }",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match given.value {
            DeValue::Table(table) => members(table, given, decoder),
            _ => decoder.wrong_type(given),
        }
    }
}

fn members(table: &DeTable<'_>, given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Members> {
    let mut members = entries(given.place.file, table).collect::<Vec<_>>();
    // As they were written, which is what a reader of the requests expects.
    members.sort_by_key(|entry| entry.key.place);
    let mut member = |entry: &Entry<'_>| {
        let value = part(given.inner(entry.value.value, entry.value.place), decoder)?;
        Some((entry.key.value.to_owned(), value))
    };
    let read = members.iter().map(&mut member).collect::<Vec<_>>();
    read.into_iter().collect::<Option<_>>().map(Members)
}

fn part(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Part> {
    Some(match given.value {
        DeValue::String(written) => {
            let text = decoder.text(given)?;
            let has_variable = text != **written;
            Part::Text(At { value: text, place: given.place }, has_variable)
        }
        DeValue::Boolean(truth) => Part::Fixed((*truth).into()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Part::Fixed(number.into()),
            Err(_) => return decoder.wrong(given, Some("this number has more than 64 bits".to_owned())),
        },
        DeValue::Float(number) => {
            let finite = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            match finite {
                Some(number) => Part::Fixed(number.into()),
                None => return decoder.wrong(given, Some("JSON has no such number".to_owned())),
            }
        }
        DeValue::Datetime(_) => {
            return decoder.wrong(given, Some("JSON has no dates; write it as a text".to_owned()));
        }
        DeValue::Array(items) => {
            let item = |item: &toml::Spanned<DeValue<'_>>, decoder: &mut Decoder<'_>| {
                part(given.inner(item.get_ref(), Place::new(given.place.file, item.span())), decoder)
            };
            let items = items.iter().map(|value| item(value, decoder)).collect::<Vec<_>>();
            Part::List(items.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Part::Table(members(table, given, decoder)?),
    })
}

impl Members {
    /// The body, and its texts that hold a variable and nothing of an event: they may be secrets.
    pub(super) fn body(self, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<(Body, Vec<String>)> {
        let mut making = Making { keys, decoder, secrets: Vec::new() };
        let body = making.table(self)?;
        Some((body, making.secrets))
    }
}

/// Turns texts into templates.
struct Making<'a, 'b> {
    keys: &'a Arc<Keys>,
    decoder: &'a mut Decoder<'b>,
    secrets: Vec<String>,
}

impl Making<'_, '_> {
    fn table(&mut self, Members(members): Members) -> Option<Body> {
        let members = members.into_iter().map(|(name, part)| Some((name, self.part(part)?)));
        // All are looked at, so that everything wrong is told.
        members.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Body::Table)
    }

    fn part(&mut self, part: Part) -> Option<Body> {
        match part {
            Part::Text(text, has_variable) => self.text(text, has_variable),
            Part::Fixed(value) => Some(Body::Fixed(value)),
            Part::List(items) => {
                let items = items.into_iter().map(|item| self.part(item)).collect::<Vec<_>>();
                items.into_iter().collect::<Option<_>>().map(Body::List)
            }
            Part::Table(members) => self.table(members),
        }
    }

    fn text(&mut self, At { value, place }: At<String>, has_variable: bool) -> Option<Body> {
        let name = "a text of `body`";
        let template = template(name, &value, has_variable, place, self.keys, self.decoder)?;
        self.secrets.extend(template.constant().filter(|_| has_variable).map(str::to_owned));
        Some(Body::Text(template))
    }
}
