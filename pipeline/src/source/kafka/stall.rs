//! What does not go on at once: batches that nobody takes, memory that is full, partitions that are given back.
//!
//! Owns: pausing and resuming, the lag meanwhile, and the changes of the assignment.
//! Promises: while nothing is taken the client is served, so the group does not put this member out; a partition is given
//! back when what is under way is settled, or a few seconds have passed: what comes later is not committed.
//! Never: drops a record that the group would not give again.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::group::{Change, is_incremental, make};
use super::lost::LOOK_AGAIN;
use super::reader::{End, Reader};
use super::start::number;
use crate::event::Batch;
use crate::memory::Held;

/// How long to wait before the partitions are paused, which throws away what was fetched.
pub(super) const PAUSE_AFTER: Duration = Duration::from_secs(1);
/// How long to wait between two looks at the client.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a partition that is to be given back waits for what is under way.
pub(super) const GIVE_BACK_MAX: Duration = Duration::from_secs(5);
/// Between two looks at what is under way.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long to ask the cluster for the ends of partitions.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(1);
/// The name of the drop of events that others read.
const GIVEN_BACK: &str = "given back to the group";

/// A batch that nobody takes yet.
pub(super) struct Waiting {
    pub(super) batch: Batch,
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
}

impl Waiting {
    fn is_among(&self, partitions: &TopicPartitionList) -> bool {
        partitions.find_partition(&self.topic, self.partition).is_some()
    }

    /// Nobody will take it here: another member reads its records again.
    pub(super) fn give_back(self) {
        let events = self.batch.events.len() as u64;
        let Batch { ack, .. } = self.batch;
        ack.dropped(&GIVEN_BACK.into(), events);
        ack.done();
    }
}

