//! Where reading begins in partitions that this member was given.
//!
//! Owns: [`StartAt`], and asking the group for its positions, and the cluster for those of partitions of which the group has
//! none.
//! Promises: the group is told at once of a position that depends on when it was looked up, so that the first start is the
//! first one, whatever comes between it and the first record; within transactions the next one tells it. A partition whose
//! beginning the cluster does not tell holds up no other. The client gets all positions from here and asks for none: it may
//! wait for that answer for good, and takes no other partitions meanwhile.
//! Never: begins somewhere else because the cluster does not answer; waits longer than a second before the client is served.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::reader::{End, Reader};
use crate::time::now;

/// How long the group, or the brokers, may take to answer before they are asked again.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How long until partitions whose beginning nobody tells are looked at again, as the question holds up the others.
const PLACE_AGAIN: Duration = Duration::from_secs(10);
/// Nanoseconds in the unit of Kafka's times.
const MILLISECOND: i64 = 1_000_000;

/// Where to begin in a partition of which the group has no position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At its first record.
    #[default]
    Earliest,
    /// Behind its last record.
    Latest,
    /// At its first record that is not older, in nanoseconds since 1970-01-01T00:00:00Z; where all are, behind the last.
    Time(i64),
    /// The same, so long before it was given to a member for the first time.
    Ago(Duration),
}

impl StartAt {
    /// The time to begin at, in milliseconds since 1970-01-01T00:00:00Z: Kafka has other meanings for those before.
    fn millis(self) -> Option<i64> {
        let nanos = match self {
            Self::Earliest | Self::Latest => return None,
            Self::Time(nanos) => nanos,
            Self::Ago(duration) => {
                now().saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
            }
        };
        Some(nanos.div_euclid(MILLISECOND).max(0))
    }
}

/// What it takes to begin.
pub(super) struct Beginning {
    at: StartAt,
    /// Partitions of which the cluster has not told where they begin; they are not read yet.
    pub(super) unplaced: VecDeque<(String, i32)>,
    /// When they are looked at again.
    place_at: Instant,
    /// How many of them were looked at in vain.
    in_vain: usize,
    /// When the group is to be asked again, after it gave no answer.
    ask_at: Option<Instant>,
}

impl Beginning {
    pub(super) fn new(at: StartAt) -> Self {
        Self { at, unplaced: VecDeque::new(), place_at: Instant::now(), in_vain: 0, ask_at: None }
    }

    /// Whether the group may be asked.
    pub(super) fn may_ask(&self) -> bool {
        self.ask_at.is_none_or(|at| Instant::now() >= at)
    }

    /// Notes whether the group answered.
    fn note(&mut self, is_answered: bool) {
        self.ask_at = (!is_answered).then(|| Instant::now() + ANSWER_MAX);
    }

    /// Notes that nobody told where a partition begins. When all were looked at they are left alone for a while.
    fn put_back(&mut self, partition: (String, i32)) {
        self.unplaced.push_back(partition);
        self.in_vain += 1;
        if self.in_vain >= self.unplaced.len() {
            self.in_vain = 0;
            self.place_at = Instant::now() + PLACE_AGAIN;
        } else {
            self.place_at = Instant::now() + ANSWER_MAX;
        }
    }
}

