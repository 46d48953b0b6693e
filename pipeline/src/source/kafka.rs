//! Source `kafka`: the records of topics, shared with the other members of a consumer group.
//!
//! Owns: [`KafkaSource`], its configuration, its thread's beginning and end.
//! Promises: the group's position moves only over records whose events are all settled, so what was not stored is read again
//! by whoever gets the partition; a record that is read twice gives the same ids; while nobody takes batches the process
//! stays a member of the group; within the transactions of an output its positions are committed by them alone; a value, a null or garbage never stops it.
//! Never: parses a value; keeps a position of its own.

mod assigned;
mod framing;
mod group;
mod heartbeat;
mod place;
mod reader;
mod round;
mod run;
mod stall;
mod status;
mod topics;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub use framing::RecordFraming;
pub use status::{KafkaSourceStatus, PartitionStatus};
pub use topics::{TopicError, TopicPattern};

use self::group::GroupContext;
use self::reader::{Next, Reader};
use self::round::Round;
use super::SourceContext;
use crate::kafka::transaction::{Step, Transaction, TransactionEnded};
use crate::kafka::{KafkaConfigError, KafkaConnection, check_settings, with_defaults};

/// How long the goodbye to the group may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(5);
/// How long to wait for the beginning of transactions between two looks at the stop.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before a group is joined again that knows another member of this name.
const JOIN_AGAIN: Duration = Duration::from_secs(2);
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
    /// How the group's members agree on who reads what.
    pub group_protocol: GroupProtocol,
    /// The name of this member, under which it keeps its partitions over a restart.
    pub group_instance_id: Option<String>,
    /// Where to begin in partitions of which the group has no position.
    pub start: StartAt,
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

/// Where to begin in a partition of which the group has no position, or one that is there no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At its first record.
    #[default]
    Earliest,
    /// Behind its last record.
    Latest,
}

/// Why a Kafka source cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum KafkaSourceError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] KafkaConfigError),
    /// The client cannot be made, or does not subscribe.
    #[error("cannot join the group `{group}`: {reason}")]
    Join {
        /// The group.
        group: String,
        /// The client's words.
        reason: String,
    },
    /// What is read goes into transactions, and there can be no more of them.
    #[error(transparent)]
    Transaction(#[from] TransactionEnded),
    /// The client says that it cannot go on.
    #[error("the group `{group}` has put this member out for good: {reason}")]
    Fatal {
        /// The group.
        group: String,
        /// The cause.
        code: RDKafkaErrorCode,
        /// The client's words.
        reason: String,
    },
}

/// A consumer that tells its context of the group.
type GroupConsumer = BaseConsumer<GroupContext>;

/// A source that has not begun to read.
#[derive(Debug)]
pub struct KafkaSource {
    config: KafkaSourceConfig,
    client: ClientConfig,
    context: SourceContext,
    status: Arc<KafkaSourceStatus>,
    transaction: Option<Arc<dyn Transaction>>,
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
        let of_members = OF_MEMBERS.iter().find(|key| self.connection.librdkafka.contains_key(**key));
        if let Some(key) = of_members.filter(|_| self.group_protocol == GroupProtocol::Consumer) {
            let reason = "the brokers have it where `group_protocol` is \"consumer\"".to_owned();
            return Err(KafkaConfigError::Setting { key: (*key).to_owned(), reason });
        }
        let protocol = match self.group_protocol {
            GroupProtocol::Consumer => "consumer",
            GroupProtocol::Classic => "classic",
        };
        let start = match self.start {
            StartAt::Earliest => "earliest",
            StartAt::Latest => "latest",
        };
        config.set("group.id", &self.group).set("group.protocol", protocol).set("auto.offset.reset", start);
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
}

impl KafkaSource {
    /// A source with checked settings. Nothing connects yet: a cluster that is away is waited for.
    ///
    /// # Errors
    /// When librdkafka does not take a setting.
    pub fn new(config: KafkaSourceConfig, context: SourceContext) -> Result<Self, KafkaSourceError> {
        let client = config.client_config()?;
        let status = Arc::new(KafkaSourceStatus::new(&config.group));
        Ok(Self { config, client, context, status, transaction: None })
    }

