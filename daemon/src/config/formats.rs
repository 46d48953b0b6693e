//! `[formats.NAME]`: formats of the config.
//!
//! Owns: the keys of a format, and [`OwnFormats`], by which sources and steps find one by its name.
//! Promises: a format that comes out was compiled; what is wrong in a pattern is told at its place in the config; a format
//! that nothing reads by is told.
//! Never: reads a line.

use std::sync::Arc;

use logweir_parsers::pattern::{Fault, KINDS, Leaf};
use logweir_parsers::timestamp::TimeLayout;
use logweir_parsers::{FORMATS, Format, Pattern};
use logweir_pipeline::Keys;
use logweir_pipeline::parse::{Body, Grammar, OwnConstant, OwnFormat, RegexFormat, RegexFormatError};
use regex::bytes::Regex;

use super::decode::{Decoder, Found, Given};
use super::error::{Diagnostic, Place};
use super::graph::is_name;
use super::nearest::suggest;
use super::raw::Located;
use super::schema::{SectionKind, Table, table};
use super::sources::DataStreamPart;
use super::transforms::intern;
use super::value::lists::Item;
use super::value::tables::{Fields, Named, named};
use super::value::{At, Description, Value, ZoneByName};

/// The one kind of format.
pub(crate) const FORMAT: SectionKind = SectionKind {
    header: "formats.NAME",
    component: None,
    summary: "A format of lines of your own: `parse` of a source or step takes its name. It has a pattern or a regex.",
    shared: &[],
    keys: &[FormatKeys::KEYS],
};

table! {
    /// The keys of a format.
    struct FormatKeys {
        /// A line with `{field}` where a field stands, up to the text that follows. `{field:TYPE}`: text, word, int,
        /// float, bool, ip, quoted or rest. `{field?}`, `{field:int?}`: nothing or `-` is no field. `{_}` is skipped,
        /// `{ }` is any number of blanks, `{? … }` may be missing, `{{` and `}}` are braces. `{@timestamp:FORMAT}` is the
        /// time, by directives of strftime (`%3f`: milliseconds); `{@timestamp}` is the time by `timestamp`.
        pattern: Option<At<String>>,
        /// A regular expression instead; each named group is a field: `(?<log.level>\w+)`. The group `timestamp` is the
        /// time. It matches anywhere in the line, unless it says `^` and `$`.
        regex: Option<At<Regex>>,
        /// Types of the groups of `regex`: text, word, int, float, bool or ip; with `?`, nothing or `-` is no field.
        types: Option<At<Types>>,
        /// How the time is written, or several ways to try in order: directives of strftime, `rfc3339`, `unix` or
        /// `unix_ms`. A time without a year or a date is the nearest one. Absent: `rfc3339`.
        timestamp: Option<At<Vec<Layout>>>,
        /// Zone of times that name none. Absent: the source's.
        timezone: Option<ZoneByName>,
        /// `data_stream.dataset` and `event.dataset` of the events of a source by this format. Absent: "generic".
        dataset: Option<DataStreamPart>,
        /// Fields that every event by this format gets; a field that the line gives comes before them.
        set: Option<Fields>,
    }
}

/// The formats of the config, by name.
#[derive(Debug, Default)]
pub(crate) struct OwnFormats(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: At<String>,
    /// Absent when something is wrong with it.
    format: Option<Arc<OwnFormat>>,
    is_used: bool,
}

impl OwnFormats {
    /// Those that are right.
    pub(crate) fn compiled(&self) -> impl Iterator<Item = &Arc<OwnFormat>> {
        self.0.iter().filter_map(|known| known.format.as_ref())
    }

    /// Adds a format; what is wrong with its name goes to the decoder.
    pub(crate) fn add(
        &mut self,
        name: Located<'_, str>,
        format: Option<OwnFormat>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let told = diagnostics.len();
        if !is_name(name.value) {
            diagnostics.push(
                Diagnostic::error(format!("`{}` cannot be the name of a format", name.value))
                    .at(name.place, "expected letters, digits, `_` and `-`"),
            );
        }
        if Format::by_name(name.value).is_some() || name.value == "auto" {
            diagnostics.push(
                Diagnostic::error(format!(
                    "`{}` already means something where a format is named",
                    name.value
                ))
                .at(name.place, "expected another name")
                .help("`logweir config-reference formats` has the names of the formats that there are"),
            );
        }
        let name = At { value: name.value.to_owned(), place: name.place };
        let format = format.filter(|_| diagnostics.len() == told);
        self.0.push(Known { name, format: format.map(Arc::new), is_used: false });
    }

