//! The sections that every config has once: the settings of the process, `[admin]`, `[dead_letter]`.
//!
//! Owns: their keys and checked values.
//! Promises: each setting has a safe default.
//! Never: starts anything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::decode::{Decoder, Found};
use super::schema::{SectionKind, Table, table};
use super::value::{At, Bytes, Integer, Listen, Words};

/// The keys before every section.
pub(crate) const GLOBAL: SectionKind = SectionKind {
    header: "",
    component: None,
    summary: "Settings of the process. They stand before every section.",
    shared: &[],
    keys: &[GlobalKeys::KEYS],
};

table! {
    /// The keys before every section.
    struct GlobalKeys {
        /// Folder for positions and dead letters; one daemon at a time uses it.
        data_dir: PathBuf = "/var/lib/logweir",
        /// Limit of the memory for events on their way; when it is full, sources wait.
        memory: Bytes<usize, 4_194_304> = "64MiB",
        /// Threads that parse and encode. Absent: one a processor core.
        workers: Option<Integer<usize, 1, 256>>,
        /// Most field names that are learnt from the lines themselves (JSON, logfmt); further ones are written but cannot
        /// be named in a transform.
        keys_max: Integer<usize, 16, 65_000> = 4096,
        /// Time that outputs have to take what was read when the process is asked to end; what remains is read again by
        /// the next start.
        shutdown_deadline: Duration = "10s",
    }
}

/// `[admin]`.
pub(crate) const ADMIN: SectionKind = SectionKind {
    header: "admin",
    component: None,
    summary: "The HTTP interface for health, metrics, the ledger and taps. It asks for no password.",
    shared: &[],
    keys: &[AdminKeys::KEYS],
};

table! {
    /// The keys of `[admin]`.
    struct AdminKeys {
        /// Address of the interface, or "off". When the default is taken the process goes on without it; when an address
        /// written here is taken it does not start.
        listen: At<Listen> = "127.0.0.1:9598",
        /// Who may see live events by `logweir tap`: "owner", processes of this host that root runs, or the user that
        /// logweir runs as; "anyone" who reaches the interface; or "off", nobody.
        tap: TapAccess = "owner",
    }
}

/// Who may see live events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TapAccess {
    /// Processes of this host that root runs, or the user of this process.
    Owner,
    /// Whoever reaches the interface.
    Anyone,
    /// Nobody.
    Off,
}

impl Words for TapAccess {
    const WORDS: &'static [(&'static str, Self)] =
        &[("owner", Self::Owner), ("anyone", Self::Anyone), ("off", Self::Off)];
}

/// `[dead_letter]`.
pub(crate) const DEAD_LETTER: SectionKind = SectionKind {
    header: "dead_letter",
    component: None,
    summary: "Where events are kept that an output refused for good, with the reason.",
    shared: &[],
    keys: &[DeadLetterKeys::KEYS],
};

table! {
    /// The keys of `[dead_letter]`.
    struct DeadLetterKeys {
        /// Folder of the dead letters. Absent: `dead-letter` under `data_dir`.
        path: Option<PathBuf>,
        /// Most bytes kept; when they are used up, outputs wait with what they cannot deliver.
        bytes_max: Bytes<u64, 1_048_576> = "1GiB",
    }
}

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
    /// From the keys before every section.
    pub(crate) fn decode(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let keys = GlobalKeys::decode(found, decoder)?;
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Some(Self {
            data_dir: keys.data_dir,
            memory: keys.memory.0,
            workers: keys.workers.map_or_else(cores, |workers| workers.0),
            keys_max: keys.keys_max.0,
            shutdown_deadline: keys.shutdown_deadline,
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
    /// Who may see live events.
    pub(crate) tap: TapAccess,
}

impl Admin {
    /// From `[admin]`.
    pub(crate) fn decode(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let AdminKeys { listen, tap } = AdminKeys::decode(found, decoder)?;
        // A default stands where the section's name does.
        Some(Self { listen: listen.value.0, required: listen.place != found.name.place, tap })
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
    /// From `[dead_letter]`.
    pub(crate) fn decode(found: &Found<'_>, data_dir: &Path, decoder: &mut Decoder<'_>) -> Option<Self> {
        let keys = DeadLetterKeys::decode(found, decoder)?;
        let path = keys.path.unwrap_or_else(|| data_dir.join("dead-letter"));
        Some(Self { path, bytes_max: keys.bytes_max.0 })
    }
}
