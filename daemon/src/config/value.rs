//! The types of values: what each expects and how it is read.
//!
//! Owns: [`Value`] and the types that are one word, number or text; [`lists`] and [`tables`] have those that hold
//! several.
//! Promises: a value was checked as its type says, its bounds included, before it is handed out.
//! Never: knows what a value is for.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use logweir_parsers::timestamp::rfc3339;
use logweir_parsers::{Context, Zone};
use logweir_pipeline::zone;
use regex::bytes::Regex;
use toml::de::DeValue;

use super::decode::{Decoder, Given};
use super::error::{Diagnostic, Place};
use super::nearest::nearest;
use super::schema::Key;
use super::secret::Secret;
use super::units;

pub(crate) mod lists;
pub(crate) mod tables;

/// How the reference and the messages call a type of value.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    /// Its short name, with its unit or range.
    pub(crate) name: Cow<'static, str>,
    /// What is expected, as a noun phrase.
    pub(crate) expected: Cow<'static, str>,
}

impl Description {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), expected: expected.into() }
    }

    /// One of these words.
    pub(crate) fn words(words: impl Iterator<Item = &'static str>) -> Self {
        let words = words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        Self::new(words.clone(), format!("one of {words}"))
    }
}

/// A type that a key's value can have.
pub(crate) trait Value: Sized {
    /// The keys of the value, where it is a table or a list of tables.
    const KEYS: &'static [Key] = &[];
    /// Whether nothing may print the value.
    const SECRET: bool = false;
    /// Whether the key may be absent.
    const OPTIONAL: bool = false;

    /// How it is called.
    fn describe() -> Description;

    /// Reads a value, or tells the decoder what is wrong with it.
    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// What an absent key gives, where it may be absent.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Value> Value for Option<T> {
    const KEYS: &'static [Key] = T::KEYS;
    const SECRET: bool = T::SECRET;
    const OPTIONAL: bool = true;

    fn describe() -> Description {
        T::describe()
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(given, decoder).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A value and where it stands; a default stands where its section's name does.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it stands.
    pub(crate) place: Place,
}

impl<T: Value> Value for At<T> {
    const KEYS: &'static [Key] = T::KEYS;
    const SECRET: bool = T::SECRET;

    fn describe() -> Description {
        T::describe()
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { value: T::decode(given, decoder)?, place: given.place })
    }
}

impl Value for bool {
    fn describe() -> Description {
        Description::new("bool", "true or false")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match given.value {
            DeValue::Boolean(truth) => Some(*truth),
            _ => decoder.wrong_type(given),
        }
    }
}

/// A whole number with its bounds, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer<T, const LEAST: i64, const MOST: i64>(pub(crate) T);

impl<T: TryFrom<i64>, const LEAST: i64, const MOST: i64> Value for Integer<T, LEAST, MOST> {
    fn describe() -> Description {
        Description::new(
            format!("integer {LEAST}..={MOST}"),
            format!("a whole number from {LEAST} to {MOST}"),
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Integer(number) = given.value else {
            return decoder.wrong_type(given);
        };
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let number = number.filter(|number| (LEAST..=MOST).contains(number));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Some(Self(number)),
            None => decoder.wrong(given, None),
        }
    }
}

/// A size in bytes, at least so many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<T, const LEAST: u64>(pub(crate) T);