impl Reader<'_> {
    /// Takes partitions; gives those that can be read, with where to begin in each. `None` while the group does not tell.
    pub(super) fn begin(&mut self, given: &TopicPartitionList) -> Result<Option<TopicPartitionList>, End> {
        if !self.beginning.may_ask() {
            return Ok(None);
        }
        if self.cluster.is_none() {
            self.cluster = self.consumer.client().fetch_cluster_id(ANSWER_MAX);
        }
        if self.cluster.is_none() {
            self.beginning.note(false);
            return Ok(None);
        }
        let Some(positions) = self.positions_of_group(given)? else { return Ok(None) };
        let (mut begin, mut without) = (TopicPartitionList::new(), TopicPartitionList::new());
        for one in positions.elements() {
            let list = if number(one.offset()).is_some() { &mut begin } else { &mut without };
            // Fails only for offsets that are none.
            list.add_partition_offset(one.topic(), one.partition(), one.offset()).unwrap_or_default();
        }
        self.assigned.add(&begin, &self.context.meta);
        if without.count() > 0 {
            match self.first_positions(without.clone()) {
                Ok(first) => {
                    self.begin_at(&first)?;
                    for one in first.elements() {
                        begin
                            .add_partition_offset(one.topic(), one.partition(), one.offset())
                            .unwrap_or_default();
                    }
                }
                Err(error) => {
                    let partitions = without.elements();
                    self.beginning
                        .unplaced
                        .extend(partitions.iter().map(|one| (one.topic().to_owned(), one.partition())));
                    self.tell(&error)?;
                }
            }
        }
        Ok(Some(begin))
    }

    /// Begins a partition of which the cluster did not tell where to, one at a time.
    pub(super) fn place_if_due(&mut self) -> Result<(), End> {
        let is_due = !self.beginning.unplaced.is_empty() && Instant::now() >= self.beginning.place_at;
        if !is_due || !self.can_read_elsewhere() {
            return Ok(());
        }
        self.flush()?;
        if !self.can_read_elsewhere() {
            return Ok(());
        }
        let Some((topic, partition)) = self.beginning.unplaced.pop_front() else { return Ok(()) };
        let mut one = TopicPartitionList::new();
        one.add_partition(&topic, partition);
        match self.first_positions(one) {
            Ok(first) => {
                self.begin_at(&first)?;
                self.read_more(first)
            }
            Err(error) => {
                self.beginning.put_back((topic, partition));
                self.tell(&error)
            }
        }
    }

    /// Takes partitions of which the group has no position, and tells it where they begin.
    fn begin_at(&mut self, first: &TopicPartitionList) -> Result<(), End> {
        self.assigned.add(first, &self.context.meta);
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let mut is_told = false;
        for one in first.elements() {
            let Some(offset) = number(one.offset()) else { continue };
            self.assigned.move_to((one.topic(), one.partition()), offset, cluster, &self.context.meta);
            is_told = true;
        }
        if is_told { self.begin_round() } else { Ok(()) }
    }

    /// The positions that the group has of these partitions; `None` while it does not tell them. It may just have moved to
    /// another broker, so that is told when it happens once more.
    pub(super) fn positions_of_group(
        &mut self,
        partitions: &TopicPartitionList,
    ) -> Result<Option<TopicPartitionList>, End> {
        if partitions.count() == 0 {
            return Ok(Some(TopicPartitionList::new()));
        }
        let positions = self.consumer.committed_offsets(partitions.clone(), ANSWER_MAX).and_then(all_well);
        let is_first = self.beginning.ask_at.is_none();
        self.beginning.note(positions.is_ok());
        match positions {
            Ok(positions) => Ok(Some(positions)),
            Err(error) if is_first => {
                let source = &*self.context.meta.name;
                tracing::debug!(source, %error, "the group does not tell its positions yet");
                Ok(None)
            }
            Err(error) => self.tell(&error).map(|()| None),
        }
    }

    /// Where to begin in partitions of which the group has no position.
    fn first_positions(&self, mut partitions: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let Some(millis) = self.beginning.at.millis() else {
            if self.beginning.at == StartAt::Latest {
                return self.look_up(partitions, Offset::End);
            }
            partitions.set_all_offsets(Offset::Beginning)?;
            return Ok(partitions);
        };
        // The ends first: what comes meanwhile is not older than now, and is read.
        let ends = self.look_up(partitions.clone(), Offset::End)?;
        let first = self.look_up(partitions, Offset::Offset(millis))?;
        for mut one in first.elements().into_iter().filter(|one| number(one.offset()).is_none()) {
            let end = ends.find_partition(one.topic(), one.partition());
            one.set_offset(end.map_or(Offset::End, |end| end.offset()))?;
        }
        Ok(first)
    }

    /// The offsets of partitions at their first record, their end, or a time.
    pub(super) fn look_up(
        &self,
        mut partitions: TopicPartitionList,
        place: Offset,
    ) -> KafkaResult<TopicPartitionList> {
        partitions.set_all_offsets(place)?;
        all_well(self.consumer.offsets_for_times(partitions, ANSWER_MAX)?)
    }
}

/// An offset that is the number of a record.
pub(super) fn number(offset: Offset) -> Option<u64> {
    match offset {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        _ => None,
    }
}

/// The same partitions, unless one has an error.
fn all_well(partitions: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    partitions.elements().iter().try_for_each(TopicPartitionListElem::error)?;
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_milliseconds_since_1970() {
        assert_eq!(StartAt::Earliest.millis(), None);
        assert_eq!(StartAt::Latest.millis(), None);
        assert_eq!(StartAt::Time(1_999_999).millis(), Some(1));
        assert_eq!(StartAt::Time(-2_000_000).millis(), Some(0), "the end and the first record are -1 and -2");
        assert_eq!(StartAt::Ago(Duration::MAX).millis(), Some(0));
        let hour = StartAt::Ago(Duration::from_secs(3_600)).millis().unwrap();
        let since = now() / MILLISECOND - hour;
        assert!((3_600_000..3_610_000).contains(&since), "{since}");
    }
}
