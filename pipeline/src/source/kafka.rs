//! Source `kafka`: the records of topics, shared with the other members of a consumer group.
//!
//! Owns: [`KafkaSource`], its thread's beginning and end.
//! Promises: the group's position moves only over records whose events are all settled, so what was not stored is read again
//! by whoever gets the partition; a record that is read twice gives the same ids; while nobody takes batches the process
//! stays a member of the group; within the transactions of an output its positions are committed by them alone; a value, a
//! null or garbage never stops it.
//! Never: parses a value; keeps a position of its own.

mod again;
mod assigned;
mod commit;
mod config;
mod framing;
mod group;
mod heartbeat;
mod join;
mod lost;
mod place;
mod reader;
mod round;
mod run;
mod stall;
mod start;
mod status;
mod topics;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub use config::{GroupProtocol, KafkaSourceConfig, OnLostPosition};
pub use framing::RecordFraming;
pub use lost::LostPosition;
pub use start::StartAt;
pub use status::{KafkaSourceStatus, PartitionStatus};
pub use topics::{TopicError, TopicPattern};

use self::group::{GroupContext, make_none};
use self::reader::{Next, Reader};
use self::round::Round;
use super::SourceContext;
use crate::checkpoint::Checkpoints;
use crate::kafka::KafkaConfigError;
use crate::kafka::transaction::{Step, Transaction, TransactionEnded};

/// How long the goodbye to the group may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(5);
/// How long to wait for the beginning of transactions between two looks at the stop.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before a group is joined again that knows another member of this name.
const JOIN_AGAIN: Duration = Duration::from_secs(2);

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
    /// The brokers do not assign partitions, as the config wants it.
    #[error(
        "the brokers do not know `group_protocol = \"consumer\"`, or do not allow it: leave the key out of the source that \
         reads as `{group}`, or take \"classic\""
    )]
    NoConsumerProtocol {
        /// The group.
        group: String,
    },
    /// The group has members which agree among themselves, and the brokers let nobody join who does not.
    #[error("the group `{group}` has members of the protocol \"classic\" and takes no other")]
    ClassicMembers {
        /// The group.
        group: String,
    },
    /// The records at a position are gone, and the config wants no other.
    #[error(transparent)]
    LostPosition(#[from] LostPosition),
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
    checkpoints: Option<Arc<Checkpoints>>,
}

impl KafkaSource {
    /// A source with checked settings. Nothing connects yet: a cluster that is away is waited for.
    ///
    /// # Errors
    /// When librdkafka does not take a setting.
    pub fn new(config: KafkaSourceConfig, context: SourceContext) -> Result<Self, KafkaSourceError> {
        let client = config.client_config()?;
        let status = Arc::new(KafkaSourceStatus::new(&config.group));
        Ok(Self { config, client, context, status, transaction: None, checkpoints: None })
    }

    /// The same, with what it reads going into these transactions: its positions are committed by them alone.
    #[must_use]
    pub fn within(self, transaction: Arc<dyn Transaction>) -> Self {
        Self { transaction: Some(transaction), ..self }
    }

    /// The same, with what operators remember of its events stored before the group is told of a position.
    #[must_use]
    pub fn behind(self, checkpoints: Arc<Checkpoints>) -> Self {
        Self { checkpoints: Some(checkpoints), ..self }
    }

    /// What there is to see of it.
    #[must_use]
    pub fn status(&self) -> Arc<KafkaSourceStatus> {
        Arc::clone(&self.status)
    }

    /// Reads until the stop is asked for; then waits for what is under way as long as the process does. While the group knows
    /// another member of this name, which a killed process leaves behind, it tries again; where an answer of the group was
    /// lost, it joins again. Where the brokers do not assign partitions, and the config does not want it by all means, the
    /// members do.
    ///
    /// # Errors
    /// When the group cannot be joined or puts this member out for good, or a position is lost and that is to be the end.
    pub fn run(mut self) -> Result<(), KafkaSourceError> {
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
                Err(error) if self.config.wants_another_protocol(&error) => {
                    if self.config.group_protocol.is_some() {
                        return Err(KafkaSourceError::NoConsumerProtocol { group: self.config.group });
                    }
                    tracing::warn!(
                        source = &*self.context.meta.name,
                        %error,
                        "goes on with group_protocol = \"classic\", by which the members share the partitions out themselves"
                    );
                    self.config.group_protocol = Some(GroupProtocol::Classic);
                    self.client = self.config.client_config()?;
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
        let context = GroupContext::new(&self.context.meta.name, Arc::clone(&self.status), begins_at_first);
        let consumer: GroupConsumer = self.client.create_with_context(context).map_err(join)?;
        consumer.subscribe(&self.config.topic_names()).map_err(join)?;
        let (context, status) = (self.context.clone(), Arc::clone(&self.status));
        let round = self.transaction.clone().map(Round::new);
        let reader = Reader::new(&consumer, &self.config, context, status, round);
        let read = reader.behind(self.checkpoints.clone()).run();
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
    make_none(&consumer);
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
