//! Aggregates: what windows of events come to.
//!
//! Owns: [`Aggregate`], one of the config: which events it is about, its windows and results, its state, and the documents that
//! are ready to leave.
//! Promises: the result of a window comes once, when the watermark has reached its end, and is the same for any order of the
//! events within the lateness, any split into batches and any number of workers; late events are counted one by one; no more
//! groups than the bound, and what finds no room is counted.
//! Never: reads a clock, or waits; callers pass the time in, and [`crate::source::results`] sends the documents on.

mod distinct;
mod document;
mod function;
mod panes;
mod percentile;
mod rows;
mod samples;
mod sessions;
mod sum;
#[cfg(test)]
mod tests;
mod top;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logweir_parsers::KeyId;
use xxhash_rust::xxh3::Xxh3;

use self::document::Documents;
pub use self::function::Function;
use self::function::Plan;
use self::panes::Panes;
use self::rows::{Full, Rows};
pub use self::samples::WindowTime;
use self::samples::{Reader, Sample, Samples};
use self::sessions::Sessions;
use crate::event::{Batch, Origin};
use crate::matcher::Condition;
use crate::operator::{Emitted, Operator, OperatorCounts, OperatorStatus, Scratch};
use crate::time::TimeText;
use crate::watermark::{TimeLimits, Watermarks};
use crate::window::{Window, Windows};

/// What the config says of an aggregate.
#[derive(Clone, Debug)]
pub struct AggregateConfig {
    /// Its name.
    pub name: String,
    /// Which events it is about; all when there is none.
    pub condition: Option<Condition>,
    /// The fields by whose values events are put into groups.
    pub by: Vec<(String, KeyId)>,
    /// How events are put together by their times.
    pub windows: Windows,
    /// By which of their times.
    pub time: WindowTime,
    /// What is asked of those times.
    pub limits: TimeLimits,
    /// What is computed, by name.
    pub compute: Vec<(String, Function)>,
    /// Most groups at a time in a window.
    pub groups_max: usize,
}

/// An aggregate at work.
#[derive(Debug)]
pub struct Aggregate {
    name: Arc<str>,
    reader: Reader,
    documents: Documents,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watermarks: Watermarks,
    windows: Open,
    ready: Emitted,
    counts: OperatorCounts,
    time: TimeText,
}

/// The windows that are not over.
#[derive(Debug)]
enum Open {
    Panes(Panes),
    Sessions(Sessions),
}

/// What one worker needs to read events for an aggregate.
#[derive(Debug, Default)]
pub struct AggregateScratch(Samples);

impl Aggregate {
    /// An aggregate that has seen nothing.
    #[must_use]
    pub fn new(config: AggregateConfig) -> Self {
        let plan = Plan::new(config.compute.iter().map(|(_, function)| function));
        let (names, by): (Vec<_>, Vec<_>) = config.by.into_iter().unzip();
        let results = config.compute.iter().map(|(name, _)| name.as_str()).zip(plan.formulas.iter().copied());
        let documents = Documents::new(&config.name, &config.windows, &names, results.collect());
        let windows = match config.windows {
            Windows::Grid(grid) => Open::Panes(Panes::new(grid, &plan.kept, config.groups_max)),
            Windows::Session { gap, max } => {
                Open::Sessions(Sessions::new(gap, max, &plan, config.groups_max))
            }
        };
        let reader = Reader {
            condition: config.condition,
            by,
            inputs: plan.inputs,
            time: config.time,
            windows: config.windows,
            limits: config.limits,
            seed: RandomState::new().build_hasher().finish(),
        };
        let state = State {
            watermarks: Watermarks::new(config.limits),
            windows,
            ready: Emitted::default(),
            counts: OperatorCounts::default(),
            time: TimeText::new(),
        };
        Self { name: config.name.into(), reader, documents, state: Mutex::new(state) }
    }

