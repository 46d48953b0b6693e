//! Source of the results of an operator, the windows of an aggregate or the alerts of a rule, as events that go their own way.
//!
//! Owns: [`Results`], which takes events from the workers' lanes, and the loop that sends what becomes of them.
//! Promises: time goes on when no events come; time in which outputs held the pipeline up does not make an input idle; while
//! results wait for their outputs, the workers wait too, so that they are bounded; what the operator remembers is stored together
//! with the positions of the sources, and results that have not arrived are part of it.
//! Never: computes a result.
//!
//! Results go through a worker of their own: one that waits for results to leave must not be the one that they leave through.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, iter};

use super::file::lines::{End, Framer, Place};
use super::{CHUNK_BYTES, PipelineEnded, SourceContext, random_id};
use crate::buffers::BufferPool;
use crate::checkpoint::Keeper;
use crate::event::{Batch, ConstantSet, Event, OwnOrigin};
use crate::memory::Memory;
use crate::operator::{Arrived, Emitted, Operator, Scratch};
use crate::snapshot::{Decoder, Encoder, SnapshotError};
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
    /// What its state depends on: another with the same may take it over.
    settings: u64,
    /// The number of its stream in this run.
    id: u64,
    /// What an earlier run had sent and that had not arrived, and the streams that it was sent in, or all had arrived of.
    again: Vec<Arc<Emitted>>,
    earlier: Vec<u64>,
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
    /// The streams that results are under way in.
    streams: Vec<Arc<Stream>>,
    /// How far they had arrived when positions were read last.
    arrived: Vec<Arrived>,
}

/// A worker's end: it takes events.
struct ResultsLane {
    results: Arc<Results>,
    scratch: Scratch,
}

