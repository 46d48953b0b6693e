//! What a config may say: every section and key, as data.
//!
//! Owns: [`Key`], [`Kind`] and [`SectionKind`], and the registry [`sections`] of all of them.
//! Promises: decoding, its error messages and `logweir config-reference` all read these tables, so what the
//! reference says is what is checked; a default is TOML text that goes through the same decoder as a user's value.
//! Never: holds a value.

use super::{outputs, settings, sources, transforms};

/// What a key's value must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that nothing prints; `file:PATH` takes it from a file.
    Secret,
    /// A path; a relative one starts at the config file's folder.
    Path,
    /// A path to a file that must be there.
    ExistingFile,
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// A size in bytes, at least this.
    Bytes(u64),
    /// A length of time.
    Duration,
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One text or a list of them.
    Texts,
    /// One path pattern or a list of them; a relative one starts at the config file's folder.
    Globs,
    /// One URL or a list of them.
    Urls,
    /// One name of a format or a list of them.
    Formats,
    /// Names of components whose events this one takes.
    Inputs,
    /// A table of field names and constant values.
    Fields,
    /// A table of field names and their new names.
    Renames,
    /// A regular expression.
    Pattern,
    /// A distance from UTC.
    UtcOffset,
    /// An address and port to listen on, or `off`.
    Listen,
    /// A table with these keys.
    Table(&'static [Key]),
    /// A list of tables, each with exactly one of these keys.
    Steps(&'static [Key]),
}

impl Kind {
    /// What is expected, as a noun phrase.
    pub(crate) fn expected(self) -> String {
        let text = match self {
            Self::Text => "a text, such as \"shop\"",
            Self::Secret => "a text, \"${VARIABLE}\" or \"file:/run/secrets/name\"",
            Self::Path => "a path, such as \"/var/lib/logweir\"",
            Self::ExistingFile => "the path of a file",
            Self::Integer(least, most) => return format!("a whole number from {least} to {most}"),
            Self::Bytes(_) => "a size with its unit, such as \"5MB\" or \"64MiB\"",
            Self::Duration => "a duration with its unit, such as \"200ms\" or \"5s\"",
            Self::Bool => "true or false",
            Self::Choice(words) => return format!("one of {}", quoted(words)),
            Self::Texts => "a text or a list of texts",
            Self::Globs => "a path, a pattern such as \"/var/log/*.log\", or a list of them",
            Self::Urls => "a URL or a list of URLs, such as \"http://127.0.0.1:9200\"",
            Self::Formats => "the name of a format or a list of them",
            Self::Inputs => "a list of names of sources and transforms",
            Self::Fields => "a table of fields, such as { \"service.name\" = \"shop\" }",
            Self::Renames => "a table of names, such as { \"old.name\" = \"new.name\" }",
            Self::Pattern => "a regular expression",
            Self::UtcOffset => "a distance from UTC, such as \"+02:00\"",
            Self::Listen => "an address and port, such as \"127.0.0.1:9598\", or \"off\"",
            Self::Table(_) => "a table",
            Self::Steps(_) => "a list of steps, such as [{ remove = [\"tags\"] }]",
        };
        text.to_owned()
    }

    /// Whether a value of this kind is written as one text.
    pub(crate) fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Secret
                | Self::Path
                | Self::ExistingFile
                | Self::Bytes(_)
                | Self::Duration
                | Self::Choice(_)
                | Self::Pattern
                | Self::UtcOffset
                | Self::Listen
        )
    }

    /// The kind's short name for the reference, with its unit or range.
    pub(crate) fn name(self) -> String {
        let text = match self {
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Path | Self::ExistingFile => "path",
            Self::Integer(least, most) => return format!("integer {least}..={most}"),
            Self::Bytes(least) if least > 1 => {
                return format!("size in bytes, at least {}", super::units::bytes_text(least));
            }
            Self::Bytes(_) => "size in bytes",
            Self::Duration => "duration",
            Self::Bool => "bool",
            Self::Choice(words) => return quoted(words),
            Self::Texts => "text or list",
            Self::Globs => "pattern or list",
            Self::Urls => "URL or list",
            Self::Formats => "format or list",
            Self::Inputs => "list of names",
            Self::Fields => "table of fields",
            Self::Renames => "table of names",
            Self::Pattern => "regular expression",
            Self::UtcOffset => "offset from UTC",
            Self::Listen => "address",
            Self::Table(_) => "table",
            Self::Steps(_) => "list of steps",
        };
        text.to_owned()
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

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
    /// What its value must be.
    pub(crate) kind: Kind,
    /// What holds when it is absent.
    pub(crate) absent: Absent,
    /// What it does, in a sentence.
    pub(crate) summary: &'static str,
}

impl Key {
    /// Whether an empty list is as good as none.
    pub(crate) fn must_not_be_empty(&self) -> bool {
        matches!(self.absent, Absent::Error)
    }

    /// A key that must be there.
    pub(crate) const fn required(name: &'static str, kind: Kind, summary: &'static str) -> Self {
        Self { name, kind, absent: Absent::Error, summary }
    }

    /// A key that may be absent.
    pub(crate) const fn optional(name: &'static str, kind: Kind, summary: &'static str) -> Self {
        Self { name, kind, absent: Absent::None, summary }
    }

    /// A key with a default, written in TOML.
    pub(crate) const fn default(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        summary: &'static str,
    ) -> Self {
        Self { name, kind, absent: Absent::Default(default), summary }
    }
}

/// A kind of section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionKind {
    /// Its header in a config, such as `outputs.NAME`; empty for the keys before every header.
    pub(crate) header: &'static str,
    /// The value of its key `type`, if it has one.
    pub(crate) component: Option<&'static str>,
    /// What it is, in a sentence.
    pub(crate) summary: &'static str,
    /// Its keys: those it shares with its neighbours, then its own.
    pub(crate) keys: &'static [&'static [Key]],
}

impl SectionKind {
    /// All its keys.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }

    /// The name under which the reference tells of it: `outputs.file`.
    pub(crate) fn reference(&self) -> String {
        match self.component {
            Some(component) => self.header.replace("NAME", component),
            None if self.header.is_empty() => "global".to_owned(),
            None => self.header.trim_end_matches(".NAME").to_owned(),
        }
    }
}

/// All kinds of sections, in the order in which data flows through them.
pub(crate) fn sections() -> impl Iterator<Item = &'static SectionKind> {
    let settings = [&settings::GLOBAL, &settings::ADMIN];
    let components = sources::KINDS.iter().chain([&transforms::TRANSFORM]).chain(outputs::KINDS);
    settings.into_iter().chain(components).chain([&settings::DEAD_LETTER])
}

/// The names of all keys that hold secrets.
pub(crate) fn secret_keys() -> Vec<&'static str> {
    let keys = sections().flat_map(SectionKind::all_keys);
    let mut names =
        keys.filter(|key| matches!(key.kind, Kind::Secret)).map(|key| key.name).collect::<Vec<_>>();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_documented() {
        for section in sections() {
            let mut names = Vec::new();
            for key in section.all_keys() {
                assert!(!names.contains(&key.name), "{} has `{}` twice", section.reference(), key.name);
                assert!(
                    key.summary.len() > 10,
                    "`{}` of {} is not documented",
                    key.name,
                    section.reference()
                );
                assert!(key.summary.ends_with('.'), "the summary of `{}` is not a sentence", key.name);
                names.push(key.name);
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
        assert_eq!(secret_keys(), ["api_key", "bearer_token", "password"]);
    }
}
