//! The open files of an output.
//!
//! Owns: [`Files`]: appending a payload to its files, as a whole or not at all, and which files are open.
//! Promises: when [`Files::append`] returns without an error, the lines and the journal's record of them are on disk;
//! after an error the files are as before, and the payload can be appended again.
//! Never: has more files open than the limit.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::config::{FileConfig, FileOutputError};
use super::journal::{Journal, Record, Written, sync_folder};
use super::rotate::{Rotation, born};
use crate::payload::Payload;

/// The files of one output.
#[derive(Debug)]
pub(super) struct Files {
    journal: Journal,
    open: HashMap<Arc<str>, OpenFile>,
    open_max: usize,
    rotation: Rotation,
    /// Counts uses, to find the file unused for longest.
    uses: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// Bytes that are ours for good; what stands behind them is a failed attempt.
    length: u64,
    /// Bytes written in the attempt under way.
    attempt: u64,
    /// Whether a failed attempt could not be cut off.
    has_tail: bool,
    /// When the file was made, in seconds since 1970-01-01T00:00:00Z.
    born: u64,
    used: u64,
}

impl Files {
    /// The files that the journal in `journal_path` knows, without what was not acknowledged.
    pub(super) fn open(config: &FileConfig, journal_path: &Path) -> Result<(Self, Written), FileOutputError> {
        let journal = Journal::open(journal_path)
            .map_err(|source| FileOutputError::Journal { path: journal_path.to_owned(), source })?;
        for (path, &length) in journal.files() {
            cut_tail(Path::new(path), length)
                .map_err(|source| FileOutputError::Tail { path: PathBuf::from(path), source })?;
        }
        let written = journal.written();
        let open_max = config.open_files_max.max(1);
        let rotation = Rotation::new(config);
        Ok((Self { journal, open: HashMap::new(), open_max, rotation, uses: 0 }, written))
    }

    /// Appends a payload's lines to its files.
    pub(super) fn append(&mut self, payload: &Append) -> io::Result<()> {
        let written = self.write(payload).and_then(|()| self.record(payload));
        for (path, _) in &payload.files {
            if let Some(open) = self.open.get_mut(path) {
                open.end_attempt(written.is_ok());
            }
        }
        written?;
        self.rotate_if_due(payload);
        Ok(())
    }

    fn write(&mut self, payload: &Append) -> io::Result<()> {
        for (path, lines) in &payload.files {
            let open = self.file(path, payload)?;
            open.attempt = lines.len() as u64;
            open.file.write_all_at(lines, open.length)?;
        }
        for (path, _) in &payload.files {
            if let Some(open) = self.open.get(path) {
                open.file.sync_data()?;
            }
        }
        Ok(())
    }

    fn record(&mut self, payload: &Append) -> io::Result<()> {
        let length = |(path, _): &(Arc<str>, Bytes)| {
            let open = self.open.get(path)?;
            Some((path.to_string(), open.length + open.attempt))
        };
        let files = payload.files.iter().filter_map(length).collect();
        self.journal.add(&Record { files, streams: payload.streams.clone() })
    }

    /// The file of a path, opened if need be.
    fn file(&mut self, path: &Arc<str>, payload: &Append) -> io::Result<&mut OpenFile> {
        self.uses += 1;
        let known = match self.open.get_mut(path) {
            Some(open) => open.is_current(Path::new(&**path))?,
            None => false,
        };
        if !known {
            self.close_unused(payload);
            self.open.insert(Arc::clone(path), OpenFile::new(Path::new(&**path))?);
        }
        let length = self.open.get(path).map(|open| open.length);
        if let Some(length) = length.filter(|length| self.journal.files().get(&**path) != Some(length)) {
            // The tail is cut back to here if the next record does not come to be written.
            self.journal.add(&Record { files: vec![(path.to_string(), length)], streams: Vec::new() })?;
        }
        let uses = self.uses;
        let open = self.open.get_mut(path).ok_or_else(|| io::Error::other("the file was closed"))?;
        open.used = uses;
        Ok(open)
    }

