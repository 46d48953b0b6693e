//! The reader: records into batches, settled batches into the group's position.
//!
//! Owns: [`Reader`], the loop of the source's thread.
//! Promises: batches of a partition leave in the order of its records; nothing of a partition is sent that this member has
//! given back; the group is told of what is settled every second, before a partition is given back, and at the end; within
//! transactions (`round.rs`) by these alone.
//! Never: gives up a record for being wrong.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use super::assigned::Assigned;
use super::framing::RecordFacts;
use super::join::Join;
use super::lost::LOOK_AGAIN;
use super::place::Place;
use super::round::Round;
use super::run::{Limits, Record, Run};
use super::stall::Waiting;
use super::start::Beginning;
use super::status::KafkaSourceStatus;
use super::{GroupConsumer, KafkaSourceConfig, KafkaSourceError, OnLostPosition};
use crate::buffers::BufferPool;
use crate::checkpoint::Checkpoints;
use crate::source::{CHUNK_BYTES, PipelineEnded, SourceContext};

/// How long to wait for a record when none is there.
const IDLE: Duration = Duration::from_millis(100);
/// How long, when some were read but few: the next ones share their batch.
pub(super) const MOMENT: Duration = Duration::from_millis(2);
/// What is few.
const LIGHT_BYTES: usize = 64 * 1024;
/// Records between two looks at the clock.
const RECORDS_PER_TURN: usize = 256;
/// The same where they are read for a transaction, which has an end.
const RECORDS_PER_LOOK: usize = 32;
/// How often the group is told of what is settled.
pub(super) const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// Why the reader ends.
pub(super) enum End {
    /// Nobody takes batches any more.
    Pipeline,
    /// This member may not know what it is to read.
    JoinAgain,
    /// The client cannot go on.
    Source(KafkaSourceError),
}

/// What follows when it has ended.
pub(super) enum Next {
    /// The source has ended, too.
    Nothing,
    /// The group is joined again.
    JoinAgain,
}

impl From<PipelineEnded> for End {
    fn from(_: PipelineEnded) -> Self {
        Self::Pipeline
    }
}

