//! `[sources.NAME]`.
//!
//! Owns: the keys of every kind of source and their checked values.
//! Promises: a path that is not read as it is (a directory, a pipe) is told before anything starts.
//! Never: reads a log.

use std::path::Path;
use std::sync::Arc;

use logweir_parsers::{Format, key};
use logweir_pipeline::Keys;
use logweir_pipeline::event::{ConstantSet, ConstantValue};
use logweir_pipeline::source::file::{Encoding, FileConfig, Multiline, ReadFrom};

use super::decode::Decoder;
use super::error::{Diagnostic, Place};
use super::schema::{Key, Kind, SectionKind};
use super::section::{At, Section};

const COMMON: &[Key] = &[
    Key::required("type", Kind::Choice(&["file", "stdin"]), "What kind of source it is."),
    Key::default(
        "parse",
        Kind::Formats,
        "\"raw\"",
        "Format of the lines, or formats to try in order; a line that none takes is delivered as `message` with `event.kind = \"pipeline_error\"`.",
    ),
    Key::optional(
        "dataset",
        Kind::Text,
        "`data_stream.dataset` and `event.dataset` of the events. Absent: the format's own, such as `nginx.access`.",
    ),
    Key::default("namespace", Kind::Text, "\"default\"", "`data_stream.namespace` of the events."),
    Key::optional("fields", Kind::Fields, "Fields that every event of the source gets."),
    Key::default("utc_offset", Kind::UtcOffset, "\"Z\"", "Zone of times that name none."),
    Key::default(
        "keep_original",
        Kind::Bool,
        "false",
        "Whether to keep the line as `event.original` beside the fields parsed from it.",
    ),
];

const MULTILINE: &[Key] = &[
    Key::optional("start", Kind::Pattern, "Matches the first line of an event."),
    Key::optional("continue", Kind::Pattern, "Matches a line that belongs to the event before it."),
    Key::default("max_lines", Kind::Integer(2, 100_000), "500", "Most lines of one event."),
    Key::default("max_bytes", Kind::Bytes(64), "\"1MiB\"", "Most bytes of one event."),
    Key::default(
        "flush_after",
        Kind::Duration,
        "\"1s\"",
        "Time after which an event is complete though no next one began.",
    ),
];

const MAX_LINE_BYTES: Key = Key::default(
    "max_line_bytes",
    Kind::Bytes(64),
    "\"1MiB\"",
    "Longest line; of a longer one the rest is cut off and the event marked.",
);

const STDIN: &[Key] = &[MAX_LINE_BYTES];

const FILE: &[Key] = &[
    Key::required("paths", Kind::Globs, "Files to read; `*`, `?`, `[a-z]`, `{a,b}` and `**` are patterns."),
    Key::optional("exclude", Kind::Globs, "Files not to read, as patterns."),
    Key::default(
        "read_from",
        Kind::Choice(&["beginning", "end"]),
        "\"beginning\"",
        "Where to begin in files that are there at the first start; later files are read from their beginning.",
    ),
    Key::default(
        "encoding",
        Kind::Choice(&["auto", "utf-16le", "utf-16be", "latin1"]),
        "\"auto\"",
        "Encoding of the files; \"auto\" is UTF-8, or UTF-16 where a file begins with its byte order mark.",
    ),
    MAX_LINE_BYTES,
    Key::default(
        "partial_flush_after",
        Kind::Duration,
        "\"5s\"",
        "Time after which a last line without a line end is taken as it is.",
    ),
    Key::optional(
        "multiline",
        Kind::Table(MULTILINE),
        "How several lines make one event; needs `start`, `continue` or both.",
    ),
    Key::default(
        "rotate_grace",
        Kind::Duration,
        "\"2s\"",
        "How long the end of a renamed or deleted file must stand still before the file is closed.",
    ),
    Key::default(
        "max_open_files",
        Kind::Integer(16, 1_000_000),
        "4096",
        "Most files kept open; idle ones are closed first.",
    ),
    Key::default(
        "idle_after",
        Kind::Duration,
        "\"10s\"",
        "How long a file that does not grow is looked at often.",
    ),
    Key::default("idle_check_every", Kind::Duration, "\"2s\"", "How often a file that is idle is looked at."),
    Key::default(
        "discover_every",
        Kind::Duration,
        "\"10s\"",
        "How often all patterns are searched, beside the watches on their folders.",
    ),
    Key::default(
        "checkpoint_ttl",
        Kind::Duration,
        "\"7d\"",
        "How long the position of a file that is gone is kept.",
    ),
];

/// The kinds of sources.
pub(crate) const KINDS: &[SectionKind] = &[
    SectionKind {
        header: "sources.NAME",
        component: Some("file"),
        summary: "Reads files and follows them through rotation.",
        keys: &[COMMON, FILE],
    },
    SectionKind {
        header: "sources.NAME",
        component: Some("stdin"),
        summary: "Reads standard input; its end ends the run.",
        keys: &[COMMON, STDIN],
    },
];

/// A source of the config.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// The formats to try.
    pub(crate) formats: Vec<Format>,
    /// The fields that all its events get.
    pub(crate) fields: ConstantSet,
    /// Its dataset, unless the format says.
    pub(crate) dataset: Option<String>,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Seconds east of UTC of times without a zone.
    pub(crate) utc_offset: i32,
    /// Whether to keep the line.
    pub(crate) keep_original: bool,
    /// What it reads.
    pub(crate) kind: SourceKind,
}

/// What a source reads.
#[derive(Clone, Debug)]
pub(crate) enum SourceKind {
    /// Files.
    File(Box<FileConfig>),
    /// Standard input.
    Stdin {
        /// Bytes of a line that are kept.
        max_line_bytes: usize,
    },
}

