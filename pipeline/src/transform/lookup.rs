//! `lookup`: fields from a table in a file.
//!
//! Owns: [`Lookup`], and when its table is read again.
//! Promises: the file is looked at no more often than asked, by one worker, while the others go on with the table that
//! they have; one that cannot be read, or is too large, leaves that table in force and is told once.
//! Never: waits for a table; reads a file while it holds the lock.

mod table;

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logweir_parsers::KeyId;

use super::set::constant_value;
use super::{Bench, Step, read};
use crate::event::Batch;
use table::Table;

/// What a lookup needs to know.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// The field whose value is looked up.
    pub field: KeyId,
    /// The table: CSV with a header, or JSON (a list of objects) when its name ends in `.json`.
    pub file: PathBuf,
    /// The column with the values of the field.
    pub column: String,
    /// The fields that are set, and from which columns.
    pub set: Vec<(KeyId, String)>,
    /// How often the file is looked at.
    pub reload_after: Duration,
    /// The largest file that is read, in bytes.
    pub bytes_max: u64,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The file cannot be read.
    #[error("cannot read the table: {0}")]
    Read(#[from] std::io::Error),
    /// The file is larger than allowed.
    #[error("the table has {bytes} bytes, more than `bytes_max`")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A line of the CSV file is not like its header.
    #[error("the table is no CSV with a header: {0}")]
    Csv(#[from] csv::Error),
    /// The JSON file holds something else.
    #[error("the table is no JSON list of objects: {0}")]
    Json(#[from] serde_json::Error),
    /// No line has this column.
    #[error("the table has no column `{wanted}`; it has {columns}")]
    NoColumn {
        /// The column that was asked for.
        wanted: String,
        /// Those that there are.
        columns: String,
    },
}

/// Sets fields from the line of a table that has the value of a field.
#[derive(Debug)]
pub struct Lookup {
    config: LookupConfig,
    keys: Vec<KeyId>,
    state: Mutex<State>,
    /// When the file is to be looked at next, in nanoseconds since 1970-01-01T00:00:00Z.
    next_look: AtomicI64,
}

#[derive(Debug)]
struct State {
    table: Arc<Table>,
    version: Version,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Lookup {
    /// Reads the table.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or is no table with these columns.
    pub fn new(config: LookupConfig) -> Result<Self, LookupError> {
        let version = Version::of(&fs::metadata(&config.file)?);
        let table = Arc::new(load(&config)?);
        let keys = config.set.iter().map(|(key, _)| *key).collect();
        let state = Mutex::new(State { table, version });
        Ok(Self { config, keys, state, next_look: AtomicI64::new(i64::MIN) })
    }

    /// The table that is in force.
    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).table)
    }

    /// Reads the file again if it changed. The worker that moves the time of the next look is the one that looks.
    fn look(&self, now: i64) {
        let due = self.next_look.load(Ordering::Relaxed);
        let pause = i64::try_from(self.config.reload_after.as_nanos()).unwrap_or(i64::MAX);
        let next = now.saturating_add(pause);
        let order = Ordering::Relaxed;
        if now < due || self.next_look.compare_exchange(due, next, order, order).is_err() {
            return;
        }
        let path = &self.config.file;
        let version = match fs::metadata(path) {
            Ok(metadata) => Version::of(&metadata),
            Err(error) => return warn(path, &error.into()),
        };
        if self.state.lock().unwrap_or_else(PoisonError::into_inner).version == version {
            return;
        }
        // A version that cannot be used is noted as well: it is told once.
        let loaded = load(&self.config);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.version = version;
        match loaded {
            Ok(table) => {
                tracing::info!(file = %path.display(), rows = table.len(), "the lookup table was read again");
                state.table = Arc::new(table);
            }
            Err(error) => warn(path, &error),
        }
    }
}

fn warn(path: &Path, error: &LookupError) {
    tracing::warn!(file = %path.display(), "{error}; the table from before stays in force");
}

fn load(config: &LookupConfig) -> Result<Table, LookupError> {
    let bytes = fs::metadata(&config.file)?.len();
    if bytes > config.bytes_max {
        return Err(LookupError::TooLarge { bytes });
    }
    let content = fs::read(&config.file)?;
    let columns = config.set.iter().map(|(_, column)| column.as_str()).collect::<Vec<_>>();
    if config.file.extension().is_some_and(|extension| extension == "json") {
        Table::from_json(&content, &config.column, &columns)
    } else {
        Table::from_csv(&content, &config.column, &columns)
    }
}

impl Step for Lookup {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        self.look(batch.read_at);
        let table = self.table();
        for index in selected.iter().map(|&index| index as usize) {
            let Some(text) = read::text(batch, index, self.config.field, &mut bench.room) else { continue };
            for (key, value) in self.keys.iter().zip(table.get(text)) {
                if let Some(value) = value {
                    let value = constant_value(value, batch);
                    batch.set(index, *key, value);
                }
            }
        }
    }
}
