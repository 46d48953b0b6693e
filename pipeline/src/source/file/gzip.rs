//! Compressed files, read by their uncompressed offsets.
//!
//! Owns: [`Gzip`].
//! Promises: forward reading decompresses each byte once, and a step back of up to [`KEPT_BYTES`] costs nothing.
//! Never: holds more than twice that in memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

/// Uncompressed bytes that stay at hand for a step back: a longest line of the default limit and a chunk.
const KEPT_BYTES: usize = 1024 * 1024 + 256 * 1024;
/// Bytes decompressed at once.
const STEP_BYTES: usize = 64 * 1024;
/// Bytes of the trailer that tell the uncompressed length.
const LENGTH_BYTES: usize = 4;

/// A compressed file.
pub(in crate::source) struct Gzip {
    file: Arc<File>,
    decoder: MultiGzDecoder<BufReader<Cursor>>,
    /// Uncompressed bytes from `begin` on.
    window: Vec<u8>,
    begin: u64,
    /// The uncompressed length, once the end was reached.
    len: Option<u64>,
}

/// Reads on in a file without the position that its descriptor shares with others.
struct Cursor {
    file: Arc<File>,
    offset: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Gzip {
    /// Whether a file that begins with these bytes is compressed.
    pub(in crate::source) fn is_gzip(first_bytes: &[u8]) -> bool {
        first_bytes.starts_with(&[0x1f, 0x8b, 0x08])
    }

    pub(super) fn new(file: File) -> Self {
        let file = Arc::new(file);
        Self { decoder: decoder(&file), file, window: Vec::new(), begin: 0, len: None }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The uncompressed length, `u64::MAX` until it is known.
    pub(super) fn len(&self) -> u64 {
        self.len.unwrap_or(u64::MAX)
    }

    /// Whether the trailer tells this length. It is true of every file that one run of `gzip` made; one that was put
    /// together of several tells the length of its last part.
    pub(super) fn trailer_tells(&mut self, len: u64) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        let mut told = [0; LENGTH_BYTES];
        let Some(place) = size.checked_sub(LENGTH_BYTES as u64) else { return Ok(false) };
        self.file.read_exact_at(&mut told, place)?;
        #[allow(clippy::cast_possible_truncation)] // the format keeps the lowest 32 bits
        let same = u32::from_le_bytes(told) == len as u32;
        if same {
            self.len = Some(len);
        }
        Ok(same)
    }

    /// Fills the buffer with uncompressed bytes from `offset` on, as far as there are any.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset < self.begin {
            (self.decoder, self.begin) = (decoder(&self.file), 0);
            self.window.clear();
        }
        let end = offset + buffer.len() as u64;
        while self.begin + (self.window.len() as u64) < end {
            if self.decompress(offset)? == 0 {
                self.len = Some(self.begin + self.window.len() as u64);
                break;
            }
        }
        let skip = usize::try_from(offset - self.begin).unwrap_or(usize::MAX);
        let bytes = self.window.get(skip..).unwrap_or_default();
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    /// Decompresses some more; what is before `wanted` and no longer kept gives way.
    fn decompress(&mut self, wanted: u64) -> io::Result<usize> {
        let len = self.window.len();
        if len >= 2 * KEPT_BYTES {
            let unwanted = usize::try_from(wanted - self.begin).unwrap_or(usize::MAX);
            let dropped = unwanted.min(len - KEPT_BYTES);
            self.window.drain(..dropped);
            self.begin += dropped as u64;
        }
        let len = self.window.len();
        self.window.resize(len + STEP_BYTES, 0);
        let read = self.decoder.read(&mut self.window[len..]);
        self.window.truncate(len + read.as_ref().map_or(0, |&read| read));
        read
    }
}

fn decoder(file: &Arc<File>) -> MultiGzDecoder<BufReader<Cursor>> {
    MultiGzDecoder::new(BufReader::with_capacity(STEP_BYTES, Cursor { file: Arc::clone(file), offset: 0 }))
}

impl std::fmt::Debug for Gzip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Gzip")
            .field("begin", &self.begin)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn bytes_are_found_at_their_offsets_in_any_order() {
        let plain = (0..6_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
        let mut file = tempfile::tempfile().unwrap();
        // Two members, as `cat one.gz two.gz` makes them.
        for part in plain.chunks(plain.len() / 2) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part).unwrap();
            file.write_all(&encoder.finish().unwrap()).unwrap();
        }
        let mut gzip = Gzip::new(file);
        let mut buffer = vec![0; 100_000];
        for offset in [0, 50_000, 9_000_000, 8_999_000, 0, 23_999_999, 23_950_000] {
            let read = gzip.read_at(offset as u64, &mut buffer).unwrap();
            let expected = &plain[offset..(offset + buffer.len()).min(plain.len())];
            assert!(&buffer[..read] == expected, "at {offset}");
            assert!(gzip.window.len() <= 2 * KEPT_BYTES + buffer.len() + STEP_BYTES);
        }
        assert_eq!(gzip.len(), plain.len() as u64);
    }
}
