//! Source `stdin`: one stream of lines, over when the input is.
//!
//! Owns: [`run`].
//! Promises: every byte up to the end of input is in an event; a last line without line end is one too.
//! Never: knows its place again: what is not acknowledged when the process ends is for the writer to send again.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::file::lines::{End, Framer, Place};
use super::{CHUNK_BYTES, SourceContext};
use crate::buffers::BufferPool;
use crate::event::{Batch, ConstantSet};
use crate::memory::Held;
use crate::stream::{Position, Stream};

/// Bytes of a line that are kept.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// How long to wait for memory before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads standard input to its end, or until the stop is asked for or the pipeline ends.
///
/// # Errors
/// When it cannot be read.
pub fn run(context: &SourceContext) -> io::Result<()> {
    read_lines(context, &mut io::stdin().lock())
}

fn read_lines(context: &SourceContext, input: &mut impl Read) -> io::Result<()> {
    let mut lines = Lines::new(context)?;
    while !context.stop.is_asked() {
        let Some(held) = context.memory.acquire(CHUNK_BYTES, PATIENCE) else {
            continue;
        };
        match input.read(&mut lines.buffer[lines.filled..]) {
            Ok(0) => {
                lines.send(End::CloseLine, held);
                return Ok(());
            }
            Ok(read) => {
                lines.filled += read;
                if !lines.send(End::Open, held) {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The bytes that are read and not sent.
struct Lines<'a> {
    context: &'a SourceContext,
    framer: Framer,
    pool: Arc<BufferPool>,
    stream: Arc<Stream>,
    buffer: Vec<u8>,
    filled: usize,
    offset: u64,
    /// The end of a line that was cut is still to come, and is passed over.
    cutting: bool,
}

impl<'a> Lines<'a> {
    fn new(context: &'a SourceContext) -> io::Result<Self> {
        let mut id = [0; 8];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut id)?;
        let start = Position::default();
        let stream =
            Stream::new(u64::from_be_bytes(id), Arc::clone(&context.meta), ConstantSet::default(), start);
        let pool = BufferPool::new(4);
        let buffer = pool.take(CHUNK_BYTES);
        let framer = Framer { max_line_bytes: LINE_BYTES_MAX, multiline: None };
        Ok(Self { context, framer, pool, stream, buffer, filled: 0, offset: 0, cutting: false })
    }

    /// Sends what is complete and keeps the rest. Says whether anyone takes it.
    fn send(&mut self, end: End, held: Held) -> bool {
        self.pass_over_cut_line();
        let place = Place { offset: self.offset, read_at: crate::time::now() };
        let mut events = Vec::new();
        let full = self.filled > LINE_BYTES_MAX;
        let end = if full { End::CloseLine } else { end };
        let consumed = self.framer.frame_lines(&self.buffer[..self.filled], place, end, &mut events);
        self.cutting = full && consumed == self.filled && !self.buffer[..consumed].ends_with(b"\n");
        if consumed == 0 {
            if self.filled == self.buffer.len() {
                let larger = (self.buffer.len() * 2).min(LINE_BYTES_MAX + CHUNK_BYTES);
                self.buffer.resize(larger, 0);
            }
            return true;
        }
        let mut next = self.pool.take(CHUNK_BYTES.max(self.filled - consumed + 1));
        next[..self.filled - consumed].copy_from_slice(&self.buffer[consumed..self.filled]);
        let chunk = std::mem::replace(&mut self.buffer, next);
        self.filled -= consumed;
        self.offset += consumed as u64;
        if events.is_empty() {
            return true;
        }
        let position = Position { offset: self.offset, marker: 0 };
        let ack = self.stream.begin(position, events.len() as u64, consumed as u64);
        let chunk = self.pool.share(chunk, consumed, Some(held));
        let batch = Batch::new(chunk, events, Arc::clone(&self.stream), place.read_at, ack);
        self.context.batches.send(batch).is_ok()
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
