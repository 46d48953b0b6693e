//! Positions whose records are gone: retention was faster than reading, or the topic was made anew.
//!
//! Owns: finding such positions, telling of them, going on elsewhere.
//! Promises: what may be lost is told and counted before reading goes on, and the group has the new position when all
//! before is settled; a position whose records are there is kept.
//! Never: knows how many records a topic had that is no more.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::OnLostPosition;
use super::reader::{End, Reader};
use super::start::number;

/// How long to wait before the client is made to read on.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long when the cluster did not say where partitions begin and end, as the question holds up reading.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A position whose records are gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the group `{group}` is at offset {position} in partition {partition} of `{topic}`, which has {first} to {end}: move the \
     group's position, or say by `on_lost_position` where to go on"
)]
pub struct LostPosition {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where the next record was expected.
    pub position: u64,
    /// The offset of the first record that is there.
    pub first: u64,
    /// The offset behind the last one.
    pub end: u64,
}

impl LostPosition {
    /// Records that nobody read, if reading goes on there: those that are gone, and those that are passed over. Behind the
    /// end nobody knows how many are gone.
    fn passed_over(&self, to: u64) -> u64 {
        to - if self.position > self.end { self.first } else { self.position }
    }
}

impl Reader<'_> {
    /// Finds the positions that are lost, after the client has said that it cannot go on somewhere, and makes it read all
    /// that it should.
    pub(super) fn find_lost_if_due(&mut self) -> Result<(), End> {
        if !self.can_read_elsewhere() || self.lost_at.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        self.flush()?;
        // A round that is aborted later would go back to the lost position, which would be told once more.
        self.end_round(None)?;
        if !self.can_read_elsewhere() {
            return Ok(());
        }
        self.lost_at = None;
        let partitions = self.assigned.all();
        if partitions.count() == 0 {
            return Ok(());
        }
        let first = self.look_up(partitions.clone(), Offset::Beginning);
        let bounds = first.and_then(|first| Ok((first, self.look_up(partitions, Offset::End)?)));
        let gone_on = match bounds {
            Ok((first, end)) => {
                let lost = self.lost(&first, &end);
                self.go_on(&lost)?
            }
            Err(error) => Err(error),
        };
        if let Err(error) = gone_on {
            self.lost_at = Some(Instant::now() + ASK_AGAIN);
            self.tell(&error)?;
        }
        Ok(())
    }

    /// The positions that are not between the first record and the end of their partitions.
    fn lost(&self, first: &TopicPartitionList, end: &TopicPartitionList) -> Vec<LostPosition> {
        let mut lost = Vec::new();
        for (topic, partition, next) in self.assigned.next() {
            let offset = |list: &TopicPartitionList| number(list.find_partition(topic, partition)?.offset());
            let (Some(position), Some(first), Some(end)) = (next, offset(first), offset(end)) else {
                continue;
            };
            if !(first..=end).contains(&position) {
                let (group, topic) = (self.group.clone(), topic.to_owned());
                lost.push(LostPosition { group, topic, partition, position, first, end });
            }
        }
        lost
    }

    /// Goes on elsewhere where positions are lost, and where it was in all other partitions.
    fn go_on(&mut self, lost: &[LostPosition]) -> Result<KafkaResult<()>, End> {
        let source = &self.context.meta.name;
        if lost.is_empty() {
            tracing::warn!(
                source,
                "the client has stopped at a position whose records are there; reads on at it"
            );
        }
        for lost in lost {
            let LostPosition { group, topic, partition, position, first, end } = lost;
            let to = match self.on_lost_position {
                OnLostPosition::Earliest => *first,
                OnLostPosition::Latest => *end,
                OnLostPosition::Stop => return Err(End::Source(lost.clone().into())),
            };
            let records = lost.passed_over(to);
            let cause = if position > end {
                "the topic was made anew or cut off, so nobody knows how many more were there"
            } else {
                "they were not kept for long enough, or not read fast enough"
            };
            tracing::warn!(
                source,
                group,
                topic,
                partition,
                from = position,
                to,
                records,
                "the records at the group's position are gone; so many that nobody read may be lost: {cause}"
            );
            self.status.position_resets.fetch_add(1, Relaxed);
            self.status.possibly_lost_records.fetch_add(records, Relaxed);
            let cluster = self.cluster.as_deref().unwrap_or_default();
            self.assigned.move_to((topic, *partition), to, cluster, &self.context.meta);
        }
        if !lost.is_empty() {
            self.begin_round()?;
        }
        Ok(self.assign_again())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_read_is_counted() {
        let lost = |position, first, end| {
            let (group, topic) = ("g".to_owned(), "t".to_owned());
            LostPosition { group, topic, partition: 0, position, first, end }
        };
        // Retention was faster: what is gone, and what is passed over.
        assert_eq!(lost(10, 25, 40).passed_over(25), 15);
        assert_eq!(lost(10, 25, 40).passed_over(40), 30);
        // The topic was made anew: what it has now is read, or passed over.
        assert_eq!(lost(100, 0, 40).passed_over(0), 0);
        assert_eq!(lost(100, 5, 40).passed_over(40), 35);
    }
}
