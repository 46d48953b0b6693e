//! Rounds: what is read, processed, written and committed in one transaction.
//!
//! Owns: [`Round`], and its beginning and end in the reader's loop.
//! Promises: a round is committed only when every event of it is settled and every record of it is in the transaction;
//! otherwise it is aborted, and read again from the positions that the group has, when nothing of it is under way any more.
//! Never: tells the group of a position outside of a transaction.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::message::BorrowedMessage;

use super::KafkaSourceError;
use super::reader::{End, Reader};
use super::stall::{GIVE_BACK_MAX, LOOK_EVERY, PAUSE_AFTER};
use crate::kafka::transaction::{Step, Transaction, TransactionEnded};
use crate::stream::Stream;

/// Bytes of a round: what is read again when it is aborted.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long to wait for an answer before the client of the group is served.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// How long to serve it at once while something is waited for.
const SERVE: Duration = Duration::from_millis(20);

impl From<TransactionEnded> for End {
    fn from(ended: TransactionEnded) -> Self {
        Self::Source(KafkaSourceError::Transaction(ended))
    }
}

/// Where a record stands.
#[derive(Debug)]
struct RecordPlace {
    topic: String,
    partition: i32,
    offset: i64,
}

impl RecordPlace {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let (topic, partition) = (message.topic().to_owned(), message.partition());
        Self { topic, partition, offset: message.offset() }
    }

    fn is_of(&self, message: &BorrowedMessage<'_>) -> bool {
        (self.offset, self.partition) == (message.offset(), message.partition())
            && self.topic == message.topic()
    }
}

/// What goes into one transaction.
#[derive(Debug)]
pub(super) struct Round {
    transaction: Arc<dyn Transaction>,
    /// When its first batch was made, or a position was to be told; none before.
    began: Option<Instant>,
    bytes: usize,
    records: usize,
    /// Records that it may have: fewer and fewer while one of them is refused, to find it.
    records_max: usize,
    /// The record, if it is the only one that it may have.
    single: Option<RecordPlace>,
    /// The record that was refused when it was alone.
    refused: Option<RecordPlace>,
    /// Whether this one is for that record, which is refused for good.
    refuses: bool,
    /// Whether its transaction is aborted; what is under way of it goes nowhere.
    is_aborted: bool,
    /// Those of its batches, also of partitions that were given back since.
    streams: Vec<Arc<Stream>>,
}

impl Round {
    /// One that has not begun.
    pub(super) fn new(transaction: Arc<dyn Transaction>) -> Self {
        Self {
            transaction,
            began: None,
            bytes: 0,
            records: 0,
            records_max: usize::MAX,
            single: None,
            refused: None,
            refuses: false,
            is_aborted: false,
            streams: Vec::new(),
        }
    }

    /// Begins its transaction, unless that is done.
    fn begin(&mut self) -> Result<(), TransactionEnded> {
        if self.began.is_none() {
            self.transaction.begin(self.refuses)?;
            self.began = Some(Instant::now());
        }
        Ok(())
    }

    /// A record was read.
    pub(super) fn count(&mut self, message: &BorrowedMessage<'_>) {
        self.records += 1;
        if self.records_max == 1 {
            self.single = Some(RecordPlace::of(message));
        }
    }

    /// Whether this is the record that was refused when it was alone.
    fn has_refused(&self, message: &BorrowedMessage<'_>) -> bool {
        self.refused.as_ref().is_some_and(|place| place.is_of(message))
    }

    /// How long to wait for a record, at most `patience`.
    pub(super) fn patience(&self, patience: Duration) -> Duration {
        match self.began.filter(|_| !patience.is_zero()) {
            Some(began) => patience.min(self.transaction.interval().saturating_sub(began.elapsed())),
            None => patience,
        }
    }

    fn is_full(&self) -> bool {
        self.records >= self.records_max || self.bytes >= BYTES_MAX
    }

    fn is_over(&self) -> bool {
        let is_late = |began: Instant| began.elapsed() >= self.transaction.interval();
        self.is_full() || self.began.is_some_and(is_late) || self.has_failed()
    }

    fn has_failed(&self) -> bool {
        self.is_aborted || (self.began.is_some() && self.transaction.has_failed())
    }

    fn is_under_way(&self) -> bool {
        self.streams.iter().any(|stream| stream.is_under_way())
    }

    fn is_complete(&self) -> bool {
        !self.has_failed() && self.streams.iter().all(|stream| stream.is_settled())
    }

    fn end(&mut self) {
        (self.began, self.bytes, self.records) = (None, 0, 0);
        (self.single, self.refuses, self.is_aborted) = (None, false, false);
        self.streams.clear();
    }

    fn committed(&mut self) {
        if self.refuses {
            self.refused = None;
        }
        self.records_max = self.records_max.saturating_mul(2);
        self.end();
    }

    fn aborted(&mut self) {
        if self.transaction.was_refused() {
            if self.records <= 1 {
                self.refused = self.single.take();
            }
            self.records_max = (self.records / 2).max(1);
        }
        self.end();
    }
}

