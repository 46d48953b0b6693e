//! The bytes of one open file.
//!
//! Owns: [`Content`], which gives the bytes at an offset.
//! Promises: a short answer means the end of what there is now.
//! Never: keeps a position; a file can be cut short between any two reads.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::identity::Facts;

/// The bytes of one open file.
#[derive(Debug)]
pub(super) struct Content {
    file: File,
}

impl Content {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    /// Fills the buffer from `offset` on, as far as there are bytes.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// What the kernel tells of the file now.
    pub(super) fn facts(&self) -> io::Result<Facts> {
        self.file.metadata().map(|metadata| Facts::from(&metadata))
    }
}

/// Opens a regular file for reading. Never waits, not even when the path turned into a FIFO a moment ago.
pub(super) fn open(path: &Path) -> io::Result<(File, Facts)> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            not_regular(metadata.file_type()),
        ));
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
