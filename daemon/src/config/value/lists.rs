//! The values that are one text or a list of them.
//!
//! Owns: [`Item`], what such a list holds, and the kinds of items.
//! Promises: each item keeps its place; a required list is not empty.
//! Never: looks at what an item names.

use logweir_pipeline::parse::Grammars;
use toml::de::DeValue;

use super::super::decode::{Decoder, Given};
use super::super::error::{Diagnostic, Place};
use super::super::schema::Absent;
use super::{At, Description, Value};

/// An item of a list, made from a text.
pub(crate) trait Item: Sized {
    /// The short name of a list of them, and what is expected, as a noun phrase.
    const NAMES: (&str, &str);

    /// The item of this text, or what is wrong with it goes to the decoder.
    fn from_text(text: At<String>, decoder: &mut Decoder<'_>) -> Option<Self>;
}

impl<T: Item> Value for Vec<T> {
    fn describe() -> Description {
        Description::new(T::NAMES.0, T::NAMES.1)
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut list = Vec::new();
        let mut add = |given: Given<'_>, decoder: &mut Decoder<'_>| {
            let text = decoder.text(given).map(|value| At { value, place: given.place });
            list.extend(text.and_then(|text| T::from_text(text, decoder)));
        };
        match given.value {
            DeValue::String(_) => add(given, decoder),
            DeValue::Array(items) if items.is_empty() && matches!(given.key.absent, Absent::Error) => {
                return decoder.wrong(given, Some("this list is empty".to_owned()));
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    add(given.inner(item.get_ref(), Place::new(given.place.file, item.span())), decoder);
                }
            }
            _ => return decoder.wrong_type(given),
        }
        Some(list)
    }
}

impl Item for At<String> {
    const NAMES: (&str, &str) = ("text or list", "a text or a list of texts");

    fn from_text(text: At<String>, _: &mut Decoder<'_>) -> Option<Self> {
        Some(text)
    }
}

/// A path pattern; a relative one starts at the config file's folder.
pub(crate) struct Glob(pub(crate) At<String>);

impl Item for Glob {
    const NAMES: (&str, &str) =
        ("pattern or list", "a path, a pattern such as \"/var/log/*.log\", or a list of them");

    fn from_text(At { value, place }: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let value = decoder.resolve(place, &value).to_string_lossy().into_owned();
        match globset::GlobBuilder::new(&value).literal_separator(true).build() {
            Ok(_) => Some(Self(At { value, place })),
            Err(error) => {
                decoder.report(
                    Diagnostic::error(format!("`{value}` is no pattern: {}", error.kind()))
                        .at(place, "expected `*`, `?`, `[a-z]`, `{a,b}`, `**`, or a path without them"),
                );
                None
            }
        }
    }
}

/// A URL; the client that uses it says whether it is one.
pub(crate) struct Url(pub(crate) At<String>);

impl Item for Url {
    const NAMES: (&str, &str) = ("URL or list", "a URL or a list of URLs, such as \"http://127.0.0.1:9200\"");

    fn from_text(text: At<String>, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(text))
    }
}

/// The name of a component whose events this one takes.
pub(crate) struct Input(pub(crate) At<String>);

impl Item for Input {
    const NAMES: (&str, &str) = ("list of names", "a list of names of sources and transforms");

    fn from_text(text: At<String>, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(text))
    }
}

impl Value for Grammars {
    fn describe() -> Description {
        Description::new("\"auto\", format or list", "\"auto\", the name of a format or a list of them")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match given.value {
            DeValue::String(word) if word == "auto" => Some(Self::ByProgram),
            DeValue::Array(items) if items.is_empty() => {
                decoder.wrong(given, Some("this list is empty".to_owned()))
            }
            _ => Vec::decode(given, decoder).map(Self::Listed),
        }
    }
}
