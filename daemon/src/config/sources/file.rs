//! `type = "file"`.
//!
//! Owns: the keys of a file source and their checked values.
//! Promises: a path that is not read as it is (a directory, a pipe) is told before anything starts.
//! Never: reads a log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::source::file::{Encoding, FileConfig, Multiline, ReadFrom};
use regex::bytes::Regex;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::schema::{Table, table};
use super::super::value::lists::Glob;
use super::super::value::tables::Nested;
use super::super::value::{At, Bytes, Integer, Words};
use super::{LineKeys, SourceKind};

table! {
    /// The keys of a file source.
    pub(super) struct FileKeys {
        /// Files to read; `*`, `?`, `[a-z]`, `{a,b}` and `**` are patterns.
        paths: Vec<Glob>,
        /// Files not to read, as patterns; what logweir itself writes is never read.
        exclude: Option<Vec<Glob>>,
        /// Where to begin in files that are there at the first start; later files are read from their beginning.
        read_from: ReadFrom = "beginning",
        /// Encoding of the files; "auto" is UTF-8, or UTF-16 where a file begins with its byte order mark.
        encoding: Encoding = "auto",
        /// Time after which a last line without a line end is taken as it is.
        partial_flush_after: Duration = "5s",
        /// How several lines make one event; needs `start`, `continue` or both.
        multiline: Option<At<Nested<MultilineKeys>>>,
        /// How long the end of a renamed or deleted file must stand still before the file is closed.
        rotate_grace: Duration = "2s",
        /// Time after which a deleted file is closed though lines of it are unread, because the outputs are stuck; they are
        /// lost. Absent: it is kept, and its space on the disk with it, until it is read.
        deleted_close_after: Option<Duration>,
        /// Most files kept open; idle ones are closed first.
        max_open_files: Integer<usize, 16, 1_000_000> = 4096,
        /// How long a file that does not grow is looked at often.
        idle_after: Duration = "10s",
        /// How often a file that is idle is looked at.
        idle_check_every: Duration = "2s",
        /// How often all patterns are searched, beside the watches on their folders.
        discover_every: Duration = "10s",
        /// How long the position of a file that is gone is kept.
        checkpoint_ttl: Duration = "7d",
    }
}

table! {
    /// The keys of `multiline`.
    pub(super) struct MultilineKeys {
        /// Matches the first line of an event.
        start: Option<Regex>,
        /// Matches a line that belongs to the event before it.
        r#continue: Option<Regex>,
        /// Most lines of one event.
        max_lines: Integer<usize, 2, 100_000> = 500,
        /// Most bytes of one event.
        max_bytes: Bytes<usize, 64> = "1MiB",
        /// Time after which an event is complete though no next one began.
        flush_after: Duration = "1s",
    }
}

impl Words for ReadFrom {
    const WORDS: &'static [(&'static str, Self)] = &[("beginning", Self::Beginning), ("end", Self::End)];
}

impl Words for Encoding {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("utf-16le", Self::Utf16Le),
        ("utf-16be", Self::Utf16Be),
        ("latin1", Self::Latin1),
    ];
}

pub(super) fn source(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<SourceKind> {
    let lines = LineKeys::decode(found, decoder);
    let keys = FileKeys::decode(found, decoder)?;
    for Glob(path) in &keys.paths {
        check_path(path, decoder);
    }
    let texts = |globs: Vec<Glob>| globs.into_iter().map(|glob| glob.0.value).collect();
    let config = FileConfig {
        paths: texts(keys.paths),
        exclude: texts(keys.exclude.unwrap_or_default()),
        read_from: keys.read_from,
        max_line_bytes: lines?.max_line_bytes.0,
        encoding: keys.encoding,
        multiline: match keys.multiline {
            Some(keys) => Some(multiline(keys, decoder)?),
            None => None,
        },
        partial_flush_after: keys.partial_flush_after,
        rotate_grace: keys.rotate_grace,
        deleted_close_after: keys.deleted_close_after,
        max_open_files: keys.max_open_files.0,
        idle_after: keys.idle_after,
        idle_check_every: keys.idle_check_every,
        discover_every: keys.discover_every,
        checkpoint_ttl: keys.checkpoint_ttl,
    };
    Some(SourceKind::File(Box::new(config)))
}

fn multiline(
    At { value: Nested(keys), place }: At<Nested<MultilineKeys>>,
    decoder: &mut Decoder<'_>,
) -> Option<Multiline> {
    if keys.start.is_none() && keys.r#continue.is_none() {
        decoder.report(
            Diagnostic::error("`multiline` says neither how an event starts nor how it continues")
                .at(place, "expected `start`, `continue` or both here"),
        );
        return None;
    }
    Some(Multiline {
        start: keys.start,
        continues: keys.r#continue,
        max_lines: keys.max_lines.0,
        max_bytes: keys.max_bytes.0,
        flush_after: keys.flush_after,
    })
}

/// Looks at a path that is not a pattern: a folder or a pipe is never read, and a missing file may be a slip.
fn check_path(At { value: path, place }: &At<String>, decoder: &mut Decoder<'_>) {
    let place = *place;
    if path.contains(['*', '?', '[', '{']) {
        return;
    }
    match std::fs::metadata(Path::new(path)) {
        Ok(metadata) if metadata.is_dir() => decoder.report(
            Diagnostic::warning(format!("`{path}` is a directory"))
                .at(place, "not read; expected a file or a pattern")
                .help(format!("to read the files in it write \"{}/*.log\"", path.trim_end_matches('/'))),
        ),
        Ok(metadata) if !metadata.is_file() => decoder.report(
            Diagnostic::warning(format!("`{path}` is not a regular file"))
                .at(place, "not read; expected a regular file, not a pipe, socket or device")
                .help("to read a pipe, give it to a source of type \"stdin\": `logweir run CONFIG < PIPE`"),
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
