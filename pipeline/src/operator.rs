//! What watches events and makes others of them: aggregates and rules.
//!
//! Owns: [`Operator`], what both are to those who bring them events and time, and [`Emitted`], what comes of that.
//! Promises: an operator never waits and reads no clock: its callers pass the time in; an event counts once, also one that is
//! read again after a crash; what an operator remembers can be saved and taken over.
//! Never: sends anything; [`crate::source::results`] does.

mod applied;
mod sent;
mod watching;

use std::fmt;
use std::sync::Arc;

use crate::aggregate::AggregateScratch;
use crate::event::{Batch, Origin};
use crate::rule::{RuleScratch, SigmaScratch};
use crate::snapshot::SnapshotError;
pub use sent::Arrived;
pub(crate) use watching::{Told, Watch, Watching};

/// What watches events and makes others of them.
pub trait Operator: fmt::Debug + Send + Sync {
    /// Its name in the config.
    fn name(&self) -> &Arc<str>;

    /// What it is: `aggregate` or `rule`.
    fn kind(&self) -> &'static str;

    /// Makes a stream known before its first event, or says that it is alive: time does not go on without it. `now` is the
    /// time on the wall clock, here and below.
    fn announce(&self, stream: u64, now: i64);

    /// A stream is over: time goes on without it. `is_settled` is whether nothing of it will be read again. Says how many bytes
    /// of documents are ready.
    fn forget(&self, stream: u64, is_settled: bool, now: i64) -> usize;

    /// Takes the selected events of a batch, which is the next of its stream. Says how many bytes of documents are ready.
    fn observe(&self, batch: &Batch, selected: &[u32], now: i64, scratch: &mut Scratch) -> usize;

    /// Lets time go on. Says how many bytes of documents are ready.
    fn advance(&self, now: i64) -> usize;

    /// Nothing comes any more: event time has come to its end. Whoever takes over what is saved then begins anew.
    fn end(&self);

    /// The documents that are ready, in their order.
    fn take_ready(&self) -> Arc<Emitted>;

    /// Documents have arrived where they go.
    fn arrived(&self, arrived: &[Arrived]);

    /// Keeps documents from now on until they have arrived, and sends them in this stream, whose number no other has.
    fn keep(&mut self, stream: u64);

    /// Takes over what another has saved: with the same settings all of it, else the documents that had not arrived. Gives
    /// those: they are to be sent again in their streams. After an error the operator is of no use.
    ///
    /// # Errors
    /// When the bytes are none of this version, or damaged.
    fn restore(&mut self, saved: &[u8], is_same: bool, now: i64) -> Result<Vec<Arc<Emitted>>, SnapshotError>;

    /// The positions of sources are read from now on: what is saved next holds all that they have passed.
    fn mark(&self);

    /// Whether it remembers something else than what was saved last, the time apart, which goes on by itself.
    fn has_changed(&self) -> bool;

    /// Appends everything that it remembers, with the documents that have not arrived.
    fn save(&self, arrived: &[Arrived], bytes: &mut Vec<u8>);

    /// What it holds and has counted.
    fn status(&self) -> OperatorStatus;
}

/// What one worker needs to read events for one operator.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) aggregate: AggregateScratch,
    pub(crate) rule: RuleScratch,
    pub(crate) sigma: SigmaScratch,
}

/// Documents that are ready to leave.
#[derive(Clone, Debug, Default)]
pub struct Emitted {
    /// The number of the stream that they are sent in.
    pub stream: u64,
    /// Where the first stands in it, in bytes.
    pub offset: u64,
    /// One JSON object a line.
    pub lines: Vec<u8>,
    /// The identity of each: the same whenever the same comes of the same events.
    pub ids: Vec<Origin>,
}

/// What an operator counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorCounts {
    /// Events that came too late to count.
    pub late: u64,
    /// Events that lack a field that is asked for.
    pub without_field: u64,
    /// Events whose times were too far ahead.
    pub future: u64,
    /// Events of groups for which there was no room.
    pub refused: u64,
    /// Groups that were forgotten for want of room.
    pub evicted: u64,
    /// Documents made.
    pub documents: u64,
}

/// What an operator holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorStatus {
    /// What it counted.
    pub counts: OperatorCounts,
    /// Groups with state, each as often as there are windows or parts of windows with it.
    pub groups: usize,
    /// About how many bytes of memory they take.
    pub bytes: usize,
    /// The watermark, once there is one.
    pub watermark: Option<i64>,
}
