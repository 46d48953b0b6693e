//! One stream's checkpoint and its bytes in the store.
//!
//! Owns: [`Record`], its identity ([`FileId`], [`Head`]) and the versioned encoding.
//! Promises: what is decoded is what was encoded; records of every version so far can be read; bytes of a later
//! version or another length are an error, never a wrong position.
//! Never: does I/O.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::stream::Position;

/// The version of the encoding, its first byte. Version 1 had no cuts.
const VERSION: u8 = 2;
/// Cuts that are kept for one stream at most.
pub const CUTS_MAX: usize = 16;

/// What the kernel calls a file while it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The device that holds the file.
    pub device: u64,
    /// Its number there; free for another file once this one is gone.
    pub inode: u64,
}

/// A fingerprint of the first bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How many bytes it covers.
    pub len: u32,
    /// Their hash, salted with the installation's id.
    pub hash: [u8; 16],
}

/// What is known of one stream: one generation of one file. Copies share the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The stream's id, the first half of its events' `_id`.
    pub stream: u64,
    /// The name of the source that reads it.
    pub source: Arc<str>,
    /// The file.
    pub file: FileId,
    /// When the file was made, in nanoseconds since 1970-01-01T00:00:00Z; 0 when the file system does not say.
    pub birth: i64,
    /// How many streams this file (or another with its number) had before.
    pub generation: u32,
    /// The first bytes.
    pub head: Head,
    /// Where the file was last seen.
    pub path: Arc<Path>,
    /// How far everything is acknowledged.
    pub position: Position,
    /// Places behind the position at which an event was ended before its own end was written, in order. Whoever reads
    /// the bytes again ends it there again: otherwise the event would be longer the second time, under the same id.
    pub cuts: Vec<u64>,
    /// When the file was last seen, in nanoseconds since 1970-01-01T00:00:00Z.
    pub last_seen: i64,
}

/// The bytes are no record of this version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint record of version {VERSION} or earlier")]
pub struct DecodeError;

impl Record {
    /// The record as bytes: version, fixed-size numbers in little-endian order, then source and path with their
    /// lengths, then the cuts with their count. The stream's id is the key in the store and not repeated.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for number in [self.file.device, self.file.inode, self.position.offset, self.position.marker] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.birth.to_le_bytes());
        bytes.extend_from_slice(&self.last_seen.to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.head.len.to_le_bytes());
        bytes.extend_from_slice(&self.head.hash);
        for text in [self.source.as_bytes(), self.path.as_os_str().as_bytes()] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        bytes.extend_from_slice(&(self.cuts.len() as u64).to_le_bytes());
        for cut in &self.cuts {
            bytes.extend_from_slice(&cut.to_le_bytes());
        }
        bytes
    }

    /// The record of a stream from its bytes.
    ///
    /// # Errors
    /// When the bytes are of a later version, too short or too long.
    pub fn decode(stream: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let (&version, bytes) = bytes.split_first().ok_or(DecodeError)?;
        if !(1..=VERSION).contains(&version) {
            return Err(DecodeError);
        }
        let mut fields = Fields(bytes);
        let file = FileId { device: fields.u64()?, inode: fields.u64()? };
        let position = Position { offset: fields.u64()?, marker: fields.u64()? };
        let (birth, last_seen) = (i64::from_le_bytes(fields.take()?), i64::from_le_bytes(fields.take()?));
        let generation = u32::from_le_bytes(fields.take()?);
        let head = Head { len: u32::from_le_bytes(fields.take()?), hash: fields.take()? };
        let source = std::str::from_utf8(fields.text()?).map_err(|_| DecodeError)?.into();
        let path = Path::new(OsStr::from_bytes(fields.text()?)).into();
        let cuts = if version >= 2 { fields.cuts()? } else { Vec::new() };
        if !fields.0.is_empty() {
            return Err(DecodeError);
        }
        Ok(Self { stream, source, file, birth, generation, head, path, position, cuts, last_seen })
    }
}

/// The bytes that are not yet decoded.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(DecodeError)?;
        self.0 = rest;
        Ok(*number)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.take().map(u64::from_le_bytes)
    }

    fn cuts(&mut self) -> Result<Vec<u64>, DecodeError> {
        match usize::try_from(self.u64()?) {
            Ok(count) if count <= CUTS_MAX => (0..count).map(|_| self.u64()).collect(),
            _ => Err(DecodeError),
        }
    }

    fn text(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.u64()?).map_err(|_| DecodeError)?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(DecodeError)?;
        self.0 = rest;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            stream: 7,
            source: "web".into(),
            file: FileId { device: 1, inode: 2 },
            birth: -3,
            generation: 4,
            head: Head { len: 5, hash: [6; 16] },
            path: Path::new(OsStr::from_bytes(b"/var/log/\xff.log")).into(),
            position: Position { offset: 8, marker: u64::MAX - 9 },
            cuts: vec![11, u64::MAX - 12],
            last_seen: 10,
        }
    }

    #[test]
    fn a_record_survives_encoding() {
        assert_eq!(Record::decode(7, &record().encode()), Ok(record()));
    }

    #[test]
    fn a_record_of_version_1_is_one_without_cuts() {
        let record = Record { cuts: Vec::new(), ..record() };
        let mut bytes = record.encode();
        bytes.truncate(bytes.len() - 8);
        bytes[0] = 1;
        assert_eq!(Record::decode(7, &bytes), Ok(record));
    }

    #[test]
    fn bytes_of_any_other_length_or_version_are_an_error() {
        let mut bytes = record().encode();
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(7, &bytes[..len]), Err(DecodeError));
        }
        bytes.push(0);
        assert_eq!(Record::decode(7, &bytes), Err(DecodeError));
        bytes.pop();
        for version in [0, VERSION + 1] {
            bytes[0] = version;
            assert_eq!(Record::decode(7, &bytes), Err(DecodeError));
        }
        let cuts = vec![0; CUTS_MAX + 1];
        assert_eq!(Record::decode(7, &Record { cuts, ..record() }.encode()), Err(DecodeError));
    }
}
