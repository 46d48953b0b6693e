//! Reading on somewhere else: at the group's positions after a round was aborted, or where the records of a position that is
//! lost go on.
//!
//! Owns: going back, and making the client read all partitions where they are to be read on.
//! Promises: what the client has fetched before is not read any more; every partition is assigned with its position, so the
//! client asks for none.
//! Never: assigns while a change waits, as the client would take it for the answer to that.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::group::is_incremental;
use super::reader::{End, Reader};
use super::start::number;

impl Reader<'_> {
    /// Goes back to the group's positions when a round was aborted, if the cluster tells them.
    pub(super) fn go_back_if_due(&mut self) -> Result<(), End> {
        if !self.goes_back || self.consumer.context().has_changes() || !self.beginning.may_ask() {
            return Ok(());
        }
        let Some(positions) = self.positions_of_group(&self.assigned.all())? else { return Ok(()) };
        // A change may have come meanwhile.
        self.serve_and_discard(Duration::ZERO)?;
        if self.consumer.context().has_changes() { Ok(()) } else { self.go_back(&positions) }
    }

    /// Goes back to these positions; where the group has none, to where this member began, of which the group is told.
    fn go_back(&mut self, positions: &TopicPartitionList) -> Result<(), End> {
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let mut moved = false;
        for one in positions.elements() {
            let place = (one.topic(), one.partition());
            if let Some(offset) = number(one.offset()) {
                self.assigned.set_next(place, offset);
            } else if let Some(start) = self.assigned.next_of(place) {
                self.assigned.move_to(place, start, cluster, &self.context.meta);
                moved = true;
            }
        }
        if moved {
            self.begin_round()?;
        }
        if let Err(error) = self.assign_again() {
            return self.tell(&error);
        }
        self.late.clear();
        (self.goes_back, self.lost_at) = (false, None);
        Ok(())
    }

    /// Serves the client before it has gone back: what comes is read again then.
    pub(super) fn serve_and_discard(&mut self, patience: Duration) -> Result<(), End> {
        self.serve(patience)?;
        self.late.clear();
        Ok(())
    }

    /// Whether all that came is taken, and nothing else is to change first what the client reads.
    pub(super) fn can_read_elsewhere(&self) -> bool {
        self.late.is_empty() && !self.goes_back && !self.consumer.context().has_changes()
    }

    /// Makes the client read all partitions where they are to be read on.
    pub(super) fn assign_again(&self) -> KafkaResult<()> {
        let mut partitions = TopicPartitionList::new();
        for (topic, partition, next) in self.assigned.next() {
            let offset = next.and_then(|next| i64::try_from(next).ok());
            let offset = offset.map_or(Offset::Beginning, Offset::Offset);
            partitions.add_partition_offset(topic, partition, offset)?;
        }
        if partitions.count() == 0 {
            return Ok(());
        }
        if is_incremental(self.consumer) {
            // Not what it should have: it refuses to give back what it has not.
            let has = self.consumer.assignment()?;
            if has.count() > 0 {
                self.consumer.incremental_unassign(&has)?;
            }
            self.consumer.incremental_assign(&partitions)?;
        } else {
            self.consumer.assign(&partitions)?;
        }
        if self.is_paused {
            self.pause_these(&partitions);
        }
        Ok(())
    }
}
