//! What the client tells: changes of the assignment, its log, and there which commits failed.
//!
//! Owns: [`GroupContext`], which the client calls on the thread that polls it.
//! Promises: a change is only noted, in order; the reader makes it when it has finished what it must before.
//! Never: waits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::status::KafkaSourceStatus;

/// The name under which the client tells in its log of requests that were not answered in time.
const TIMEOUT_FACILITY: &str = "REQTMOUT";
/// How it tells of one that the brokers got, and whose answer it will not take.
const LOST_ANSWER: &str = "ConsumerGroupHeartbeatRequest in flight";
/// And of a commit that failed: rdkafka calls nobody back for one that is not waited for.
const COMMIT_FACILITY: &str = "COMMITFAIL";

/// A change of what this member reads, which waits to be made.
#[derive(Debug)]
pub(super) enum Change {
    /// It gets these partitions.
    Assigned(TopicPartitionList),
    /// It is to give these back.
    Revoked(TopicPartitionList),
}

/// What the client tells the reader.
pub(super) struct GroupContext {
    source: String,
    status: Arc<KafkaSourceStatus>,
    /// Whether a partition without a position is read from its first record.
    begins_at_first: bool,
    /// Whether nothing is fetched, so that the client doesn't learn where partitions end.
    is_paused: AtomicBool,
    changes: Mutex<VecDeque<Change>>,
    has_changes: AtomicBool,
    /// Nobody makes changes any more.
    is_ending: AtomicBool,
    has_failed: AtomicBool,
    /// When an answer of the group was lost, if none has changed the assignment since: that tells all of it.
    lost_answer: Mutex<Option<Instant>>,
    /// What the client said when something failed last.
    failure: Mutex<Option<String>>,
}

impl GroupContext {
    /// A context for a source of this name.
    pub(super) fn new(source: &str, status: Arc<KafkaSourceStatus>, begins_at_first: bool) -> Self {
        Self {
            source: source.to_owned(),
            status,
            begins_at_first,
            is_paused: AtomicBool::new(false),
            changes: Mutex::default(),
            has_changes: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            lost_answer: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// The partitions are paused, or are no more.
    pub(super) fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Relaxed);
    }

    /// Whether a change waits.
    pub(super) fn has_changes(&self) -> bool {
        self.has_changes.load(Acquire)
    }

    /// The oldest change that waits; it is the caller's to make.
    pub(super) fn next_change(&self) -> Option<Change> {
        let mut changes = self.changes();
        let change = changes.pop_front();
        self.has_changes.store(!changes.is_empty(), Release);
        change
    }

    /// Puts a change back that cannot be made yet.
    pub(super) fn put_back(&self, change: Change) {
        self.changes().push_front(change);
        self.has_changes.store(true, Release);
    }

    /// Whether the group did not take a position since this was asked last.
    pub(super) fn take_failure(&self) -> bool {
        self.has_failed.swap(false, Relaxed)
    }

    /// Whether an answer of the group was lost, and none for so long.
    pub(super) fn is_unsure_for(&self, calm: Duration) -> bool {
        self.lost_answer().is_some_and(|at| at.elapsed() >= calm)
    }

    /// What the client said when something failed last.
    pub(super) fn last_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The reader has ended: changes are made at once from here on.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Release);
    }

    fn lost_answer(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let source = &*self.source;
        match level {
            RDKafkaLogLevel::Warning if facility == COMMIT_FACILITY => {
                self.status.commit_failures.fetch_add(1, Relaxed);
                self.has_failed.store(true, Relaxed);
                tracing::debug!(source, "{message}");
            }
            RDKafkaLogLevel::Notice if facility == TIMEOUT_FACILITY && message.contains(LOST_ANSWER) => {
                *self.lost_answer() = Some(Instant::now());
                tracing::debug!(source, "{message}");
            }
            RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Info
            | RDKafkaLogLevel::Debug
            | RDKafkaLogLevel::Notice => {
                tracing::debug!(source, facility, "{message}");
            }
            // It comes as an error from the poll too, without the reason; the reader tells both, once.
            _ => {
                tracing::debug!(source, facility, "{message}");
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.to_owned());
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(source = &*self.source, %error, "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        for (topic, of_topic) in &statistics.topics {
            for (partition, of_partition) in &of_topic.partitions {
                self.status.update(topic, *partition, |known| {
                    let offset = |offset: i64| u64::try_from(offset).ok();
                    // The reader tells the position. What the client takes for it is what it committed last itself: others
                    // may have since, or a transaction.
                    let first = offset(of_partition.lo_offset).filter(|_| self.begins_at_first);
                    known.position = known.position.or(first);
                    if !self.is_paused.load(Relaxed) {
                        known.end = offset(of_partition.ls_offset);
                    }
                });
            }
        }
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        change: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        self.status.rebalances.fetch_add(1, Relaxed);
        *self.lost_answer() = None;
        let change = match change {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assigned(partitions.clone()),
            _ => Change::Revoked(partitions.clone()),
        };
        if self.is_ending.load(Acquire) {
            make(consumer, &change).unwrap_or_default();
            return;
        }
        let mut changes = self.changes();
        if !is_incremental(consumer) {
            // The group does not wait for an assignment to be made before it gives another, which takes its place.
            changes.retain(|change| matches!(change, Change::Revoked(_)));
        }
        changes.push_back(change);
        self.has_changes.store(true, Release);
    }
}

/// Tells the client to make a change.
pub(super) fn make(consumer: &BaseConsumer<GroupContext>, change: &Change) -> KafkaResult<()> {
    let is_incremental = is_incremental(consumer);
    match change {
        Change::Assigned(partitions) if is_incremental => consumer.incremental_assign(partitions),
        Change::Assigned(partitions) => consumer.assign(partitions),
        Change::Revoked(partitions) if is_incremental => consumer.incremental_unassign(partitions),
        Change::Revoked(_) => consumer.unassign(),
    }
}

/// Answers the changes that were not made any more: the client waits for that before it leaves the group.
pub(super) fn make_none(consumer: &BaseConsumer<GroupContext>) {
    while let Some(change) = consumer.context().next_change() {
        let change = match change {
            Change::Assigned(_) => Change::Assigned(TopicPartitionList::new()),
            revoked @ Change::Revoked(_) => revoked,
        };
        make(consumer, &change).unwrap_or_default();
    }
}

/// Whether a change tells what is new, and not all that there is.
pub(super) fn is_incremental(consumer: &BaseConsumer<GroupContext>) -> bool {
    matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
}

impl fmt::Debug for GroupContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GroupContext").field("source", &self.source).finish_non_exhaustive()
    }
}
