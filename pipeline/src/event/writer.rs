//! An output's buffer, made for many short writes.
//!
//! Owns: [`Writer`]: bytes that are initialised once and then overwritten; [`Label`], a short text made ready for it.
//! Promises: short writes are block moves, not calls; growth doubles.
//! Never: interprets what is written.

/// Bytes of one block move.
pub(super) const BLOCK: usize = 16;
/// Bytes of a label's block.
const LABEL: usize = 32;
/// The least room that is made at once.
const ROOM_MIN: usize = 64;

/// A growing buffer whose spare room is already initialised, so that block moves may run past the end of a write.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
    len: usize,
}

/// A text that is written often, kept so that a short one is written by a move of fixed size.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The text if it fits, filled up with zeros.
    block: [u8; LABEL],
    len: usize,
    /// The text if it does not fit.
    long: Box<[u8]>,
}

impl Label {
    /// A label with this text.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut block = [0; LABEL];
        match block.get_mut(..text.len()) {
            Some(room) => room.copy_from_slice(text),
            None => return Self { block, len: text.len(), long: text.into() },
        }
        Self { block, len: text.len(), long: Box::default() }
    }
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

    /// Room for `bytes` more bytes and a block behind them. [`Writer::advance`] says how many were used.
    #[inline]
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.buffer.len() - self.len < bytes + BLOCK {
            self.grow(bytes + BLOCK);
        }
        &mut self.buffer[self.len..]
    }

    /// The next `bytes` bytes of the room are written. The caller has made the room.
    #[inline]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.len += bytes;
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let needed = self.len + more;
        self.buffer.resize(needed.max(self.buffer.len() * 2).max(ROOM_MIN), 0);
    }

    /// Writes `bytes`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Writes one byte.
    #[inline]
    pub fn push_byte(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.len += 1;
    }

    /// Writes a label but for its last `less` bytes.
    #[inline]
    pub(super) fn push_label(&mut self, label: &Label, less: usize) {
        if label.len > LABEL {
            return self.push(&label.long[..label.len - less]);
        }
        self.room(LABEL)[..LABEL].copy_from_slice(&label.block);
        self.len += label.len - less;
    }

    /// Writes `text[start..start + len]` in blocks, reading (never keeping) up to a block past it where `text` goes on.
    #[inline]
    pub(super) fn push_part(&mut self, text: &[u8], start: usize, len: usize) {
        let Some(block) = block_at(text, start).filter(|_| len <= BLOCK) else {
            return self.push(&text[start..start + len]);
        };
        self.room(BLOCK)[..BLOCK].copy_from_slice(block);
        self.len += len;
    }

    /// Writes a whole number.
    #[inline]
    pub fn push_integer(&mut self, value: i64) {
        self.push(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// The block that begins at `start`, unless the text ends within it.
#[inline]
pub(super) fn block_at(text: &[u8], start: usize) -> Option<&[u8; BLOCK]> {
    text.get(start..)?.first_chunk()
}