    /// Warns of each format that nothing reads by, of those that are right.
    pub(crate) fn warn_of_unused(&self, diagnostics: &mut Vec<Diagnostic>) {
        let unused = self.0.iter().filter(|known| known.format.is_some() && !known.is_used);
        for Known { name: At { value: name, place }, .. } in unused {
            diagnostics.push(
                Diagnostic::warning(format!("nothing is read by the format `{name}`"))
                    .at(*place, "no source and no step names it")
                    .help(format!(
                        "write `parse = \"{name}\"` into a source; `logweir parse` tries it on lines"
                    )),
            );
        }
    }
}

/// The name of a format, of logweir or of the config.
impl Item for Grammar {
    const NAMES: (&str, &str) = ("format or list", "the name of a format or a list of them");

    fn from_text(name: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Some(format) = Format::by_name(&name.value) {
            return Some(Self::Known(format));
        }
        if let Some(known) = decoder.formats.0.iter_mut().find(|known| known.name.value == name.value) {
            known.is_used = true;
            // Of one that is wrong enough was said.
            return known.format.clone().map(Self::Own);
        }
        let own = decoder.formats.0.iter().map(|known| known.name.value.as_str());
        let names = FORMATS.iter().map(|format| format.name()).chain(own).collect::<Vec<_>>();
        let (label, known) = suggest(&name.value, names.into_iter(), "no such format");
        decoder.report(
            Diagnostic::error(format!("unknown format `{}`", name.value))
                .at(name.place, label)
                .help(format!("the formats are {known}; `raw` takes any line")),
        );
        None
    }
}

/// The format of a section; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<OwnFormat> {
    decoder.refuse_unknown(found, FORMAT.all_keys());
    let format = FormatKeys::decode(found, decoder)?;
    let mut timestamp = Vec::new();
    if let Some(At { value, place }) = format.timestamp {
        timestamp = value.into_iter().map(|layout| layout.0).collect();
        check_timestamp_is_read(format.pattern.as_ref(), format.regex.as_ref(), place, decoder)?;
    }
    let body = match (format.pattern, format.regex) {
        (Some(pattern), None) => {
            if let Some(At { place, .. }) = format.types {
                decoder.report(
                    Diagnostic::error("`types` beside a pattern")
                        .at(place, "expected the types in the pattern, such as `{event.duration:int}`"),
                );
                return None;
            }
            Body::Pattern(compiled(&pattern, &timestamp, keys, decoder)?)
        }
        (None, Some(regex)) => Body::Regex(regex_format(regex, format.types, &timestamp, keys, decoder)?),
        (None, None) => {
            decoder.report(
                Diagnostic::error(format!("{} has neither a pattern nor a regex", found.name.value)).at(
                    found.name.place,
                    "expected `pattern = \"{log.level} {message}\"` or `regex = …` here",
                ),
            );
            return None;
        }
        (Some(_), Some(At { place, .. })) => {
            decoder.report(
                Diagnostic::error(format!("{} has a pattern and a regex", found.name.value))
                    .at(place, "expected one of the two"),
            );
            return None;
        }
    };
    let constants = constants(format.set, keys, decoder)?;
    let name = name.to_owned();
    let dataset = format.dataset.map(|dataset| dataset.0);
    let zone = format.timezone.map(|zone| zone.0);
    Some(OwnFormat { name, dataset, constants, zone, body })
}

/// Formats of a time that nothing is read by would be a misunderstanding.
fn check_timestamp_is_read(
    pattern: Option<&At<String>>,
    regex: Option<&At<Regex>>,
    place: Place,
    decoder: &mut Decoder<'_>,
) -> Option<()> {
    let in_pattern = pattern.is_none_or(|pattern| pattern.value.contains("{@timestamp}"));
    let in_regex =
        regex.is_none_or(|regex| regex.value.capture_names().any(|name| name == Some("timestamp")));
    if in_pattern && in_regex {
        return Some(());
    }
    decoder.report(
        Diagnostic::error("formats of a time that the format does not have")
            .at(place, "expected `{@timestamp}` in the pattern, or a group `(?<timestamp>…)` in the regex"),
    );
    None
}

