//! The checked values of one section.
//!
//! Owns: [`Section`] and its getters, one a type of value.
//! Promises: a value that a getter gives was checked by its key's kind; where a value or default is absent the getter
//! gives nothing.
//! Never: reports; the decoder has done so before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use logweir_parsers::Format;
use logweir_pipeline::event::ConstantValue;
use regex::bytes::Regex;

use super::error::Place;
use super::secret::Secret;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) place: Place,
}

/// A checked value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Secret(Secret),
    Path(PathBuf),
    Integer(i64),
    Bytes(u64),
    Duration(Duration),
    Bool(bool),
    Texts(Vec<At<String>>),
    Pattern(Regex),
    Formats(Vec<Format>),
    Fields(Vec<At<(String, ConstantValue)>>),
    Table(Section),
    Steps(Vec<Section>),
}

/// The checked values of one section.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Where its name stands.
    pub(crate) place: Place,
    pub(super) values: BTreeMap<&'static str, At<Value>>,
}

macro_rules! getters {
    ($($(#[doc = $doc:literal])+ $name:ident: $variant:ident -> $type:ty;)+) => {
        impl Section {
            $(
                $(#[doc = $doc])+
                pub(crate) fn $name(&self, key: &str) -> Option<$type> {
                    match &self.values.get(key)?.value {
                        Value::$variant(value) => Some(value.clone()),
                        _ => None,
                    }
                }
            )+
        }
    };
}

getters! {
    /// A text, a word, an offset or an address.
    text: Text -> String;
    /// A secret.
    secret: Secret -> Secret;
    /// A path, resolved.
    path: Path -> PathBuf;
    /// A whole number.
    integer: Integer -> i64;
    /// A size.
    bytes: Bytes -> u64;
    /// A length of time.
    duration: Duration -> Duration;
    /// True or false.
    bool: Bool -> bool;
    /// A list of texts, paths, URLs or names, each with its place.
    texts: Texts -> Vec<At<String>>;
    /// A regular expression.
    pattern: Pattern -> Regex;
    /// A list of formats.
    formats: Formats -> Vec<Format>;
    /// Fields and their values.
    fields: Fields -> Vec<At<(String, ConstantValue)>>;
    /// A table.
    table: Table -> Section;
    /// A list of steps.
    steps: Steps -> Vec<Section>;
}

impl Section {
    /// Where the value of a key stands; the section's name for a key that is absent.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        self.values.get(key).map_or(self.place, |value| value.place)
    }

    /// Whether the config itself has the key; a default does not count.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|value| value.place != self.place)
    }

    /// Whether the key has a value, its default included.
    #[cfg(test)]
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The key that a section with one key has.
    pub(crate) fn only_key(&self) -> Option<&'static str> {
        self.values.keys().next().copied()
    }

    /// A whole number that is known to fit.
    pub(crate) fn number<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        T::try_from(self.integer(key)?).ok()
    }

    /// A size as a count of bytes in memory.
    pub(crate) fn size(&self, key: &str) -> Option<usize> {
        usize::try_from(self.bytes(key)?).ok()
    }

    /// A list without its places.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<String>> {
        Some(self.texts(key)?.into_iter().map(|text| text.value).collect())
    }
}
