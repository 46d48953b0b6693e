//! Streams: the ordered byte sequences that sources read, and how far each is acknowledged.
//!
//! Owns: [`SourceMeta`] (what is constant for a configured source), [`Stream`] (one file's or connection's identity)
//! and its low-water mark.
//! Promises: the acknowledged position is contiguous: everything before it is settled, however the outputs finish;
//! it never moves past an unfinished or failed batch.
//! Never: reads or stores a position on disk; sources do.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use logweir_parsers::{Format, Zone};
use xxhash_rust::xxh3::xxh3_64;

use crate::ack::{Ack, Outcome};
use crate::event::{ConstantSet, Constants};
use crate::ledger::SourceLedger;
use crate::parse::{FormatId, Grammar, Grammars};
use crate::source::syslog::ClockSkew;

/// What is constant for one configured source.
#[derive(Debug)]
pub struct SourceMeta {
    /// Its place in the list of sources; routes are found by it.
    pub index: usize,
    /// Its name in the config.
    pub name: String,
    /// The formats to try, in order. The first that fits takes the line.
    pub formats: Vec<Grammar>,
    /// The grammars that read the message of a line that was parsed, if any do.
    pub parse_message: Option<Grammars>,
    /// Its constant fields.
    pub constants: Constants,
    /// The zone of times that name none.
    pub zone: Zone,
    /// Whether to keep the line as `event.original` beside the fields parsed from it.
    pub keep_original: bool,
    /// Its ledger.
    pub ledger: Arc<SourceLedger>,
    /// Who hears of its streams.
    pub listeners: Vec<Arc<dyn StreamListener>>,
}

/// Who hears of the streams of a source.
pub trait StreamListener: fmt::Debug + Send + Sync {
    /// There is a stream with this number; none of its events was sent yet.
    fn opened(&self, stream: u64);

    /// Nothing of it is under way, and nothing more will come; `is_settled` is whether all of it is settled, so that nothing of
    /// it will be read again.
    fn closed(&self, stream: u64, is_settled: bool);
}

/// What stands for streams that a source does not have yet, until it has looked for them or their first events have come.
#[derive(Debug)]
pub struct Starting {
    source: Arc<SourceMeta>,
    stream: u64,
}

impl Starting {
    /// The source looks for its streams in this place.
    #[must_use]
    pub fn new(source: &Arc<SourceMeta>, place: &str) -> Self {
        let stream = xxh3_64(format!("{}\0{place}", source.name).as_bytes());
        source.listeners.iter().for_each(|listener| listener.opened(stream));
        Self { source: Arc::clone(source), stream }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.source.listeners.iter().for_each(|listener| listener.closed(self.stream, true));
    }
}

impl SourceMeta {
    /// The format to which a line belongs that none took: the dataset of its neighbours is the first one's.
    #[inline]
    #[must_use]
    pub fn first_format(&self) -> FormatId {
        self.formats.first().map_or(FormatId::Known(Format::Raw), |grammar| grammar.id(0))
    }
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes before the place, at the beginning of a line.
    pub offset: u64,
    /// A hash of the bytes just before the place, by which a file source knows its place again; 0 for others.
    pub marker: u64,
}

/// One ordered sequence of bytes: a generation of a file, a connection, standard input.
#[derive(Debug)]
pub struct Stream {
    id: u64,
    source: Arc<SourceMeta>,
    constants: ConstantSet,
    clock_skew: OnceLock<Arc<ClockSkew>>,
    progress: Mutex<Progress>,
}

/// The batches that are not yet behind the low-water mark, in order.
#[derive(Debug)]
struct Progress {
    acknowledged: Position,
    first_sequence: u64,
    pending: VecDeque<Pending>,
    /// Batches that somebody holds.
    under_way: usize,
}

#[derive(Debug)]
struct Pending {
    end: Position,
    settled: bool,
}

impl Stream {
    /// A stream that is acknowledged up to `start`. `id` is the first half of its events' `_id`; `constants` are its
    /// own constant fields, such as `log.file.path`.
    #[must_use]
    pub fn new(id: u64, source: Arc<SourceMeta>, constants: ConstantSet, start: Position) -> Arc<Self> {
        let progress =
            Progress { acknowledged: start, first_sequence: 0, pending: VecDeque::new(), under_way: 0 };
        let clock_skew = OnceLock::new();
        source.listeners.iter().for_each(|listener| listener.opened(id));
        Arc::new(Self { id, source, constants, clock_skew, progress: Mutex::new(progress) })
    }

