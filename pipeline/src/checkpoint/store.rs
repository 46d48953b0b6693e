//! The checkpoint file.
//!
//! Owns: [`Store`], the one `redb` database under `data_dir`.
//! Promises: a commit is on the disk when it returns; a damaged file is renamed aside and replaced, never deleted.
//! Never: decides what is written; after a failure it forgets the database handle, and the caller writes everything
//! again.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition};

use super::CheckpointError;
use super::record::Record;
use super::states::States;

/// Stream id → encoded [`Record`].
const STREAMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("streams");
/// Names of the sources that have started once.
const STARTED: TableDefinition<'_, &str, ()> = TableDefinition::new("started");
/// Name of an operator and number of a part → that part of its state.
const STATES: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("states");
/// Pages are small and few; what is read often is in memory anyway.
const CACHE_BYTES: usize = 1024 * 1024;

/// The database file, open or to be opened.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    database: Option<Database>,
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Whether everything else in the table goes.
    pub(super) replace_all: bool,
    /// Records to write.
    pub(super) written: Vec<Record>,
    /// Streams to forget.
    pub(super) forgotten: Vec<u64>,
    /// Sources that have started.
    pub(super) started: Vec<Arc<str>>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty() && self.forgotten.is_empty() && self.started.is_empty()
    }
}

/// What a store holds.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) records: Vec<Record>,
    /// The sources that have started once.
    pub(super) started: Vec<Arc<str>>,
}

impl Store {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, database: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.is_some()
    }

    /// Opens the file and reads all of it. A damaged file is set aside first.
    pub(super) fn open(&mut self) -> Result<Stored, CheckpointError> {
        // redb checks what it reads, but a file altered behind its back can still make it panic.
        let opened = catch_unwind(AssertUnwindSafe(|| open_and_read(&self.path)))
            .unwrap_or_else(|_| Err(StorageError::Corrupted("unreadable".to_owned()).into()));
        let (database, stored) = match opened {
            Err(error) if is_damage(&error) => {
                let aside = set_aside(&self.path).map_err(|error| self.failed(error.into()))?;
                tracing::warn!(path = %self.path.display(), aside = %aside.display(), %error,
                    "the checkpoint store is damaged: it was renamed and a new one begun; files are read again from \
                     their beginning, with the same document ids");
                open_and_read(&self.path).map_err(|error| self.failed(error))?
            }
            opened => opened.map_err(|error| self.failed(error))?,
        };
        self.database = Some(database);
        Ok(stored)
    }

    /// Reads all states.
    pub(super) fn read_states(&mut self) -> Result<HashMap<String, Vec<u8>>, CheckpointError> {
        let Some(database) = &self.database else { return Err(self.failed(not_open())) };
        read_states(database).map_err(|error| self.failed(error))
    }

    /// Writes the changes, and what has changed of the states, in one transaction. After an error the database is closed.
    pub(super) fn commit(&mut self, changes: &Changes, states: &States) -> Result<(), CheckpointError> {
        let Some(database) = &self.database else {
            return Err(self.failed(not_open()));
        };
        write(database, changes, states).map_err(|error| {
            self.database = None;
            self.failed(error)
        })
    }

    fn failed(&self, source: redb::Error) -> CheckpointError {
        CheckpointError { path: self.path.clone(), source: Arc::new(source) }
    }
}

fn open_and_read(path: &Path) -> Result<(Database, Stored), redb::Error> {
    let mut builder = Database::builder();
    let database = builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).create(path)?;
    let transaction = database.begin_write()?;
    let mut stored = Stored::default();
    {
        let table = transaction.open_table(STREAMS)?;
        for entry in table.iter()? {
            let (stream, bytes) = entry?;
            match Record::decode(stream.value(), bytes.value()) {
                Ok(record) => stored.records.push(record),
                Err(error) => tracing::warn!(stream = stream.value(), %error, "skipping a checkpoint"),
            }
        }
        for entry in transaction.open_table(STARTED)?.iter()? {
            stored.started.push(entry?.0.value().into());
        }
        transaction.open_table(STATES)?;
    }
    transaction.commit()?;
    Ok((database, stored))
}

fn read_states(database: &Database) -> Result<HashMap<String, Vec<u8>>, redb::Error> {
    let mut states = HashMap::<_, Vec<u8>>::new();
    for entry in database.begin_read()?.open_table(STATES)?.iter()? {
        let (key, part) = entry?;
        // In the order of their numbers.
        states.entry(key.value().0.to_owned()).or_default().extend_from_slice(part.value());
    }
    Ok(states)
}

fn not_open() -> redb::Error {
    io::Error::from(io::ErrorKind::NotConnected).into()
}

fn write(database: &Database, changes: &Changes, states: &States) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    if states.replace_all() {
        transaction.delete_table(STATES)?;
    }
    if changes.replace_all {
        transaction.delete_table(STREAMS)?;
    }
    {
        let mut table = transaction.open_table(STREAMS)?;
        for record in &changes.written {
            table.insert(record.stream, record.encode().as_slice())?;
        }
        for stream in &changes.forgotten {
            table.remove(stream)?;
        }
        let mut table = transaction.open_table(STARTED)?;
        for source in &changes.started {
            table.insert(&**source, ())?;
        }
        let mut table = transaction.open_table(STATES)?;
        for (name, number, part) in states.parts() {
            table.insert((name, number), part)?;
        }
        for part in states.gone() {
            table.remove(part)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Whether the file itself is bad, as opposed to the disk being full, read-only or away.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. } => true,
        _ => false,
    }
}

/// Renames the file to `<name>.damaged-<n>`, the first free `n`.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=u32::MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.try_exists()? {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwritable_disk_is_not_damage() {
        assert!(!is_damage(&io::Error::from(io::ErrorKind::StorageFull).into()));
        assert!(!is_damage(&redb::Error::DatabaseAlreadyOpen));
        assert!(is_damage(&io::Error::from(io::ErrorKind::InvalidData).into()));
    }
}
