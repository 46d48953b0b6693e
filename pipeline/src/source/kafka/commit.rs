//! Telling the group how far records are settled.
//!
//! Owns: the commits of a reader without transactions.
//! Promises: the group is told of what is settled, and where operators watch the events, of what is stored with their state; where
//! nothing may follow before it, it has it, as far as it answers in time.
//! Never: commits within transactions.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};

use super::reader::{COMMIT_EVERY, End, MOMENT, Reader};
use super::start::ANSWER_MAX;

/// How long to wait until the group has it where nothing may follow before it.
const COMMIT_MAX: Duration = Duration::from_secs(2);
/// Most records kept that come while the group is waited for. Of paused partitions none come.
const LATE_MAX: usize = 1024;

impl Reader<'_> {
    pub(super) fn commit_if_due(&mut self) {
        if self.round.is_some() {
            return;
        }
        let now = Instant::now();
        if now >= self.commit_at {
            self.commit_at = now + COMMIT_EVERY;
            self.commit();
        }
    }

    /// Tells the group of what is settled.
    fn commit(&mut self) {
        if self.consumer.context().take_failure() {
            self.assigned.tell_again();
        }
        let checkpoints = self.checkpoints.as_deref();
        let positions = self.assigned.take_progress(|stream| match checkpoints {
            Some(checkpoints) => checkpoints.committable(stream),
            None => stream.acknowledged().offset,
        });
        if positions.count() == 0 {
            return;
        }
        if let Err(error) = self.consumer.commit(&positions, CommitMode::Async) {
            self.assigned.tell_again();
            tracing::debug!(source = &*self.context.meta.name, %error, "cannot tell the group of a position");
            return;
        }
        self.status.set_positions(&positions);
    }

    /// The same, and waits until the group has it; bounded, as the cluster may be away. The client gives no answer to a
    /// commit, so the group is asked, which answers behind the commits that it got before.
    pub(super) fn commit_and_wait(&mut self) -> Result<(), End> {
        // A failure was said aloud already; what is not stored is not told, and read again.
        self.checkpoints.iter().for_each(|checkpoints| drop(checkpoints.flush()));
        self.commit();
        let told = self.assigned.told();
        let deadline = Instant::now() + COMMIT_MAX;
        while told.count() > 0 && self.late.len() < LATE_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            let taken = self.consumer.committed_offsets(told.clone(), left.min(ANSWER_MAX));
            if left.is_zero() || taken.is_ok_and(|taken| has_all(&taken, &told)) {
                break;
            }
            self.serve(MOMENT)?;
        }
        Ok(())
    }
}

/// Whether a group has these positions.
fn has_all(taken: &TopicPartitionList, told: &TopicPartitionList) -> bool {
    let has = |told: TopicPartitionListElem<'_>| {
        taken
            .find_partition(told.topic(), told.partition())
            .is_some_and(|taken| taken.offset() == told.offset())
    };
    told.elements().into_iter().all(has)
}
