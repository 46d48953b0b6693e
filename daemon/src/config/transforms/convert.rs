//! The steps `convert` and `truncate`.
//!
//! Owns: their values in the config: fields and their types, fields and their sizes.
//! Promises: a time format can be read back; an unknown type is told with the nearest one.
//! Never: touches an event.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{ConvertFields, FieldType, Step, TimeFormat, TruncateFields};

use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::nearest::suggest;
use super::super::value::tables::{Named, named};
use super::super::value::{Bytes, Description, Value};
use super::{IntoStep, each, intern};

/// The types that are one word.
const TYPES: [(&str, FieldType); 8] = [
    ("int", FieldType::Integer),
    ("float", FieldType::Float),
    ("bool", FieldType::Bool),
    ("ip", FieldType::Ip),
    ("text", FieldType::Text),
    ("time", FieldType::Time(TimeFormat::Rfc3339)),
    ("unix", FieldType::Time(TimeFormat::Unix)),
    ("unix_ms", FieldType::Time(TimeFormat::UnixMillis)),
];

/// Fields and their types.
pub(super) struct Types(Named<FieldType>);

impl Value for Types {
    fn describe() -> Description {
        Description::new("table of types", "a table of types, such as { \"labels.count\" = \"int\" }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, |given, decoder| {
            let text = decoder.text(given)?;
            match text.strip_prefix("time:") {
                Some(format) => time_format(format, given.place, decoder),
                None => field_type(&text, given.place, decoder),
            }
        })
        .map(Self)
    }
}

fn field_type(text: &str, place: Place, decoder: &mut Decoder<'_>) -> Option<FieldType> {
    let found = TYPES.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let names = TYPES.iter().map(|(name, _)| *name).chain(["time:FORMAT"]);
        let (label, known) = suggest(text, names, "no such type");
        decoder.report(
            Diagnostic::error(format!("unknown type `{text}` of a field"))
                .at(place, label)
                .help(format!("the types are {known}")),
        );
    }
    found.map(|(_, found)| found.clone())
}

fn time_format(format: &str, place: Place, decoder: &mut Decoder<'_>) -> Option<FieldType> {
    match TimeFormat::pattern(format) {
        Ok(format) => Some(FieldType::Time(format)),
        Err(error) => {
            decoder.report(
                Diagnostic::error(format!("`{format}` cannot be the format of a time: {error}"))
                    .at(place, "expected directives of strftime, such as \"time:%d.%m.%Y %H:%M:%S\""),
            );
            None
        }
    }
}

impl IntoStep for Types {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let fields = each(self.0, place, decoder, |decoder, (name, wanted), place| {
            Some((intern(&name, place, keys, decoder)?, wanted))
        })?;
        Some(Box::new(ConvertFields(fields)))
    }
}

/// Fields and their largest sizes.
pub(super) struct Limits(Named<u32>);

impl Value for Limits {
    fn describe() -> Description {
        Description::new("table of sizes", "a table of sizes, such as { \"message\" = \"8KiB\" }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, |given, decoder| {
            Bytes::<u32, 1>::decode(given, decoder).map(|Bytes(bytes)| bytes)
        })
        .map(Self)
    }
}

impl IntoStep for Limits {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let fields = each(self.0, place, decoder, |decoder, (name, bytes), place| {
            Some((intern(&name, place, keys, decoder)?, bytes))
        })?;
        Some(Box::new(TruncateFields(fields)))
    }
}
