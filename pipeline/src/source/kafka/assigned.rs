//! The partitions that this member has, and how far each is settled.
//!
//! Owns: [`Assigned`] and the streams of its partitions.
//! Promises: what is to be committed is the offset behind the last record before which all are settled; what was given back
//! is not committed, whatever is settled later.
//! Never: talks to a cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::place::stream_id;
use crate::event::ConstantSet;
use crate::stream::{Position, SourceMeta, Stream};

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
    /// Where the first record that was read stood.
    first: Option<u64>,
}

impl Assigned {
    /// Takes partitions.
    pub(super) fn add(&mut self, partitions: &TopicPartitionList) {
        for partition in partitions.elements() {
            let name = partition.topic();
            let topic = self
                .topics
                .entry(name.to_owned())
                .or_insert_with(|| Topic { name: name.into(), partitions: BTreeMap::new() });
            self.given += 1;
            topic
                .partitions
                .insert(partition.partition(), Partition { number: self.given, ..Partition::default() });
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
        match assigned.streams.last() {
            Some((last, stream)) if *last == epoch => return Some(Arc::clone(stream)),
            Some(_) => {}
            None => assigned.committed = offset,
        }
        assigned.first.get_or_insert(offset);
        let id = stream_id(cluster, topic, partition, epoch);
        let start = Position { offset, marker: 0 };
        let stream = Stream::new(id, Arc::clone(source), ConstantSet::default(), start);
        assigned.streams.push((epoch, Arc::clone(&stream)));
        Some(stream)
    }

    /// Where the first record stood of each partition of which one was read.
    pub(super) fn begun(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, number, partition) in self.iter() {
            let Some(first) = partition.first else { continue };
            let offset = Offset::Offset(i64::try_from(first).unwrap_or(i64::MAX));
            // Fails only for offsets that are none.
            list.add_partition_offset(topic, number, offset).unwrap_or_default();
        }
        list
    }

    /// All partitions are read again from somewhere: what was read of them before counts no more.
    pub(super) fn begin_again(&mut self) {
        for partition in self.topics.values_mut().flat_map(|topic| topic.partitions.values_mut()) {
            self.given += 1;
            *partition = Partition { number: self.given, first: partition.first, ..Partition::default() };
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

    /// The positions of which the group is to be told; they count as told.
    pub(super) fn take_progress(&mut self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (name, topic) in &mut self.topics {
            for (number, partition) in &mut topic.partitions {
                let Some(offset) = partition.take_progress() else { continue };
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
    fn take_progress(&mut self) -> Option<u64> {
        while self.streams.len() > 1 && self.streams.first().is_some_and(|(_, stream)| stream.is_settled()) {
            self.streams.remove(0);
        }
        let acknowledged = self.streams.first()?.1.acknowledged().offset;
        if acknowledged != self.committed {
            (self.committed, self.is_told) = (acknowledged, false);
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
        positions(&assigned.take_progress())
    }

    fn positions(list: &TopicPartitionList) -> Vec<(i32, i64)> {
        let offset = |offset: Offset| offset.to_raw().unwrap();
        list.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect()
    }

    #[test]
    fn what_is_settled_is_committed_once() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0, 1]));
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
        assigned.add(&list(&[0]));
        let stream = assigned.stream(("logs", 0), 0, 5, "c", &source).unwrap();
        let number = assigned.find("logs", 0).unwrap().1;
        let late = stream.begin(Position { offset: 6, marker: 0 }, 1, 1);
        assigned.remove(&list(&[0]));
        late.done();
        assert_eq!(committed(&mut assigned), []);
        assert!(assigned.stream(("logs", 0), 0, 6, "c", &source).is_none());
        assert!(assigned.find("logs", 0).is_none());
        assigned.add(&list(&[0]));
        assert_ne!(assigned.find("logs", 0).unwrap().1, number);
    }

    #[test]
    fn what_is_read_again_begins_anew() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0, 1]));
        let stream = assigned.stream(("logs", 0), 0, 5, "c", &source).unwrap();
        let number = assigned.find("logs", 0).unwrap().1;
        stream.begin(Position { offset: 9, marker: 0 }, 1, 1).done();
        assert_eq!(committed(&mut assigned), [(0, 9)]);
        assert_eq!(positions(&assigned.begun()), [(0, 5)]);
        assigned.begin_again();
        assert_ne!(assigned.find("logs", 0).unwrap().1, number);
        assert_eq!(committed(&mut assigned), []);
        assert_eq!(positions(&assigned.begun()), [(0, 5)]);
    }

    #[test]
    fn another_stream_waits_for_the_one_before() {
        let source = Arc::new(testing::source(ConstantSet::default()));
        let mut assigned = Assigned::default();
        assigned.add(&list(&[0]));
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
