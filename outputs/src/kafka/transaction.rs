//! The output `kafka` with `transactional_id`: records that are to be seen together with the positions of what they were made
//! of, or never.
//!
//! Owns: [`KafkaTransaction`], the producer's transactions, which the source begins and ends, and [`TransactionalClient`],
//! which writes into the open one.
//! Promises: nothing is written outside of a transaction; what can't be written gives its events back to their source; who
//! has lost the id to another says so and ends.
//! Never: begins or ends a transaction by itself.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logweir_pipeline::kafka::KafkaConfigError;
use logweir_pipeline::kafka::transaction::{Step, Transaction, TransactionEnded};
use rdkafka::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::time::timeout;

use super::client::{KafkaClient, new_producer};
use super::config::{KafkaConfig, TransactionConfig};
use super::judge::refusal;
use super::reports::{Callbacks, Reports};
use crate::client::{Client, Document};
use crate::payload::Payload;
use crate::report::Reporter;
use crate::status::{OutputState, OutputStatus};
use crate::verdict::{Refusal, Verdict};

/// How often to look whether a transaction in which records wait has failed.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How the transactions stand.
#[derive(Debug)]
enum Phase {
    /// The id is not ours yet.
    Closed,
    /// None is open.
    Idle,
    /// One is open.
    Open {
        /// Whether it has its positions.
        has_positions: bool,
    },
    /// The last one is to be aborted.
    Failed,
}

struct State {
    producer: Arc<ThreadedProducer<Callbacks>>,
    phase: Phase,
    began: Instant,
    /// How long the one that failed was open.
    failed_after: Duration,
    /// Why a broker refused a record, when one last did.
    refusal: Option<Refusal>,
    /// Whether that was in the last one.
    was_refused: bool,
    /// Whether what comes is refused for that reason.
    refuses: bool,
}

/// The transactions of an output's producer.
pub struct KafkaTransaction {
    config: TransactionConfig,
    producer: ClientConfig,
    timeout: Duration,
    reports: Arc<Reports>,
    reporter: Reporter,
    state: Mutex<State>,
}

/// Writes payloads into the open transaction.
#[derive(Debug)]
pub struct TransactionalClient {
    client: KafkaClient,
    transaction: Arc<KafkaTransaction>,
}

/// Where a payload goes.
enum Destination {
    Transaction(Arc<ThreadedProducer<Callbacks>>),
    /// It is refused, as it was before.
    DeadLetter(Refusal),
    /// Back to its source.
    Source,
}

impl TransactionalClient {
    /// A client for this configuration, and the transactions for the source of its events.
    ///
    /// # Errors
    /// When the connection cannot be used.
    pub fn new(
        config: &KafkaConfig,
        transaction: &TransactionConfig,
        status: Arc<OutputStatus>,
    ) -> Result<Self, KafkaConfigError> {
        let mut client = KafkaClient::new(config, Arc::clone(&status))?;
        let producer = config.producer_config()?;
        let state = State {
            producer: client.producer(),
            phase: Phase::Closed,
            began: Instant::now(),
            failed_after: Duration::ZERO,
            refusal: None,
            was_refused: false,
            refuses: false,
        };
        let transaction = KafkaTransaction {
            config: transaction.clone(),
            producer,
            timeout: config.transaction_timeout(),
            reports: client.reports(),
            reporter: Reporter::new(status),
            state: Mutex::new(state),
        };
        Ok(Self { client, transaction: Arc::new(transaction) })
    }

    /// Its transactions.
    #[must_use]
    pub fn transaction(&self) -> Arc<KafkaTransaction> {
        Arc::clone(&self.transaction)
    }
}

impl Client for TransactionalClient {
    const ORDERED: bool = KafkaClient::ORDERED;

    async fn send(&self, payload: &Payload) -> Verdict {
        let producer = match self.transaction.destination() {
            Destination::Transaction(producer) => producer,
            Destination::DeadLetter(refusal) => return Verdict::Refused(refusal),
            Destination::Source => return Verdict::Abandoned,
        };
        self.client.use_producer(&producer).await;
        let mut sent = pin!(self.client.send(payload));
        let verdict = loop {
            match timeout(LOOK_EVERY, &mut sent).await {
                Ok(verdict) => break verdict,
                // The records come back when the source aborts it.
                Err(_) => self.transaction.look(),
            }
        };
        match verdict {
            delivered @ Verdict::Delivered { .. } => delivered,
            verdict => self.transaction.judge(verdict),
        }
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        self.client.document(item)
    }
}

impl KafkaTransaction {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn destination(&self) -> Destination {
        let state = self.state();
        match (&state.phase, &state.refusal) {
            (Phase::Open { .. }, Some(refusal)) if state.refuses => Destination::DeadLetter(refusal.clone()),
            (Phase::Open { .. }, _) => Destination::Transaction(Arc::clone(&state.producer)),
            _ => Destination::Source,
        }
    }

    /// What a verdict means for the transaction. What a broker does not take ends it, also when it would otherwise be sent
    /// again or go to the dead letter; what never reached one does not.
    fn judge(&self, verdict: Verdict) -> Verdict {
        self.look();
        let state = self.state();
        if matches!(state.phase, Phase::Open { .. }) {
            return verdict;
        }
        let producer = Arc::clone(&state.producer);
        drop(state);
        match self.ended(&producer) {
            Some(ended) => Verdict::Closed(ended.to_string()),
            None => Verdict::Abandoned,
        }
    }

