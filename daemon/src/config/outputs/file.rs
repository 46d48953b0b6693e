//! `type = "file"`.
//!
//! Owns: the keys of a file output and their checked values.
//! Promises: the path is a template that can be filled in.
//! Never: opens the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::file::{FileConfig, FileEncoding, PathTemplate};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::schema::{Table, table};
use super::super::value::{At, Bytes, Integer, Words};
use super::Target;

table! {
    /// The keys of a file output.
    pub(super) struct FileKeys {
        /// File to write. `{service.name}` stands for a field, `{@timestamp|%Y-%m-%d}` for a part of the time.
        path: At<PathBuf>,
        /// One JSON document a line, or the line as it was read.
        format: FileEncoding = "ndjson",
        /// Size at which the file is rotated. Absent: never by size.
        rotate_bytes: Option<Bytes<u64, 4096>>,
        /// Age at which the file is rotated. Absent: never by age.
        rotate_after: Option<Duration>,
        /// Whether to compress rotated files with gzip.
        gzip_rotated: bool = false,
        /// Most files open at once; the one unused for longest is closed for another.
        open_files_max: Integer<usize, 1, 4096> = 64,
    }
}

impl Words for FileEncoding {
    const WORDS: &'static [(&'static str, Self)] = &[("ndjson", Self::Json), ("raw", Self::Raw)];
}

pub(super) fn target(found: &Found<'_>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let file = FileKeys::decode(found, decoder)?;
    let path = At { value: file.path.value.to_string_lossy().into_owned(), place: file.path.place };
    if let Err(error) = PathTemplate::new(&path.value, keys) {
        decoder.report(
            Diagnostic::error(format!("`path` is no template: {error}"))
                .at(path.place, "this cannot be used"),
        );
        return None;
    }
    let config = FileConfig {
        path: path.value.clone(),
        encoding: file.format,
        rotate_bytes: file.rotate_bytes.map(|bytes| bytes.0),
        rotate_after: file.rotate_after,
        gzip_rotated: file.gzip_rotated,
        open_files_max: file.open_files_max.0,
    };
    Some(Target { path: Some(path), ..Target::of(OutputKind::File(config), 1) })
}
