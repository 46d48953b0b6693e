//! The journal: what is written, so that after a crash nothing is missing and nothing stands twice.
//!
//! Owns: [`Journal`], a small file of records, each a line with a checksum, and [`Written`], what it said at the start.
//! Promises: a record is on disk before anything is acknowledged; a record that a crash cut is ignored and cut off;
//! the file stays small: when it has grown it is replaced by one record of everything, atomically.
//! Never: holds text of an event.
//!
//! A stream's events reach this output in order, and payloads are written in order, so one range a stream says it all.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::Crc;
use serde::{Deserialize, Serialize};

/// Bytes of records after which the journal is replaced by one record.
const TRIM_BYTES: u64 = 1024 * 1024;
/// Most streams remembered; those not written to for longest are forgotten first.
const STREAMS_MAX: usize = 65_536;
/// Bytes of a checksum in front of a record: eight digits and a space.
const CHECKSUM_LEN: usize = 9;

/// One step: the lengths that files have now, and the ranges of streams that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Path and length.
    pub(super) files: Vec<(String, u64)>,
    /// Stream, first and last offset of its events.
    pub(super) streams: Vec<(u64, u64, u64)>,
}

/// The journal of one output.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    /// The length at which it is replaced.
    trim_at: u64,
    files: BTreeMap<String, u64>,
    streams: HashMap<u64, Range>,
    records: u64,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
    /// The record that wrote to it last.
    record: u64,
}

/// The ranges of streams that were written before the start.
#[derive(Debug, Default)]
pub struct Written {
    ranges: HashMap<u64, (u64, u64)>,
}

impl Written {
    /// The offsets of the first and the last event of the stream that were written, if any.
    #[must_use]
    pub fn range(&self, stream: u64) -> Option<(u64, u64)> {
        if self.ranges.is_empty() { None } else { self.ranges.get(&stream).copied() }
    }
}

impl Journal {
    /// Reads the journal, which is made when there is none, and cuts off what a crash left of a record.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            length: 0,
            trim_at: 0,
            files: BTreeMap::new(),
            streams: HashMap::new(),
            records: 0,
        };
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let Some(record) = decode(line) else { break };
            journal.remember(&record);
            journal.length += line.len() as u64;
        }
        journal.file.set_len(journal.length)?;
        journal.trim_at = journal.length + TRIM_BYTES;
        sync_folder(path)?;
        Ok(journal)
    }

    /// The lengths of files as the journal knows them.
    pub(super) fn files(&self) -> &BTreeMap<String, u64> {
        &self.files
    }

    /// What is written now.
    pub(super) fn written(&self) -> Written {
        let ranges = self.streams.iter().map(|(&stream, range)| (stream, (range.first, range.last)));
        Written { ranges: ranges.collect() }
    }

    /// Adds a record and waits until it is on disk. After an error the journal is as before.
    pub(super) fn add(&mut self, record: &Record) -> io::Result<()> {
        let line = encode(record)?;
        let added = self.file.write_all_at(&line, self.length).and_then(|()| self.file.sync_data());
        if let Err(error) = added {
            // What stays behind when this fails too is overwritten by the next record.
            self.file.set_len(self.length).unwrap_or_default();
            return Err(error);
        }
        self.length += line.len() as u64;
        self.remember(record);
        if self.length >= self.trim_at {
            self.trim();
        }
        Ok(())
    }

    /// Forgets a file that was closed, renamed or removed; it says so with the next trim.
    pub(super) fn forget_file(&mut self, path: &str) {
        self.files.remove(path);
    }

    fn remember(&mut self, record: &Record) {
        self.records += 1;
        self.files.extend(record.files.iter().cloned());
        for &(stream, first, last) in &record.streams {
            let range = self.streams.entry(stream).or_insert(Range { first, last, record: 0 });
            range.first = range.first.min(first);
            range.last = range.last.max(last);
            range.record = self.records;
        }
    }

    /// Replaces the journal by one record. A failure is said and tried again when it has grown further.
    fn trim(&mut self) {
        if self.streams.len() > STREAMS_MAX {
            let mut ages = self.streams.values().map(|range| range.record).collect::<Vec<_>>();
            let (_, &mut oldest, _) = ages.select_nth_unstable(self.streams.len() - STREAMS_MAX);
            self.streams.retain(|_, range| range.record >= oldest);
        }
        if let Err(error) = self.replace() {
            tracing::warn!(journal = %self.path.display(), %error, "cannot trim the journal");
        }
        self.trim_at = self.length + TRIM_BYTES.max(self.length);
    }

    fn replace(&mut self) -> io::Result<()> {
        let files = self.files.iter().map(|(path, length)| (path.clone(), *length)).collect();
        let streams = self.streams.iter().map(|(&stream, range)| (stream, range.first, range.last)).collect();
        let line = encode(&Record { files, streams })?;
        let new_path = self.path.with_extension("new");
        let new = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new_path)?;
        new.write_all_at(&line, 0)?;
        new.sync_data()?;
        std::fs::rename(&new_path, &self.path)?;
        (self.file, self.length) = (new, line.len() as u64);
        sync_folder(&self.path)
    }
}

/// A record as a line with its checksum.
fn encode(record: &Record) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(record)?;
    let mut line = format!("{:08x} ", checksum(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

/// The record of a line, unless something of it is missing or damaged.
fn decode(line: &[u8]) -> Option<Record> {
    let (head, json) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM_LEN)?;
    let expected = u32::from_str_radix(str::from_utf8(head).ok()?.trim_end(), 16).ok()?;
    if checksum(json) != expected {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn checksum(json: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(json);
    crc.sum()
}

/// Makes a new or renamed entry of the folder last.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
