//! The dead letter: events that an output refused for good, kept where the operator can see them.
//!
//! Owns: [`DeadLetter`], a bounded folder of NDJSON, and its lock against a replay in another process.
//! Promises: [`DeadLetter::store`] returns when the records are on disk; when the folder is full or the disk fails it
//! waits and says so, so nothing is lost.
//! Never: drops a record by itself.

mod record;
mod replay;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

pub use record::Record;
pub use replay::{Records, Replay};

use crate::report::Reporter;
use crate::status::OutputState;

/// The file that records are added to.
const CURRENT: &str = "current.ndjson";
/// How long to wait when the records cannot be stored.
const WAIT: Duration = Duration::from_secs(2);

/// Where dead letters are kept.
#[derive(Clone, Debug)]
pub struct DeadLetterConfig {
    /// Most bytes of all records together.
    pub max_bytes: u64,
}

impl Default for DeadLetterConfig {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024 * 1024 }
    }
}

/// A bounded folder of records.
#[derive(Debug)]
pub struct DeadLetter {
    folder: PathBuf,
    max_bytes: u64,
    /// One thread of this process at a time; other processes are kept out by a lock on a file.
    turn: Mutex<()>,
}

/// Why records could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no room.
    #[error(
        "the dead letter {folder} is full ({max_bytes} bytes); replay or delete records, or raise max_bytes"
    )]
    Full {
        /// The folder.
        folder: PathBuf,
        /// Its limit.
        max_bytes: u64,
    },
    /// The disk failed.
    #[error("cannot write the dead letter {folder}: {source}")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The lock of the folder, held by one process at a time, as long as the file is open.
#[derive(Debug)]
struct Lock {
    _file: File,
}

impl DeadLetter {
    /// The dead letter in this folder, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, config: &DeadLetterConfig) -> Result<Arc<Self>, DeadLetterError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| DeadLetterError::Io { folder: folder.to_owned(), source })?;
        let (folder, max_bytes) = (folder.to_owned(), config.max_bytes);
        Ok(Arc::new(Self { folder, max_bytes, turn: Mutex::default() }))
    }

    /// Stores the records, waiting while that is not possible.
    pub(crate) async fn store(self: &Arc<Self>, records: Vec<Record>, reporter: &Reporter) {
        let records = Arc::new(records);
        loop {
            let (dead_letter, to_add) = (Arc::clone(self), Arc::clone(&records));
            let stored = tokio::task::spawn_blocking(move || dead_letter.add(&to_add)).await;
            match stored {
                Ok(Ok(())) => return,
                Ok(Err(error)) => reporter.trouble(OutputState::Paused, &error.to_string()),
                Err(error) => reporter.trouble(OutputState::Paused, &error.to_string()),
            }
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Adds the records and waits until they are on disk.
    ///
    /// # Errors
    /// When there is no room, or the disk fails; then nothing was added.
    pub fn add(&self, records: &[Record]) -> Result<(), DeadLetterError> {
        let io = |source| DeadLetterError::Io { folder: self.folder.clone(), source };
        let mut text = Vec::new();
        for record in records {
            record.append_to(&mut text).map_err(io)?;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock().map_err(io)?;
        let used = self.used().map_err(io)?;
        if used + text.len() as u64 > self.max_bytes {
            return Err(DeadLetterError::Full { folder: self.folder.clone(), max_bytes: self.max_bytes });
        }
        self.append(&text).map_err(io)
    }

    fn append(&self, text: &[u8]) -> io::Result<()> {
        let path = self.folder.join(CURRENT);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let whole = whole_lines(&mut file)?;
        file.set_len(whole)?;
        let added = file.write_all(text).and_then(|()| file.sync_data());
        if added.is_err() {
            file.set_len(whole)?;
        } else if whole == 0 {
            File::open(&self.folder)?.sync_all()?;
        }
        added
    }

    /// Bytes of all records.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn used(&self) -> io::Result<u64> {
        let mut used = 0;
        for path in self.files()? {
            used += std::fs::metadata(path)?.len();
        }
        Ok(used)
    }

    /// The files with records, the oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "ndjson") {
                files.push(path);
            }
        }
        files.sort_by_key(|path| (path.ends_with(CURRENT), path.clone()));
        Ok(files)
    }

    fn lock(&self) -> io::Result<Lock> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(self.folder.join("lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Lock { _file: file })
    }
}

/// The length of the file without a last line that a crash cut.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(newline) = memchr::memrchr(b'\n', &block) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