fn compiled(
    pattern: &At<String>,
    timestamp: &[TimeLayout],
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Pattern> {
    let mut key = |name: &str| keys.intern(name);
    match Pattern::new(&pattern.value, timestamp, &mut key) {
        Ok(pattern) => Some(pattern),
        Err(fault) => tell(fault, pattern, decoder),
    }
}

/// Tells what is wrong in a text of the config, at its place in the text.
fn tell<T>(fault: Fault, At { value, place }: &At<String>, decoder: &mut Decoder<'_>) -> Option<T> {
    let Fault { span, problem, expected } = fault;
    let place = decoder.place_within(*place, value, span);
    decoder.report(
        Diagnostic::error(problem)
            .at(place, expected)
            .help("`logweir config-reference formats` tells the notation of patterns and times"),
    );
    None
}

fn regex_format(
    At { value: regex, place }: At<Regex>,
    types: Option<At<Types>>,
    timestamp: &[TimeLayout],
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<RegexFormat> {
    let groups = regex.capture_names().flatten().map(str::to_owned).collect::<Vec<_>>();
    let (types, types_place) = match types {
        Some(At { value, place }) => (value.0, place),
        None => (Vec::new(), place),
    };
    let plain = types.iter().map(|typed| typed.value.clone()).collect::<Vec<_>>();
    let error = match RegexFormat::new(regex, &plain, timestamp, &mut |name| keys.intern(name)) {
        Ok(format) => return Some(format),
        Err(error) => error,
    };
    let diagnostic = Diagnostic::error(error.to_string());
    decoder.report(match error {
        RegexFormatError::NoGroup => {
            diagnostic.at(place, "expected a group such as `(?<log.level>\\w+)`, called as its field")
        }
        RegexFormatError::NoField(_) => {
            diagnostic.at(place, "expected 1 to 256 bytes, and no more names than `keys_max`")
        }
        RegexFormatError::NoSuchGroup(name) => {
            let place =
                types.iter().find(|typed| typed.value.0 == name).map_or(types_place, |typed| typed.place);
            let (label, known) = suggest(&name, groups.iter().map(String::as_str), "no such group");
            diagnostic.at(place, label).help(format!("the groups are {known}"))
        }
    });
    None
}

fn constants(set: Option<Fields>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Vec<OwnConstant>> {
    let fields = set.map(|fields| fields.0).unwrap_or_default().into_iter();
    let constant = |At { value: (name, value), place }: At<(String, _)>| {
        if name.starts_with("data_stream.") {
            decoder.report(
                Diagnostic::error(format!("`{name}` is not set by `set`"))
                    .at(place, "expected another field")
                    .help(
                        "the key `dataset` of the format, and `namespace` of the source, set the data stream",
                    ),
            );
            return None;
        }
        Some(OwnConstant::new(intern(&name, place, keys, decoder)?, name, value))
    };
    fields.map(constant).collect()
}

/// A way to write a time.
struct Layout(TimeLayout);

impl Item for Layout {
    const NAMES: (&str, &str) = (
        "time format or list",
        "a format of a time such as \"%d.%m.%Y %H:%M:%S\", \"rfc3339\", \"unix\" or \"unix_ms\", or a list of them",
    );

    fn from_text(text: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match TimeLayout::new(&text.value) {
            Ok(layout) => Some(Self(layout)),
            Err(fault) => tell(fault, &text, decoder),
        }
    }
}

/// Groups of a regular expression and their types.
struct Types(Named<Leaf>);

impl Value for Types {
    fn describe() -> Description {
        Description::new("table of types", "a table of types, such as { \"event.duration\" = \"int\" }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, |given, decoder| {
            let text = decoder.text(given)?;
            let leaf = Leaf::by_name(&text);
            if leaf.is_none() {
                let (label, known) = suggest(&text, KINDS.iter().map(|(name, _)| *name), "no such type");
                decoder.report(
                    Diagnostic::error(format!("unknown type `{text}` of a field"))
                        .at(given.place, label)
                        .help(format!("the types are {known}")),
                );
            }
            leaf
        })
        .map(Self)
    }
}
