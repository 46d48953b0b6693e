//! The sections that every config has once: the settings of the process, `[admin]`, `[dead_letter]`.
//!
//! Owns: their keys and checked values.
//! Promises: each setting has a safe default.
//! Never: starts anything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::schema::{Key, Kind, SectionKind};
use super::section::Section;

/// The keys before every section.
pub(crate) const GLOBAL: SectionKind = SectionKind {
    header: "",
    component: None,
    summary: "Settings of the process. They stand before every section.",
    keys: &[&[
        Key::default(
            "data_dir",
            Kind::Path,
            "\"/var/lib/logweir\"",
            "Folder for positions and dead letters; one daemon at a time uses it.",
        ),
        Key::default(
            "memory",
            Kind::Bytes(4 * 1024 * 1024),
            "\"64MiB\"",
            "Limit of the memory for events on their way; when it is full, sources wait.",
        ),
        Key::optional(
            "workers",
            Kind::Integer(1, 256),
            "Threads that parse and encode. Absent: one a processor core.",
        ),
        Key::default(
            "keys_max",
            Kind::Integer(16, 65_000),
            "4096",
            "Most field names that are learnt from the lines themselves (JSON, logfmt); further ones are written but cannot be named in a transform.",
        ),
        Key::default(
            "shutdown_deadline",
            Kind::Duration,
            "\"10s\"",
            "Time that outputs have to take what was read when the process is asked to end; what remains is read again by the next start.",
        ),
    ]],
};

/// `[admin]`.
pub(crate) const ADMIN: SectionKind = SectionKind {
    header: "admin",
    component: None,
    summary: "The HTTP interface for health, metrics and the ledger. It asks for no password.",
    keys: &[&[Key::default(
        "listen",
        Kind::Listen,
        "\"127.0.0.1:9598\"",
        "Address of the interface, or \"off\". When the default is taken the process goes on without it; when an address written here is taken it does not start.",
    )]],
};

/// `[dead_letter]`.
pub(crate) const DEAD_LETTER: SectionKind = SectionKind {
    header: "dead_letter",
    component: None,
    summary: "Where events are kept that an output refused for good, with the reason.",
    keys: &[&[
        Key::optional(
            "path",
            Kind::Path,
            "Folder of the dead letters. Absent: `dead-letter` under `data_dir`.",
        ),
        Key::default(
            "bytes_max",
            Kind::Bytes(1024 * 1024),
            "\"1GiB\"",
            "Most bytes kept; when they are used up, outputs wait with what they cannot deliver.",
        ),
    ]],
};

/// Settings of the process.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Folder for positions and dead letters.
    pub(crate) data_dir: PathBuf,
    /// Bytes of events on their way.
    pub(crate) memory: usize,
    /// Threads that parse and encode.
    pub(crate) workers: usize,
    /// Field names learnt from lines.
    pub(crate) keys_max: usize,
    /// Time to drain.
    pub(crate) shutdown_deadline: Duration,
}

impl Settings {
    /// From the checked keys.
    pub(crate) fn from_section(section: &Section) -> Option<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Some(Self {
            data_dir: section.path("data_dir")?,
            memory: section.size("memory")?,
            workers: section.number("workers").unwrap_or_else(cores),
            keys_max: section.number("keys_max")?,
            shutdown_deadline: section.duration("shutdown_deadline")?,
        })
    }
}

/// Where the admin interface listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admin {
    /// The address; none when it is off.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether the config names the address: then it must be free.
    pub(crate) required: bool,
}

impl Admin {
    /// From the checked keys.
    pub(crate) fn from_section(section: &Section) -> Option<Self> {
        let listen = section.text("listen")?;
        Some(Self { listen: listen.parse().ok(), required: section.is_set("listen") })
    }
}

/// Where refused events are kept.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// The folder.
    pub(crate) path: PathBuf,
    /// Most bytes kept.
    pub(crate) bytes_max: u64,
}

impl DeadLetter {
    /// From the checked keys.
    pub(crate) fn from_section(section: &Section, data_dir: &Path) -> Option<Self> {
        let path = section.path("path").unwrap_or_else(|| data_dir.join("dead-letter"));
        Some(Self { path, bytes_max: section.bytes("bytes_max")? })
    }
}
