//! Conditions: the matching language in TOML.
//!
//! ```toml
//! drop = { "url.path|startswith" = ["/healthz", "/metrics"], "http.response.status_code|lt" = 400 }
//! ```
//!
//! Owns: [`WrittenCondition`]: a table of `"field|modifier" = value`, all of which must hold; a list of values or of
//! tables, one of which must hold; a text in such a list, which the line must hold; `not`, `any_of` and `all_of` for the rest.
//! Promises: what is wrong is told at the value or key that is wrong; an empty table or list, which would always or
//! never hold, is refused.
//! Never: knows what a modifier means.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::matcher::{Condition, Item, ItemError, LINE, Literal, MODIFIERS, Placeholders};
use toml::de::{DeTable, DeValue};

use super::decode::{Decoder, Given};
use super::error::{Diagnostic, Place, Report};
use super::nearest::suggest;
use super::raw::{ConfigFile, entries, parse_files};
use super::schema::Key;
use super::transforms::intern;
use super::value::{At, Description, Value};

/// A condition whose fields have no numbers yet.
#[derive(Clone, Debug)]
pub(crate) enum WrittenCondition {
    /// All of these must be true.
    All(Vec<Self>),
    /// One of these must be true.
    Any(Vec<Self>),
    /// This must be false.
    Not(Box<Self>),
    /// A field must be as these values say.
    Item {
        /// The field with its modifiers; empty for a text to find in the line.
        key: At<String>,
        /// The values, and where they stand together.
        values: At<Vec<At<Literal>>>,
    },
}

/// The condition that a text outside of any config holds, with or without the braces of its table; or what is wrong with
/// it, drawn. Variables of the environment are not there: whoever asks need not see them.
pub(crate) fn parse(text: &str, keys: &Arc<Keys>) -> Result<Condition, String> {
    const KEY: Key = Key::of::<WrittenCondition>("where", "Which events are meant.", &[]);
    let is_whole = text.trim_start().starts_with(['{', '[']);
    let text = if is_whole { format!("where = {text}") } else { format!("where = {{ {text} }}") };
    let files = [ConfigFile { path: "condition".into(), text }];
    let (trees, mut diagnostics) = parse_files(&files);
    let mut decoder = Decoder::new(&files, &|_| None);
    let mut members = trees.iter().flat_map(|tree| entries(0, tree.get_ref()));
    let written = members.find(|entry| entry.key.value == KEY.name);
    let condition = written.and_then(|entry| {
        let (value, place) = (entry.value.value, entry.value.place);
        let given = Given { value, place, key: &KEY, table: "the condition" };
        WrittenCondition::decode(given, &mut decoder)?.checked(keys, &mut decoder)
    });
    diagnostics.append(&mut decoder.diagnostics);
    condition.ok_or_else(|| Report { files: files.to_vec(), diagnostics }.render(false))
}

