//! The partitions that this member has, and how far each is settled.
//!
//! Owns: [`Assigned`] and the streams of its partitions.
//! Promises: what is to be committed is the offset behind the last record before which all are settled; what was given back
//! is not committed, whatever is settled later.
//! Never: talks to a cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::place::{Place, stream_id};
use super::start::number;
use crate::event::ConstantSet;
use crate::stream::{Position, SourceMeta, Starting, Stream};

/// The partitions that this member has.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    topics: HashMap<String, Topic>,
    /// How many partitions this member was ever given.
    given: u64,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    partitions: BTreeMap<i32, Partition>,
}

/// A partition that this member has.
#[derive(Debug, Default)]
struct Partition {
    /// Which of all that this member was given it is: another when it is given again.
    number: u64,
    /// Its streams that are not settled, and the one that is read; nearly always one.
    streams: Vec<(u64, Arc<Stream>)>,
    /// What the group was told, or where the first record that was read stood.
    committed: u64,
    /// Whether the group has taken that.
    is_told: bool,
    /// Where this member began; none at the first record.
    start: Option<u64>,
    /// Stands for its stream until the first record comes: those who watch event time wait for it.
    starting: Option<Starting>,
    /// Where to read on; none before the first record of a partition that is read from its first one.
    next: Option<u64>,
}

impl Assigned {
    /// Takes partitions.
    pub(super) fn add(&mut self, partitions: &TopicPartitionList, source: &Arc<SourceMeta>) {
        for partition in partitions.elements() {
            let name = partition.topic();
            let topic = self
                .topics
                .entry(name.to_owned())
                .or_insert_with(|| Topic { name: name.into(), partitions: BTreeMap::new() });
            self.given += 1;
            let starting = Starting::new(source, &format!("{name}/{}", partition.partition()));
            let mut added = Partition::new(self.given, number(partition.offset()));
            added.starting = Some(starting);
            topic.partitions.insert(partition.partition(), added);
        }
    }

    /// Gives partitions back.
    pub(super) fn remove(&mut self, partitions: &TopicPartitionList) {
        for partition in partitions.elements() {
            if let Some(topic) = self.topics.get_mut(partition.topic()) {
                topic.partitions.remove(&partition.partition());
            }
        }
        self.topics.retain(|_, topic| !topic.partitions.is_empty());
    }

    /// The shared name of the topic of a partition that this member has, and which of all that it was given that is: a
    /// record that was read before it was given back, and given again, is not one of it.
    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<(&Arc<str>, u64)> {
        let topic = self.topics.get(topic)?;
        topic.partitions.get(&partition).map(|partition| (&topic.name, partition.number))
    }

    /// The stream of a partition's records; a new one begins at `offset`, the first that is read. `None` when the partition
    /// was given back.
    pub(super) fn stream(
        &mut self,
        (topic, partition): (&str, i32),
        epoch: u64,
        offset: u64,
        cluster: &str,
        source: &Arc<SourceMeta>,
    ) -> Option<Arc<Stream>> {
        let assigned = self.topics.get_mut(topic)?.partitions.get_mut(&partition)?;
        if let Some((_, stream)) = assigned.streams.last().filter(|(last, _)| *last == epoch) {
            return Some(Arc::clone(stream));
        }
        let id = stream_id(cluster, topic, partition, epoch);
        Some(assigned.add_stream(id, epoch, offset, source))
    }

    /// Goes on at another place of a partition, of which the group is told when all before is settled.
    pub(super) fn move_to(
        &mut self,
        (topic, partition): (&str, i32),
        offset: u64,
        cluster: &str,
        source: &Arc<SourceMeta>,
    ) {
        let topics = self.topics.get_mut(topic);
        let Some(assigned) = topics.and_then(|topic| topic.partitions.get_mut(&partition)) else { return };
        let epoch = Place::of(offset).epoch;
        assigned.add_stream(stream_id(cluster, topic, partition, epoch), epoch, offset, source);
        assigned.next = Some(offset);
    }

    /// Notes that a partition is read up to an offset.
    pub(super) fn set_next(&mut self, (topic, partition): (&str, i32), offset: u64) {
        let topic = self.topics.get_mut(topic);
        if let Some(assigned) = topic.and_then(|topic| topic.partitions.get_mut(&partition)) {
            assigned.next = Some(offset);
        }
    }

    /// The offset at which a partition is read on, unless that is its first record.
    pub(super) fn next_of(&self, (topic, partition): (&str, i32)) -> Option<u64> {
        self.topics.get(topic)?.partitions.get(&partition)?.next
    }

