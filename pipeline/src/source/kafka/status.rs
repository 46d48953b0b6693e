//! What there is to see of a Kafka source.
//!
//! Owns: [`KafkaSourceStatus`]: counters, and the partitions that this member has.
//! Promises: reading it holds up nobody.
//! Never: asks a cluster.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::topic_partition_list::TopicPartitionList;

use super::start::number;

/// What there is to see of a Kafka source.
#[derive(Debug)]
pub struct KafkaSourceStatus {
    group: String,
    /// Records without a value, which are passed over.
    pub null_values: AtomicU64,
    /// Times that the records at a position were gone, and reading went on elsewhere.
    pub position_resets: AtomicU64,
    /// Records that were passed over by that, and nobody read, as far as they can be counted.
    pub possibly_lost_records: AtomicU64,
    /// Changes of which partitions this member has.
    pub rebalances: AtomicU64,
    /// Positions that the group did not take; they are told again.
    pub commit_failures: AtomicU64,
    /// Times that partitions were paused because nobody took their records.
    pub pauses: AtomicU64,
    partitions: Mutex<BTreeMap<(String, i32), PartitionStatus>>,
}

/// A partition that this member has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The position that the group was told last: what stands before it is settled.
    pub position: Option<u64>,
    /// The offset behind the last record that may be read, as of the client's last figures.
    pub end: Option<u64>,
}

impl PartitionStatus {
    /// Records from the group's position to the end, once both are known.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        Some(self.end?.saturating_sub(self.position?))
    }
}

impl KafkaSourceStatus {
    pub(super) fn new(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            null_values: AtomicU64::default(),
            position_resets: AtomicU64::default(),
            possibly_lost_records: AtomicU64::default(),
            rebalances: AtomicU64::default(),
            commit_failures: AtomicU64::default(),
            pauses: AtomicU64::default(),
            partitions: Mutex::default(),
        }
    }

    /// The consumer group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The partitions that this member has, by topic and number.
    #[must_use]
    pub fn partitions(&self) -> BTreeMap<(String, i32), PartitionStatus> {
        self.lock().clone()
    }

    pub(super) fn has(&self, partitions: impl Iterator<Item = (String, i32)>) {
        self.lock().extend(partitions.map(|partition| (partition, PartitionStatus::default())));
    }

    pub(super) fn has_no_more(&self, topic: &str, partition: i32) {
        self.lock().remove(&(topic.to_owned(), partition));
    }

    /// Sets what is known of a partition that this member has.
    pub(super) fn update(&self, topic: &str, partition: i32, set: impl FnOnce(&mut PartitionStatus)) {
        if let Some(status) = self.lock().get_mut(&(topic.to_owned(), partition)) {
            set(status);
        }
    }

    /// Sets the positions of partitions that this member has.
    pub(super) fn set_positions(&self, positions: &TopicPartitionList) {
        for one in positions.elements() {
            let position = number(one.offset());
            self.update(one.topic(), one.partition(), |known| known.position = position);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, i32), PartitionStatus>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
