//! The output `kafka`: events as records in topics.
//!
//! Owns: one file each for the configuration, the names of topics, the records, the producer and the meaning of its
//! reports.
//! Promises: a record is acknowledged when all replicas in sync have it; records of one key and topic stand in their
//! order; nothing stands there twice as long as one producer lives, and every JSON document and line carries its identity for
//! what a restart, or the replacement of a producer that met a fatal error, sends again.
//! Within transactions (`transaction.rs`) none stands there twice for a reader of what is committed, whatever is killed.
//! Never: drops an event because a broker is away or a queue is full.

mod client;
mod config;
mod encode;
mod judge;
mod record;
mod reports;
mod statistics;
mod topic;
mod topics;
mod traceparent;
mod transaction;

pub use client::KafkaClient;
pub use config::{
    CreateTopics, KafkaCompression, KafkaConfig, KafkaEncoding, KafkaOutputError, TransactionConfig,
};
pub use encode::{KafkaEncoder, RecordTemplate};
pub use statistics::{BrokerStatistics, ProducerStatistics, RoundTrip};
pub use topic::{TopicError, TopicTemplate};
pub use transaction::{KafkaTransaction, TransactionalClient};