    /// All partitions, each with the offset at which it is read on; none where that is its first record.
    pub(super) fn next(&self) -> impl Iterator<Item = (&str, i32, Option<u64>)> {
        self.iter().map(|(topic, number, partition)| (topic, number, partition.next))
    }

    /// All partitions are read again from where they were begun, unless they are moved: what was read of them before counts
    /// no more.
    pub(super) fn begin_again(&mut self) {
        for partition in self.topics.values_mut().flat_map(|topic| topic.partitions.values_mut()) {
            self.given += 1;
            *partition = Partition::new(self.given, partition.start);
        }
    }

    /// All partitions.
    pub(super) fn all(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition, _) in self.iter() {
            list.add_partition(topic, partition);
        }
        list
    }

    /// Those among these of which a batch is under way, if any.
    pub(super) fn has_under_way(&self, among: Option<&TopicPartitionList>) -> bool {
        let is_among =
            |topic: &str, partition| among.is_none_or(|list| list.find_partition(topic, partition).is_some());
        let mut partitions = self.iter().filter(|(topic, partition, _)| is_among(topic, *partition));
        partitions.any(|(_, _, partition)| partition.streams.iter().any(|(_, stream)| stream.is_under_way()))
    }

    /// The positions of which the group is to be told; they count as told. `committable` says how far it may be told of a stream.
    pub(super) fn take_progress(&mut self, committable: impl Fn(&Stream) -> u64) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (name, topic) in &mut self.topics {
            for (number, partition) in &mut topic.partitions {
                let Some(offset) = partition.take_progress(&committable) else { continue };
                let offset = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
                // Fails only for offsets that are none.
                list.add_partition_offset(name, *number, offset).unwrap_or_default();
            }
        }
        list
    }

    /// The positions of which the group was told last.
    pub(super) fn told(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, number, partition) in self.iter().filter(|(_, _, partition)| partition.is_told) {
            let offset = Offset::Offset(i64::try_from(partition.committed).unwrap_or(i64::MAX));
            // Fails only for offsets that are none.
            list.add_partition_offset(topic, number, offset).unwrap_or_default();
        }
        list
    }

    /// The group may not have taken what it was told: it is told everything again.
    pub(super) fn tell_again(&mut self) {
        let topics = self.topics.values_mut();
        topics
            .flat_map(|topic| topic.partitions.values_mut())
            .for_each(|partition| partition.is_told = false);
    }

    fn iter(&self) -> impl Iterator<Item = (&str, i32, &Partition)> {
        self.topics.iter().flat_map(|(name, topic)| {
            topic.partitions.iter().map(|(number, partition)| (name.as_str(), *number, partition))
        })
    }
}

impl Partition {
    fn new(number: u64, start: Option<u64>) -> Self {
        Self { number, start, next: start, ..Self::default() }
    }

    fn add_stream(&mut self, id: u64, epoch: u64, offset: u64, source: &Arc<SourceMeta>) -> Arc<Stream> {
        if self.streams.is_empty() {
            self.committed = offset;
        }
        let start = Position { offset, marker: 0 };
        let stream = Stream::new(id, Arc::clone(source), ConstantSet::default(), start);
        self.streams.push((epoch, Arc::clone(&stream)));
        self.starting = None;
        stream
    }

