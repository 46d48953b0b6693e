//! A worker's end of an output: encodes events into payloads and hands them to the driver.
//!
//! Owns: [`OutputLane`], for every kind of output; [`LaneConfig`] says when payloads close.
//! Promises: a payload closes at its size, its number of events or its age; the bytes of closed payloads count
//! against the output's queue, and a full queue says that it has no room; buffers are reused.
//! Never: waits for an answer of a store.
//!
//! A lane begins with small payloads, doubles them when one fills up before its time and halves them when none does,
//! so an output with little to do costs little memory. Above [`COMFORTABLE`] they grow only while the store is the
//! slower one, which then has less to do for each event; a store that keeps up gets payloads that are still in the
//! processor's cache when they are sent. A lane that waits for its sources has no cache to keep warm: what costs there
//! is each thread that is woken, so its payloads may be twice as large, and one that is half full goes out before the
//! worker sleeps instead of waking it later. Compression happens here, on the worker's thread.

mod config;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use logweir_pipeline::Batch;
use logweir_pipeline::buffers::BufferPool;
use logweir_pipeline::event::Writer;
use logweir_pipeline::memory::Memory;
use logweir_pipeline::worker::Lane;
use tokio::sync::mpsc::Sender;

pub use config::LaneConfig;
use config::{BUFFER_MIN, HEADROOM};

use crate::encode::Encode;
use crate::payload::{ContentEncoding, Contents, Item, Payload, Run, Slice};
use crate::status::{OutputStatus, add};

/// Bytes of payloads for a store that keeps up: a request costs little beside its body, the cache holds a few, and
/// with the headroom a buffer is 1 MiB.
const COMFORTABLE: usize = 1024 * 1024 - HEADROOM;
/// A lane that has sent nothing for this long waits for its sources.
const SOURCES_ARE_SLOW: Duration = Duration::from_millis(20);
/// A worker that waits longer than this for room in the queue has a store that is slower than itself.
const STORE_IS_SLOW: Duration = Duration::from_millis(50);
/// Most bytes of one payload: positions in it are 32 bits wide, and stores take 100 MB at most.
const BATCH_BYTES_MAX: usize = 100_000_000;

/// What all lanes of one output share.
#[derive(Clone, Debug)]
pub struct LaneShared {
    /// The driver's inbox.
    pub payloads: Sender<Payload>,
    /// The output's queue.
    pub queue: Arc<Memory>,
    /// The budget of the process.
    pub memory: Arc<Memory>,
    /// Buffers for bodies.
    pub buffers: Arc<BufferPool>,
    /// Counters.
    pub status: Arc<OutputStatus>,
}

/// One worker's end of one output.
#[derive(Debug)]
pub struct OutputLane<E> {
    encode: E,
    config: LaneConfig,
    shared: LaneShared,
    open: Option<Open>,
    /// The plain text of the next compressed payload, kept between payloads.
    spare: Vec<u8>,
    /// Bytes that the next payload may take.
    limit: usize,
    /// How long the worker waited for room since the last payload that filled up.
    waited: Duration,
    /// Whether a payload has filled up since one last closed by its age.
    filled_up: bool,
    sent_at: Instant,
}

/// A payload in the making.
#[derive(Debug)]
struct Open {
    body: Writer,
    contents: Contents,
    target: Arc<str>,
    /// The different targets, for outputs that bound their number.
    targets: Vec<Arc<str>>,
    limit: usize,
    due: Instant,
    /// Items that belong to no slice yet begin here.
    slice_start: usize,
    first_offset: u64,
    last_offset: u64,
}

impl<E: Encode> OutputLane<E> {
    /// A lane that fills the driver's inbox.
    #[must_use]
    pub fn new(encode: E, mut config: LaneConfig, shared: LaneShared) -> Self {
        config.batch_bytes = config.batch_bytes.clamp(1, BATCH_BYTES_MAX);
        config.batch_events = config.batch_events.max(1);
        let limit = config.batch_bytes.min(BUFFER_MIN);
        Self {
            encode,
            config,
            shared,
            open: None,
            spare: Vec::new(),
            limit,
            waited: Duration::ZERO,
            filled_up: false,
            sent_at: Instant::now(),
        }
    }

