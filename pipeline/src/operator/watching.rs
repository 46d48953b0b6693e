//! How events and time come to an operator.
//!
//! Owns: [`Watch`], what is an aggregate's own or a rule's own, and [`Watching`], what all operators do alike: they know streams,
//! read a batch without a lock, judge what is late, let time go on, keep what is ready, and are saved.
//! Promises: a batch is read beside other streams' batches and taken whole; what is late is counted, also what became late while it
//! was read.
//! Never: reads a clock, or waits; callers pass the time in.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::applied::{self, Applied};
use super::sent::Sent;
use super::{Arrived, Emitted, Operator, OperatorCounts, OperatorStatus, Scratch};
use crate::event::{Batch, Origin};
use crate::snapshot::{Decoder, Encoder, SnapshotError};
use crate::watermark::{Arrival, TimeLimits, Watermarks};

/// The version of what is saved, its first byte.
const VERSION: u8 = 1;

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

    /// Appends the state.
    fn save(&self, state: &Self::State, out: &mut Encoder<'_>);

    /// Takes over a state that was saved.
    fn load(&mut self, state: &mut Self::State, from: &mut Decoder<'_>) -> Option<()>;

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
    applied: Applied,
    sent: Sent,
    /// Whether event time has come to its end.
    is_over: bool,
    has_changed: bool,
}

impl<W: Watch> Watching<W> {
    pub(crate) fn new(watch: W, limits: TimeLimits, state: W::State) -> Self {
        let whole = Whole {
            watermarks: Watermarks::new(limits),
            own: state,
            told: Told::default(),
            applied: Applied::default(),
            sent: Sent::default(),
            is_over: false,
            has_changed: true,
        };
        Self { watch, whole: Mutex::new(whole) }
    }

    /// Makes documents of what is over, and says how many bytes of them are ready.
    fn catch_up(&self, whole: &mut Whole<W::State>) -> usize {
        self.watch.catch_up(whole.watermarks.reached(), &mut whole.own, &mut whole.told);
        whole.has_changed |= !whole.told.ready.ids.is_empty();
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

    fn forget(&self, stream: u64, is_settled: bool, now: i64) -> usize {
        let mut whole = self.whole();
        whole.applied.closed(stream, is_settled);
        whole.has_changed = true;
        whole.watermarks.forget(stream);
        whole.watermarks.advance(now);
        self.catch_up(&mut whole)
    }

    fn observe(&self, batch: &Batch, selected: &[u32], now: i64, scratch: &mut Scratch) -> usize {
        let stream = batch.stream.id();
        let (mut arrival, taken) = {
            let mut whole = self.whole();
            whole.watermarks.announce(stream, now);
            (whole.watermarks.arrival(stream), whole.applied.end_of(stream))
        };
        let selected = untaken(batch, selected, taken);
        let judged_by = arrival.watermark();
        // Without a lock: no other batch of this stream is under way, and what other streams do shows below.
        self.watch.read(batch, &selected, &mut arrival, scratch);
        let mut whole = self.whole();
        let Whole { watermarks, own, told, applied, .. } = &mut *whole;
        // Only for a stream that was idle can the watermark have gone on beyond what its events were judged by.
        let passed = Some(watermarks.reached()).filter(|reached| *reached > judged_by);
        self.watch.take(scratch, passed, own, told);
        applied.take(stream, applied::end_of(batch, &selected));
        watermarks.arrived(stream, arrival, now);
        whole.has_changed = true;
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
        whole.is_over = true;
        self.catch_up(&mut whole);
    }

    fn take_ready(&self) -> Arc<Emitted> {
        let Whole { told, sent, .. } = &mut *self.whole();
        sent.send(std::mem::take(&mut told.ready))
    }

    fn arrived(&self, arrived: &[Arrived]) {
        self.whole().sent.arrived(arrived);
    }

    fn keep(&mut self, stream: u64) {
        self.whole.get_mut().unwrap_or_else(PoisonError::into_inner).sent.keep(stream);
    }

    fn restore(&mut self, saved: &[u8], is_same: bool, now: i64) -> Result<Vec<Arc<Emitted>>, SnapshotError> {
        let (version, saved) = saved.split_first().ok_or(SnapshotError::Damaged)?;
        if *version != VERSION {
            return Err(SnapshotError::Version(*version));
        }
        let (watch, from) = (&mut self.watch, &mut Decoder::new(saved));
        let whole = self.whole.get_mut().unwrap_or_else(PoisonError::into_inner);
        whole.sent = Sent::load(from).ok_or(SnapshotError::Damaged)?;
        if is_same {
            whole.load(watch, from, now).ok_or(SnapshotError::Damaged)?;
        }
        Ok(whole.sent.under_way())
    }

    fn mark(&self) {
        self.whole().applied.mark();
    }

    fn has_changed(&self) -> bool {
        self.whole().has_changed
    }

    fn save(&self, arrived: &[Arrived], bytes: &mut Vec<u8>) {
        let mut whole = self.whole();
        let Whole { watermarks, own, told, applied, sent, is_over, has_changed } = &mut *whole;
        let mut out = Encoder::new(bytes);
        out.u8(VERSION);
        sent.arrived(arrived);
        sent.save(arrived, &told.ready, &mut out);
        applied.save(&mut out);
        out.u8(u8::from(!*is_over));
        if !*is_over {
            watermarks.save(&mut out);
            self.watch.save(own, &mut out);
        }
        // What is under way now may have arrived the next time.
        *has_changed = sent.bytes() > 0;
    }

    fn status(&self) -> OperatorStatus {
        let whole = self.whole();
        let watermark = Some(whole.watermarks.reached()).filter(|reached| *reached > i64::MIN);
        let mut status = OperatorStatus { counts: whole.told.counts, watermark, ..OperatorStatus::default() };
        self.watch.show(&whole.own, &mut status);
        status.bytes += whole.sent.bytes();
        status
    }
}

impl<S> Whole<S> {
    fn load<W: Watch<State = S>>(&mut self, watch: &mut W, from: &mut Decoder<'_>, now: i64) -> Option<()> {
        self.applied = Applied::load(from)?;
        match from.u8()? {
            0 => {}
            _ => {
                self.watermarks.load(from, now)?;
                watch.load(&mut self.own, from)?;
            }
        }
        from.is_empty().then_some(())
    }
}

/// Those of the events that were not taken before, which nearly always are all.
fn untaken<'e>(batch: &Batch, selected: &'e [u32], taken: u64) -> Cow<'e, [u32]> {
    let is_new = |event: &u32| batch.events[*event as usize].offset >= taken;
    if selected.iter().all(is_new) {
        Cow::Borrowed(selected)
    } else {
        selected.iter().copied().filter(is_new).collect::<Vec<_>>().into()
    }
}