    /// The same, with what it reads going into these transactions: its positions are committed by them alone.
    #[must_use]
    pub fn within(self, transaction: Arc<dyn Transaction>) -> Self {
        Self { transaction: Some(transaction), ..self }
    }

    /// What there is to see of it.
    #[must_use]
    pub fn status(&self) -> Arc<KafkaSourceStatus> {
        Arc::clone(&self.status)
    }

    /// Reads until the stop is asked for; then waits for what is under way as long as the process does. While the group knows
    /// another member of this name, which a killed process leaves behind, it tries again; and where an answer of the group was
    /// lost, it joins again.
    ///
    /// # Errors
    /// When the group cannot be joined, or puts this member out for good.
    pub fn run(self) -> Result<(), KafkaSourceError> {
        let mut is_told = false;
        loop {
            match self.run_once() {
                Ok(Next::Nothing) => return Ok(()),
                Ok(Next::JoinAgain) => {}
                Err(KafkaSourceError::Fatal { code: RDKafkaErrorCode::UnreleasedInstanceId, .. }) => {
                    let (source, group) = (&self.context.meta.name, &self.config.group);
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(
                            source,
                            group,
                            "the group has a member of this name; waits until that is gone"
                        );
                    }
                    if self.context.stop.wait(JOIN_AGAIN) {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn run_once(&self) -> Result<Next, KafkaSourceError> {
        let join = |error: KafkaError| {
            // The client pads some of its reasons with NULs.
            let reason = error.to_string().replace('\0', "");
            KafkaSourceError::Join { group: self.config.group.clone(), reason }
        };
        if !self.opens()? {
            return Ok(Next::Nothing);
        }
        let begins_at_first = self.config.start == StartAt::Earliest;
        let context = GroupContext::new(&self.context.meta.name, Arc::clone(&self.status), begins_at_first)
            .in_transactions(self.transaction.is_some());
        let consumer: GroupConsumer = self.client.create_with_context(context).map_err(join)?;
        consumer.subscribe(&self.config.topic_names()).map_err(join)?;
        let (context, status) = (self.context.clone(), Arc::clone(&self.status));
        let round = self.transaction.clone().map(Round::new);
        let read = Reader::new(&consumer, &self.config, context, status, round).run();
        leave(consumer);
        read
    }

    /// Takes over the id of the transactions before anything is read, so that the positions of those who had it are known.
    /// Says whether it did, and not the stop came first.
    fn opens(&self) -> Result<bool, KafkaSourceError> {
        let Some(transaction) = &self.transaction else { return Ok(true) };
        let mut is_told = false;
        while transaction.open(OPEN_PATIENCE)? != Step::Done {
            if !std::mem::replace(&mut is_told, true) {
                let source = &self.context.meta.name;
                tracing::warn!(
                    source,
                    "the cluster does not answer that transactions may begin; waits for it"
                );
            }
            if self.context.stop.is_asked() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Leaves the group. A client may hang here when its cluster is away; the process does not wait for it.
fn leave(consumer: GroupConsumer) {
    consumer.context().end();
    let (gone, is_gone) = mpsc::sync_channel(1);
    let leaving = thread::Builder::new().name("kafka-goodbye".to_owned()).spawn(move || {
        drop(consumer);
        gone.send(()).unwrap_or_default();
    });
    if leaving.is_ok() && is_gone.recv_timeout(GOODBYE_MAX).is_err() {
        tracing::warn!(
            "the group does not answer the goodbye; it notices by itself that this member is gone"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config() -> KafkaSourceConfig {
        KafkaSourceConfig {
            connection: KafkaConnection {
                brokers: vec!["127.0.0.1:9092".to_owned()],
                ..KafkaConnection::default()
            },
            group: "g".to_owned(),
            topics: vec!["logs.*".parse().unwrap()],
            group_protocol: GroupProtocol::Consumer,
            group_instance_id: None,
            start: StartAt::Latest,
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
            KafkaSourceConfig { group_protocol: GroupProtocol::Classic, connection: classic, ..config() },
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
