//! A worker: takes a batch through parse, transforms, routing and encoding in one go, while it is in cache.
//!
//! Owns: [`Worker`], the loop of one worker thread, [`Route`], what happens to one source's events, and [`Lane`],
//! a worker's end of one output.
//! Promises: batches leave in the order in which they came; nothing waits in a lane longer than the lane asked.
//! Never: waits for an answer of a store; a full output makes it wait, and the sources behind it.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::event::{Batch, EventFlags, Keys};
use crate::parse::Parser;
use crate::transform::Transform;

/// One worker's end of one output.
pub trait Lane: Send {
    /// Encodes the events of the batch with these indexes, keeping a clone of its ack. Waits while the output is full.
    fn write(&mut self, batch: &Batch, selected: &[u32]);

    /// When [`Lane::flush`] is to be called at the latest, or `None` when nothing waits.
    fn due(&self) -> Option<Instant>;

    /// Sends what was encoded.
    fn flush(&mut self);
}

/// What happens to the events of one source.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The transforms, in order.
    pub transforms: Vec<Arc<Transform>>,
    /// The outputs, as indexes of the worker's lanes.
    pub lanes: Vec<usize>,
}

/// The loop of one worker thread.
pub struct Worker {
    batches: Receiver<Batch>,
    parser: Parser,
    /// By [`crate::SourceMeta::index`].
    routes: Vec<Route>,
    lanes: Vec<Box<dyn Lane>>,
    selected: Vec<u32>,
}

impl Worker {
    /// A worker for these batches.
    #[must_use]
    pub fn new(
        batches: Receiver<Batch>,
        keys: Arc<Keys>,
        routes: Vec<Route>,
        lanes: Vec<Box<dyn Lane>>,
    ) -> Self {
        Self { batches, parser: Parser::new(keys), routes, lanes, selected: Vec::new() }
    }

    /// Works until every source is gone, then flushes and returns.
    pub fn run(mut self) {
        loop {
            match self.next() {
                Ok(batch) => self.process(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.flush_due();
        }
        for lane in &mut self.lanes {
            lane.flush();
        }
    }

    fn next(&self) -> Result<Batch, RecvTimeoutError> {
        match self.lanes.iter().filter_map(|lane| lane.due()).min() {
            Some(due) => self.batches.recv_deadline(due),
            None => self.batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn process(&mut self, mut batch: Batch) {
        self.parser.parse(&mut batch);
        let Some(route) = self.routes.get(batch.stream.source().index) else { return };
        for transform in &route.transforms {
            transform.apply(&mut batch);
        }
        select(&batch, &mut self.selected);
        if !self.selected.is_empty() {
            for &lane in &route.lanes {
                self.lanes[lane].write(&batch, &self.selected);
            }
        }
        self.parser.recycle(batch).done();
    }

    fn flush_due(&mut self) {
        let mut now = None;
        for lane in &mut self.lanes {
            if lane.due().is_some_and(|due| due <= *now.get_or_insert_with(Instant::now)) {
                lane.flush();
            }
        }
    }
}

/// The indexes of the events that no transform dropped.
fn select(batch: &Batch, selected: &mut Vec<u32>) {
    selected.clear();
    let kept = (0..).zip(&batch.events).filter(|(_, event)| !event.flags.contains(EventFlags::DROPPED));
    selected.extend(kept.map(|(index, _)| index));
}