impl Results {
    /// Of an operator that takes over what was `saved` by one with the same settings. `operator` makes a new one, if it can.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub fn new(
        operator: impl Fn() -> Option<Box<dyn Operator>>,
        settings: u64,
        saved: Option<&[u8]>,
        memory: Arc<Memory>,
    ) -> io::Result<Option<Arc<Self>>> {
        let Some(mut made) = operator() else { return Ok(None) };
        let (mut again, mut earlier) = (Vec::new(), Vec::new());
        if let Some(saved) = saved {
            match restore(&mut *made, settings, saved) {
                Ok(restored) => (again, earlier) = restored,
                Err(reason) => {
                    begins_anew(&*made, &reason);
                    // What has taken over a part of a state is of no use.
                    made = operator().unwrap_or(made);
                }
            }
        }
        let id = random_id()?;
        made.keep(id);
        let (state, changed, operator) = (Mutex::default(), Condvar::new(), made.into());
        Ok(Some(Arc::new(Self { operator, memory, settings, id, again, earlier, state, changed })))
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

    /// Sends results until all lanes are gone. Then, where the run has come to its end by itself, every window is over.
    pub fn run(&self, context: &SourceContext) {
        for id in &self.earlier {
            if !self.again.iter().any(|emitted| emitted.stream == *id) {
                context.meta.listeners.iter().for_each(|listener| listener.closed(*id, true));
            }
        }
        for emitted in &self.again {
            if self.send(emitted, &self.stream(emitted.stream, emitted.offset, context), context).is_err() {
                return;
            }
        }
        let stream = self.stream(self.id, 0, context);
        loop {
            let is_over = self.wait();
            if is_over && context.once && !context.stop.is_asked() {
                self.operator.end();
            }
            if self.send(&self.take(), &stream, context).is_err() || is_over {
                return;
            }
            if context.meta.listeners.is_empty() {
                // Others that take the results are saved by themselves, and may have to be sent some of them again.
                self.operator.arrived(&self.arrived());
            }
        }
    }

    /// A stream of results.
    fn stream(&self, id: u64, offset: u64, context: &SourceContext) -> Arc<Stream> {
        let mut state = self.state();
        if let Some(stream) = state.streams.iter().find(|stream| stream.id() == id) {
            return Arc::clone(stream);
        }
        let start = Position { offset, marker: 0 };
        let stream = Stream::new(id, Arc::clone(&context.meta), ConstantSet::default(), start);
        state.streams.push(Arc::clone(&stream));
        stream
    }

    fn send(
        &self,
        ready: &Emitted,
        stream: &Arc<Stream>,
        context: &SourceContext,
    ) -> Result<(), PipelineEnded> {
        batches(ready, stream, &self.memory).try_for_each(|batch| context.batches.send(batch))
    }

    /// How far results have arrived.
    fn arrived(&self) -> Vec<Arrived> {
        let of = |stream: &Arc<Stream>| (stream.id(), stream.acknowledged().offset);
        self.state().streams.iter().map(of).collect()
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

    fn take(&self) -> Arc<Emitted> {
        let mut state = self.state();
        state.ready = 0;
        let ready = self.operator.take_ready();
        self.changed.notify_all();
        ready
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

    fn closed(&self, stream: u64, is_settled: bool) {
        let now = self.state().now();
        self.note_ready(self.operator.forget(stream, is_settled, now));
    }
}

impl Keeper for Results {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn mark(&self) {
        let arrived = self.arrived();
        let over = {
            let mut state = self.state();
            state.arrived = arrived;
            let is_over = |stream: &mut Arc<Stream>| {
                let sent = self.again.iter().filter(|emitted| emitted.stream == stream.id());
                sent.map(|emitted| emitted.end()).max().is_some_and(|end| stream.acknowledged().offset >= end)
            };
            state.streams.extract_if(.., is_over).collect::<Vec<_>>()
        };
        self.operator.mark();
        drop(over);
    }

    fn save(&self, whole: bool, bytes: &mut Vec<u8>) -> bool {
        if !whole && !self.operator.has_changed() {
            return false;
        }
        let arrived = std::mem::take(&mut self.state().arrived);
        let streams = arrived.iter().map(|(stream, _)| *stream).collect::<Vec<_>>();
        let mut out = Encoder::new(bytes);
        out.u64(self.settings);
        out.list(streams.iter());
        self.operator.save(&arrived, bytes);
        true
    }
}

/// Lets an operator take over what was saved. Gives what is to be sent again, and the streams that it sent in.
fn restore(
    operator: &mut dyn Operator,
    settings: u64,
    saved: &[u8],
) -> Result<(Vec<Arc<Emitted>>, Vec<u64>), SnapshotError> {
    let mut from = Decoder::new(saved);
    let is_same = from.u64().ok_or(SnapshotError::Damaged)? == settings;
    let streams = from.list().ok_or(SnapshotError::Damaged)?;
    let again = operator.restore(from.rest(), is_same, now())?;
    if !is_same {
        begins_anew(operator, &SnapshotError::Settings);
    }
    Ok((again, streams))
}

fn begins_anew(operator: &dyn Operator, reason: &SnapshotError) {
    tracing::warn!(name = &**operator.name(), %reason, "begins anew: what it had counted is forgotten");
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
    memory: &'a Arc<Memory>,
) -> impl Iterator<Item = Batch> + 'a {
    let framer = Framer { max_line_bytes: usize::MAX, multiline: None };
    let pool = BufferPool::new(0);
    let (mut lines, mut ids, mut offset) = (&ready.lines[..], ready.ids.iter(), ready.offset);
    iter::from_fn(move || {
        let most = lines.len().min(CHUNK_BYTES);
        let end = memchr::memrchr(b'\n', &lines[..most]).or_else(|| memchr::memchr(b'\n', lines))?;
        let (chunk, rest) = lines.split_at(end + 1);
        lines = rest;
        let place = Place { offset, read_at: now() };
        let mut events = Vec::new();
        framer.frame_lines(chunk, place, End::CloseLine, &mut events);
        let origin = |(event, id): (&Event, _)| OwnOrigin { at: event.offset, room: 1, origin: id };
        let origins = events.iter().zip(ids.by_ref().copied()).map(origin).collect();
        offset += chunk.len() as u64;
        let position = Position { offset, marker: 0 };
        let ack = stream.begin(position, events.len() as u64, chunk.len() as u64);
        let held = memory.take(chunk.len());
        let chunk = pool.share(chunk.to_vec(), chunk.len(), Some(held));
        Some(Batch::new(chunk, events, Arc::clone(stream), place.read_at, ack).with_origins(origins))
    })
}
