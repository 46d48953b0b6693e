//! What a config may say: every section and key, as data.
//!
//! Owns: [`Key`], [`SectionKind`], the registry [`sections`] of all of them, and [`table!`](table), by which a
//! key is written once: its name, type, default and meaning are a field of a Rust struct.
//! Promises: decoding, its error messages and `logweir config-reference` all read these fields; a key that nothing
//! reads is a field that nothing reads, which the compiler tells; a default is TOML that goes through the same decoder
//! as a user's value.
//! Never: holds a value of a config.

use super::decode::{Decoder, Found};
use super::value::{Description, Value};
use super::{aggregates, cases, formats, outputs, routes, rules, settings, sources, time, transforms};

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    /// It must be there.
    Error,
    /// Nothing: what that means is in the key's summary.
    None,
    /// This TOML value stands in.
    Default(&'static str),
}

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in a sentence.
    pub(crate) summary: &'static str,
    /// What holds when it is absent.
    pub(crate) absent: Absent,
    /// What its value must be.
    pub(crate) describe: fn() -> Description,
    /// The keys of its value, where that is a table or a list of tables.
    pub(crate) keys: &'static [Key],
    /// Whether nothing may print its value.
    pub(crate) secret: bool,
}

impl Key {
    /// A key whose value is a `T`; `default` holds at most one TOML value.
    pub(crate) const fn of<T: Value>(
        name: &'static str,
        summary: &'static str,
        default: &[&'static str],
    ) -> Self {
        let absent = match default {
            [default, ..] => Absent::Default(default),
            [] if T::OPTIONAL => Absent::None,
            [] => Absent::Error,
        };
        // A key that is a word of Rust is written `r#continue` as a field.
        let name = match name.as_bytes() {
            [b'r', b'#', ..] => name.split_at(2).1,
            _ => name,
        };
        Self {
            name,
            summary: summary.trim_ascii(),
            absent,
            describe: T::describe,
            keys: T::KEYS,
            secret: T::SECRET,
        }
    }

    /// The key `type`, which tells one kind of source or output from another.
    pub(crate) const fn component_type(summary: &'static str, describe: fn() -> Description) -> Self {
        Self { name: "type", summary, absent: Absent::Error, describe, keys: &[], secret: false }
    }
}

/// A table of the config as a struct, one field a key; see [`table!`](table).
pub(crate) trait Table: Sized {
    /// Its keys, in the order of its fields.
    const KEYS: &'static [Key];

    /// Decodes each key, so that everything wrong is told, and gives the struct when nothing is.
    fn decode(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<Self>;
}

/// Declares a table of the config: `name: Type = DEFAULT` with the summary as its doc comment. The default is written as
/// in TOML; without one the key is required, unless its type is an `Option`.
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        $(#[derive($derive:ident)])?
        $visibility:vis struct $table:ident {
            $($(#[doc = $summary:literal])+ $key:ident: $type:ty $(= $default:literal)?,)+
        }
    ) => {
        $(#[doc = $doc])+
        $(#[derive($derive)])?
        $visibility struct $table {
            $($(#[doc = $summary])+ $visibility $key: $type,)+
        }

        impl $crate::config::schema::Table for $table {
            const KEYS: &'static [$crate::config::schema::Key] = &[$(
                $crate::config::schema::Key::of::<$type>(
                    stringify!($key), concat!($($summary),+), &[$(stringify!($default))?],
                )
            ),+];

            fn decode(
                found: &$crate::config::decode::Found<'_>,
                decoder: &mut $crate::config::decode::Decoder<'_>,
            ) -> Option<Self> {
                let mut keys = Self::KEYS.iter();
                $(let $key = decoder.value::<$type>(found, keys.next()?);)+
                Some(Self { $($key: $key?),+ })
            }
        }
    };
}
pub(crate) use table;

/// A kind of section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionKind {
    /// Its header in a config, such as `outputs.NAME`; empty for the keys before every header.
    pub(crate) header: &'static str,
    /// The value of its key `type`, if it has one.
    pub(crate) component: Option<&'static str>,
    /// What it is, in a sentence.
    pub(crate) summary: &'static str,
    /// The keys that it shares with its neighbours.
    pub(crate) shared: &'static [&'static [Key]],
    /// Its own keys.
    pub(crate) keys: &'static [&'static [Key]],
}

impl SectionKind {
    /// All its keys.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &'static Key> + Clone {
        self.shared.iter().chain(self.keys).copied().flatten()
    }

