//! How events and time come to an operator.
//!
//! Owns: [`Watch`], what is an aggregate's own or a rule's own, and [`Watching`], what all operators do alike: they know streams,
//! read a batch without a lock, judge what is late, let time go on and keep what is ready.
//! Promises: a batch is read beside other streams' batches and taken whole; what is late is counted, also what became late while it
//! was read.
//! Never: reads a clock, or waits; callers pass the time in.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Emitted, Operator, OperatorCounts, OperatorStatus, Scratch};
use crate::event::{Batch, Origin};
use crate::watermark::{Arrival, TimeLimits, Watermarks};

/// What is an operator's own.
pub(crate) trait Watch: fmt::Debug + Send + Sync {
    /// What it remembers of events.
    type State: fmt::Debug + Send;

    /// What it is: `aggregate` or `rule`.
    const KIND: &'static str;

    /// Its name in the config.
    fn name(&self) -> &Arc<str>;

    /// Reads the selected events of a batch into the scratch, and tells the arrival of their times. No lock is held.
    fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, scratch: &mut Scratch);

    /// Takes what was read. `passed` is how far the watermark has come beyond the one by which the events were judged: what is
    /// behind it is late after all.
    fn take(&self, scratch: &mut Scratch, passed: Option<i64>, state: &mut Self::State, told: &mut Told);

    /// Makes documents of what the watermark has passed.
    fn catch_up(&self, watermark: i64, state: &mut Self::State, told: &mut Told);

    /// Says what the state holds, and what it has counted by itself.
    fn show(&self, state: &Self::State, status: &mut OperatorStatus);
}

/// What an operator has told and counted.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) ready: Emitted,
    pub(crate) counts: OperatorCounts,
}

impl Told {
    /// Adds a document, which `write` appends as one JSON object.
    pub(crate) fn document(&mut self, id: Origin, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.ready.lines);
        self.ready.lines.push(b'\n');
        self.ready.ids.push(id);
        self.counts.documents += 1;
    }
}

/// An operator at work.
#[derive(Debug)]
pub(crate) struct Watching<W: Watch> {
    watch: W,
    whole: Mutex<Whole<W::State>>,
}

#[derive(Debug)]
struct Whole<S> {
    watermarks: Watermarks,
    own: S,
    told: Told,
}

impl<W: Watch> Watching<W> {
    pub(crate) fn new(watch: W, limits: TimeLimits, state: W::State) -> Self {
        let whole = Whole { watermarks: Watermarks::new(limits), own: state, told: Told::default() };
        Self { watch, whole: Mutex::new(whole) }
    }

    /// Makes documents of what is over, and says how many bytes of them are ready.
    fn catch_up(&self, whole: &mut Whole<W::State>) -> usize {
        self.watch.catch_up(whole.watermarks.reached(), &mut whole.own, &mut whole.told);
        whole.told.ready.lines.len()
    }

    fn whole(&self) -> MutexGuard<'_, Whole<W::State>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Watch> Operator for Watching<W> {
    fn name(&self) -> &Arc<str> {
        self.watch.name()
    }

    fn kind(&self) -> &'static str {
        W::KIND
    }

    fn announce(&self, stream: u64, now: i64) {
        self.whole().watermarks.announce(stream, now);
    }

    fn forget(&self, stream: u64, now: i64) -> usize {
        let mut whole = self.whole();
        whole.watermarks.forget(stream);
        whole.watermarks.advance(now);
        self.catch_up(&mut whole)
    }

    fn observe(&self, batch: &Batch, selected: &[u32], now: i64, scratch: &mut Scratch) -> usize {
        let stream = batch.stream.id();
        let mut arrival = {
            let mut whole = self.whole();
            whole.watermarks.announce(stream, now);
            whole.watermarks.arrival(stream)
        };
        let judged_by = arrival.watermark();
        // Without a lock: no other batch of this stream is under way, and what other streams do shows below.
        self.watch.read(batch, selected, &mut arrival, scratch);
        let mut whole = self.whole();
        let Whole { watermarks, own, told } = &mut *whole;
        // Only for a stream that was idle can the watermark have gone on beyond what its events were judged by.
        let passed = Some(watermarks.reached()).filter(|reached| *reached > judged_by);
        self.watch.take(scratch, passed, own, told);
        watermarks.arrived(stream, arrival, now);
        self.catch_up(&mut whole)
    }

    fn advance(&self, now: i64) -> usize {
        let mut whole = self.whole();
        whole.watermarks.advance(now);
        self.catch_up(&mut whole)
    }

    fn end(&self) {
        let mut whole = self.whole();
        whole.watermarks.end();
        self.catch_up(&mut whole);
    }

    fn take_ready(&self) -> Emitted {
        std::mem::take(&mut self.whole().told.ready)
    }

    fn status(&self) -> OperatorStatus {
        let whole = self.whole();
        let watermark = Some(whole.watermarks.reached()).filter(|reached| *reached > i64::MIN);
        let mut status = OperatorStatus { counts: whole.told.counts, watermark, ..OperatorStatus::default() };
        self.watch.show(&whole.own, &mut status);
        status
    }
}