/// The source's thread.
pub(super) struct Reader<'c> {
    pub(super) consumer: &'c GroupConsumer,
    pub(super) context: SourceContext,
    pub(super) status: Arc<KafkaSourceStatus>,
    pub(super) group: String,
    limits: Limits,
    pool: Arc<BufferPool>,
    /// The cluster's own name, which the ids of records depend on.
    pub(super) cluster: Option<String>,
    pub(super) assigned: Assigned,
    /// What goes into one transaction; none where the group is told of positions directly.
    pub(super) round: Option<Round>,
    /// What is read and not sent.
    pub(super) run: Option<Run>,
    /// A batch that nobody takes yet.
    pub(super) waiting: Option<Waiting>,
    /// Records that came while none could be taken.
    pub(super) late: VecDeque<BorrowedMessage<'c>>,
    /// Whether the partitions are paused.
    pub(super) is_paused: bool,
    /// How often the cluster is asked where the partitions end, while they are paused.
    pub(super) ends_every: Duration,
    /// When that is due.
    pub(super) ends_at: Instant,
    /// Where to begin.
    pub(super) beginning: Beginning,
    /// Whether a round was aborted, and its partitions are to be read again from the group's positions.
    pub(super) goes_back: bool,
    /// Where to go on.
    pub(super) on_lost_position: OnLostPosition,
    /// When to look for positions that are lost, if some may be.
    pub(super) lost_at: Option<Instant>,
    /// Whether the config leaves it open who assigns, and when to ask why nobody does.
    pub(super) join: Join,
    pub(super) commit_at: Instant,
    /// Where operators store what they remember of the events before the group is told of a position.
    pub(super) checkpoints: Option<Arc<Checkpoints>>,
    /// What has been told and not ended since.
    told: Vec<RDKafkaErrorCode>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(
        consumer: &'c GroupConsumer,
        config: &KafkaSourceConfig,
        context: SourceContext,
        status: Arc<KafkaSourceStatus>,
        round: Option<Round>,
    ) -> Self {
        let join = Join::new(config.group_protocol, status.rebalances.load(Relaxed));
        Self {
            consumer,
            context,
            status,
            group: config.group.clone(),
            limits: Limits { framing: config.framing, line_bytes_max: config.max_line_bytes },
            pool: BufferPool::new(4),
            cluster: None,
            assigned: Assigned::default(),
            round,
            run: None,
            waiting: None,
            late: VecDeque::new(),
            is_paused: false,
            ends_every: config.connection.statistics_interval,
            ends_at: Instant::now(),
            beginning: Beginning::new(config.start),
            goes_back: false,
            on_lost_position: config.on_lost_position,
            lost_at: None,
            join,
            commit_at: Instant::now() + COMMIT_EVERY,
            checkpoints: None,
            told: Vec::new(),
        }
    }

    pub(super) fn behind(self, checkpoints: Option<Arc<Checkpoints>>) -> Self {
        Self { checkpoints, ..self }
    }

    /// Reads until the stop is asked for or the pipeline ends, then waits for what is under way.
    pub(super) fn run(mut self) -> Result<Next, KafkaSourceError> {
        let mut end = Ok(());
        while end.is_ok() && !self.context.stop.is_asked() {
            end = self.turn();
        }
        let (next, end) = match end {
            Err(End::JoinAgain) => (Next::JoinAgain, self.give_all_back()),
            Err(End::Source(error)) => return Err(error),
            Ok(()) | Err(End::Pipeline) => (Next::Nothing, self.finish()),
        };
        match end {
            Err(End::Source(error)) => Err(error),
            Err(End::Pipeline) => Ok(Next::Nothing),
            Ok(()) | Err(End::JoinAgain) => Ok(next),
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        self.go_back_if_due()?;
        for number in 0..RECORDS_PER_TURN {
            if self.goes_back {
                self.serve_and_discard(IDLE)?;
                break;
            }
            if self.is_round_over(number % RECORDS_PER_LOOK == 0) {
                self.flush()?;
                self.end_round(None)?;
                break;
            }
            let patience = match &self.run {
                None => IDLE,
                Some(run) if run.filled() < LIGHT_BYTES => MOMENT,
                Some(_) => Duration::ZERO,
            };
            let patience = self.round.as_ref().map_or(patience, |round| round.patience(patience));
            let message = self.late.pop_front().map(Ok).or_else(|| self.consumer.poll(patience));
            match message {
                Some(Ok(message)) if self.has_refused(&message) => self.add_refused(&message)?,
                Some(Ok(message)) => self.add(&message)?,
                Some(Err(error)) => {
                    self.tell(&error)?;
                    break;
                }
                None => {
                    self.make_changes()?;
                    self.flush()?;
                    break;
                }
            }
        }
        self.make_changes()?;
        self.commit_if_due();
        self.place_if_due()?;
        self.find_lost_if_due()?;
        self.ask_who_assigns_if_due()?;
        self.join_again_if_unsure()
    }

    /// Adds a record to the run of its partition.
    pub(super) fn add(&mut self, message: &BorrowedMessage<'_>) -> Result<(), End> {
        let Ok(offset) = u64::try_from(message.offset()) else { return Ok(()) };
        if !self.told.is_empty() {
            self.told.clear();
        }
        let partition = (message.topic(), message.partition());
        let Some(value) = message.payload() else {
            self.status.null_values.fetch_add(1, Relaxed);
            if let Some(run) = self.room(partition, offset, 0)? {
                run.skip(offset);
            }
            return Ok(());
        };
        let record = Record { offset, facts: RecordFacts::of(message.headers()), value };
        let limits = self.limits;
        let bytes = Run::bytes_of(&record, limits).max(1);
        if let Some(run) = self.room(partition, offset, bytes)? {
            run.add(record, limits);
            self.round.iter_mut().for_each(|round| round.count(message));
        }
        Ok(())
    }

    /// The run of a partition, with room for so many bytes. `None` when this member has given the partition back, or is to
    /// stop.
    fn room(
        &mut self,
        (topic, partition): (&str, i32),
        offset: u64,
        bytes: usize,
    ) -> Result<Option<&mut Run>, End> {
        let epoch = Place::of(offset).epoch;
        let fits = |run: &Run| {
            (run.partition, &*run.topic, run.epoch) == (partition, topic, epoch)
                && (!run.has_chunk() || run.has_room(bytes))
        };
        if self.run.as_ref().is_some_and(|run| fits(run) && (run.has_chunk() || bytes == 0)) {
            return Ok(self.run.as_mut());
        }
        let Some((name, number)) = self.assigned.find(topic, partition) else { return Ok(None) };
        let name = Arc::clone(name);
        let mut run = match self.run.take_if(|run| fits(run)) {
            Some(run) => run,
            None => {
                self.flush()?;
                Run::new(name, partition, epoch, offset, crate::time::now())
            }
        };
        if bytes > 0 {
            let bytes = bytes.max(CHUNK_BYTES);
            let Some(held) = self.memory(bytes)? else { return Ok(None) };
            run.use_chunk(self.pool.take(bytes), held);
        }
        // While this waited the partition may have been given back, and then the record is another member's, or comes again.
        if self.assigned.find(topic, partition).is_some_and(|(_, now)| now == number) {
            self.run = Some(run);
        }
        Ok(self.run.as_mut())
    }

    /// Sends what is read.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let (topic, partition) = (Arc::clone(&run.topic), run.partition);
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let place = (&*topic, partition);
        let stream = self.assigned.stream(place, run.epoch, run.first, cluster, &self.context.meta);
        let Some(stream) = stream else { return Ok(()) };
        self.checkpoints.iter().for_each(|checkpoints| checkpoints.await_store(&stream));
        if !self.enter_round(&stream, run.filled())? {
            return Ok(());
        }
        self.assigned.set_next(place, run.end);
        match run.into_batch(&stream, &self.pool) {
            Some(batch) => self.hand_over(Waiting { batch, topic, partition }),
            None => Ok(()),
        }
    }

    /// Serves the client while no record can be taken. One that comes all the same is kept.
    pub(super) fn serve(&mut self, patience: Duration) -> Result<(), End> {
        match self.consumer.poll(patience) {
            Some(Ok(message)) => self.late.push_back(message),
            Some(Err(error)) => self.tell(&error)?,
            None => {}
        }
        Ok(())
    }

    /// Says once what goes wrong; it is said again when records have come since.
    pub(super) fn tell(&mut self, error: &KafkaError) -> Result<(), End> {
        let context = self.consumer.context();
        match error {
            KafkaError::MessageConsumptionFatal(code) => {
                let reason = self
                    .consumer
                    .client()
                    .fatal_error()
                    .map_or_else(|| error.to_string(), |(_, reason)| reason);
                Err(End::Source(KafkaSourceError::Fatal { group: self.group.clone(), code: *code, reason }))
            }
            // The client says of no partition which it is.
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                self.lost_at.get_or_insert_with(|| Instant::now() + LOOK_AGAIN);
                Ok(())
            }
            KafkaError::MessageConsumption(code)
            | KafkaError::MetadataFetch(code)
            | KafkaError::OffsetFetch(code) => {
                if !self.told.contains(code) {
                    self.told.push(*code);
                    let (source, group) = (&self.context.meta.name, &self.group);
                    let reason = context.last_failure().unwrap_or_default();
                    tracing::warn!(source, group, %error, reason, "cannot read for now; goes on as soon as it can");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits for what is under way, as long as the process does, and tells the group of it.
    fn finish(mut self) -> Result<(), End> {
        self.run = None;
        self.pause();
        if self.round.is_some() {
            return self.end_round(None);
        }
        while self.assigned.has_under_way(None) {
            self.serve(MOMENT)?;
            self.late.clear();
            self.make_changes()?;
            self.commit_if_due();
        }
        self.commit_and_wait()
    }
}
