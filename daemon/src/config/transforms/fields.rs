//! The steps that take fields as they are: `drop`, `set`, `rename`, `copy`, `remove`, `keep`, `severity`, `json`, `flatten`.
//!
//! Owns: their values in the config.
//! Promises: a template's braces are balanced; a pattern has its `*` at the end.
//! Never: touches an event.

use std::sync::Arc;

use logweir_parsers::{KeyId, key};
use logweir_pipeline::Keys;
use logweir_pipeline::event::ConstantValue;
use logweir_pipeline::transform::{
    CopyFields, DropEvents, FlattenFields, KeepFields, KeepPattern, NormalizeSeverity, ParseField,
    RemoveFields, RenameFields, SetFields, SetValue, Step, Template,
};

use super::super::conditions::WrittenCondition;
use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::value::{At, Description, Value};
use super::{Fields, IntoStep, Renames, TIME, TIME_HELP, each, intern, intern_or_time, interned};

/// Declares the value of a step that is the value of another type and nothing else.
macro_rules! value_of_step {
    ($(#[doc = $doc:literal] $name:ident($inner:ty);)+) => {
        $(
            #[doc = $doc]
            pub(super) struct $name($inner);

            impl Value for $name {
                fn describe() -> Description {
                    <$inner as Value>::describe()
                }

                fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
                    <$inner as Value>::decode(given, decoder).map(Self)
                }
            }
        )+
    };
}

value_of_step! {
    /// Fields and what they are set to.
    Values(Fields);
    /// Fields and their new names.
    RenamedFields(Renames);
    /// Fields and their other names.
    CopiedFields(Renames);
    /// Names of fields to remove.
    RemovedFields(Vec<At<String>>);
    /// Names of fields to keep, and patterns.
    KeptFields(Vec<At<String>>);
    /// Names of fields with objects.
    FlattenedFields(Vec<At<String>>);
    /// The name of the field with a level.
    Severity(String);
    /// The name of the field with JSON.
    Json(String);
}

impl RemovedFields {
    /// Whether this field is among them.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.iter().any(|name| name.value == field)
    }
}

impl KeptFields {
    /// Whether this field is kept.
    pub(super) fn keeps(&self, field: &str) -> bool {
        self.0.iter().any(|name| match name.value.strip_suffix('*') {
            Some(prefix) => field.starts_with(prefix),
            None => name.value == field,
        })
    }
}

impl IntoStep for WrittenCondition {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(DropEvents(self.checked(keys, decoder)?)))
    }
}

impl IntoStep for Values {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let fields = each(self.0.0, place, decoder, |decoder, (name, value), place| {
            let key = intern_or_time(&name, place, keys, decoder)?;
            let value = set_value(value, place, keys, decoder)?;
            let is_reference =
                matches!(&value, SetValue::Template(template) if template.reference().is_some());
            if key == key::TIMESTAMP && !is_reference {
                decoder.report(
                    Diagnostic::error(format!("`{TIME}` cannot be set to this"))
                        .at(
                            place,
                            "expected the name of a field with a time in braces, such as \"{my.time}\"",
                        )
                        .help(TIME_HELP),
                );
                return None;
            }
            Some((key, value))
        })?;
        Some(Box::new(SetFields(fields)))
    }
}

fn set_value(
    value: ConstantValue,
    place: Place,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<SetValue> {
    let ConstantValue::Text(text) = value else { return Some(SetValue::Constant(value)) };
    let name = |name: &str| if name.is_empty() { None } else { keys.intern(name) };
    match Template::new(&text, name) {
        Ok(template) => Some(match template.constant() {
            Some(text) => SetValue::Constant(ConstantValue::Text(text.to_owned())),
            None => SetValue::Template(template),
        }),
        Err(error) => {
            decoder.report(
                Diagnostic::error(format!("`{text}` is no template: {error}"))
                    .at(place, "expected a text; `{field}` in it stands for a field, `{{` for a brace"),
            );
            None
        }
    }
}

impl IntoStep for RenamedFields {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(RenameFields(pairs(self.0, place, keys, decoder, intern)?)))
    }
}

impl IntoStep for CopiedFields {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(CopyFields(pairs(self.0, place, keys, decoder, intern_or_time)?)))
    }
}

/// Pairs of fields; `first` gives the first of each its number. The second may be the event's time.
fn pairs(
    names: Renames,
    place: Place,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
    first: impl Fn(&str, Place, &Arc<Keys>, &mut Decoder<'_>) -> Option<KeyId>,
) -> Option<Vec<(KeyId, KeyId)>> {
    each(names.0, place, decoder, |decoder, (from, to), place| {
        Some((first(&from, place, keys, decoder)?, intern_or_time(&to, place, keys, decoder)?))
    })
}

impl IntoStep for RemovedFields {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(RemoveFields(interned(self.0, place, keys, decoder)?)))
    }
}

impl IntoStep for FlattenedFields {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(FlattenFields(interned(self.0, place, keys, decoder)?)))
    }
}

impl IntoStep for KeptFields {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let patterns =
            each(self.0, place, decoder, |decoder, pattern, place| match pattern.split_once('*') {
                None => intern_or_time(&pattern, place, keys, decoder).map(KeepPattern::Name),
                Some((prefix, "")) => Some(KeepPattern::Prefix(prefix.to_owned())),
                Some(_) => {
                    decoder.report(
                        Diagnostic::error(format!("`{pattern}` is no pattern of field names")).at(
                            place,
                            "expected a name, or the beginning of names and `*`, such as \"http.*\"",
                        ),
                    );
                    None
                }
            })?;
        Some(Box::new(KeepFields::new(patterns)))
    }
}

impl IntoStep for Severity {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(NormalizeSeverity(intern(&self.0, place, keys, decoder)?)))
    }
}

impl IntoStep for Json {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        Some(Box::new(ParseField::json(intern(&self.0, place, keys, decoder)?)))
    }
}
