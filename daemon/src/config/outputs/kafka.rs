//! `type = "kafka"`.
//!
//! Owns: the keys of a Kafka output and their checked values.
//! Promises: a producer can be made of what is decoded; the topic and the key are templates that can be filled in.
//! Never: connects.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::kafka::{
    CreateTopics, KafkaCompression, KafkaConfig, KafkaEncoding, KafkaOutputError, RecordTemplate,
    TransactionConfig,
};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::kafka::{self, connection};
use super::super::schema::{Key, Table, table};
use super::super::value::tables::Nested;
use super::super::value::{At, Bytes, Integer, Words};
use super::Target;

/// The longest time that a transaction may take up what is read: brokers end those that are open for long.
const INTERVAL_MAX: Duration = Duration::from_secs(10);

pub(super) const KEYS: &[&[Key]] = &[RecordKeys::KEYS, kafka::KEYS[0], kafka::KEYS[1], kafka::KEYS[2]];

table! {
    /// Where records go and what they hold.
    struct RecordKeys {
        /// Topic to write to. `{data_stream.dataset}` stands for a field, `{@timestamp|%Y-%m-%d}` for a part of the time;
        /// what a topic cannot have in its name becomes `_`.
        topic: At<String>,
        /// What decides the partition: a text with fields such as `{host.name}`. Absent: the identity of the file or
        /// connection, so that its lines stay in order.
        key: Option<At<String>>,
        /// "json": a document a record. "raw": the line as it was read. "ndjson": many documents of one key in a record, each
        /// with its identity as `event.id`. The first two have `trace.id` and `span.id`, where an event has both, as the header
        /// `traceparent` (W3C Trace Context).
        encoding: KafkaEncoding = "json",
        /// Size at which a record of many documents is full ("ndjson").
        record_bytes: Bytes<usize, 1> = "64KiB",
        /// How batches of records are compressed.
        compression: KafkaCompression = "lz4",
        /// How topics that do not exist are created. Absent: they are waited for.
        create_topics: Option<Nested<CreateTopicsKeys>>,
        /// Writes records and commits the positions of the source in one transaction under this id, so that readers with
        /// `isolation.level = "read_committed"` see each result once. The events must come from one source of type kafka with the
        /// same brokers. Every running logweir needs its own id, and the same again after a restart.
        transactional_id: Option<At<String>>,
        /// How long a transaction takes up what is read before it is committed, "10s" at most.
        transaction_interval: At<Duration> = "100ms",
    }
}

table! {
    /// A topic to be created.
    struct CreateTopicsKeys {
        /// Number of partitions.
        partitions: Integer<i32, 1, 100_000> = 1,
        /// Number of replicas of each partition.
        replication: Integer<i32, 1, 32_767> = 1,
    }
}

impl Words for KafkaEncoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("raw", Self::Raw), ("ndjson", Self::Ndjson)];
}

impl Words for KafkaCompression {
    const WORDS: &'static [(&'static str, Self)] =
        &[("lz4", Self::Lz4), ("zstd", Self::Zstd), ("gzip", Self::Gzip), ("none", Self::None)];
}

pub(super) fn target(found: &Found<'_>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let records = RecordKeys::decode(found, decoder);
    let connection = connection(found, decoder);
    let (records, connection) = (records?, connection?);
    let create_topics = records.create_topics.map(|Nested(create)| CreateTopics {
        partitions: create.partitions.0,
        replication: create.replication.0,
    });
    let interval = records.transaction_interval;
    if interval.value.is_zero() || interval.value > INTERVAL_MAX {
        decoder.report(
            Diagnostic::error("`transaction_interval` is out of range")
                .at(interval.place, "expected a time of at most \"10s\", and not zero"),
        );
        return None;
    }
    let transaction = match &records.transactional_id {
        Some(id) if id.value.is_empty() => {
            decoder.report(
                Diagnostic::error("`transactional_id` is empty")
                    .at(id.place, "expected a name that no other logweir has"),
            );
            return None;
        }
        Some(id) => Some(TransactionConfig { id: id.value.clone(), interval: interval.value }),
        None => None,
    };
    let key_place = records.key.as_ref().map(|key| key.place);
    let config = KafkaConfig {
        connection,
        topic: records.topic.value,
        key: records.key.map(|key| key.value),
        encoding: records.encoding,
        compression: records.compression,
        record_bytes: records.record_bytes.0,
        create_topics,
        transaction,
    };
    if config.transaction.is_some() && interval.value >= config.transaction_timeout() {
        decoder.report(
            Diagnostic::error(
                "`transaction_interval` is not below the `transaction.timeout.ms` of librdkafka",
            )
            .at(interval.place, "expected a shorter time: brokers abort what is open for longer"),
        );
        return None;
    }
    let checked = RecordTemplate::new(&config, keys).map(drop);
    if let Err(error) = checked.and_then(|()| config.producer_config().map(drop).map_err(Into::into)) {
        let place = match &error {
            KafkaOutputError::Topic(_) => records.topic.place,
            KafkaOutputError::Key(_) => key_place.unwrap_or(found.name.place),
            KafkaOutputError::Connection(_) => found.name.place,
        };
        decoder.report(Diagnostic::error(error.to_string()).at(place, "this cannot be used"));
        return None;
    }
    Some(Target {
        transactional: records.transactional_id.map(|id| id.place),
        ..Target::of(OutputKind::Kafka(config), 1)
    })
}
