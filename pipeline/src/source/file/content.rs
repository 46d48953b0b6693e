//! The bytes of one open file.
//!
//! Owns: [`Content`], which gives the bytes at an offset, of compressed files the uncompressed ones.
//! Promises: a short answer means the end of what there is now.
//! Never: keeps a position; a file can be cut short between any two reads.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::gzip::Gzip;
use super::identity::Facts;

/// The bytes of one open file, uncompressed.
#[derive(Debug)]
pub(super) enum Content {
    Plain(File),
    Gzip(Box<Gzip>),
}

impl Content {
    /// The content of an open file; its first bytes tell whether it is compressed.
    pub(super) fn new(file: File) -> Self {
        let mut first_bytes = [0; 3];
        // What cannot be read now is met again, and said, by the first turn.
        let read = read_at(&file, 0, &mut first_bytes).unwrap_or(0);
        if Gzip::is_gzip(&first_bytes[..read]) {
            Self::Gzip(Box::new(Gzip::new(file)))
        } else {
            Self::Plain(file)
        }
    }

    /// The same file, read as a compressed one.
    pub(super) fn decompressed(self) -> Self {
        match self {
            Self::Plain(file) => Self::Gzip(Box::new(Gzip::new(file))),
            gzip @ Self::Gzip(_) => gzip,
        }
    }

    /// Fills the buffer from `offset` on, as far as there are bytes.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_at(file, offset, buffer),
            Self::Gzip(gzip) => gzip.read_at(offset, buffer),
        }
    }

    /// What the kernel tells of the file now.
    pub(super) fn facts(&self) -> io::Result<Facts> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip(gzip) => gzip.file(),
        };
        file.metadata().map(|metadata| Facts::from(&metadata))
    }

    /// Bytes of the content of a file of `size`; `u64::MAX` while unknown.
    pub(super) fn len(&self, size: u64) -> u64 {
        match self {
            Self::Plain(_) => size,
            Self::Gzip(gzip) => gzip.len(),
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }
}

fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Opens a regular file for reading. Never waits, not even when the path turned into a FIFO a moment ago.
pub(super) fn open(path: &Path) -> io::Result<(File, Facts)> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, not_regular(metadata.file_type())));
    }
    Ok((file, Facts::from(&metadata)))
}

/// What a path that is no regular file is instead.
pub(super) fn not_regular(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "it is a directory; name the files in it, as in `directory/*.log`"
    } else if kind.is_fifo() {
        "it is a FIFO; read it with the `stdin` source, as in `logweir run config.toml < fifo`"
    } else if kind.is_socket() {
        "it is a socket; only regular files can be tailed"
    } else {
        "it is a device; only regular files can be tailed"
    }
}
