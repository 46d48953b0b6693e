//! An output's buffer, made for many short writes.
//!
//! Owns: [`Writer`]: bytes that are initialised once and then overwritten.
//! Promises: a write of up to sixteen bytes is one block move, not a call; growth doubles.
//! Never: interprets what is written.

/// Bytes of one block move.
pub(super) const BLOCK: usize = 16;

/// A growing buffer whose spare room is already initialised, so that block moves may run past the end of a write.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
    len: usize,
}

impl Writer {
    /// A writer over a recycled buffer; what it holds is overwritten.
    #[must_use]
    pub fn over(buffer: Vec<u8>) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Forgets everything after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The buffer and the number of bytes written into it.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, usize) {
        (self.buffer, self.len)
    }

    /// Makes room for `more` bytes and a block behind them.
    #[inline]
    pub(super) fn reserve(&mut self, more: usize) {
        if self.buffer.len() - self.len < more + BLOCK {
            self.grow(more + BLOCK);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let needed = self.len + more;
        self.buffer.resize(needed.max(self.buffer.len() * 2).max(4096), 0);
    }

    /// Writes `bytes`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Writes one byte.
    #[inline]
    pub fn push_byte(&mut self, byte: u8) {
        self.reserve(1);
        self.buffer[self.len] = byte;
        self.len += 1;
    }

    /// Writes the first `len` bytes of `block`. The caller has reserved them.
    #[inline]
    pub(super) fn push_block(&mut self, block: [u8; BLOCK], len: usize) {
        self.buffer[self.len..self.len + BLOCK].copy_from_slice(&block);
        self.len += len;
    }

    /// Writes `text[start..start + len]` in blocks, reading (never keeping) up to a block past it where `text` goes on.
    #[inline]
    pub(super) fn push_part(&mut self, text: &[u8], start: usize, len: usize) {
        self.reserve(len);
        let mut done = 0;
        while done < len {
            let from = start + done;
            let Some(block) = text.get(from..from + BLOCK) else {
                self.push(&text[from..start + len]);
                return;
            };
            self.buffer[self.len..self.len + BLOCK].copy_from_slice(block);
            let step = BLOCK.min(len - done);
            self.len += step;
            done += step;
        }
    }

    /// Writes a whole number.
    #[inline]
    pub fn push_integer(&mut self, value: i64) {
        self.push(itoa::Buffer::new().format(value).as_bytes());
    }
}
