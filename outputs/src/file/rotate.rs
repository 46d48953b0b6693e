//! Rotation: a file that is large or old gets another name, and a new one begins.
//!
//! Owns: [`Rotation`] and the thread that compresses renamed files.
//! Promises: only whole, acknowledged files are renamed; a compressed copy is on disk before its original goes.
//! Never: removes a file that is not compressed.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use logweir_pipeline::time::{SECOND, now};

use super::config::FileConfig;
use super::journal::sync_folder;

/// Files that may wait to be compressed; more stay as they are.
const WAITING_MAX: usize = 64;

/// A glob of what rotation and compression append to a file's name.
pub const ROTATED_GLOB: &str = ".[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z*";

/// When files are renamed, and what happens to them then.
#[derive(Debug)]
pub(super) struct Rotation {
    bytes: Option<u64>,
    after: Option<Duration>,
    compressor: Option<Compressor>,
}

#[derive(Debug)]
struct Compressor {
    files: Option<SyncSender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

impl Rotation {
    pub(super) fn new(config: &FileConfig) -> Self {
        let compressor = config.gzip_rotated.then(Compressor::start).flatten();
        Self { bytes: config.rotate_bytes, after: config.rotate_after, compressor }
    }

    /// Whether a file of this length and age is to be renamed. `born` is in seconds since 1970-01-01T00:00:00Z.
    pub(super) fn is_due(&self, length: u64, born: u64) -> bool {
        let age =
            Duration::from_nanos(now().max(0).cast_unsigned()).saturating_sub(Duration::from_secs(born));
        length > 0
            && (self.bytes.is_some_and(|bytes| length >= bytes)
                || self.after.is_some_and(|after| age >= after))
    }

    /// Renames a file to its name and the time.
    pub(super) fn rotate(&self, path: &Path) -> io::Result<()> {
        let second = Timestamp::from_second(now() / SECOND).unwrap_or_default();
        let rotated = free_name(path, &second.strftime("%Y%m%dT%H%M%SZ").to_string())?;
        std::fs::rename(path, &rotated)?;
        sync_folder(path)?;
        if let Some(compressor) = &self.compressor {
            compressor.compress(rotated);
        }
        Ok(())
    }
}

/// `path.time`, or with a number behind it when that is taken, also by a compressed file.
fn free_name(path: &Path, time: &str) -> io::Result<PathBuf> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut number = 0;
    loop {
        let suffix = if number == 0 { format!(".{time}") } else { format!(".{time}-{number}") };
        if !with(&suffix).try_exists()? && !with(&format!("{suffix}.gz")).try_exists()? {
            return Ok(with(&suffix));
        }
        number += 1;
    }
}

/// When a file was made, or last changed where the file system does not know; in seconds since 1970-01-01T00:00:00Z.
pub(super) fn born(metadata: &Metadata) -> u64 {
    let time = metadata.created().or_else(|_| metadata.modified()).unwrap_or(UNIX_EPOCH);
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Compressor {
    fn start() -> Option<Self> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("file-gzip".to_owned()).spawn(move || run(&receiver));
        match thread {
            Ok(thread) => Some(Self { files: Some(sender), thread: Some(thread) }),
            Err(error) => {
                tracing::warn!(%error, "cannot start a thread; rotated files stay uncompressed");
                None
            }
        }
    }

    fn compress(&self, path: PathBuf) {
        let Some(files) = &self.files else { return };
        if let Err(TrySendError::Full(path) | TrySendError::Disconnected(path)) = files.try_send(path) {
            tracing::warn!(path = %path.display(), "too many rotated files wait; this one stays uncompressed");
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that compresses rotated files panicked");
        }
    }
}

fn run(files: &Receiver<PathBuf>) {
    while let Ok(path) = files.recv() {
        if let Err(error) = compress(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot compress the rotated file; it stays as it is");
        }
    }
}

fn compress(path: &Path) -> io::Result<()> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (unfinished, finished) = (named(".gz.unfinished"), named(".gz"));
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    let mut file = encoder.finish()?;
    file.flush()?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &finished)?;
    sync_folder(path)?;
    std::fs::remove_file(path)
}