    fn write_event(&mut self, batch: &Batch, index: u32) {
        let place = index as usize;
        let event = &batch.events[place];
        if self.open.is_none() {
            let target = Arc::clone(self.encode.target(batch, place));
            self.open = Some(self.open_payload(target));
        }
        let Some(open) = &mut self.open else { return };
        let target = self.encode.target(batch, place);
        if open.contents.runs.last().is_none_or(|run| !same(&run.target, target)) {
            let target = Arc::clone(target);
            if !open.begin_run(target, self.encode.targets_max()) {
                self.close_early(batch);
                return self.write_event(batch, index);
            }
        }
        let named = open.contents.runs.last().map(|run| &run.target);
        let named = named.filter(|target| !same(target, &open.target)).map(|target| &**target);
        self.encode.encode(batch, event, named, &mut open.body);
        open.add(batch.line_of(index), event.offset);
        if open.body.len() >= open.limit || open.contents.items.len() >= self.config.batch_events {
            self.close_full(batch);
        }
    }

    fn open_payload(&mut self, target: Arc<str>) -> Open {
        let buffer = if self.config.gzip {
            std::mem::take(&mut self.spare)
        } else {
            let wanted = self.limit + HEADROOM;
            let mut buffer = self.shared.buffers.take(wanted);
            shrink(&mut buffer, wanted * 2, wanted);
            buffer
        };
        Open {
            body: Writer::over(buffer),
            contents: Contents::default(),
            target,
            targets: Vec::new(),
            limit: self.limit,
            due: Instant::now() + self.config.flush_after,
            slice_start: 0,
            first_offset: 0,
            last_offset: 0,
        }
    }

    /// Sends a payload that has too many targets for one more.
    fn close_early(&mut self, batch: &Batch) {
        if let Some(open) = &mut self.open {
            open.end_slice(batch);
        }
        self.send();
    }

    /// Sends a payload that is full; the next one may be larger.
    fn close_full(&mut self, batch: &Batch) {
        if let Some(open) = &mut self.open {
            open.end_slice(batch);
        }
        let comfortable = if self.sources_are_slow() { 2 * COMFORTABLE } else { COMFORTABLE };
        self.send();
        let is_idle = self.shared.queue.in_use() < self.shared.queue.limit() / 4;
        self.limit = next_limit(self.limit, comfortable, self.waited, is_idle).min(self.config.batch_bytes);
        (self.waited, self.filled_up) = (Duration::ZERO, true);
    }

    fn sources_are_slow(&self) -> bool {
        self.sent_at.elapsed() > SOURCES_ARE_SLOW
    }

    /// Hands the open payload to the driver.
    fn send(&mut self) {
        let Some(open) = self.open.take().filter(|open| !open.contents.items.is_empty()) else { return };
        let Open { body, mut contents, .. } = open;
        let items = u32::try_from(contents.items.len()).unwrap_or(u32::MAX);
        if let Some(run) = contents.runs.last_mut() {
            run.end = items;
        }
        let (body, encoding) = match self.finish_body(body) {
            Ok(finished) => finished,
            Err(error) => {
                tracing::error!(output = self.shared.status.name(), %error, "cannot compress a payload");
                return;
            }
        };
        let queued = self.shared.queue.take(body.1);
        self.sent_at = Instant::now();
        let payload = Payload::new(body.0, encoding, contents, Some(queued));
        if self.shared.payloads.blocking_send(payload).is_err() {
            tracing::debug!(
                output = self.shared.status.name(),
                "the output has ended; events are not acknowledged"
            );
        }
    }

    /// The body to send, the memory it takes, and how it stands.
    fn finish_body(&mut self, body: Writer) -> io::Result<((Bytes, usize), ContentEncoding)> {
        let (mut buffer, len) = body.into_parts();
        let (buffers, memory) = (&self.shared.buffers, &self.shared.memory);
        if self.config.gzip {
            let mut zipped = GzEncoder::new(emptied(buffers.take(0)), Compression::fast());
            zipped.write_all(&buffer[..len])?;
            self.spare = buffer;
            let zipped = zipped.finish()?;
            let (len, capacity) = (zipped.len(), zipped.capacity());
            let body = buffers.share(zipped, len, Some(memory.take(capacity)));
            return Ok(((body, capacity), ContentEncoding::Gzip));
        }
        let usual = (self.config.batch_bytes + HEADROOM).max(len);
        let usual = if self.config.batch_events == 1 { len } else { usual };
        shrink(&mut buffer, usual, usual);
        let capacity = buffer.len();
        Ok(((buffers.share(buffer, len, Some(memory.take(capacity))), capacity), ContentEncoding::Identity))
    }
}

