//! Transactions: what is read, what is written of it and how far it was read become one.
//!
//! Owns: [`Transaction`], which a source drives and an output fills.
//! Promises: what was written since [`Transaction::begin`] and the positions given to [`Transaction::commit`] are to be seen
//! together, or never.
//! Never: knows what is written.
//!
//! The source alone begins and ends transactions, one after the other, as it alone knows when all of what it read is settled.
//! The output writes into the open one. When that fails, or none is open, the output gives back what it still gets, so that
//! the source can wait until nothing of the old one is under way, abort it and read again.

use std::fmt;
use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::topic_partition_list::TopicPartitionList;

/// The transactions of one `transactional_id`, one after the other.
pub trait Transaction: fmt::Debug + Send + Sync {
    /// How long a transaction takes up what is read before it is committed.
    fn interval(&self) -> Duration;

    /// Takes the id over: ends what others who had it left open, so that their positions are known. To be called until it is
    /// done; waits at most `patience`.
    ///
    /// # Errors
    /// When the cluster will never let us.
    fn open(&self, patience: Duration) -> Result<Step, TransactionEnded>;

    /// Begins one. With `refuses` the output refuses what it gets for good, without writing it: it was refused before.
    ///
    /// # Errors
    /// When another has the id.
    fn begin(&self, refuses: bool) -> Result<(), TransactionEnded>;

    /// Whether it can only be aborted.
    fn has_failed(&self) -> bool;

    /// It can only be aborted from here on.
    fn fail(&self, reason: &str);

    /// Commits it with these positions of a group. To be called until it is done or has failed; waits at most `patience`.
    ///
    /// # Errors
    /// When another has the id.
    fn commit(
        &self,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        patience: Duration,
    ) -> Result<Step, TransactionEnded>;

    /// Aborts it: nobody sees what was written. To be called until it is done; waits at most `patience`.
    ///
    /// # Errors
    /// When another has the id.
    fn abort(&self, patience: Duration) -> Result<Step, TransactionEnded>;

    /// Whether the last one failed because a broker refused a record.
    fn was_refused(&self) -> bool;
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is done.
    Done,
    /// The cluster has not answered: it is to be called again.
    NotYet,
    /// The transaction is to be aborted.
    Failed,
}

/// No transaction of this id can be had any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionEnded {
    /// Another has the id.
    #[error(
        "another logweir has begun transactions with the transactional_id `{0}`, so this one ends; give each its own"
    )]
    Fenced(String),
    /// The cluster does not let us.
    #[error("the cluster takes no transactions of the transactional_id `{id}`: {reason}")]
    Refused {
        /// The id.
        id: String,
        /// The cluster's words.
        reason: String,
    },
}
