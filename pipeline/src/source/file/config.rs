//! The settings of a file source.
//!
//! Owns: [`FileConfig`], every setting with its unit and default.
//! Promises: the defaults lose nothing and are bounded.
//! Never: reads a config file; the daemon fills it in.

use std::time::Duration;

use regex::bytes::Regex;

/// The settings of a file source.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// Globs of the files to read: `*` and `?` within a name, `**` over folders, `[a-z]`, `{one,other}`.
    pub paths: Vec<String>,
    /// Globs of files to leave alone, against the whole path; tested before a file is opened.
    pub exclude: Vec<String>,
    /// Where to begin in a file that was there before the first start.
    pub read_from: ReadFrom,
    /// Bytes of a line that are kept; the rest of a longer one is cut off and the event marked.
    pub max_line_bytes: usize,
    /// The encoding of the text.
    pub encoding: Encoding,
    /// How lines are joined to events, if they are.
    pub multiline: Option<Multiline>,
    /// How long a last line may wait for its line end before it is taken as it is.
    pub partial_flush_after: Duration,
    /// How long the end of a renamed or deleted file must stand still before the file is closed.
    pub rotate_grace: Duration,
    /// How long a deleted file is kept open for what is not read of it, and its space on the disk with it; without a
    /// limit, until it is read to its end.
    pub deleted_close_after: Option<Duration>,
    /// Files kept open; those that were idle for longest are closed above that.
    pub max_open_files: usize,
    /// How long a file that does not grow is looked at often.
    pub idle_after: Duration,
    /// How often a file that is idle is looked at.
    pub idle_check_every: Duration,
    /// How often all globs are searched, beside the watches on their folders.
    pub discover_every: Duration,
    /// How long the position of a file that is gone is kept.
    pub checkpoint_ttl: Duration,
}

/// Where to begin in a file that was there before the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// At the first line.
    #[default]
    Beginning,
    /// Behind the last complete line.
    End,
}

/// How bytes become text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or UTF-16 of the byte order that the file's byte order mark tells.
    #[default]
    Auto,
    /// UTF-16, little-endian, with or without a byte order mark.
    Utf16Le,
    /// UTF-16, big-endian, with or without a byte order mark.
    Utf16Be,
    /// ISO 8859-1, read as its superset windows-1252 as the WHATWG Encoding Standard has it.
    Latin1,
}

/// How lines are joined to events. With both patterns a line is a continuation when `continues` matches or `start`
/// does not.
#[derive(Clone, Debug)]
pub struct Multiline {
    /// Matches the first line of an event.
    pub start: Option<Regex>,
    /// Matches a line that belongs to the event before it.
    pub continues: Option<Regex>,
    /// Lines of an event at most; the next line begins another.
    pub max_lines: usize,
    /// Bytes of an event at most; the line that would go beyond begins another.
    pub max_bytes: usize,
    /// How long an event waits for its next line.
    pub flush_after: Duration,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: Vec::new(),
            read_from: ReadFrom::Beginning,
            max_line_bytes: 1024 * 1024,
            encoding: Encoding::Auto,
            multiline: None,
            partial_flush_after: Duration::from_secs(5),
            rotate_grace: Duration::from_secs(2),
            deleted_close_after: None,
            max_open_files: 4096,
            idle_after: Duration::from_secs(10),
            idle_check_every: Duration::from_secs(2),
            discover_every: Duration::from_secs(10),
            checkpoint_ttl: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

impl Default for Multiline {
    fn default() -> Self {
        Self {
            start: None,
            continues: None,
            max_lines: 500,
            max_bytes: 1024 * 1024,
            flush_after: Duration::from_secs(1),
        }
    }
}
