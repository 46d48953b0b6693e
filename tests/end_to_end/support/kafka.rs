//! A client of Kafka for the tests: makes topics, writes and reads records, asks for offsets.
//!
//! Promises: it writes and reads in plain blocking calls with a deadline, independent of the daemon's own use of Kafka; it
//! joins no group. Never: keeps a connection between two calls, so a broker may die and return in between.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::metadata::{Metadata, MetadataBroker, MetadataPartition};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

use super::{PATIENCE, eventually};

/// How long one question to a broker may take before it is asked again.
const QUESTION: Duration = Duration::from_secs(2);
/// More than librdkafka has to say while it asks one question.
const EVENTS: usize = 100;
/// librdkafka wants a group even of a consumer that is told its partitions.
const READER: &str = "tests-reader";

/// The settings of a connection to a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    config: ClientConfig,
}

/// A record to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewRecord {
    /// Where it goes; else the key decides.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    /// Without one it is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970; else the time of writing.
    pub(crate) timestamp: Option<i64>,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
}

/// Which records a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// All.
    ReadUncommitted,
    /// Those of no transaction or of a committed one.
    ReadCommitted,
}

impl NewRecord {
    /// A record with nothing but a value.
    pub(crate) fn of(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

impl Client {
    /// A client with librdkafka's settings of a connection.
    pub(crate) fn new<K: Into<String>, V: Into<String>>(settings: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut config = ClientConfig::new();
        // A broker that comes back is noticed at once, one that hangs is soon given up.
        config.set("reconnect.backoff.max.ms", "200").set("socket.timeout.ms", "5000");
        for (key, value) in settings {
            config.set(key, value);
        }
        Self { config }
    }

    /// Its settings, for a test with a consumer or producer of its own.
    pub(crate) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// Makes a topic and waits until each partition has a leader.
    #[track_caller]
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, replication: i32) {
        self.create_topic_with(name, partitions, replication, &[]);
    }

    /// Like [`Client::create_topic`], with settings of the topic.
    #[track_caller]
    pub(crate) fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        replication: i32,
        settings: &[(&str, &str)],
    ) {
        let (admin, options, runtime) = self.admin();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let mut attempts = 0;
        eventually(format_args!("{name} is made"), || {
            attempts += 1;
            // A client that has just learned of the brokers may drop the connection that the request went by; the
            // topic may be there nevertheless.
            let answer = runtime.block_on(admin.create_topics([&topic], &options)).ok()?;
            match &answer[..] {
                [Err((_, RDKafkaErrorCode::TopicAlreadyExists))] if attempts > 1 => {}
                results => assert_eq!(results, [Ok(name.to_owned())], "the topic is made"),
            }
            Some(())
        });
        eventually(format_args!("every partition of {name} has a leader"), || {
            (0..partitions).all(|partition| self.leader(name, partition).is_some()).then_some(())
        });
    }

    /// Deletes a topic.
    #[track_caller]
    pub(crate) fn delete_topic(&self, name: &str) {
        let (admin, options, runtime) = self.admin();
        let answer = runtime.block_on(admin.delete_topics(&[name], &options)).unwrap();
        assert_eq!(answer, [Ok(name.to_owned())], "the topic is deleted");
        eventually(format_args!("{name} is gone"), || {
            let metadata = self.metadata(name).ok()?;
            metadata.topics().first()?.partitions().is_empty().then_some(())
        });
    }