impl Reader<'_> {
    /// Whether nothing more is to be read before the round is ended. The clock is looked at when `looks`.
    pub(super) fn is_round_over(&self, looks: bool) -> bool {
        self.round.as_ref().is_some_and(|round| if looks { round.is_over() } else { round.is_full() })
    }

    /// Whether this is the record that was refused when it was alone.
    pub(super) fn has_refused(&self, message: &BorrowedMessage<'_>) -> bool {
        self.round.as_ref().is_some_and(|round| round.has_refused(message))
    }

    /// Begins the round without a batch, so that the group is told of positions.
    pub(super) fn begin_round(&mut self) -> Result<(), End> {
        self.round.as_mut().map_or(Ok(()), |round| Ok(round.begin()?))
    }

    /// A batch of this stream, with so many bytes, is part of the round; the first one begins the transaction. False when the
    /// round has failed: the batch will be read again.
    pub(super) fn enter_round(&mut self, stream: &Arc<Stream>, bytes: usize) -> Result<bool, End> {
        let Some(round) = &mut self.round else { return Ok(true) };
        round.begin()?;
        if round.has_failed() {
            return Ok(false);
        }
        round.bytes += bytes;
        if !round.streams.iter().any(|known| Arc::ptr_eq(known, stream)) {
            round.streams.push(Arc::clone(stream));
        }
        Ok(true)
    }

    /// Makes a round of the record that was refused when it was alone, for the dead letter.
    pub(super) fn add_refused(&mut self, message: &BorrowedMessage<'_>) -> Result<(), End> {
        let partition = (message.topic(), message.partition());
        let number = |reader: &Self| reader.assigned.find(partition.0, partition.1).map(|(_, number)| number);
        let before = number(self);
        self.flush()?;
        self.end_round(None)?;
        if number(self) != before {
            // It comes again, here or elsewhere.
            return Ok(());
        }
        self.round.iter_mut().for_each(|round| round.refuses = true);
        self.add(message)?;
        self.flush()?;
        self.end_round(None)
    }

    /// Ends the round when all of it is settled. One that is not by the deadline has failed: what is late then is waited for,
    /// but not committed.
    pub(super) fn end_round(&mut self, deadline: Option<Instant>) -> Result<(), End> {
        let was_paused = self.is_paused;
        self.drain_round(deadline)?;
        let Some(round) = &mut self.round else { return Ok(()) };
        if round.is_under_way() {
            self.fail_round("not all was written before partitions were to be given back");
        } else if round.began.is_none() {
            round.end();
        } else {
            let is_committed = round.is_complete() && self.commit_round()?;
            if !is_committed {
                self.abort_round()?;
            }
        }
        if self.is_paused && !was_paused {
            self.resume();
        }
        Ok(())
    }

    /// Ends the round before partitions are given back, within a bounded time.
    pub(super) fn give_back_round(&mut self) -> Result<(), End> {
        if self.consumer.assignment_lost() {
            self.fail_round("the group has given its partitions to others");
        }
        if !self.has_round_failed()
            && let Some(waiting) = self.waiting.take()
        {
            self.offer(waiting, GIVE_BACK_MAX)?;
        }
        if self.waiting.is_some() {
            self.fail_round("partitions were to be given back while an output was full");
        }
        if !self.has_round_failed() {
            self.end_round(Some(Instant::now() + GIVE_BACK_MAX))?;
        }
        if self.has_round_failed()
            && let Some(waiting) = self.waiting.take()
        {
            waiting.give_back();
        }
        Ok(())
    }

    pub(super) fn has_round_failed(&self) -> bool {
        self.round.as_ref().is_some_and(Round::has_failed)
    }

    fn fail_round(&self, reason: &str) {
        if let Some(round) = self.round.as_ref().filter(|round| round.began.is_some() && !round.is_aborted) {
            round.transaction.fail(reason);
        }
    }

    /// Waits until nothing of the round is under way, or until the deadline.
    fn drain_round(&mut self, deadline: Option<Instant>) -> Result<(), End> {
        let pause_at = Instant::now() + PAUSE_AFTER;
        while self.round.as_ref().is_some_and(Round::is_under_way) {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(());
            }
            if self.has_round_failed() {
                self.abort_once()?;
            }
            if !self.is_paused && now < pause_at {
                thread::park_timeout(LOOK_EVERY);
                continue;
            }
            self.wait_paused()?;
            if deadline.is_none() {
                self.make_changes()?;
            }
        }
        Ok(())
    }

    /// Serves the group's client, with the partitions paused.
    fn wait_paused(&mut self) -> Result<(), End> {
        if !self.is_paused {
            self.pause();
        }
        self.serve(SERVE)?;
        self.ask_for_ends_if_due();
        Ok(())
    }

    /// Commits the transaction with the positions, once what operators remember of the events is stored. False when it failed.
    fn commit_round(&mut self) -> Result<bool, End> {
        // The store has said so aloud.
        if self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.flush().is_err()) {
            return Ok(false);
        }
        let positions = self.assigned.take_progress(|stream| stream.acknowledged().offset);
        loop {
            let Some(round) = &mut self.round else { return Ok(true) };
            let Some(group) = self.consumer.group_metadata() else { return Ok(false) };
            match round.transaction.commit(&positions, &group, ANSWER_PATIENCE)? {
                Step::Done => {
                    round.committed();
                    self.status.set_positions(&positions);
                    return Ok(true);
                }
                Step::Failed => return Ok(false),
                Step::NotYet => self.wait_paused()?,
            }
        }
    }

    /// Aborts the transaction; what was read for it is read again from where the group is.
    fn abort_round(&mut self) -> Result<(), End> {
        self.fail_round("not all of it was written");
        while !self.abort_once()? {
            if self.context.stop.is_asked() {
                // The coordinator aborts it when its time is over, or another takes the id.
                return Ok(());
            }
            self.wait_paused()?;
        }
        self.round.iter_mut().for_each(Round::aborted);
        self.run = None;
        self.late.clear();
        self.assigned.begin_again();
        self.goes_back = true;
        Ok(())
    }

    /// Aborts the transaction, unless that is done; says whether it is. Records that the client still has come back by it.
    pub(super) fn abort_once(&mut self) -> Result<bool, End> {
        let Some(round) = &mut self.round else { return Ok(true) };
        if !round.is_aborted {
            round.is_aborted = round.transaction.abort(ANSWER_PATIENCE)? == Step::Done;
        }
        Ok(round.is_aborted)
    }
}