    /// Notes whether the open transaction has failed.
    fn look(&self) {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Open { .. }) {
            return;
        }
        // It is refused while a transaction is open, and the refusal tells how that stands.
        let Err(KafkaError::Transaction(standing)) = state.producer.begin_transaction() else { return };
        if standing.txn_requires_abort() || standing.is_fatal() {
            if let Some(refusal) = refusal(standing.code()) {
                (state.refusal, state.was_refused) = (Some(refusal), true);
            }
            drop(state);
            self.fail(&standing.string());
        }
    }

    /// Why there can be no more transactions, if so. A coordinator refuses a producer whose transaction took too long as it
    /// does one whose id another has, so that one is not given up.
    fn ended(&self, producer: &ThreadedProducer<Callbacks>) -> Option<TransactionEnded> {
        let (code, reason) = producer.client().fatal_error()?;
        let id = self.config.id.clone();
        let is_late = self.state().failed_after >= self.timeout;
        match code {
            RDKafkaErrorCode::Fenced if !is_late => Some(TransactionEnded::Fenced(id)),
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed => Some(TransactionEnded::Refused { id, reason }),
            _ => None,
        }
    }

    /// What an error of a step means.
    fn step(&self, result: Result<(), KafkaError>) -> Result<Step, TransactionEnded> {
        let Err(error) = result else { return Ok(Step::Done) };
        match &error {
            KafkaError::Transaction(error) if error.is_retriable() => return Ok(Step::NotYet),
            KafkaError::Transaction(error) => self.fail(&error.string()),
            // Nothing is to be flushed any more, so it is only slow.
            KafkaError::Flush(_) => return Ok(Step::NotYet),
            error => self.fail(&error.to_string()),
        }
        let producer = Arc::clone(&self.state().producer);
        self.ended(&producer).map_or(Ok(Step::Failed), Err)
    }

    /// Takes the id over.
    fn take_over(
        &self,
        producer: &ThreadedProducer<Callbacks>,
        patience: Duration,
    ) -> Result<Step, TransactionEnded> {
        match producer.init_transactions(patience) {
            Ok(()) => {
                self.state().phase = Phase::Idle;
                Ok(Step::Done)
            }
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                let reason = self.reports.trouble().map_or_else(|| error.string(), |(_, reason)| reason);
                self.reporter.trouble(OutputState::Retrying, &format!("transactions cannot begin: {reason}"));
                Ok(Step::NotYet)
            }
            Err(error) => {
                let reason = match &error {
                    KafkaError::Transaction(error) => error.string(),
                    error => error.to_string(),
                };
                Err(TransactionEnded::Refused { id: self.config.id.clone(), reason })
            }
        }
    }
}

impl Transaction for KafkaTransaction {
    fn interval(&self) -> Duration {
        self.config.interval
    }

    fn open(&self, patience: Duration) -> Result<Step, TransactionEnded> {
        let is_idle = matches!(self.state().phase, Phase::Idle);
        if is_idle { Ok(Step::Done) } else { self.abort(patience) }
    }

    fn begin(&self, refuses: bool) -> Result<(), TransactionEnded> {
        let producer = {
            let mut state = self.state();
            (state.began, state.refuses) = (Instant::now(), refuses);
            state.phase = Phase::Open { has_positions: false };
            state.was_refused = false;
            Arc::clone(&state.producer)
        };
        self.step(producer.begin_transaction()).map(|_| ())
    }

    fn has_failed(&self) -> bool {
        matches!(self.state().phase, Phase::Failed)
    }

    fn fail(&self, reason: &str) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Open { .. }) {
            state.phase = Phase::Failed;
            state.failed_after = state.began.elapsed();
            drop(state);
            let reason = format!("a transaction is aborted, what it is made of is read again: {reason}");
            self.reporter.trouble(OutputState::Retrying, &reason);
        }
    }

    fn commit(
        &self,
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
        patience: Duration,
    ) -> Result<Step, TransactionEnded> {
        let (producer, has_positions) = match &*self.state() {
            State { producer, phase: Phase::Open { has_positions }, .. } => {
                (Arc::clone(producer), *has_positions)
            }
            _ => return Ok(Step::Failed),
        };
        if !has_positions {
            let step = self.step(producer.send_offsets_to_transaction(positions, group, patience))?;
            if step != Step::Done {
                return Ok(step);
            }
            self.state().phase = Phase::Open { has_positions: true };
        }
        let step = self.step(producer.commit_transaction(patience))?;
        if step == Step::Done {
            self.state().phase = Phase::Idle;
            self.reporter.healthy();
        }
        Ok(step)
    }

    fn abort(&self, patience: Duration) -> Result<Step, TransactionEnded> {
        let producer = Arc::clone(&self.state().producer);
        if let Some(ended) = self.ended(&producer) {
            return Err(ended);
        }
        if producer.client().fatal_error().is_some() {
            // It can do nothing more; another of the same id ends what it has left open.
            match new_producer(&self.producer, &self.reports) {
                Ok(new) => {
                    let mut state = self.state();
                    (state.producer, state.phase) = (Arc::clone(&new), Phase::Closed);
                    drop(state);
                    return self.take_over(&new, patience);
                }
                Err(error) => {
                    let (id, reason) = (self.config.id.clone(), error.to_string());
                    return Err(TransactionEnded::Refused { id, reason });
                }
            }
        }
        if matches!(self.state().phase, Phase::Closed) {
            return self.take_over(&producer, patience);
        }
        match producer.abort_transaction(patience) {
            Ok(()) => {
                self.state().phase = Phase::Idle;
                Ok(Step::Done)
            }
            // Whatever it is: it can be tried again, or is fatal and so the next attempt is one with a new producer.
            Err(_) => self.ended(&producer).map_or(Ok(Step::NotYet), Err),
        }
    }

    fn was_refused(&self) -> bool {
        self.state().was_refused
    }
}

impl fmt::Debug for KafkaTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KafkaTransaction").field("config", &self.config).finish_non_exhaustive()
    }
}