impl<T: TryFrom<u64>, const LEAST: u64> Value for Bytes<T, LEAST> {
    fn describe() -> Description {
        let name = format!("size in bytes, at least {}", units::bytes_text(LEAST));
        Description::new(name, "a size with its unit, such as \"5MB\" or \"64MiB\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = text_with_unit(given, decoder)?;
        let Some(bytes) = units::parse_bytes(&text) else {
            return decoder.wrong(given, did_you_mean(units::correct_bytes(&text)));
        };
        if bytes < LEAST {
            return decoder.wrong(given, Some(format!("the least is {}", units::bytes_text(LEAST))));
        }
        match T::try_from(bytes) {
            Ok(bytes) => Some(Self(bytes)),
            Err(_) => decoder.wrong(given, None),
        }
    }
}

impl Value for Duration {
    fn describe() -> Description {
        Description::new("duration", "a duration with its unit, such as \"200ms\" or \"5s\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = text_with_unit(given, decoder)?;
        match units::parse_duration(&text) {
            Some(duration) => Some(duration),
            None => decoder.wrong(given, did_you_mean(units::correct_duration(&text))),
        }
    }
}

fn text_with_unit(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<String> {
    match given.value {
        DeValue::Integer(_) | DeValue::Float(_) => {
            decoder.wrong(given, Some("this number has no unit".to_owned()))
        }
        _ => decoder.text(given),
    }
}

fn did_you_mean(right: Option<String>) -> Option<String> {
    right.map(|right| format!("did you mean \"{right}\"?"))
}

/// The zone of times that name none.
pub(crate) struct ZoneByName(pub(crate) Zone);

impl Value for ZoneByName {
    fn describe() -> Description {
        Description::new(
            "zone",
            "a zone such as \"Europe/Berlin\", or a distance from UTC such as \"+02:00\"",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        let found = units::parse_utc_offset(&text).map(Zone::fixed).or_else(|| zone::zone(&text));
        if found.is_none() {
            let names = zone::names();
            let near = nearest(&text, names.iter().map(String::as_str));
            return decoder.wrong(given, did_you_mean(near.map(str::to_owned)));
        }
        found.map(Self)
    }
}

/// A moment, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant(pub(crate) i64);

impl Value for Instant {
    fn describe() -> Description {
        Description::new("time", "a time as in RFC 3339, such as \"2026-11-23T08:30:00Z\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match rfc3339(decoder.text(given)?.as_bytes(), &Context::new(0, Zone::UTC)) {
            Some(nanos) => Some(Self(nanos)),
            None => decoder.wrong(given, None),
        }
    }
}

/// A type with a few values, each a word.
pub(crate) trait Words: Copy + 'static {
    /// The words and what they stand for.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Words> Value for T {
    fn describe() -> Description {
        Description::words(T::WORDS.iter().map(|(word, _)| *word))
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        match T::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => {
                let near = nearest(&text, T::WORDS.iter().map(|(word, _)| *word));
                decoder.wrong(given, did_you_mean(near.map(str::to_owned)))
            }
        }
    }
}

impl Value for String {
    fn describe() -> Description {
        Description::new("text", "a text, such as \"shop\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        decoder.text(given)
    }
}

/// `file:PATH` takes the secret from a file.
impl Value for Secret {
    const SECRET: bool = true;

    fn describe() -> Description {
        Description::new("secret", "a text, \"${VARIABLE}\" or \"file:/run/secrets/name\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        let Some(path) = text.strip_prefix("file:") else {
            return Some(Self::new(text));
        };
        let path = decoder.resolve(given.place, path);
        match std::fs::read_to_string(&path) {
            Ok(secret) => Some(Self::new(secret.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => {
                decoder.report(
                    Diagnostic::error(format!("cannot read the secret file `{}`: {error}", path.display()))
                        .at(given.place, "expected a file that holds the secret and that this user may read"),
                );
                None
            }
        }
    }
}

/// A relative path starts at the config file's folder.
impl Value for PathBuf {
    fn describe() -> Description {
        Description::new("path", "a path, such as \"/var/lib/logweir\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        if text.is_empty() {
            return decoder.wrong(given, Some("this is empty".to_owned()));
        }
        Some(decoder.resolve(given.place, &text))
    }
}

/// The content of a file that the config names by its path.
pub(crate) struct Content(pub(crate) Vec<u8>);

impl Value for Content {
    fn describe() -> Description {
        Description::new("path", "the path of a file")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        let path = decoder.resolve(given.place, &text);
        let problem = match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => "it is not a regular file".to_owned(),
            _ => match std::fs::read(&path) {
                Ok(content) => return Some(Self(content)),
                Err(error) => error.to_string(),
            },
        };
        decoder.report(
            Diagnostic::error(format!("cannot read `{}`: {problem}", path.display()))
                .at(given.place, "expected a file that this user may read"),
        );
        None
    }
}

impl Value for Regex {
    fn describe() -> Description {
        Description::new("regular expression", "a regular expression")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match Self::new(&decoder.text(given)?) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                // The lines before the last draw the expression, which is shown already.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                decoder.wrong(given, Some(last.to_owned()))
            }
        }
    }
}

/// An address to listen on; none for `off`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

impl Value for Listen {
    fn describe() -> Description {
        Description::new("address", "an address and port, such as \"127.0.0.1:9598\", or \"off\"")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match decoder.text(given)?.as_str() {
            "off" => Some(Self(None)),
            text => match text.parse() {
                Ok(address) => Some(Self(Some(address))),
                Err(_) => decoder.wrong(given, None),
            },
        }
    }
}
