//! Lines of an input that is read from its beginning to its end.
//!
//! Owns: [`LineReader`], the bytes that are read and not in a batch yet.
//! Promises: every byte up to the end of input is in an event; a last line without line end is one too; of a line longer than
//! the limit the rest is passed over.
//! Never: reads more than a chunk ahead, or goes back.

use std::io::{self, Read};
use std::sync::Arc;

use super::CHUNK_BYTES;
use super::file::encoding::Text;
use super::file::lines::{End, Framer, Place};
use crate::buffers::BufferPool;
use crate::event::Batch;
use crate::memory::Held;
use crate::stream::{Position, Stream};
use crate::time::now;

/// The bytes that are read and not in a batch yet.
pub(super) struct LineReader {
    framer: Framer,
    pool: Arc<BufferPool>,
    stream: Arc<Stream>,
    buffer: Vec<u8>,
    filled: usize,
    offset: u64,
    /// The end of a line that was cut is still to come, and is passed over.
    cutting: bool,
    /// The end of the input was reached.
    ended: bool,
}

/// What one read gave.
#[derive(Debug)]
pub(super) enum Lines {
    /// Lines.
    Batch(Box<Batch>),
    /// No line is complete yet.
    Incomplete,
    /// The input is over, and all its lines were given.
    Over,
}

impl LineReader {
    /// A reader of this stream, at its beginning.
    pub(super) fn new(stream: Arc<Stream>, framer: Framer) -> Self {
        let pool = BufferPool::new(4);
        let buffer = pool.take(CHUNK_BYTES);
        Self { framer, pool, stream, buffer, filled: 0, offset: 0, cutting: false, ended: false }
    }

    /// The stream.
    pub(super) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Reads once. The batch that comes of it holds the memory.
    pub(super) fn read(&mut self, input: &mut impl Read, held: Option<Held>) -> io::Result<Lines> {
        if self.ended {
            return Ok(Lines::Over);
        }
        let end = match input.read(&mut self.buffer[self.filled..]) {
            Ok(0) => {
                self.ended = true;
                End::CloseLine
            }
            Ok(read) => {
                self.filled += read;
                End::Open
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Lines::Incomplete),
            Err(error) => return Err(error),
        };
        match self.take(end, held) {
            Some(batch) => Ok(Lines::Batch(Box::new(batch))),
            None if self.ended => Ok(Lines::Over),
            None => Ok(Lines::Incomplete),
        }
    }

    /// Takes what is complete and keeps the rest.
    fn take(&mut self, end: End, held: Option<Held>) -> Option<Batch> {
        self.pass_over_cut_line();
        let place = Place { offset: self.offset, read_at: now() };
        let mut events = Vec::new();
        let mut consumed = self.frame(place, end, &mut events);
        if consumed == 0 && self.filled > self.framer.event_bytes_max() {
            consumed = self.frame(place, End::CloseLine, &mut events).max(self.filled);
            self.cutting = true;
        }
        if consumed == 0 {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            return None;
        }
        let mut next = self.pool.take(CHUNK_BYTES.max(self.filled - consumed + 1));
        next[..self.filled - consumed].copy_from_slice(&self.buffer[consumed..self.filled]);
        let chunk = std::mem::replace(&mut self.buffer, next);
        self.filled -= consumed;
        self.offset += consumed as u64;
        if events.is_empty() {
            return None;
        }
        let position = Position { offset: self.offset, marker: 0 };
        let ack = self.stream.begin(position, events.len() as u64, consumed as u64);
        let chunk = self.pool.share(chunk, consumed, held);
        Some(Batch::new(chunk, events, Arc::clone(&self.stream), place.read_at, ack))
    }

    fn frame(&self, place: Place, end: End, events: &mut Vec<crate::Event>) -> usize {
        let filled = &self.buffer[..self.filled];
        if self.framer.multiline.is_none() {
            return self.framer.frame_lines(filled, place, end, events);
        }
        self.framer.frame(Text::Utf8, filled, place, end, &mut Vec::new(), events)
    }

    fn pass_over_cut_line(&mut self) {
        if !self.cutting {
            return;
        }
        let line_feed = memchr::memchr(b'\n', &self.buffer[..self.filled]);
        let passed = line_feed.map_or(self.filled, |place| place + 1);
        self.buffer.copy_within(passed..self.filled, 0);
        self.filled -= passed;
        self.offset += passed as u64;
        self.cutting = line_feed.is_none();
    }
}
