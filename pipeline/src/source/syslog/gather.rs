//! Gathering: messages of many senders become one batch.
//!
//! Owns: [`Gatherer`], one a worker that the source feeds, and the identity of its events: its stream has a random
//! number, and an event's offset is the count of message bytes before it.
//! Promises: a message is copied once, into the chunk; a batch has one sender table, so an event costs no allocation for
//! who sent it; nothing that was received is given up: whoever adds waits while the worker is busy, and whoever has
//! sent waits while the memory is full.
//! Never: decides when a batch is complete, unless it is full.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::frame::Message;
use super::skew::ClockSkew;
use crate::buffers::BufferPool;
use crate::event::{Batch, ConstantSet, Event, EventFlags, Span};
use crate::memory::Held;
use crate::source::{CHUNK_BYTES, PipelineEnded, SourceContext};
use crate::stream::{Position, Stream};

/// Senders of one batch: as many as the number in an event can tell apart.
const SENDERS_MAX: usize = u8::MAX as usize;
/// How long to wait for memory before trying again.
const PATIENCE: Duration = Duration::from_millis(100);

/// The messages that are received and not sent.
#[derive(Debug)]
pub(super) struct Gatherer {
    context: SourceContext,
    stream: Arc<Stream>,
    pool: Arc<BufferPool>,
    chunk: Vec<u8>,
    filled: usize,
    held: Option<Held>,
    events: Vec<Event>,
    senders: Vec<Arc<ConstantSet>>,
    /// Bytes of all batches before this one.
    offset: u64,
    read_at: i64,
}

impl Gatherer {
    /// A gatherer whose batches go to the worker number `worker`, modulo their number.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub(super) fn new(context: &SourceContext, worker: usize, skew: &Arc<ClockSkew>) -> io::Result<Self> {
        let mut id = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut id)?;
        let workers = context.batches.workers().max(1);
        let (id, workers, worker) = (u64::from_be_bytes(id), workers as u64, (worker % workers) as u64);
        // The highest multiple of `workers` that fits has room for `worker` above it.
        let id = (id - id % workers).min(u64::MAX - u64::MAX % workers - workers) + worker;
        let stream = Stream::new(id, Arc::clone(&context.meta), ConstantSet::default(), Position::default());
        stream.note_clock_skew(Arc::clone(skew));
        Ok(Self {
            context: context.clone(),
            stream,
            pool: BufferPool::new(4),
            chunk: Vec::new(),
            filled: 0,
            held: None,
            events: Vec::new(),
            senders: Vec::new(),
            offset: 0,
            read_at: 0,
        })
    }

    /// Bytes that wait.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Adds a message that was received at `read_at`, sending what is gathered when it does not fit beside it.
    ///
    /// # Errors
    /// When nobody takes batches any more.
    #[inline]
    pub(super) fn add(
        &mut self,
        message: Message<'_>,
        sender: &Arc<ConstantSet>,
        read_at: i64,
    ) -> Result<(), PipelineEnded> {
        let Message { text, cut } = message;
        let number = match self.number(sender) {
            Some(number) if self.filled + text.len() <= self.chunk.len() => number,
            _ => {
                self.flush()?;
                self.begin(text.len(), sender, read_at)
            }
        };
        let (start, end) = (self.filled, self.filled + text.len());
        self.chunk[start..end].copy_from_slice(text);
        #[allow(clippy::cast_possible_truncation)] // a chunk is below 4 GiB
        let span = Span { start: start as u32, len: text.len() as u32 };
        let flags = if cut { EventFlags::CUT } else { EventFlags::default() };
        let mut event = Batch::line(span, self.offset + start as u64, read_at, flags);
        event.sender = number;
        self.events.push(event);
        self.filled = end;
        Ok(())
    }

    /// Sends what is gathered.
    ///
    /// # Errors
    /// When nobody takes batches any more.
    pub(super) fn flush(&mut self) -> Result<(), PipelineEnded> {
        if self.events.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.events);
        let end = self.offset + self.filled as u64;
        let position = Position { offset: end, marker: 0 };
        let ack = self.stream.begin(position, events.len() as u64, self.filled as u64);
        let chunk = std::mem::take(&mut self.chunk);
        let chunk = self.pool.share(chunk, self.filled, self.held.take());
        let mut batch = Batch::new(chunk, events, Arc::clone(&self.stream), self.read_at, ack);
        batch.senders = std::mem::take(&mut self.senders);
        (self.offset, self.filled) = (end, 0);
        self.context.batches.send(batch)
    }

    /// Waits while the memory is full. What was received is taken all the same, so everything gathered is to be sent
    /// before: it may be what fills the memory.
    pub(super) fn wait_for_room(&self) {
        while !self.context.memory.wait_for_room(PATIENCE) {}
    }

    /// The sender's number in this batch; `None` when there is no batch yet, or no number left.
    #[inline]
    fn number(&mut self, sender: &Arc<ConstantSet>) -> Option<u8> {
        if self.events.is_empty() {
            return None;
        }
        let known = self.senders.iter().rposition(|known| Arc::ptr_eq(known, sender));
        let place = known.or_else(|| {
            let place = self.senders.len();
            (place < SENDERS_MAX).then(|| self.senders.push(Arc::clone(sender))).map(|()| place)
        })?;
        u8::try_from(place + 1).ok()
    }

    /// Begins a batch with room for `bytes`.
    fn begin(&mut self, bytes: usize, sender: &Arc<ConstantSet>, read_at: i64) -> u8 {
        let bytes = bytes.max(CHUNK_BYTES);
        self.held = Some(self.context.memory.take(bytes));
        self.chunk = self.pool.take(bytes);
        self.read_at = read_at;
        self.senders.push(Arc::clone(sender));
        1
    }
}
