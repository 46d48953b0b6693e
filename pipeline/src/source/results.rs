//! Source of the results of an operator, the windows of an aggregate or the alerts of a rule, as events that go their own way.
//!
//! Owns: [`Results`], which takes events from the workers' lanes, and the loop that sends what becomes of them.
//! Promises: time goes on when no events come; time in which outputs held the pipeline up does not make an input idle; while
//! results wait for their outputs, the workers wait too, so that they are bounded.
//! Never: computes a result.
//!
//! Results go through a worker of their own: one that waits for results to leave must not be the one that they leave through.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, iter};

use super::file::lines::{End, Framer, Place};
use super::{CHUNK_BYTES, SourceContext, random_id};
use crate::buffers::BufferPool;
use crate::event::{Batch, ConstantSet, Event, OwnOrigin};
use crate::memory::Memory;
use crate::operator::{Emitted, Operator, Scratch};
use crate::stream::{Position, Stream, StreamListener};
use crate::time::now;
use crate::watermark::nanos;
use crate::worker::Lane;

/// Bytes of results that wait before the workers do.
const READY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long to wait before looking at the clock.
const PATIENCE: Duration = Duration::from_secs(1);

/// The results of an operator on their way out.
#[derive(Debug)]
pub struct Results {
    operator: Arc<dyn Operator>,
    memory: Arc<Memory>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of results that are ready.
    ready: usize,
    /// Lanes that may bring more events.
    lanes: usize,
    /// How long outputs held the pipeline up, in nanoseconds.
    held_up: i64,
    /// Until when that is counted.
    held_to: Option<Instant>,
}

/// A worker's end: it takes events.
struct ResultsLane {
    results: Arc<Results>,
    scratch: Scratch,
}

impl Results {
    /// Of this operator.
    #[must_use]
    pub fn new(operator: Arc<dyn Operator>, memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self { operator, memory, state: Mutex::default(), changed: Condvar::new() })
    }

    /// The operator.
    #[must_use]
    pub fn operator(&self) -> &Arc<dyn Operator> {
        &self.operator
    }

    /// A lane to the operator. When the last one is gone, nothing more comes.
    #[must_use]
    pub fn lane(self: &Arc<Self>) -> Box<dyn Lane> {
        self.state().lanes += 1;
        Box::new(ResultsLane { results: Arc::clone(self), scratch: Scratch::default() })
    }

    /// Sends results until all lanes are gone. Then, where the run has an end by itself, every window is over.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub fn run(&self, context: &SourceContext) -> io::Result<()> {
        let stream =
            Stream::new(random_id()?, Arc::clone(&context.meta), ConstantSet::default(), Position::default());
        let mut offset = 0;
        loop {
            let is_over = self.wait();
            if is_over && context.once {
                self.operator.end();
            }
            let ready = self.take();
            for batch in batches(&ready, &stream, &mut offset, &self.memory) {
                if context.batches.send(batch).is_err() {
                    return Ok(());
                }
            }
            if is_over {
                self.tell_of_open_windows();
                return Ok(());
            }
        }
    }

    /// Waits until there are results, or nothing more comes, which it says; lets time go on meanwhile.
    fn wait(&self) -> bool {
        let mut looked = Instant::now();
        let mut state = self.state();
        while state.ready == 0 && state.lanes > 0 {
            state = self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
            if looked.elapsed() >= PATIENCE {
                let passed = std::mem::replace(&mut looked, Instant::now()).elapsed();
                if self.memory.in_use() + CHUNK_BYTES > self.memory.limit() {
                    // Sources wait for memory, not for something to happen.
                    state.hold_up(passed);
                }
                let now = state.now();
                drop(state);
                self.note_ready(self.operator.advance(now));
                state = self.state();
            }
        }
        state.lanes == 0
    }

    /// Results are ready, or none.
    fn note_ready(&self, bytes: usize) {
        if bytes > 0 {
            self.state().ready = bytes;
            self.changed.notify_all();
        }
    }

    fn take(&self) -> Emitted {
        let mut state = self.state();
        state.ready = 0;
        let ready = self.operator.take_ready();
        self.changed.notify_all();
        ready
    }

    fn tell_of_open_windows(&self) {
        let status = self.operator.status();
        if status.groups > 0 {
            tracing::warn!(
                name = &**self.operator.name(),
                kind = self.operator.kind(),
                groups = status.groups,
                "what it had counted and not told is forgotten: its state is not kept over a restart"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time on the wall clock, less the time in which nothing could come.
    fn now(&self) -> i64 {
        now().saturating_sub(self.held_up)
    }

    /// Outputs have held somebody up until now. Several who waited at the same time waited once.
    fn hold_up(&mut self, time: Duration) {
        let now = Instant::now();
        let alone = self.held_to.replace(now).map_or(time, |to| time.min(now.duration_since(to)));
        self.held_up = self.held_up.saturating_add(nanos(alone));
    }
}

impl StreamListener for Results {
    fn opened(&self, stream: u64) {
        let now = self.state().now();
        self.operator.announce(stream, now);
    }

    fn closed(&self, stream: u64) {
        let now = self.state().now();
        self.note_ready(self.operator.forget(stream, now));
    }
}

impl Lane for ResultsLane {
    fn has_room(&mut self, patience: Duration) -> bool {
        let state = self.results.state();
        let is_full = |state: &mut State| state.ready >= READY_BYTES_MAX;
        let changed = &self.results.changed;
        let (state, _) =
            changed.wait_timeout_while(state, patience, is_full).unwrap_or_else(PoisonError::into_inner);
        state.ready < READY_BYTES_MAX
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        let now = self.results.state().now();
        let ready = self.results.operator.observe(batch, selected, now, &mut self.scratch);
        self.results.note_ready(ready);
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}

    fn held_up(&mut self, time: Duration) {
        self.results.state().hold_up(time);
    }
}

impl Drop for ResultsLane {
    fn drop(&mut self) {
        self.results.state().lanes -= 1;
        self.results.changed.notify_all();
    }
}

/// Documents as events of a stream, in batches.
pub fn batches<'a>(
    ready: &'a Emitted,
    stream: &'a Arc<Stream>,
    offset: &'a mut u64,
    memory: &'a Arc<Memory>,
) -> impl Iterator<Item = Batch> + 'a {
    let framer = Framer { max_line_bytes: usize::MAX, multiline: None };
    let pool = BufferPool::new(0);
    let (mut lines, mut ids) = (&ready.lines[..], ready.ids.iter());
    iter::from_fn(move || {
        let most = lines.len().min(CHUNK_BYTES);
        let end = memchr::memrchr(b'\n', &lines[..most]).or_else(|| memchr::memchr(b'\n', lines))?;
        let (chunk, rest) = lines.split_at(end + 1);
        lines = rest;
        let place = Place { offset: *offset, read_at: now() };
        let mut events = Vec::new();
        framer.frame_lines(chunk, place, End::CloseLine, &mut events);
        let origin = |(event, id): (&Event, _)| OwnOrigin { at: event.offset, room: 1, origin: id };
        let origins = events.iter().zip(ids.by_ref().copied()).map(origin).collect();
        *offset += chunk.len() as u64;
        let position = Position { offset: *offset, marker: 0 };
        let ack = stream.begin(position, events.len() as u64, chunk.len() as u64);
        let held = memory.take(chunk.len());
        let chunk = pool.share(chunk.to_vec(), chunk.len(), Some(held));
        Some(Batch::new(chunk, events, Arc::clone(stream), place.read_at, ack).with_origins(origins))
    })
}
