//! The step `redact`.
//!
//! Owns: its value in the config: names of fields, or a table.
//! Promises: hashes have a key, and only they; there is something to look for.
//! Never: prints the key.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{Redact, RedactAction, RedactKind, Step};
use regex::bytes::Regex;
use toml::de::DeValue;

use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::nearest::suggest;
use super::super::schema::{Key, Table, table};
use super::super::secret::Secret;
use super::super::value::lists::Item;
use super::super::value::tables::Nested;
use super::super::value::{At, Description, Value, Words};
use super::{IntoStep, interned};

table! {
    /// The keys of the step, where its value is a table.
    struct RedactKeys {
        /// Names of the fields to look in.
        fields: At<Vec<At<String>>>,
        /// What to look for. Absent: all of it, unless there are `patterns`.
        find: Option<Vec<Kind>>,
        /// Regular expressions of one's own; all that they match is hidden.
        patterns: Option<Vec<Pattern>>,
        /// What stands in the place of a find: its kind, its kind and a hash, or nothing.
        action: At<Action> = "mask",
        /// Key of the hashes. Equal finds have equal hashes under one key.
        hash_key: Option<At<Secret>>,
    }
}

/// The step's value: a list of fields for all kinds of finds, or a table.
pub(super) struct Redacted(RedactKeys);

impl Value for Redacted {
    const KEYS: &'static [Key] = RedactKeys::KEYS;

    fn describe() -> Description {
        Description::new("list or table", "names of fields, or a table such as { fields = [\"message\"] }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let DeValue::Table(_) = given.value {
            return Nested::decode(given, decoder).map(|Nested(keys)| Self(keys));
        }
        let fields = At::<Vec<At<String>>>::decode(given, decoder)?;
        let action = At { value: Action::Mask, place: given.place };
        Some(Self(RedactKeys { fields, find: None, patterns: None, action, hash_key: None }))
    }
}

impl Redacted {
    /// Whether it looks into this field.
    pub(super) fn looks_into(&self, field: &str) -> bool {
        self.0.fields.value.iter().any(|name| name.value == field)
    }
}

/// A kind of finds.
struct Kind(RedactKind);

impl Item for Kind {
    const NAMES: (&str, &str) =
        ("list of kinds", "a list of card, email, ip, jwt, bearer, aws_key and url_password");

    fn from_text(text: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let found = RedactKind::ALL.into_iter().find(|kind| kind.name() == text.value);
        if found.is_none() {
            let (label, known) =
                suggest(&text.value, RedactKind::ALL.iter().map(|kind| kind.name()), "no such kind");
            decoder.report(
                Diagnostic::error(format!("`redact` cannot find `{}`", text.value))
                    .at(text.place, label)
                    .help(format!("it finds {known}; `patterns` takes regular expressions")),
            );
        }
        found.map(Self)
    }
}

/// A regular expression that matches something.
struct Pattern(Regex);

impl Item for Pattern {
    const NAMES: (&str, &str) = ("regular expression or list", "a regular expression or a list of them");

    fn from_text(At { value, place }: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let problem = match Regex::new(&value) {
            Ok(pattern) if pattern.is_match(b"") => "it matches an empty text".to_owned(),
            Ok(pattern) => return Some(Self(pattern)),
            Err(error) => {
                let text = error.to_string();
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        };
        decoder.report(
            Diagnostic::error(format!("`{value}` cannot be used as a pattern: {problem}"))
                .at(place, "expected a regular expression"),
        );
        None
    }
}

/// The word for a [`RedactAction`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Mask,
    Hash,
    Remove,
}

impl Words for Action {
    const WORDS: &'static [(&'static str, Self)] =
        &[("mask", Self::Mask), ("hash", Self::Hash), ("remove", Self::Remove)];
}

impl IntoStep for Redacted {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let RedactKeys { fields, find, patterns, action, hash_key } = self.0;
        let place = fields.place;
        let fields = interned(fields.value, place, keys, decoder);
        let action = redact_action(&action, hash_key, decoder);
        let all = if patterns.is_some() { &[][..] } else { &RedactKind::ALL };
        let kinds = find.map_or(all.to_vec(), |kinds| kinds.into_iter().map(|kind| kind.0).collect());
        let patterns = patterns.into_iter().flatten().map(|pattern| pattern.0).collect::<Vec<_>>();
        if kinds.is_empty() && patterns.is_empty() {
            decoder.report(
                Diagnostic::error("`redact` looks for nothing")
                    .at(place, "expected `find` or `patterns` that are not empty, or neither of them"),
            );
            return None;
        }
        match Redact::new(fields?, &kinds, patterns, action?) {
            Ok(step) => Some(Box::new(step)),
            Err(error) => {
                decoder.report(Diagnostic::error(error.to_string()).at(place, "this step cannot work"));
                None
            }
        }
    }
}

fn redact_action(
    action: &At<Action>,
    hash_key: Option<At<Secret>>,
    decoder: &mut Decoder<'_>,
) -> Option<RedactAction> {
    const KEY_BYTES_MIN: usize = 16;
    let problem = match (action.value, hash_key) {
        (Action::Mask, None) => return Some(RedactAction::Mask),
        (Action::Remove, None) => return Some(RedactAction::Remove),
        (Action::Hash, Some(At { value, .. })) if value.expose().len() >= KEY_BYTES_MIN => {
            return Some(RedactAction::hash(value.expose().as_bytes()));
        }
        (Action::Hash, Some(At { place, .. })) => Diagnostic::error("the `hash_key` is too short").at(
            place,
            format!("expected at least {KEY_BYTES_MIN} bytes, so that no hash can be guessed back"),
        ),
        (Action::Hash, None) => Diagnostic::error("`action = \"hash\"` has no `hash_key`")
            .at(action.place, "expected `hash_key = \"${VARIABLE}\"` or `\"file:PATH\"` beside it"),
        (_, Some(At { place, .. })) => Diagnostic::error("a `hash_key` that nothing is hashed with")
            .at(place, "expected `action = \"hash\"` beside it"),
    };
    decoder.report(problem);
    None
}