impl Reader<'_> {
    /// Hands a batch to its worker, however long that takes.
    pub(super) fn hand_over(&mut self, waiting: Waiting) -> Result<(), End> {
        self.offer(waiting, PAUSE_AFTER)?;
        if self.waiting.is_none() {
            return Ok(());
        }
        self.pause();
        while let Some(waiting) = self.waiting.take() {
            if self.context.stop.is_asked() {
                // The position stays before these events: whoever gets the partition next reads them again.
                return Ok(());
            }
            self.offer(waiting, PATIENCE)?;
            self.keep_alive()?;
        }
        self.resume();
        Ok(())
    }

    /// Takes memory for a chunk, however long that takes; `None` when the stop is asked for.
    pub(super) fn memory(&mut self, bytes: usize) -> Result<Option<Held>, End> {
        if let Some(held) = self.context.memory.acquire(bytes, PAUSE_AFTER) {
            return Ok(Some(held));
        }
        self.pause();
        let held = loop {
            if self.context.stop.is_asked() {
                return Ok(None);
            }
            if let Some(held) = self.context.memory.acquire(bytes, PATIENCE) {
                break held;
            }
            self.keep_alive()?;
        };
        self.resume();
        Ok(Some(held))
    }

    pub(super) fn offer(&mut self, waiting: Waiting, patience: Duration) -> Result<(), End> {
        let Waiting { batch, topic, partition } = waiting;
        let batch = self.context.batches.send_within(batch, patience)?;
        self.waiting = batch.map(|batch| Waiting { batch, topic, partition });
        Ok(())
    }

    /// What has to go on while nothing is taken.
    fn keep_alive(&mut self) -> Result<(), End> {
        self.serve(Duration::ZERO)?;
        if self.has_round_failed() {
            self.abort_once()?;
        }
        self.make_changes()?;
        self.commit_if_due();
        self.ask_for_ends_if_due();
        Ok(())
    }

    /// Learns how the lag grows while nothing is fetched, which would tell it.
    pub(super) fn ask_for_ends_if_due(&mut self) {
        let now = Instant::now();
        if self.ends_every.is_zero() || now < self.ends_at {
            return;
        }
        self.ends_at = now + self.ends_every;
        let mut partitions = self.assigned.all();
        let asked = partitions
            .set_all_offsets(Offset::End)
            .and_then(|()| self.consumer.offsets_for_times(partitions, CLUSTER_PATIENCE));
        match asked {
            Ok(ends) => {
                for end in ends.elements().iter().filter(|end| end.error().is_ok()) {
                    let Some(offset) = number(end.offset()) else { continue };
                    self.status.update(end.topic(), end.partition(), |known| known.end = Some(offset));
                }
            }
            Err(error) => {
                tracing::debug!(source = &*self.context.meta.name, %error, "cannot ask where partitions end");
            }
        }
    }

    pub(super) fn pause(&mut self) {
        self.is_paused = true;
        self.ends_at = Instant::now() + self.ends_every;
        self.consumer.context().set_paused(true);
        self.status.pauses.fetch_add(1, Relaxed);
        self.pause_these(&self.assigned.all());
    }

    pub(super) fn pause_these(&self, partitions: &TopicPartitionList) {
        if let Err(error) = self.consumer.pause(partitions) {
            tracing::debug!(source = &*self.context.meta.name, %error, "cannot pause partitions");
        }
    }

    pub(super) fn resume(&mut self) {
        self.is_paused = false;
        self.consumer.context().set_paused(false);
        if let Err(error) = self.consumer.resume(&self.assigned.all()) {
            tracing::warn!(source = &*self.context.meta.name, %error, "cannot resume partitions");
        }
    }

    /// Makes the changes of the assignment that wait.
    pub(super) fn make_changes(&mut self) -> Result<(), End> {
        let group = self.consumer.context();
        while group.has_changes() {
            let Some(mut change) = group.next_change() else { break };
            match &change {
                Change::Assigned(partitions) => {
                    let Some(begin) = self.begin(partitions)? else {
                        group.put_back(change);
                        return Ok(());
                    };
                    change = Change::Assigned(begin);
                }
                Change::Revoked(partitions) => {
                    self.give_back(partitions)?;
                    change = Change::Revoked(self.without_unplaced(partitions));
                }
            }
            self.make(&change);
        }
        Ok(())
    }

    fn make(&mut self, change: &Change) {
        if let Err(error) = make(self.consumer, change) {
            tracing::warn!(source = &*self.context.meta.name, %error, "cannot change which partitions are read");
            self.lost_at.get_or_insert_with(|| Instant::now() + LOOK_AGAIN);
        }
        self.show(change);
    }

    /// Makes the client read partitions that it was not given when they were assigned.
    pub(super) fn read_more(&mut self, partitions: TopicPartitionList) -> Result<(), End> {
        if is_incremental(self.consumer) {
            self.make(&Change::Assigned(partitions));
            return Ok(());
        }
        if let Err(error) = self.assign_again() {
            self.tell(&error)?;
        }
        self.show(&Change::Assigned(partitions));
        Ok(())
    }

    /// These partitions without those that are not read yet, which are forgotten.
    fn without_unplaced(&mut self, partitions: &TopicPartitionList) -> TopicPartitionList {
        let mut read = TopicPartitionList::new();
        for one in partitions.elements() {
            let is_it =
                |unplaced: &(String, i32)| (&*unplaced.0, unplaced.1) == (one.topic(), one.partition());
            let unplaced = &mut self.beginning.unplaced;
            let before = unplaced.len();
            unplaced.retain(|unplaced| !is_it(unplaced));
            if unplaced.len() == before {
                read.add_partition(one.topic(), one.partition());
            }
        }
        read
    }

    /// Says what has changed. What is new is paused as the others are.
    pub(super) fn show(&self, change: &Change) {
        let source = &*self.context.meta.name;
        let names = |list: &TopicPartitionList| {
            let names = list.elements().into_iter().map(|one| (one.topic().to_owned(), one.partition()));
            names.collect::<Vec<_>>()
        };
        match change {
            Change::Assigned(partitions) => {
                let names = names(partitions);
                tracing::info!(source, partitions = ?names, "reads partitions");
                self.status.has(names.into_iter());
                self.status.set_positions(partitions);
                if self.is_paused {
                    self.pause_these(partitions);
                }
            }
            Change::Revoked(partitions) => {
                let names = names(partitions);
                tracing::info!(source, partitions = ?names, "reads partitions no more");
                names.iter().for_each(|(topic, partition)| self.status.has_no_more(topic, *partition));
            }
        }
    }

    /// Ends the reading of partitions: waits a little for what is under way, and tells the group how far they were read.
    pub(super) fn give_back(&mut self, partitions: &TopicPartitionList) -> Result<(), End> {
        let is_among = |topic: &str, partition| partitions.find_partition(topic, partition).is_some();
        self.run = self.run.take().filter(|run| !is_among(&run.topic, run.partition));
        // Of partitions that the group has given to others, it takes no position.
        if self.round.is_some() {
            self.give_back_round()?;
        } else if !self.consumer.assignment_lost() {
            let deadline = Instant::now() + GIVE_BACK_MAX;
            if let Some(waiting) = self.waiting.take_if(|waiting| waiting.is_among(partitions)) {
                self.offer(waiting, GIVE_BACK_MAX)?;
            }
            let is_sent = self.waiting.as_ref().is_none_or(|waiting| !waiting.is_among(partitions));
            while is_sent && self.assigned.has_under_way(Some(partitions)) && Instant::now() < deadline {
                thread::park_timeout(LOOK_EVERY);
            }
            self.commit_and_wait()?;
        }
        self.assigned.remove(partitions);
        self.late.retain(|message| !is_among(message.topic(), message.partition()));
        if let Some(waiting) = self.waiting.take_if(|waiting| waiting.is_among(partitions)) {
            waiting.give_back();
        }
        Ok(())
    }
}
