//! A file that a step has in memory, read again when it changes.
//!
//! Owns: [`LoadedFile`], when the file is looked at, and [`FileError`].
//! Promises: the file is looked at no more often than asked, by one worker, while the others go on with what they have;
//! a file that cannot be used leaves that in force and is told once.
//! Never: waits for a file; reads one while it holds the lock; knows what stands in it.

use std::fmt::Display;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Read(#[from] std::io::Error),
    /// It is larger than allowed.
    #[error("it has {bytes} bytes, more than `bytes_max`")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
}

/// What was read from a file.
#[derive(Debug)]
pub(super) struct LoadedFile<T> {
    path: PathBuf,
    /// In nanoseconds.
    pause: i64,
    state: Mutex<State<T>>,
    /// When the file is to be looked at next, in nanoseconds since 1970-01-01T00:00:00Z.
    next_look: AtomicI64,
}

#[derive(Debug)]
struct State<T> {
    content: Arc<T>,
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

impl<T> LoadedFile<T> {
    /// Reads the file; from then on it is looked at after each pause of `reload_after`.
    ///
    /// # Errors
    /// When it cannot be read, or by what `load` says.
    pub(super) fn new<E: From<FileError>>(
        path: PathBuf,
        reload_after: Duration,
        load: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<Self, E> {
        let version = Version::of(&fs::metadata(&path).map_err(FileError::from)?);
        let content = Arc::new(load(&path)?);
        let pause = i64::try_from(reload_after.as_nanos()).unwrap_or(i64::MAX);
        let state = Mutex::new(State { content, version });
        Ok(Self { path, pause, state, next_look: AtomicI64::new(i64::MIN) })
    }

    /// What is in force at the time `now`, in nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn get<E: Display>(&self, now: i64, load: impl FnOnce(&Path) -> Result<T, E>) -> Arc<T> {
        self.look(now, load);
        Arc::clone(&self.state().content)
    }

    /// Reads the file again if it changed. The worker that moves the time of the next look is the one that looks.
    fn look<E: Display>(&self, now: i64, load: impl FnOnce(&Path) -> Result<T, E>) {
        let due = self.next_look.load(Ordering::Relaxed);
        let next = now.saturating_add(self.pause);
        let order = Ordering::Relaxed;
        if now < due || self.next_look.compare_exchange(due, next, order, order).is_err() {
            return;
        }
        let version = match fs::metadata(&self.path) {
            Ok(metadata) => Version::of(&metadata),
            Err(error) => return self.warn(&FileError::Read(error)),
        };
        if self.state().version == version {
            return;
        }
        // A version that cannot be used is noted as well: it is told once.
        let loaded = load(&self.path);
        let mut state = self.state();
        state.version = version;
        match loaded {
            Ok(content) => {
                tracing::info!(file = %self.path.display(), "the file changed and was read again");
                state.content = Arc::new(content);
            }
            Err(error) => self.warn(&error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, error: &impl Display) {
        tracing::warn!(file = %self.path.display(), "{error}; what was read before stays in force");
    }
}

/// Reads a file of at most so many bytes.
pub(super) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let bytes = fs::metadata(path)?.len();
    if bytes > bytes_max {
        return Err(FileError::TooLarge { bytes });
    }
    Ok(fs::read(path)?)
}
