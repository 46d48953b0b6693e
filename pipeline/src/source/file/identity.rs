//! By what a file is known again.
//!
//! Owns: [`Facts`], what the kernel tells of a file; the fingerprints of its first bytes and of the bytes before a
//! position; the ids of streams.
//! Promises: ids and fingerprints depend on nothing but their arguments, so they are the same after a restart.
//! Never: trusts a file number alone; numbers are used again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128_with_seed};

use crate::checkpoint::{FileId, Head};

/// Bytes of the fingerprint at the beginning of a file, at most.
pub(super) const HEAD_BYTES: usize = 1024;
/// Bytes before a position that tell whether it is still the same place, at most.
pub(super) const MARKER_BYTES: usize = 64;

/// What the kernel tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) id: FileId,
    /// Bytes.
    pub(super) size: u64,
    /// Names that lead to it; 0 for a deleted file.
    pub(super) links: u64,
    /// When it was made, in nanoseconds since 1970-01-01T00:00:00Z; 0 when the file system does not say.
    pub(super) birth: i64,
    /// When it was last written, likewise.
    pub(super) modified: i64,
}

impl From<&Metadata> for Facts {
    fn from(metadata: &Metadata) -> Self {
        let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            id: FileId { device: metadata.dev(), inode: metadata.ino() },
            size: metadata.size(),
            links: metadata.nlink(),
            birth: birth.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0),
            modified: metadata
                .mtime()
                .saturating_mul(crate::time::SECOND)
                .saturating_add(metadata.mtime_nsec()),
        }
    }
}

/// What sets this installation's streams apart from those of all others.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    pub(super) installation: u128,
    pub(super) source: Arc<str>,
}

impl Naming {
    /// The fingerprint of a file's first bytes. Salted, as the hash of a short and guessable line tells the line.
    pub(super) fn head(&self, first_bytes: &[u8]) -> Head {
        let bytes = &first_bytes[..first_bytes.len().min(HEAD_BYTES)];
        #[allow(clippy::cast_possible_truncation)] // at most 1,024, and the salt is half of the id
        let (len, salt) = (bytes.len() as u32, self.installation as u64);
        Head { len, hash: xxh3_128_with_seed(bytes, salt).to_le_bytes() }
    }

    /// Whether the file that begins with these bytes can be the one with this fingerprint.
    pub(super) fn head_matches(&self, head: Head, first_bytes: &[u8]) -> bool {
        first_bytes.get(..head.len as usize).is_some_and(|bytes| self.head(bytes) == head)
    }

    /// The id of a stream. The source is part of it: two sources that read one file do not hide each other's lines.
    pub(super) fn stream_id(&self, file: FileId, generation: u32, first_line: &[u8]) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.installation.to_le_bytes());
        hash.update(&(self.source.len() as u64).to_le_bytes());
        hash.update(self.source.as_bytes());
        hash.update(&file.device.to_le_bytes());
        hash.update(&file.inode.to_le_bytes());
        hash.update(&generation.to_le_bytes());
        hash.update(first_line);
        hash.digest()
    }
}

/// The first line with its end, cut at [`HEAD_BYTES`]; `None` when there is only a part of it yet.
pub(super) fn first_line(first_bytes: &[u8]) -> Option<&[u8]> {
    let bytes = &first_bytes[..first_bytes.len().min(HEAD_BYTES)];
    match memchr::memchr(b'\n', bytes) {
        Some(end) => Some(&bytes[..=end]),
        None => (bytes.len() == HEAD_BYTES).then_some(bytes),
    }
}

/// How many bytes before `offset` its marker covers.
pub(super) fn marker_len(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(MARKER_BYTES)
}

/// The marker of the place after these bytes.
pub(super) fn marker(bytes_before: &[u8]) -> u64 {
    xxh3_64(&bytes_before[bytes_before.len().saturating_sub(MARKER_BYTES)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_matches_what_it_was_taken_of_and_what_grew_from_it() {
        let naming = Naming { installation: 1, source: "web".into() };
        let other = Naming { installation: 2, source: "web".into() };
        let head = naming.head(b"one\ntwo\n");
        for (bytes, matches) in [
            (&b"one\ntwo\n"[..], true),
            (b"one\ntwo\nthree\n", true),
            (b"one\ntwo", false),
            (b"one\ntWo\n", false),
            (b"", false),
        ] {
            assert_eq!(naming.head_matches(head, bytes), matches);
        }
        assert!(!other.head_matches(head, b"one\ntwo\n"));
    }

    #[test]
    fn only_the_first_line_and_at_most_the_head_names_a_stream() {
        let long = [b'x'; HEAD_BYTES + 1];
        assert_eq!(first_line(b"one\ntwo"), Some(&b"one\n"[..]));
        assert_eq!(first_line(b"one"), None);
        assert_eq!(first_line(&long), Some(&long[..HEAD_BYTES]));
    }

    #[test]
    fn every_part_of_an_identity_changes_the_id() {
        let naming = |installation, source: &str| Naming { installation, source: source.into() };
        let file = |device, inode| FileId { device, inode };
        let mut ids = vec![
            naming(1, "web").stream_id(file(1, 1), 0, b"a\n"),
            naming(2, "web").stream_id(file(1, 1), 0, b"a\n"),
            naming(1, "net").stream_id(file(1, 1), 0, b"a\n"),
            naming(1, "web").stream_id(file(2, 1), 0, b"a\n"),
            naming(1, "web").stream_id(file(1, 2), 0, b"a\n"),
            naming(1, "web").stream_id(file(1, 1), 1, b"a\n"),
            naming(1, "web").stream_id(file(1, 1), 0, b"b\n"),
        ];
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }
}