    /// The stream's identity: the same for the same bytes, also after a restart.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The source that reads it.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceMeta> {
        &self.source
    }

    /// Its own constant fields.
    #[must_use]
    pub fn constants(&self) -> &ConstantSet {
        &self.constants
    }

    /// Lets whoever parses its events note how far their hosts' clocks are off.
    pub(crate) fn note_clock_skew(&self, skew: Arc<ClockSkew>) {
        self.clock_skew.get_or_init(|| skew);
    }

    /// Where to note how far the hosts' clocks are off.
    pub(crate) fn clock_skew(&self) -> Option<&Arc<ClockSkew>> {
        self.clock_skew.get()
    }

    /// Announces a batch of `events` events and `bytes` bytes that ends at `end`. Batches are announced in order.
    #[must_use]
    pub fn begin(self: &Arc<Self>, end: Position, events: u64, bytes: u64) -> Ack {
        self.source.ledger.read(events, bytes);
        let mut progress = self.progress();
        progress.pending.push_back(Pending { end, settled: false });
        progress.under_way += 1;
        let sequence = progress.first_sequence + progress.pending.len() as u64 - 1;
        drop(progress);
        Ack::new(Arc::clone(self), sequence, events)
    }

    /// How far everything is settled.
    #[must_use]
    pub fn acknowledged(&self) -> Position {
        self.progress().acknowledged
    }

    /// Whether everything announced is settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.progress().pending.is_empty()
    }

    /// Whether somebody holds a batch. Of one that nobody holds, settled or failed, nothing more is to be expected.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.progress().under_way > 0
    }

    /// The batch numbered `sequence` has come to its end.
    pub(crate) fn settle(&self, sequence: u64, outcome: Outcome) {
        let complete = outcome.complete;
        self.source.ledger.settled(outcome);
        let mut progress = self.progress();
        progress.under_way -= 1;
        if !complete {
            return;
        }
        let index = usize::try_from(sequence - progress.first_sequence).unwrap_or(usize::MAX);
        if let Some(pending) = progress.pending.get_mut(index) {
            pending.settled = true;
        }
        while progress.pending.front().is_some_and(|pending| pending.settled) {
            if let Some(pending) = progress.pending.pop_front() {
                progress.acknowledged = pending.end;
                progress.first_sequence += 1;
            }
        }
        if progress.pending.is_empty() {
            // Of many streams few have something under way.
            progress.pending = VecDeque::new();
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let is_settled = self.is_settled();
        self.source.listeners.iter().for_each(|listener| listener.closed(self.id, is_settled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn at(offset: u64) -> Position {
        Position { offset, marker: offset * 3 }
    }

    #[test]
    fn the_position_is_the_contiguous_low_water_mark() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let [one, two, three] = [10, 20, 30].map(|end| stream.begin(at(end), 1, 10));
        three.done();
        assert_eq!(stream.acknowledged(), at(0));
        one.done();
        assert_eq!(stream.acknowledged(), at(10));
        two.done();
        assert_eq!(stream.acknowledged(), at(30));
        assert!(stream.is_settled());
    }

    #[test]
    fn a_batch_is_done_when_its_last_holder_is() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let ack = stream.begin(at(10), 5, 10);
        let (one, two) = (ack.clone(), ack.clone());
        ack.done();
        one.rejected(3);
        two.rejected(3);
        one.done();
        assert_eq!(stream.source().ledger.counts().in_flight, 5);
        two.done();
        let counts = stream.source().ledger.counts();
        assert_eq!((counts.delivered, counts.rejected, counts.in_flight), (4, 1, 0));
        assert!(counts.adds_up());
    }

    #[test]
    fn what_is_read_again_is_no_longer_in_flight_and_holds_the_position_back() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let ack = stream.begin(at(10), 3, 10);
        ack.rejected(1);
        ack.clone().read_again();
        ack.done();
        assert_eq!(stream.acknowledged(), at(0));
        assert!(!stream.is_under_way() && !stream.is_settled());
        let counts = stream.source().ledger.counts();
        assert_eq!((counts.dropped["read again"], counts.rejected, counts.in_flight), (3, 0, 0));
        assert!(counts.adds_up());
    }

    #[test]
    fn a_handle_that_is_only_dropped_holds_the_position_back() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let failing = stream.begin(at(10), 1, 10);
        let later = stream.begin(at(20), 1, 10);
        drop(failing.clone());
        failing.done();
        later.done();
        assert_eq!(stream.acknowledged(), at(0));
        assert!(!stream.is_under_way() && !stream.is_settled());
        let counts = stream.source().ledger.counts();
        assert_eq!((counts.delivered, counts.in_flight), (1, 1));
        assert!(counts.adds_up());
    }
}