    /// Deletes the records of a partition before an offset, as retention does.
    #[track_caller]
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let (admin, options, runtime) = self.admin();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        let answer = runtime.block_on(admin.delete_records(&offsets, &options)).unwrap();
        answer.elements().iter().for_each(|one| one.error().unwrap());
    }

    fn admin(&self) -> (AdminClient<DefaultClientContext>, AdminOptions, tokio::runtime::Runtime) {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        (self.config.create().unwrap(), options, runtime)
    }

    /// The ids of the live brokers, or why none of them let this client in.
    pub(crate) fn brokers(&self) -> Result<Vec<i32>, String> {
        let consumer: BaseConsumer<Complaints> =
            self.reader(&[]).create_with_context(Complaints::default()).unwrap();
        match consumer.fetch_metadata(None, QUESTION) {
            Ok(metadata) => Ok(metadata.brokers().iter().map(MetadataBroker::id).collect()),
            Err(error) => {
                // A poll serves one event; the complaints stand among librdkafka's log lines.
                (0..EVENTS).for_each(|_| drop(consumer.poll(Duration::ZERO)));
                let complaints = consumer.context().complaints.lock().unwrap_or_else(PoisonError::into_inner);
                Err(format!("{error}: {}", complaints.join("; ")))
            }
        }
    }

    /// The id of the broker that leads a partition, or `None` while there is none.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let metadata = self.metadata(topic).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let partition = partitions.iter().find(|candidate| candidate.id() == partition)?;
        (partition.leader() >= 0).then(|| partition.leader())
    }

    /// Writes records in their order and waits until all replicas in sync have them.
    #[track_caller]
    pub(crate) fn produce(&self, topic: &str, records: impl IntoIterator<Item = NewRecord>) {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("message.timeout.ms", PATIENCE.as_millis().to_string());
        let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default()).unwrap();
        for record in records {
            let mut next = record.to(topic);
            while let Err((error, back)) = producer.send(next) {
                let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                assert!(full, "a record for {topic}: {error}");
                producer.poll(QUESTION);
                next = back;
            }
        }
        producer.flush(PATIENCE).unwrap();
        let failures = producer.context().failures.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(failures.is_empty(), "{} records for {topic} failed: {}", failures.len(), failures[0]);
    }

    /// Reads a topic from its beginning to its end, and on until there are `at_least` records or `patience` is over; gives
    /// all that it read, ordered by partition and offset.
    #[track_caller]
    pub(crate) fn read_all(
        &self,
        topic: &str,
        at_least: usize,
        isolation: Isolation,
        patience: Duration,
    ) -> Vec<Record> {
        let deadline = Instant::now() + patience;
        let partitions = self.partitions(topic);
        let mut config = self.reader(&[("enable.partition.eof", "true")]);
        config.set("isolation.level", isolation.name());
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.assign(&every_partition(topic, &partitions, Offset::Beginning)).unwrap();
        let mut records = Vec::new();
        let mut ended = BTreeSet::new();
        while records.len() < at_least || ended != partitions {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match consumer.poll(left) {
                Some(Ok(message)) => {
                    ended.remove(&message.partition());
                    records.push(Record::from(&message));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                // librdkafka tells of lost connections and tries again itself.
                Some(Err(_)) | None => {}
            }
        }
        records.sort_unstable_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The offset that the next record will have, by partition.
    #[track_caller]
    pub(crate) fn end_offsets(&self, topic: &str) -> Vec<i64> {
        let consumer: BaseConsumer = self.reader(&[]).create().unwrap();
        let end = |&partition: &i32| {
            eventually(format_args!("the end of {topic} {partition} is known"), || {
                Some(consumer.fetch_watermarks(topic, partition, QUESTION).ok()?.1)
            })
        };
        self.partitions(topic).iter().map(end).collect()
    }

    /// The offsets that a group committed, by partition.
    #[track_caller]
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let partitions = every_partition(topic, &self.partitions(topic), Offset::Invalid);
        let consumer: BaseConsumer = self.reader(&[("group.id", group)]).create().unwrap();
        let answer = eventually(format_args!("the offsets of {group} are known"), || {
            consumer.committed_offsets(partitions.clone(), QUESTION).ok()
        });
        let committed = answer.elements().into_iter().map(|partition| match partition.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        });
        committed.collect()
    }

    #[track_caller]
    fn partitions(&self, topic: &str) -> BTreeSet<i32> {
        eventually(format_args!("the partitions of {topic} are known"), || {
            let metadata = self.metadata(topic).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            let ids: BTreeSet<i32> = partitions.iter().map(MetadataPartition::id).collect();
            (!ids.is_empty()).then_some(ids)
        })
    }

    fn metadata(&self, topic: &str) -> KafkaResult<Metadata> {
        let consumer: BaseConsumer = self.reader(&[]).create()?;
        consumer.fetch_metadata(Some(topic), QUESTION)
    }

    /// The settings of a consumer that commits nothing, and more.
    fn reader(&self, more: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.config();
        config.set("group.id", READER).set("enable.auto.commit", "false");
        for (key, value) in more {
            config.set(*key, *value);
        }
        config
    }
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read_uncommitted",
            Self::ReadCommitted => "read_committed",
        }
    }
}

impl NewRecord {
    fn to<'a>(&'a self, topic: &'a str) -> BaseRecord<'a, [u8], [u8]> {
        let mut record = BaseRecord::to(topic);
        record.partition = self.partition;
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        record.timestamp = self.timestamp;
        if self.headers.is_empty() {
            return record;
        }
        let insert = |headers: OwnedHeaders, (key, value): &(String, Option<Vec<u8>>)| {
            headers.insert(Header { key, value: value.as_deref() })
        };
        record.headers(self.headers.iter().fold(OwnedHeaders::new(), insert))
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp: message.timestamp().to_millis(),
        }
    }
}

fn every_partition(topic: &str, partitions: &BTreeSet<i32>, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for &partition in partitions {
        list.add_partition_offset(topic, partition, offset).unwrap();
    }
    list
}

/// What librdkafka says of its connections.
#[derive(Default)]
struct Complaints {
    complaints: Mutex<Vec<String>>,
}

impl ClientContext for Complaints {
    fn error(&self, _: KafkaError, reason: &str) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(reason.to_owned());
    }
}

impl ConsumerContext for Complaints {}

/// The records that were not delivered.
#[derive(Default)]
struct Deliveries {
    failures: Mutex<Vec<KafkaError>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error.clone());
        }
    }
}