impl<E: Encode> Lane for OutputLane<E> {
    fn has_room(&mut self, patience: Duration) -> bool {
        let wait_began = Instant::now();
        let has_room = self.shared.queue.wait_for_room(patience) || self.shared.payloads.is_closed();
        self.waited += wait_began.elapsed();
        has_room
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        let has_stored = self.encode.begin(batch);
        let mut stored = 0;
        if let Some(open) = &mut self.open {
            open.slice_start = open.contents.items.len();
        }
        for &index in selected {
            if has_stored && self.encode.is_stored(&batch.events[index as usize]) {
                stored += 1;
                continue;
            }
            self.write_event(batch, index);
        }
        if let Some(open) = &mut self.open {
            open.end_slice(batch);
        }
        if stored > 0 {
            add(&self.shared.status.delivered, stored);
            self.shared.status.already_stored.fetch_add(stored as u64, Relaxed);
        }
    }

    /// While others wait for the store, the open payload may as well grow.
    fn due(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        let others_wait = self.shared.payloads.capacity() < self.shared.payloads.max_capacity();
        Some(if others_wait { Instant::now() + self.config.flush_after } else { open.due })
    }

    /// A small rest behind payloads that filled up is no sign of little to do.
    fn flush(&mut self) {
        let written = self.open.as_ref().map_or(0, |open| open.body.len());
        if !std::mem::take(&mut self.filled_up) && written < self.limit / 4 {
            self.limit = (self.limit / 2).max(BUFFER_MIN.min(self.config.batch_bytes));
        }
        self.send();
    }

    fn idle(&mut self) {
        let is_half_full = self.open.as_ref().is_some_and(|open| open.body.len() >= self.limit / 2);
        if self.config.source_waits || (is_half_full && self.sources_are_slow()) {
            self.send();
        }
    }
}

impl Open {
    /// The next items go to `target`. Returns false when that would be one target too many.
    fn begin_run(&mut self, target: Arc<str>, targets_max: usize) -> bool {
        if targets_max < usize::MAX && !self.targets.iter().any(|known| same(known, &target)) {
            if self.targets.len() >= targets_max {
                return false;
            }
            self.targets.push(Arc::clone(&target));
        }
        let end = u32::try_from(self.contents.items.len()).unwrap_or(u32::MAX);
        if let Some(run) = self.contents.runs.last_mut() {
            run.end = end;
        }
        self.contents.runs.push(Run { target, end });
        true
    }

    /// An event, or a piece of it, was written: the one that the source made at this index.
    #[inline]
    fn add(&mut self, line: u32, offset: u64) {
        if self.contents.items.len() == self.slice_start {
            self.first_offset = offset;
        }
        self.last_offset = offset;
        let end = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        self.contents.items.push(Item { end, event: line });
    }

    /// The items since the last slice are all of this batch.
    fn end_slice(&mut self, batch: &Batch) {
        let items = self.contents.items.len();
        if items > self.slice_start {
            let end = u32::try_from(items).unwrap_or(u32::MAX);
            let (first_offset, last_offset) = (self.first_offset, self.last_offset);
            self.contents.slices.push(Slice { ack: batch.ack.clone(), end, first_offset, last_offset });
            self.slice_start = items;
        }
    }
}

fn same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// Bytes that the next payload may take after one of `limit` bytes filled up.
fn next_limit(limit: usize, comfortable: usize, waited: Duration, is_idle: bool) -> usize {
    if limit < comfortable {
        (limit * 2).min(comfortable)
    } else if waited > STORE_IS_SLOW {
        limit * 2
    } else if is_idle {
        (limit / 2).max(comfortable)
    } else {
        limit
    }
}

/// Gives back what a buffer has beyond `wanted` bytes when it has more than `max`.
fn shrink(buffer: &mut Vec<u8>, max: usize, wanted: usize) {
    if buffer.len() > max {
        buffer.truncate(wanted);
        buffer.shrink_to_fit();
    }
}

fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    buffer.clear();
    buffer
}

#[cfg(test)]
mod tests;
