//! A worker: takes a batch through parse, transforms, routing and encoding in one go, while it is in cache.
//!
//! Owns: [`Worker`], the loop of one worker thread, and [`Lane`], its end of one output.
//! Promises: batches leave in the order in which they came; nothing waits in a lane longer than the lane asked.
//! Never: waits for an answer of a store. While an output is full the worker takes no batch for it, and the sources
//! behind it wait; the other outputs get what was encoded for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::event::{Batch, Keys};
use crate::parse::Parser;
use crate::router::{Router, Way};
use crate::tap::Taps;

/// How long to wait for a full output before the others are looked after.
const PATIENCE: Duration = Duration::from_millis(50);

/// One worker's end of one output.
pub trait Lane: Send {
    /// Whether the output can take one more batch; waits for that at most `patience`.
    fn has_room(&mut self, patience: Duration) -> bool;

    /// Encodes the events of the batch with these indexes, keeping a clone of its ack. Never waits: what a batch needs
    /// beyond the output's bound is granted.
    fn write(&mut self, batch: &Batch, selected: &[u32]);

    /// When [`Lane::flush`] is to be called at the latest, or `None` when nothing waits.
    fn due(&self) -> Option<Instant>;

    /// Sends what was encoded.
    fn flush(&mut self);

    /// A batch waited so long for room in some output.
    fn held_up(&mut self, _time: Duration) {}

    /// No batch waits: sends what was encoded if that is better than to be woken for it later.
    fn idle(&mut self) {}
}

/// A lane to an output that nothing reaches.
#[derive(Debug)]
pub struct Unreached;

impl Lane for Unreached {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, _: &Batch, _: &[u32]) {}

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}

/// The loop of one worker thread.
pub struct Worker {
    batches: Receiver<Batch>,
    parser: Parser,
    router: Router,
    /// By [`crate::SourceMeta::index`].
    ways: Vec<SourceWay>,
    lanes: Vec<Box<dyn Lane>>,
}

/// Where the events of one source go.
struct SourceWay {
    way: Way,
    /// Every lane that they may reach.
    lanes: Vec<usize>,
}

impl Worker {
    /// A worker for these batches. `ways` are those of the sources, by [`crate::SourceMeta::index`].
    #[must_use]
    pub fn new(batches: Receiver<Batch>, keys: Arc<Keys>, ways: Vec<Way>, lanes: Vec<Box<dyn Lane>>) -> Self {
        let ways = ways.into_iter().map(|way| SourceWay { lanes: way.all_lanes(), way }).collect();
        Self { batches, parser: Parser::new(Arc::clone(&keys)), router: Router::new(keys), ways, lanes }
    }

    /// The same, showing events to those who listen at these taps.
    #[must_use]
    pub fn tapped(self, taps: Arc<Taps>) -> Self {
        Self { router: self.router.tapped(taps), ..self }
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
            if self.batches.is_empty() {
                self.lanes.iter_mut().for_each(|lane| lane.idle());
            }
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
        self.wait_for_room(batch.stream.source().index);
        self.parser.parse(&mut batch);
        if let Some(skew) = batch.stream.clock_skew() {
            skew.observe(&batch);
        }
        if let Some(source) = self.ways.get(batch.stream.source().index) {
            self.router.route(&source.way, &mut batch, &mut self.lanes);
        }
        self.parser.recycle(batch).done();
    }

    /// Waits until every output of the source has room. The other outputs get what is due to them meanwhile.
    fn wait_for_room(&mut self, source: usize) {
        let lanes = self.ways.get(source).map_or(0, |source| source.lanes.len());
        for place in 0..lanes {
            let lane = self.ways[source].lanes[place];
            let mut since = Instant::now();
            while !self.lanes[lane].has_room(PATIENCE) {
                self.flush_due();
                let waited = std::mem::replace(&mut since, Instant::now()).elapsed();
                self.lanes.iter_mut().for_each(|lane| lane.held_up(waited));
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;

    use super::*;
    use crate::event::{ConstantSet, EventFlags, Span};
    use crate::stream::Position;
    use crate::testing;

    /// An output that takes one batch and then has no room before the other one was flushed.
    struct Full {
        batches: usize,
        asked: usize,
        flushed: Arc<AtomicUsize>,
    }

    /// An output that wants every batch flushed at once.
    struct Other {
        waits: bool,
        flushed: Arc<AtomicUsize>,
    }

    impl Lane for Full {
        fn has_room(&mut self, _: Duration) -> bool {
            self.asked += 1;
            assert!(self.asked < 1000, "the other output was never flushed");
            self.batches == 0 || self.flushed.load(Ordering::Relaxed) > 0
        }

        fn write(&mut self, _: &Batch, _: &[u32]) {
            self.batches += 1;
        }

        fn due(&self) -> Option<Instant> {
            None
        }

        fn flush(&mut self) {
            assert_eq!(self.batches, 2);
        }
    }

    impl Lane for Other {
        fn has_room(&mut self, _: Duration) -> bool {
            true
        }

        fn write(&mut self, _: &Batch, selected: &[u32]) {
            assert_eq!(selected, [0]);
            self.waits = true;
        }

        fn due(&self) -> Option<Instant> {
            self.waits.then(Instant::now)
        }

        fn flush(&mut self) {
            self.waits = false;
            self.flushed.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_output_without_room_does_not_hold_up_what_others_have() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let flushed = Arc::new(AtomicUsize::new(0));
        let full = Full { batches: 0, asked: 0, flushed: Arc::clone(&flushed) };
        let other = Other { waits: false, flushed };
        let (sender, batches) = crossbeam_channel::bounded(2);
        for offset in [0, 2] {
            let event = Batch::line(Span { start: 0, len: 1 }, offset, 0, EventFlags::default());
            let ack = stream.begin(Position::default(), 1, 2);
            sender
                .send(Batch::new(Bytes::from_static(b"x\n"), vec![event], Arc::clone(&stream), 0, ack))
                .unwrap();
        }
        drop(sender);
        let way = Way { lanes: vec![0, 1], branches: Vec::new() };
        Worker::new(batches, Keys::new(1), vec![way], vec![Box::new(full), Box::new(other)]).run();
        assert!(stream.is_settled());
    }
}
