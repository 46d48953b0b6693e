//! The data directory: which daemon owns it, and which installation it is.
//!
//! Owns: [`Installation`]: the lock on `data_dir` and the installation's id.
//! Promises: at most one process holds a data directory; the id is random, made once, and the same ever after.
//! Never: removes anything from the directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The file that the owner of the directory keeps locked; holds its process id.
const LOCK_FILE: &str = "lock";
/// The file with the installation's id in hexadecimal digits.
const ID_FILE: &str = "installation_id";

/// A data directory that this process owns until the value is dropped.
#[derive(Debug)]
pub struct Installation {
    data_dir: PathBuf,
    id: u128,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// Another daemon has it.
    #[error(
        "data_dir {data_dir:?} is in use by the process {holder}: stop that one, or give this one a data_dir of its own"
    )]
    InUse {
        /// The directory.
        data_dir: PathBuf,
        /// The other's process id, or `unknown`.
        holder: String,
    },
    /// It cannot be made, read or written.
    #[error("cannot use {path:?} in data_dir: {source}; the directory must be writable for this user")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Installation {
    /// Makes the directory if it is missing, locks it, and reads or makes the installation's id.
    ///
    /// # Errors
    /// When another process holds the directory, or it cannot be written.
    pub fn open(data_dir: &Path) -> Result<Self, InstallationError> {
        std::fs::create_dir_all(data_dir).map_err(|source| io_error(data_dir, source))?;
        let lock = take_lock(data_dir)?;
        let id = read_or_make_id(&data_dir.join(ID_FILE))?;
        Ok(Self { data_dir: data_dir.to_owned(), id, _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The random number that tells this installation from all others.
    #[must_use]
    pub fn id(&self) -> u128 {
        self.id
    }
}

fn io_error(path: &Path, source: io::Error) -> InstallationError {
    InstallationError::Io { path: path.to_owned(), source }
}

fn take_lock(data_dir: &Path) -> Result<File, InstallationError> {
    let path = data_dir.join(LOCK_FILE);
    let failed = |source| io_error(&path, source);
    let mut options = OpenOptions::new();
    let mut lock = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            lock.read_to_string(&mut holder).map_err(failed)?;
            let holder =
                if holder.trim().is_empty() { "unknown".to_owned() } else { holder.trim().to_owned() };
            return Err(InstallationError::InUse { data_dir: data_dir.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // The process id is a courtesy to whoever is refused; a full disk must not stop the owner.
    let written = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "cannot write the process id into the lock file");
    }
    Ok(lock)
}

fn read_or_make_id(path: &Path) -> Result<u128, InstallationError> {
    match std::fs::read_to_string(path) {
        Ok(text) => match u128::from_str_radix(text.trim(), 16) {
            Ok(id) => return Ok(id),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the installation id is damaged; making a new one");
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(io_error(path, source)),
    }
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|source| io_error(Path::new("/dev/urandom"), source))?;
    let id = u128::from_be_bytes(bytes);
    write_atomically(path, format!("{id:032x}\n").as_bytes()).map_err(|source| io_error(path, source))?;
    Ok(id)
}

/// Writes a small file so that after a crash it has its old content or its new one.
fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stays_and_differs_from_others() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = Installation::open(first.path()).unwrap().id();
        assert_eq!(id, Installation::open(first.path()).unwrap().id());
        assert_ne!(id, Installation::open(second.path()).unwrap().id());
    }

    #[test]
    fn a_second_owner_is_refused_by_process_id_and_directory() {
        let dir = tempfile::tempdir().unwrap();
        let owner = Installation::open(dir.path()).unwrap();
        let message = Installation::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains(&std::process::id().to_string()), "{message}");
        assert!(message.contains(dir.path().to_str().unwrap()), "{message}");
        drop(owner);
        Installation::open(dir.path()).unwrap();
    }

    #[test]
    fn a_damaged_id_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(ID_FILE), "not a number").unwrap();
        let id = Installation::open(dir.path()).unwrap().id();
        assert_eq!(id, Installation::open(dir.path()).unwrap().id());
    }
}
