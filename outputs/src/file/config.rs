//! The configuration of the output `file`.
//!
//! Owns: [`FileConfig`] and [`FileOutputError`].
//! Promises: every limit has a default.
//! Never: opens a file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::template::TemplateError;

/// The configuration of the output `file`.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// The path, with `{field}` and `{@timestamp|%Y-%m-%d}` (in UTC) for values of the event.
    pub path: String,
    /// How an event is written.
    pub encoding: FileEncoding,
    /// Bytes at which a file is renamed and a new one begun.
    pub rotate_bytes: Option<u64>,
    /// Age at which a file is renamed and a new one begun, when something is written to it.
    pub rotate_after: Option<Duration>,
    /// Whether renamed files are compressed with gzip.
    pub gzip_rotated: bool,
    /// Most files open at once; the one unused for longest is closed for another.
    pub open_files_max: usize,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            encoding: FileEncoding::Json,
            rotate_bytes: None,
            rotate_after: None,
            gzip_rotated: false,
            open_files_max: 64,
        }
    }
}

/// How an event is written to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileEncoding {
    /// One JSON object a line.
    #[default]
    Json,
    /// The line as it was read.
    Raw,
}

/// Why the output cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FileOutputError {
    /// The path is no template.
    #[error("path: {0}")]
    Template(#[from] TemplateError),
    /// The journal cannot be read or written.
    #[error("cannot use the journal {path}: {source}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file has a tail that nobody was told about, and it cannot be cut off.
    #[error("cannot cut the unacknowledged tail off {path}: {source}")]
    Tail {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