    /// Makes room for one more file. Files of the payload under way stay.
    fn close_unused(&mut self, payload: &Append) {
        while self.open.len() >= self.open_max {
            let closable = self.open.iter().filter(|(path, open)| !open.has_tail && !payload.has(path));
            let Some(oldest) = closable.min_by_key(|(_, open)| open.used).map(|(path, _)| Arc::clone(path))
            else {
                return;
            };
            self.open.remove(&oldest);
            self.journal.forget_file(&oldest);
        }
    }

    fn rotate_if_due(&mut self, payload: &Append) {
        for (path, _) in &payload.files {
            let Some(open) = self.open.get(path) else { continue };
            if !self.rotation.is_due(open.length, open.born) {
                continue;
            }
            match self.rotation.rotate(Path::new(&**path)) {
                Ok(()) => {
                    self.open.remove(path);
                    self.journal.forget_file(path);
                }
                Err(error) => tracing::warn!(%path, %error, "cannot rotate the file; it grows on"),
            }
        }
    }
}

impl OpenFile {
    fn new(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let metadata = file.metadata()?;
        sync_folder(path)?;
        let (length, born) = (metadata.len(), born(&metadata));
        Ok(Self { file, length, attempt: 0, has_tail: false, born, used: 0 })
    }

    /// Whether the path still leads to this file. Takes notice of what others did to it.
    fn is_current(&mut self, path: &Path) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match std::fs::metadata(path) {
            Ok(now) if now.ino() == ours.ino() && now.dev() == ours.dev() => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        if self.has_tail {
            self.file.set_len(self.length)?;
            self.has_tail = false;
        } else {
            self.length = ours.len();
        }
        Ok(true)
    }

    fn end_attempt(&mut self, succeeded: bool) {
        let attempt = std::mem::take(&mut self.attempt);
        if succeeded {
            self.length += attempt;
        } else if self.file.set_len(self.length).is_err() {
            self.has_tail = true;
        }
    }
}

/// Cuts off what stands behind the acknowledged length.
fn cut_tail(path: &Path, length: u64) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) if file.metadata()?.len() > length => {
            file.set_len(length)?;
            file.sync_all()
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What of a payload is appended.
#[derive(Debug)]
pub(super) struct Append {
    /// Each path once, with its lines.
    files: Vec<(Arc<str>, Bytes)>,
    /// The first and last offset of each stream.
    streams: Vec<(u64, u64, u64)>,
}

impl Append {
    /// The lines of a payload and what streams they are from. Lines that stand together are not copied.
    pub(super) fn of(payload: &Payload) -> Self {
        let mut parts: Vec<(Arc<str>, Vec<Range<usize>>)> = Vec::new();
        for (path, lines) in payload.parts() {
            match parts.iter_mut().find(|(known, _)| Arc::ptr_eq(known, path) || known == path) {
                Some((_, ranges)) => ranges.push(lines),
                None => parts.push((Arc::clone(path), vec![lines])),
            }
        }
        let body = payload.body();
        let lines = |ranges: Vec<Range<usize>>| match &ranges[..] {
            [range] => body.slice(range.clone()),
            ranges => ranges.iter().flat_map(|range| &body[range.clone()]).copied().collect(),
        };
        let files = parts.into_iter().map(|(path, ranges)| (path, lines(ranges))).collect();
        let mut streams: HashMap<u64, (u64, u64)> = HashMap::new();
        for slice in payload.slices() {
            let range = (slice.first_offset, slice.last_offset);
            streams.entry(slice.ack.stream().id()).or_insert(range).1 = slice.last_offset;
        }
        let streams = streams.into_iter().map(|(stream, (first, last))| (stream, first, last)).collect();
        Self { files, streams }
    }

    fn has(&self, path: &Arc<str>) -> bool {
        self.files.iter().any(|(known, _)| known == path)
    }
}