    fn take_progress(&mut self, committable: impl Fn(&Stream) -> u64) -> Option<u64> {
        let is_over =
            |stream: &Stream| stream.is_settled() && committable(stream) == stream.acknowledged().offset;
        while self.streams.len() > 1 && self.streams.first().is_some_and(|(_, stream)| is_over(stream)) {
            self.streams.remove(0);
        }
        let committable = committable(&self.streams.first()?.1);
        if committable != self.committed {
            (self.committed, self.is_told) = (committable, false);
        }
        let is_new = !self.is_told;
        self.is_told = true;
        is_new.then_some(self.committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn list(partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition("logs", partition);
        }
        list
    }

    fn committed(assigned: &mut Assigned) -> Vec<(i32, i64)> {
        positions(&assigned.take_progress(|stream| stream.acknowledged().offset))
    }

    fn next(assigned: &Assigned) -> Vec<(i32, Option<u64>)> {
        let mut next = assigned.next().map(|(_, number, next)| (number, next)).collect::<Vec<_>>();
        next.sort_unstable();
        next
    }

    fn positions(list: &TopicPartitionList) -> Vec<(i32, i64)> {
        let offset = |offset: Offset| offset.to_raw().unwrap();
        list.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect()
    }

    #[test]
    fn what_is_settled_is_committed_once() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0, 1]), &source);
        assert_eq!(committed(&mut assigned), []);
        let stream = assigned.stream(("logs", 0), 0, 100, "c", &source).unwrap();
        assert_eq!(committed(&mut assigned), [(0, 100)]);
        let [one, two] = [110, 120].map(|offset| stream.begin(Position { offset, marker: 0 }, 1, 1));
        two.done();
        assert_eq!(committed(&mut assigned), []);
        assert!(assigned.has_under_way(None) && assigned.has_under_way(Some(&list(&[0]))));
        assert!(!assigned.has_under_way(Some(&list(&[1]))));
        one.done();
        assert_eq!(committed(&mut assigned), [(0, 120)]);
        assert_eq!(committed(&mut assigned), []);
        assert_eq!(positions(&assigned.told()), [(0, 120)]);
        assigned.tell_again();
        assert_eq!(positions(&assigned.told()), []);
        assert_eq!(committed(&mut assigned), [(0, 120)]);
        assert!(!assigned.has_under_way(None));
    }

    #[test]
    fn what_was_given_back_is_not_committed() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0]), &source);
        let stream = assigned.stream(("logs", 0), 0, 5, "c", &source).unwrap();
        let number = assigned.find("logs", 0).unwrap().1;
        let late = stream.begin(Position { offset: 6, marker: 0 }, 1, 1);
        assigned.remove(&list(&[0]));
        late.done();
        assert_eq!(committed(&mut assigned), []);
        assert!(assigned.stream(("logs", 0), 0, 6, "c", &source).is_none());
        assert!(assigned.find("logs", 0).is_none());
        assigned.add(&list(&[0]), &source);
        assert_ne!(assigned.find("logs", 0).unwrap().1, number);
    }

    #[test]
    fn what_is_read_again_begins_anew() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        let mut given = list(&[1]);
        given.add_partition_offset("logs", 0, Offset::Offset(5)).unwrap();
        assigned.add(&given, &source);
        let stream = assigned.stream(("logs", 0), 0, 5, "c", &source).unwrap();
        let number = assigned.find("logs", 0).unwrap().1;
        stream.begin(Position { offset: 9, marker: 0 }, 1, 1).done();
        assigned.set_next(("logs", 0), 9);
        assigned.set_next(("logs", 1), 3);
        assert_eq!(committed(&mut assigned), [(0, 9)]);
        assigned.begin_again();
        assert_ne!(assigned.find("logs", 0).unwrap().1, number);
        assert_eq!(committed(&mut assigned), []);
        assert_eq!(next(&assigned), [(0, Some(5)), (1, None)]);
    }

    #[test]
    fn a_new_place_is_committed_when_all_before_is_settled() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        let mut given = list(&[1]);
        given.add_partition_offset("logs", 0, Offset::Offset(40)).unwrap();
        assigned.add(&given, &source);
        assert_eq!(next(&assigned), [(0, Some(40)), (1, None)]);
        let stream = assigned.stream(("logs", 0), 0, 40, "c", &source).unwrap();
        let one = stream.begin(Position { offset: 50, marker: 0 }, 1, 1);
        assigned.set_next(("logs", 0), 50);
        assigned.move_to(("logs", 0), 10, "c", &source);
        assigned.move_to(("logs", 1), 7, "c", &source);
        assert_eq!(next(&assigned), [(0, Some(10)), (1, Some(7))]);
        let mut told = committed(&mut assigned);
        told.sort_unstable();
        assert_eq!(told, [(0, 40), (1, 7)]);
        one.done();
        assert_eq!(committed(&mut assigned), [(0, 10)]);
    }

    #[test]
    fn another_stream_waits_for_the_one_before() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0]), &source);
        let first = assigned.stream(("logs", 0), 0, 5, "c", &source).unwrap();
        let one = first.begin(Position { offset: 6, marker: 0 }, 1, 1);
        let second = assigned.stream(("logs", 0), 1, 6, "c", &source).unwrap();
        assert_ne!(first.id(), second.id());
        second.begin(Position { offset: 9, marker: 0 }, 1, 1).done();
        assert_eq!(committed(&mut assigned), [(0, 5)]);
        one.done();
        assert_eq!(committed(&mut assigned), [(0, 9)]);
    }
}
