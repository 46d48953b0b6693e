//! Aggregates: what windows of events come to.
//!
//! Owns: [`Aggregate`], one of the config: which events it is about, its windows and results, and its state.
//! Promises: the result of a window comes once, when the watermark has reached its end, and is the same for any order of the
//! events within the lateness, any split into batches and any number of workers; late events are counted one by one; no more
//! groups than the bound, and what finds no room is counted.
//! Never: reads a clock, or waits; callers pass the time in, and [`crate::source::results`] sends the documents on.

mod column;
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
use std::sync::Arc;

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
use crate::operator::{Operator, OperatorCounts, OperatorStatus, Scratch, Told, Watch, Watching};
use crate::snapshot::{Decoder, Encoder};
use crate::time::TimeText;
use crate::watermark::{Arrival, TimeLimits};
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

/// An aggregate: what stays the same while it is at work.
#[derive(Debug)]
pub struct Aggregate {
    name: Arc<str>,
    reader: Reader,
    documents: Documents,
}

/// What an aggregate remembers of events.
#[derive(Debug)]
pub(crate) struct State {
    windows: Open,
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
    /// The operator of an aggregate, which has seen nothing.
    #[must_use]
    pub fn operator(config: AggregateConfig) -> Box<dyn Operator> {
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
        let aggregate = Self { name: config.name.into(), reader, documents };
        Box::new(Watching::new(aggregate, config.limits, State { windows, time: TimeText::new() }))
    }

    /// The identity of a result.
    fn id(&self, window: Window, group: &[u8]) -> Origin {
        let mut hash = Xxh3::new();
        hash.update(self.name.as_bytes());
        hash.update(&[0]);
        hash.update(&window.start.to_be_bytes());
        hash.update(&window.end.to_be_bytes());
        hash.update(group);
        Origin::from_hash(hash.digest128())
    }
}

impl Watch for Aggregate {
    type State = State;

    const KIND: &'static str = "aggregate";

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, scratch: &mut Scratch) {
        self.reader.read(batch, selected, arrival, &mut scratch.aggregate.0);
    }

    fn take(&self, scratch: &mut Scratch, passed: Option<i64>, state: &mut State, told: &mut Told) {
        let (samples, counts) = (&scratch.aggregate.0, &mut told.counts);
        for sample in samples.iter() {
            if passed.is_some_and(|passed| self.reader.windows.is_late(sample.time, passed)) {
                counts.late += 1;
            } else {
                state.windows.add(&sample, counts);
            }
        }
        counts.late += samples.late.len() as u64;
        counts.without_field += samples.without_group;
        counts.future += samples.future;
    }

    fn catch_up(&self, watermark: i64, state: &mut State, told: &mut Told) {
        let State { windows, time } = state;
        let mut take = |window: Window, rows: &Rows| {
            for row in rows.in_order() {
                let id = self.id(window, rows.group(row));
                told.document(id, |out| self.documents.write(window, rows, row, time, out));
            }
        };
        told.counts.refused += match windows {
            Open::Panes(panes) => {
                panes.close(watermark, &mut take);
                panes.take_refused()
            }
            Open::Sessions(sessions) => {
                sessions.close(watermark, &mut take);
                sessions.take_refused()
            }
        };
    }

    fn save(&self, state: &State, out: &mut Encoder<'_>) {
        out.u64(self.reader.seed);
        match &state.windows {
            Open::Panes(panes) => panes.save(out),
            Open::Sessions(sessions) => sessions.save(out),
        }
    }

    fn load(&mut self, state: &mut State, from: &mut Decoder<'_>) -> Option<()> {
        self.reader.seed = from.u64()?;
        match &mut state.windows {
            Open::Panes(panes) => panes.load(from),
            Open::Sessions(sessions) => sessions.load(from),
        }
    }

    fn show(&self, state: &State, status: &mut OperatorStatus) {
        (status.groups, status.bytes) = match &state.windows {
            Open::Panes(panes) => (panes.groups(), panes.bytes()),
            Open::Sessions(sessions) => (sessions.groups(), sessions.bytes()),
        };
    }
}

impl Open {
    #[inline]
    fn add(&mut self, sample: &Sample<'_>, counts: &mut OperatorCounts) {
        match self {
            Self::Panes(panes) => {
                if let Err(Full) = panes.add(sample) {
                    counts.refused += 1;
                }
            }
            Self::Sessions(sessions) => sessions.add(sample),
        }
    }
}
