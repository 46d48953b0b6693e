//! What a Kafka source is to do, and what that means for its client.
//!
//! Owns: [`KafkaSourceConfig`] and the settings for librdkafka.
//! Promises: the client commits nothing and chooses no position by itself; a setting that it does not take is an error before
//! anything connects.
//! Never: connects.

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;

use super::KafkaSourceError;
use super::framing::RecordFraming;
use super::start::StartAt;
use super::topics::TopicPattern;
use crate::kafka::{KafkaConfigError, KafkaConnection, check_settings, with_defaults};

/// Settings that the brokers have where they assign.
const OF_MEMBERS: [&str; 3] =
    ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"];
/// The largest fetch is this part of the client's queue. Brokers count it compressed, so it takes several times as much here.
const FETCHES_IN_QUEUE: usize = 8;
/// What the client takes as the least: its `message.max.bytes`.
const FETCH_MIN: usize = 1_000_000;
/// How long a partition is not fetched when the client's queue is full. The client's default is a second, in which the
/// workers empty the queue many times over.
const FULL_QUEUE_WAIT_MS: &str = "10";
/// How often the cluster is asked for topics that a pattern takes in.
const NEW_TOPICS_EVERY_MS: &str = "10000";

/// What a Kafka source does.
#[derive(Clone, Debug)]
pub struct KafkaSourceConfig {
    /// How to reach the cluster.
    pub connection: KafkaConnection,
    /// The consumer group.
    pub group: String,
    /// Which topics to read.
    pub topics: Vec<TopicPattern>,
    /// How the group's members agree on who reads what. None: as the brokers can, the first of [`GroupProtocol`] before the
    /// second.
    pub group_protocol: Option<GroupProtocol>,
    /// The name of this member, under which it keeps its partitions over a restart.
    pub group_instance_id: Option<String>,
    /// Where to begin in partitions of which the group has no position.
    pub start: StartAt,
    /// Where to go on when the records at a position are gone.
    pub on_lost_position: OnLostPosition,
    /// How a record becomes events.
    pub framing: RecordFraming,
    /// Bytes of an event that are kept.
    pub max_line_bytes: usize,
    /// Bytes of records that wait in the client.
    pub queue_bytes: usize,
}

/// How the members of a group agree on who reads what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The broker decides (KIP-848); Kafka 4.0 and later.
    #[default]
    Consumer,
    /// A member decides, and all stop for it.
    Classic,
}

/// Where to go on in a partition when the records at the group's position are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLostPosition {
    /// At the first record that is there.
    #[default]
    Earliest,
    /// Behind the last record.
    Latest,
    /// Nowhere: somebody is to decide.
    Stop,
}

impl KafkaSourceConfig {
    /// The topics and patterns as the client subscribes to them.
    #[must_use]
    pub fn topic_names(&self) -> Vec<&str> {
        self.topics.iter().map(TopicPattern::subscription).collect()
    }

    /// The settings for librdkafka.
    ///
    /// # Errors
    /// The setting that it does not take.
    pub fn client_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        let mut config = self.connection.client_config()?;
        let protocol = self.group_protocol.unwrap_or_default();
        let of_members = OF_MEMBERS.iter().find(|key| self.connection.librdkafka.contains_key(**key));
        if let Some(key) = of_members.filter(|_| protocol == GroupProtocol::Consumer) {
            let reason = "the brokers have it unless `group_protocol` is \"classic\"".to_owned();
            return Err(KafkaConfigError::Setting { key: (*key).to_owned(), reason });
        }
        let protocol = match protocol {
            GroupProtocol::Consumer => "consumer",
            GroupProtocol::Classic => "classic",
        };
        config.set("group.id", &self.group).set("group.protocol", protocol);
        // The reader decides, and tells, where to go on when a position is lost.
        config.set("auto.offset.reset", "error");
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        // Also where positions are asked for: what a transaction is about to commit is waited for.
        config.set("isolation.level", "read_committed");
        if let Some(name) = &self.group_instance_id {
            config.set("group.instance.id", name);
        }
        let queue_kib = (self.queue_bytes / 1024).max(1).to_string();
        let fetch_bytes = (self.queue_bytes / FETCHES_IN_QUEUE).max(FETCH_MIN).to_string();
        self.connection.set_statistics(&mut config);
        with_defaults(
            &mut config,
            &[
                ("queued.max.messages.kbytes", &queue_kib),
                ("fetch.max.bytes", &fetch_bytes),
                ("fetch.queue.backoff.ms", FULL_QUEUE_WAIT_MS),
            ],
        );
        if self.topics.iter().any(TopicPattern::is_pattern) {
            with_defaults(&mut config, &[("topic.metadata.refresh.interval.ms", NEW_TOPICS_EVERY_MS)]);
        }
        check_settings(&config)?;
        Ok(config)
    }

    /// Whether a member that lets the brokers assign cannot be one because of this.
    pub(super) fn wants_another_protocol(&self, error: &KafkaSourceError) -> bool {
        use RDKafkaErrorCode::{UnsupportedFeature, UnsupportedVersion};
        let is_refused = match error {
            KafkaSourceError::Fatal { code, .. } => matches!(code, UnsupportedFeature | UnsupportedVersion),
            KafkaSourceError::ClassicMembers { .. } => true,
            _ => false,
        };
        is_refused && self.group_protocol.unwrap_or_default() == GroupProtocol::Consumer
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn config() -> KafkaSourceConfig {
        KafkaSourceConfig {
            connection: KafkaConnection {
                brokers: vec!["127.0.0.1:9092".to_owned()],
                ..KafkaConnection::default()
            },
            group: "g".to_owned(),
            topics: vec!["logs.*".parse().unwrap()],
            group_protocol: None,
            group_instance_id: None,
            start: StartAt::Latest,
            on_lost_position: OnLostPosition::Earliest,
            framing: RecordFraming::Auto,
            max_line_bytes: 1 << 20,
            queue_bytes: 1 << 20,
        }
    }

    /// The client that librdkafka makes of the settings; it connects to nobody.
    fn client(config: &KafkaSourceConfig) -> Result<BaseConsumer, String> {
        config.client_config().unwrap().create().map_err(|error| error.to_string())
    }

    #[test]
    fn the_client_takes_every_combination() {
        let classic = BTreeMap::from([("session.timeout.ms".to_owned(), "6000".to_owned())]);
        let classic = KafkaConnection { librdkafka: classic, ..config().connection };
        for config in [
            config(),
            KafkaSourceConfig { queue_bytes: 1 << 30, start: StartAt::Earliest, ..config() },
            KafkaSourceConfig { group_instance_id: Some("hub-1".to_owned()), ..config() },
            KafkaSourceConfig {
                group_protocol: Some(GroupProtocol::Classic),
                connection: classic,
                ..config()
            },
        ] {
            client(&config).map(drop).unwrap();
        }
    }

    #[test]
    fn what_the_brokers_have_is_refused_by_name() {
        for key in OF_MEMBERS {
            let mut config = config();
            config.connection.librdkafka.insert(key.to_owned(), "6000".to_owned());
            let error = config.client_config().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
