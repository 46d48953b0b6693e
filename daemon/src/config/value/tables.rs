//! The values that are a table or a list of tables.
//!
//! Owns: tables of fields, tables with keys of their own, lists of steps.
//! Promises: each field keeps its place; a step does one thing.
//! Never: knows which fields there are.

use logweir_pipeline::event::ConstantValue;
use toml::de::{DeTable, DeValue};

use super::super::decode::{Decoder, Found, Given};
use super::super::error::{Diagnostic, Place};
use super::super::raw::{Entry, Located, entries};
use super::super::schema::{Key, Table};
use super::{At, Description, Value};

/// Names of fields, each with something that stands where the name does.
pub(crate) type Named<T> = Vec<At<(String, T)>>;

/// Fields and constant values.
#[derive(Debug)]
pub(crate) struct Fields(pub(crate) Named<ConstantValue>);

impl Value for Fields {
    fn describe() -> Description {
        Description::new("table of fields", "a table of fields, such as { \"service.name\" = \"shop\" }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, constant).map(Self)
    }
}

/// A list of tables of fields.
#[derive(Debug)]
pub(crate) struct FieldLists(pub(crate) Vec<At<Fields>>);

impl Value for FieldLists {
    fn describe() -> Description {
        Description::new(
            "list of tables",
            "a list of tables of fields, such as [{ \"service.name\" = \"shop\" }]",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = given.value else {
            return decoder.wrong_type(given);
        };
        let items = items.iter().map(|item| {
            let place = Place::new(given.place.file, item.span());
            At::decode(given.inner(item.get_ref(), place), decoder)
        });
        let items = items.collect::<Vec<_>>();
        items.into_iter().collect::<Option<_>>().map(Self)
    }
}

/// Fields and their new names.
pub(crate) struct Renames(pub(crate) Named<String>);

impl Value for Renames {
    fn describe() -> Description {
        Description::new("table of names", "a table of names, such as { \"old.name\" = \"new.name\" }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, |given, decoder| decoder.text(given)).map(Self)
    }
}

/// Reads one value.
pub(crate) type Read<T> = fn(Given<'_>, &mut Decoder<'_>) -> Option<T>;

/// The entries of a table, each read by `read`.
pub(crate) fn named<T>(given: Given<'_>, decoder: &mut Decoder<'_>, read: Read<T>) -> Option<Named<T>> {
    let DeValue::Table(table) = given.value else {
        return decoder.wrong_type(given);
    };
    let mut found = Vec::new();
    let wrong = decoder.diagnostics.len();
    collect("", table, given, decoder, read, &mut found);
    (decoder.diagnostics.len() == wrong).then_some(found)
}

/// Gathers fields; a table within, as `service.name = "shop"` makes without quotes, joins the names by dots.
fn collect<T>(
    prefix: &str,
    table: &DeTable<'_>,
    given: Given<'_>,
    decoder: &mut Decoder<'_>,
    read: Read<T>,
    found: &mut Named<T>,
) {
    for entry in entries(given.place.file, table) {
        let name = format!("{prefix}{}", entry.key.value);
        if let DeValue::Table(inner) = entry.value.value {
            collect(&format!("{name}."), inner, given, decoder, read, found);
        } else if let Some(value) = read(given.inner(entry.value.value, entry.value.place), decoder) {
            found.push(At { value: (name, value), place: entry.key.place });
        }
    }
}

fn constant(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<ConstantValue> {
    match given.value {
        DeValue::String(_) => decoder.text(given).map(ConstantValue::Text),
        DeValue::Boolean(truth) => Some(ConstantValue::Bool(*truth)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Some(ConstantValue::Integer(number)),
            Err(_) => decoder.wrong(given, Some("this number has more than 64 bits".to_owned())),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Some(ConstantValue::Float(number)),
            _ => decoder.wrong(given, Some("this number is not finite".to_owned())),
        },
        DeValue::Array(_) => {
            let texts = Vec::<At<String>>::decode(given, decoder)?;
            Some(ConstantValue::List(texts.into_iter().map(|text| text.value).collect()))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => decoder.wrong_type(given),
    }
}

/// A table with keys of its own.
pub(crate) struct Nested<T>(pub(crate) T);

impl<T: Table> Value for Nested<T> {
    const KEYS: &'static [Key] = T::KEYS;

    fn describe() -> Description {
        Description::new("table", "a table")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = given.value else {
            return decoder.wrong_type(given);
        };
        let name = format!("`{}` of {}", given.key.name, given.table);
        let found = Found::new(Located { value: &name, place: given.place }, table);
        decoder.refuse_unknown(&found, T::KEYS.iter());
        T::decode(&found, decoder).map(Self)
    }
}

/// What every step may have beside the key that says what it does.
const WHEN: &str = "when";

/// A list of tables, each with exactly one key besides [`WHEN`].
pub(crate) struct Steps<T>(pub(crate) Vec<T>);

impl<T: Table> Value for Steps<T> {
    const KEYS: &'static [Key] = T::KEYS;

    fn describe() -> Description {
        Description::new("list of steps", "a list of steps, such as [{ remove = [\"tags\"] }]")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = given.value else {
            return decoder.wrong_type(given);
        };
        let items = items.iter();
        let items = items.map(|item| given.inner(item.get_ref(), Place::new(given.place.file, item.span())));
        Some(Self(items.filter_map(|item| step(item, decoder)).collect()))
    }
}

fn step<T: Table>(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<T> {
    let DeValue::Table(table) = given.value else {
        return decoder.wrong_type(given);
    };
    let name = format!("a step of {}", given.table);
    let found = Found::new(Located { value: &name, place: given.place }, table);
    let things = found.entries.iter().filter(|entry| entry.key.value != WHEN).count();
    if things != 1 {
        let hint = format!("this step does {things} things, and a step does one");
        return decoder.wrong(given, Some(hint));
    }
    if let Some((thing, place)) = condition_inside(&found) {
        decoder.report(
            Diagnostic::error(format!("a condition inside of `{thing}`"))
                .at(place, "expected beside it, as the step's own")
                .help(format!("a step with a condition is {{ {thing} = …, {WHEN} = {{ … }} }}")),
        );
        return None;
    }
    let told = decoder.diagnostics.len();
    decoder.refuse_unknown(&found, T::KEYS.iter());
    // What is right in a step that is wrong elsewhere is not looked at: it would be told as incomplete.
    T::decode(&found, decoder).filter(|_| decoder.diagnostics.len() == told)
}

/// A [`WHEN`] that stands in the table of what the step does, with the name of that. A table under this name is a
/// condition that was written one brace too early, not fields.
fn condition_inside<'a>(found: &Found<'a>) -> Option<(&'a str, Place)> {
    let inside = |entry: &Entry<'a>| {
        let DeValue::Table(table) = entry.value.value else { return None };
        let mut inner = entries(entry.value.place.file, table);
        let when =
            inner.find(|inner| inner.key.value == WHEN && matches!(inner.value.value, DeValue::Table(_)))?;
        Some((entry.key.value, when.key.place))
    };
    found.entries.iter().filter(|entry| entry.key.value != WHEN).find_map(inside)
}
