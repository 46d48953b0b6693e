//! The configuration of the output `kafka`.
//!
//! Owns: [`KafkaConfig`], what can be wrong with it, and the settings of its producer.
//! Promises: the producer is idempotent, waits for all replicas in sync and never gives a record up.
//! Never: connects.

use std::time::Duration;

use logweir_pipeline::kafka::{KafkaConfigError, KafkaConnection, check_settings, with_defaults};
use rdkafka::ClientConfig;

use super::topic::TopicError;
use crate::file::TemplateError;

/// librdkafka's default.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Settings that a config may change.
const DEFAULTS: &[(&str, &str)] = &[
    // Long enough for records of one payload to meet, short beside a round trip.
    ("linger.ms", "1"),
    ("batch.num.messages", "100000"),
    // librdkafka (2.12) begins anew with all of its batches when a broker refuses one because it has not got the one before,
    // and so sends those a second time that the broker has. With one under way at a time none comes before another.
    ("max.in.flight.requests.per.connection", "1"),
    // Where Java's producers put a key, so that they and we can share a topic.
    ("partitioner", "murmur2_random"),
    // A cluster that comes back is found within seconds.
    ("reconnect.backoff.max.ms", "2000"),
];

/// The configuration of the output `kafka`.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// How to reach the cluster.
    pub connection: KafkaConnection,
    /// The topic, with `{field}` for values of the event.
    pub topic: String,
    /// The key, with `{field}` for values of the event; none for the identity of the event's stream.
    pub key: Option<String>,
    /// What a record holds.
    pub encoding: KafkaEncoding,
    /// How batches of records are compressed.
    pub compression: KafkaCompression,
    /// Bytes at which a record of several documents is full.
    pub record_bytes: usize,
    /// How topics that do not exist are created; none to wait until someone creates them.
    pub create_topics: Option<CreateTopics>,
    /// The transactions with the positions of the source; none for records that are to be seen at once.
    pub transaction: Option<TransactionConfig>,
}

/// The transactions of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionConfig {
    /// The `transactional.id`: of those who have it, only the one that came last goes on.
    pub id: String,
    /// How long a transaction takes up what is read before it is committed.
    pub interval: Duration,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            connection: KafkaConnection::default(),
            topic: String::new(),
            key: None,
            encoding: KafkaEncoding::default(),
            compression: KafkaCompression::default(),
            record_bytes: 64 * 1024,
            create_topics: None,
            transaction: None,
        }
    }
}

/// What a record holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaEncoding {
    /// One JSON document.
    #[default]
    Json,
    /// The line as it was read.
    Raw,
    /// JSON documents of one key, separated by line feeds.
    Ndjson,
}

/// How batches of records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaCompression {
    /// LZ4.
    #[default]
    Lz4,
    /// Zstandard.
    Zstd,
    /// Gzip.
    Gzip,
    /// Not at all.
    None,
}

/// How a topic is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateTopics {
    /// Number of partitions.
    pub partitions: i32,
    /// Number of replicas of each.
    pub replication: i32,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaOutputError {
    /// The connection, or a setting of librdkafka.
    #[error(transparent)]
    Connection(#[from] KafkaConfigError),
    /// The topic.
    #[error("topic: {0}")]
    Topic(#[from] TopicError),
    /// The key is no template.
    #[error("key: {0}")]
    Key(TemplateError),
}

impl KafkaConfig {
    /// How long a transaction may be open before a broker aborts it.
    #[must_use]
    pub fn transaction_timeout(&self) -> Duration {
        let passed = self.connection.librdkafka.get("transaction.timeout.ms");
        let milliseconds = passed.and_then(|text| text.parse().ok());
        milliseconds.map_or(TRANSACTION_TIMEOUT, Duration::from_millis)
    }

    /// The settings of the producer.
    ///
    /// # Errors
    /// When the connection cannot be used, or librdkafka does not take a setting.
    pub fn producer_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = self.connection.client_config()?;
        with_defaults(&mut config, DEFAULTS);
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        // Without end: a record that were given up could already stand in the topic, and would be sent a second time.
        // With transactions it is aborted with its transaction, whose end librdkafka makes the limit.
        match &self.transaction {
            Some(transaction) => config.set("transactional.id", &transaction.id),
            None => config.set("message.timeout.ms", "0"),
        };
        config.set("compression.type", self.compression.name());
        self.connection.set_statistics(&mut config);
        check_settings(&config)?;
        Ok(config)
    }
}

impl KafkaCompression {
    fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::None => "none",
        }
    }
}