    /// Makes documents of the windows that are over, and says how many bytes are ready.
    fn close(&self, state: &mut State) -> usize {
        let State { watermarks, windows, ready, counts, time } = state;
        let watermark = watermarks.reached();
        let mut take = |window: Window, rows: &Rows| {
            for row in rows.in_order() {
                self.documents.write(window, rows, row, time, &mut ready.lines);
                ready.lines.push(b'\n');
                ready.ids.push(self.id(window, rows.group(row)));
                counts.documents += 1;
            }
        };
        match windows {
            Open::Panes(panes) => {
                panes.close(watermark, &mut take);
                counts.refused += panes.take_refused();
            }
            Open::Sessions(sessions) => {
                sessions.close(watermark, &mut take);
                counts.refused += sessions.take_refused();
            }
        }
        ready.lines.len()
    }

    /// The identity of a result.
    fn id(&self, window: Window, group: &[u8]) -> Origin {
        let mut hash = Xxh3::new();
        hash.update(self.name.as_bytes());
        hash.update(&[0]);
        hash.update(&window.start.to_be_bytes());
        hash.update(&window.end.to_be_bytes());
        hash.update(group);
        let hash = hash.digest128();
        #[allow(clippy::cast_possible_truncation)] // its two halves
        let (stream, offset) = ((hash >> 64) as u64, hash as u64);
        Origin { stream, offset }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operator for Aggregate {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "aggregate"
    }

    fn observe(&self, batch: &Batch, selected: &[u32], now: i64, scratch: &mut Scratch) -> usize {
        let (input, samples) = (batch.stream.id(), &mut scratch.aggregate.0);
        let mut arrival = {
            let mut state = self.state();
            state.watermarks.announce(input, now);
            state.watermarks.arrival(input)
        };
        let watermark = arrival.watermark();
        // Without a lock: no other batch of this stream is under way, and what other streams do shows below.
        self.reader.read(batch, selected, &mut arrival, samples);
        let mut state = self.state();
        // Only for an input that was idle can the watermark have gone on beyond what its events were judged by.
        let reached = Some(state.watermarks.reached()).filter(|reached| *reached > watermark);
        for sample in samples.iter() {
            if reached.is_some_and(|reached| self.reader.windows.is_late(sample.time, reached)) {
                state.counts.late += 1;
            } else {
                state.add(&sample);
            }
        }
        state.counts.late += samples.late.len() as u64;
        state.counts.without_field += samples.without_group;
        state.counts.future += samples.future;
        state.watermarks.arrived(input, arrival, now);
        self.close(&mut state)
    }

    fn announce(&self, stream: u64, now: i64) {
        self.state().watermarks.announce(stream, now);
    }

    fn forget(&self, stream: u64, now: i64) -> usize {
        let mut state = self.state();
        state.watermarks.forget(stream);
        state.watermarks.advance(now);
        self.close(&mut state)
    }

    fn advance(&self, now: i64) -> usize {
        let mut state = self.state();
        state.watermarks.advance(now);
        self.close(&mut state)
    }

    fn end(&self) {
        let mut state = self.state();
        state.watermarks.end();
        self.close(&mut state);
    }

    fn take_ready(&self) -> Emitted {
        std::mem::take(&mut self.state().ready)
    }

    fn status(&self) -> OperatorStatus {
        let state = self.state();
        let (groups, bytes) = match &state.windows {
            Open::Panes(panes) => (panes.groups(), panes.bytes()),
            Open::Sessions(sessions) => (sessions.groups(), sessions.bytes()),
        };
        let watermark = Some(state.watermarks.reached()).filter(|reached| *reached > i64::MIN);
        OperatorStatus { counts: state.counts, groups, bytes, watermark }
    }
}

impl State {
    #[inline]
    fn add(&mut self, sample: &Sample<'_>) {
        match &mut self.windows {
            Open::Panes(panes) => {
                if let Err(Full) = panes.add(sample) {
                    self.counts.refused += 1;
                }
            }
            Open::Sessions(sessions) => sessions.add(sample),
        }
    }
}