impl Value for WrittenCondition {
    fn describe() -> Description {
        Description::new(
            "condition",
            "a condition, such as { \"url.path|startswith\" = \"/api/\" }, or a list of them, or of texts",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match given.value {
            DeValue::Table(fields) => table("", fields, given, decoder),
            DeValue::Array(_) => list(given, decoder).map(Self::Any),
            _ => decoder.wrong_type(given),
        }
    }
}

/// The members of a table, all of which must hold. A table within, as `service.name = "shop"` makes without quotes,
/// joins the names by dots.
fn table(
    prefix: &str,
    fields: &DeTable<'_>,
    given: Given<'_>,
    decoder: &mut Decoder<'_>,
) -> Option<WrittenCondition> {
    if fields.is_empty() {
        return decoder.wrong(given, Some("this table is empty".to_owned()));
    }
    let members = entries(given.place.file, fields).map(|entry| {
        let name = format!("{prefix}{}", entry.key.value);
        let value = given.inner(entry.value.value, entry.value.place);
        match (name.as_str(), value.value) {
            ("not", _) => WrittenCondition::decode(value, decoder).map(Box::new).map(WrittenCondition::Not),
            ("any_of", _) => list(value, decoder).map(WrittenCondition::Any),
            ("all_of", _) => list(value, decoder).map(WrittenCondition::All),
            (_, DeValue::Table(inner)) => table(&format!("{name}."), inner, value, decoder),
            _ => {
                let values = values(&name, value, decoder)?;
                let key = At { value: name, place: entry.key.place };
                Some(WrittenCondition::Item { key, values })
            }
        }
    });
    // Everything that is wrong is told, so all members are read before the first that failed counts.
    let members = members.collect::<Vec<_>>();
    members.into_iter().collect::<Option<_>>().map(WrittenCondition::All)
}

/// A list of conditions, and of texts to find in the line.
fn list(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<WrittenCondition>> {
    let DeValue::Array(items) = given.value else {
        return decoder.wrong(given, Some("this is no list of conditions".to_owned()));
    };
    if items.is_empty() {
        return decoder.wrong(given, Some("this list is empty".to_owned()));
    }
    let items = items.iter().map(|item| {
        let item = given.inner(item.get_ref(), Place::new(given.place.file, item.span()));
        match item.value {
            DeValue::Table(fields) => table("", fields, item, decoder),
            DeValue::String(_) | DeValue::Integer(_) => {
                let value = literal("", item, decoder)?;
                let values = At { value: vec![value], place: item.place };
                Some(WrittenCondition::Item { key: At { value: String::new(), place: item.place }, values })
            }
            _ => decoder.wrong_type(item),
        }
    });
    let items = items.collect::<Vec<_>>();
    items.into_iter().collect()
}

/// The values of a field: one, or a list of them.
fn values(field: &str, given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<At<Vec<At<Literal>>>> {
    let DeValue::Array(items) = given.value else {
        return Some(At { value: vec![literal(field, given, decoder)?], place: given.place });
    };
    let items = items.iter().map(|item| {
        let item = given.inner(item.get_ref(), Place::new(given.place.file, item.span()));
        literal(field, item, decoder)
    });
    let items = items.collect::<Vec<_>>();
    Some(At { value: items.into_iter().collect::<Option<_>>()?, place: given.place })
}

fn literal(field: &str, given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<At<Literal>> {
    let value = match given.value {
        DeValue::String(_) => Ok(Literal::Text(decoder.text(given)?)),
        DeValue::Boolean(truth) => Ok(Literal::Bool(*truth)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(Literal::Integer(number)),
            Err(_) => Err("this number has more than 64 bits"),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Float(number)),
            _ => Err("this number is not finite"),
        },
        DeValue::Datetime(_) => Err("this is a date"),
        DeValue::Array(_) => Err("this is a list in a list"),
        DeValue::Table(_) => Err("this is a table; conditions stand in the lists `any_of` and `all_of`"),
    };
    match value {
        Ok(value) => Some(At { value, place: given.place }),
        Err(problem) => {
            let expected = format!("expected a text, a number, true or false; {problem}");
            decoder.report(Diagnostic::error(format!("wrong value for `{field}`")).at(given.place, expected));
            None
        }
    }
}

impl WrittenCondition {
    /// The condition with the numbers of its fields.
    pub(crate) fn checked(&self, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Condition> {
        let mut all = |members: &[Self]| {
            let members = members.iter().map(|member| member.checked(keys, decoder)).collect::<Vec<_>>();
            members.into_iter().collect::<Option<Vec<_>>>()
        };
        match self {
            Self::All(members) => match all(members)? {
                members if members.len() == 1 => members.into_iter().next(),
                members => Some(Condition::All(members)),
            },
            Self::Any(members) => all(members).map(Condition::Any),
            Self::Not(member) => member.checked(keys, decoder).map(Box::new).map(Condition::Not),
            Self::Item { key, values } => checked_item(key, values, keys, decoder),
        }
    }
}

fn checked_item(
    key: &At<String>,
    values: &At<Vec<At<Literal>>>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Condition> {
    let item = match Item::parse(&key.value) {
        Ok(item) => item,
        Err(error) => {
            decoder.report(diagnostic(&error, key, values));
            return None;
        }
    };
    let field = match item.field {
        "" => LINE,
        name => intern(name, key.place, keys, decoder)?,
    };
    let literals = values.value.iter().map(|value| value.value.clone()).collect::<Vec<_>>();
    let condition = item.condition(field, &literals, keys, &Placeholders::new());
    condition.map_err(|error| decoder.report(diagnostic(&error, key, values))).ok()
}

/// What is wrong with an item, at the key or value that is wrong.
fn diagnostic(error: &ItemError, key: &At<String>, values: &At<Vec<At<Literal>>>) -> Diagnostic {
    match error {
        ItemError::UnknownModifier(name) => {
            let (label, known) = suggest(name, MODIFIERS.iter().map(|(name, _)| *name), "no such modifier");
            Diagnostic::error(error.to_string())
                .at(key.place, label)
                .help(format!("the modifiers are {known}"))
        }
        ItemError::NoValues => Diagnostic::error(format!("`{}` has no value", key.value))
            .at(values.place, "expected at least one value; this list is empty"),
        ItemError::Value { index, expected, reason } => {
            let place = values.value.get(*index).map_or(values.place, |value| value.place);
            let reason = reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
            Diagnostic::error(format!("wrong value for `{}`", key.value))
                .at(place, format!("expected {expected}{reason}"))
        }
        ItemError::NeedsField(_) => Diagnostic::error(error.to_string())
            .at(key.place, "expected the name of a field; texts and expressions do without"),
        _ => Diagnostic::error(error.to_string()).at(key.place, "expected modifiers that go together"),
    }
}