/// The source of a section of type `component`; what is wrong goes to the decoder.
pub(crate) fn from_section(
    name: &str,
    component: &str,
    section: &Section,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Source> {
    let kind = match component {
        "file" => SourceKind::File(Box::new(file(section, decoder)?)),
        _ => SourceKind::Stdin { max_line_bytes: section.size("max_line_bytes")? },
    };
    let dataset = section.text("dataset");
    check_data_stream_part(dataset.as_deref(), section.place_of("dataset"), decoder)?;
    let namespace = section.text("namespace")?;
    check_data_stream_part(Some(&namespace), section.place_of("namespace"), decoder)?;
    Some(Source {
        name: name.to_owned(),
        formats: section.formats("parse")?,
        fields: constant_fields(section, keys, decoder)?,
        dataset,
        namespace,
        utc_offset: section.number("utc_offset")?,
        keep_original: section.bool("keep_original")?,
        kind,
    })
}

fn file(section: &Section, decoder: &mut Decoder<'_>) -> Option<FileConfig> {
    check_paths(section, decoder);
    let encoding = match section.text("encoding")?.as_str() {
        "utf-16le" => Encoding::Utf16Le,
        "utf-16be" => Encoding::Utf16Be,
        "latin1" => Encoding::Latin1,
        _ => Encoding::Auto,
    };
    Some(FileConfig {
        paths: section.list("paths")?,
        exclude: section.list("exclude").unwrap_or_default(),
        read_from: if section.text("read_from")? == "end" { ReadFrom::End } else { ReadFrom::Beginning },
        max_line_bytes: section.size("max_line_bytes")?,
        encoding,
        multiline: match section.table("multiline") {
            Some(table) => Some(multiline(&table, decoder)?),
            None => None,
        },
        partial_flush_after: section.duration("partial_flush_after")?,
        rotate_grace: section.duration("rotate_grace")?,
        max_open_files: section.number("max_open_files")?,
        idle_after: section.duration("idle_after")?,
        idle_check_every: section.duration("idle_check_every")?,
        discover_every: section.duration("discover_every")?,
        checkpoint_ttl: section.duration("checkpoint_ttl")?,
    })
}

fn multiline(table: &Section, decoder: &mut Decoder<'_>) -> Option<Multiline> {
    let (start, continues) = (table.pattern("start"), table.pattern("continue"));
    if start.is_none() && continues.is_none() {
        decoder.report(
            Diagnostic::error("`multiline` says neither how an event starts nor how it continues")
                .at(table.place, "expected `start`, `continue` or both here"),
        );
        return None;
    }
    Some(Multiline {
        start,
        continues,
        max_lines: table.number("max_lines")?,
        max_bytes: table.size("max_bytes")?,
        flush_after: table.duration("flush_after")?,
    })
}

/// The source's own fields, then the name of this host, unless they have it.
fn constant_fields(section: &Section, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<ConstantSet> {
    let mut set = ConstantSet::default();
    for At { value: (name, value), place } in section.fields("fields").unwrap_or_default() {
        if name.starts_with("data_stream.") {
            decoder.report(
                Diagnostic::error(format!("`{name}` is not set by `fields`"))
                    .at(place, "expected another field")
                    .help("the keys `dataset` and `namespace` of the source set the data stream"),
            );
            return None;
        }
        set.add(super::transforms::intern(&name, place, keys, decoder)?, &name, value);
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    set.add(key::HOST_NAME, "host.name", ConstantValue::Text(host));
    Some(set)
}

/// What Elasticsearch takes as a part of a data stream's name.
fn check_data_stream_part(text: Option<&str>, place: Place, decoder: &mut Decoder<'_>) -> Option<()> {
    let forbidden = |letter: char| letter.is_uppercase() || "-\\/*?\"<>| ,#:".contains(letter);
    match text {
        Some(text) if text.is_empty() || text.len() > 100 || text.contains(forbidden) => {
            decoder.report(
                Diagnostic::error(format!("`{text}` cannot be a part of a data stream's name")).at(
                    place,
                    "expected 1 to 100 bytes, no capitals, none of - \\ / * ? \" < > | , # : and space",
                ),
            );
            None
        }
        _ => Some(()),
    }
}

/// Looks at the paths that are not patterns: a folder or a pipe is never read, and a missing file may be a slip.
fn check_paths(section: &Section, decoder: &mut Decoder<'_>) {
    for At { value: path, place } in section.texts("paths").unwrap_or_default() {
        if path.contains(['*', '?', '[', '{']) {
            continue;
        }
        match std::fs::metadata(Path::new(&path)) {
            Ok(metadata) if metadata.is_dir() => decoder.report(
                Diagnostic::warning(format!("`{path}` is a directory"))
                    .at(place, "not read; expected a file or a pattern")
                    .help(format!("to read the files in it write \"{}/*.log\"", path.trim_end_matches('/'))),
            ),
            Ok(metadata) if !metadata.is_file() => decoder.report(
                Diagnostic::warning(format!("`{path}` is not a regular file"))
                    .at(place, "not read; expected a regular file, not a pipe, socket or device")
                    .help(
                        "to read a pipe, give it to a source of type \"stdin\": `logweir run CONFIG < PIPE`",
                    ),
            ),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => decoder.report(
                Diagnostic::note(format!("`{path}` is not there yet"))
                    .at(place, "read from its beginning as soon as it is there"),
            ),
            Err(error) => decoder.report(
                Diagnostic::warning(format!("cannot look at `{path}`: {error}"))
                    .at(place, "read as soon as this user may; until then it is tried again"),
            ),
        }
    }
}