    /// The name under which the reference tells of it: `outputs.file`.
    pub(crate) fn reference(&self) -> String {
        match self.component {
            Some(component) => self.header.replace("NAME", component),
            None if self.header.is_empty() => "global".to_owned(),
            None => self.header.trim_matches(['[', ']']).trim_end_matches(".NAME").to_owned(),
        }
    }
}

/// All kinds of sections, in the order in which data flows through them.
pub(crate) fn sections() -> impl Iterator<Item = &'static SectionKind> {
    let sources = sources::KINDS.iter().map(|kind| &kind.section);
    let outputs = outputs::KINDS.iter().map(|kind| &kind.section);
    let components = sources
        .chain([&transforms::TRANSFORM, &routes::ROUTE, &time::TIME, &aggregates::AGGREGATE, &rules::RULE])
        .chain(outputs);
    [&settings::GLOBAL, &settings::ADMIN, &formats::FORMAT]
        .into_iter()
        .chain(components)
        .chain([&settings::DEAD_LETTER, &cases::TEST])
}

/// The names of all keys that hold secrets.
pub(crate) fn secret_keys() -> Vec<&'static str> {
    let mut names = Vec::new();
    sections().flat_map(SectionKind::all_keys).for_each(|key| add_secrets(key, &mut names));
    names.sort_unstable();
    names.dedup();
    names
}

/// The names of those that are tables, all of whose values are secrets.
pub(crate) fn secret_tables() -> Vec<&'static str> {
    let is_table = |key: &&Key| key.secret && (key.describe)().name.starts_with("table");
    sections().flat_map(SectionKind::all_keys).filter(is_table).map(|key| key.name).collect()
}

/// Adds the name of a key, and of the keys of its value, that hold secrets.
fn add_secrets(key: &Key, names: &mut Vec<&'static str>) {
    names.extend(key.secret.then_some(key.name));
    key.keys.iter().for_each(|key| add_secrets(key, names));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys with those of their tables.
    fn with_inner(keys: impl Iterator<Item = &'static Key>) -> Vec<&'static Key> {
        keys.flat_map(|key| [key].into_iter().chain(with_inner(key.keys.iter()))).collect()
    }

    #[test]
    fn keys_are_distinct_and_documented() {
        for section in sections() {
            let mut names = section.all_keys().map(|key| key.name).collect::<Vec<_>>();
            names.sort_unstable();
            for pair in names.windows(2) {
                assert_ne!(pair[0], pair[1], "twice in {}", section.reference());
            }
            for key in with_inner(section.all_keys()) {
                let (name, summary) = (key.name, key.summary);
                assert!(summary.len() > 10, "`{name}` of {} is not documented", section.reference());
                assert!(summary.ends_with('.'), "the summary of `{name}` is not a sentence: {summary}");
                if let Absent::Default(default) = key.absent {
                    assert!(toml::de::DeValue::parse(default).is_ok(), "the default of `{name}` is not TOML");
                }
            }
        }
    }

    #[test]
    fn every_section_has_a_name_of_its_own() {
        let mut names = sections().map(SectionKind::reference).collect::<Vec<_>>();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_secrets_are_known() {
        assert_eq!(secret_keys(), ["api_key", "bearer_token", "hash_key", "headers", "password", "url"]);
        assert_eq!(secret_tables(), ["headers"]);
    }
}
