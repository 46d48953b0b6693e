//! The sending end of the output `kafka`: payloads to a producer, its reports to verdicts.
//!
//! Owns: [`KafkaClient`].
//! Promises: a payload is judged when there is a report of each of its records; while a cluster is away the records wait
//! in the producer, which sends each once, and the output says why; a full producer is waited for.
//! Never: hands a record over a second time before it is known that the first was not delivered.
//!
//! Payloads go one after the other, so that the order of a file holds whatever is sent again. librdkafka keeps at most a
//! copy of one payload.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::kafka::KafkaConfigError;
use logweir_pipeline::kafka::headers::{CONTENT_TYPE, JSON, NDJSON, ORIGIN, PLAIN_TEXT, SOURCE, TRACEPARENT};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, PurgeConfig, ThreadedProducer};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::config::{KafkaConfig, KafkaEncoding};
use super::judge::judge;
use super::record::Record;
use super::reports::{Callbacks, Reports};
use super::topics::{Standing, Topics};
use crate::client::{Client, Document};
use crate::payload::Payload;
use crate::report::Reporter;
use crate::status::{OutputState, OutputStatus};
use crate::verdict::{Cause, Trouble, Verdict};

/// How often one looks why nothing is delivered.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long reports may take before one says so without knowing a reason.
const SLOW: Duration = Duration::from_secs(10);
/// How long a full producer is given to send something.
const FULL_WAIT: Duration = Duration::from_millis(5);
/// Records after which other tasks of the thread have their turn.
const RECORDS_AT_ONCE: usize = 1024;

/// Sends payloads as records.
pub struct KafkaClient {
    config: ClientConfig,
    encoding: KafkaEncoding,
    record_bytes: usize,
    reports: Arc<Reports>,
    reporter: Reporter,
    session: Mutex<Session>,
}

/// A producer and what it knows.
struct Session {
    producer: Arc<ThreadedProducer<Callbacks>>,
    topics: Topics,
}

/// A payload's topics that refuse its records.
type RefusedTopics = HashMap<Arc<str>, RDKafkaErrorCode>;

/// A record of several documents in the making.
struct Group<'a> {
    first: Record<'a>,
    topic: &'a str,
    number: u32,
    value: Vec<u8>,
}

impl KafkaClient {
    /// A client for this configuration; nothing is sent yet.
    ///
    /// # Errors
    /// When the connection cannot be used.
    pub fn new(config: &KafkaConfig, status: Arc<OutputStatus>) -> Result<Self, KafkaConfigError> {
        let reports = Arc::new(Reports::new(Arc::clone(&status)));
        let producer_config = config.producer_config()?;
        let producer = new_producer(&producer_config, &reports)
            .map_err(|error| KafkaConfigError::Client(error.to_string()))?;
        let topics = Topics::new(config.connection.client_config()?, config.create_topics);
        Ok(Self {
            config: producer_config,
            encoding: config.encoding,
            record_bytes: config.record_bytes,
            reports,
            reporter: Reporter::new(status),
            session: Mutex::new(Session { producer, topics }),
        })
    }

    /// Its producer.
    pub(super) fn producer(&mut self) -> Arc<ThreadedProducer<Callbacks>> {
        Arc::clone(&self.session.get_mut().producer)
    }

    /// The reports of its records.
    pub(super) fn reports(&self) -> Arc<Reports> {
        Arc::clone(&self.reports)
    }

    /// Sends by this producer from here on.
    pub(super) async fn use_producer(&self, producer: &Arc<ThreadedProducer<Callbacks>>) {
        let mut session = self.session.lock().await;
        if !Arc::ptr_eq(&session.producer, producer) {
            let old = std::mem::replace(&mut session.producer, Arc::clone(producer));
            // It waits for a thread, and nobody waits for it.
            tokio::task::spawn_blocking(move || drop(old));
        }
    }

    /// A producer that met an error which it cannot get over is replaced.
    async fn renew(&self, session: &mut Session) -> Result<(), Trouble> {
        let Some((code, reason)) = session.producer.client().fatal_error() else { return Ok(()) };
        self.reporter.trouble(OutputState::Retrying, &format!("the producer begins anew: {code}: {reason}"));
        let unexpected = |error: String| Trouble::new(Cause::Unexpected, error);
        let producer =
            new_producer(&self.config, &self.reports).map_err(|error| unexpected(error.to_string()))?;
        let old = std::mem::replace(&mut session.producer, producer);
        tokio::task::spawn_blocking(move || drop(old)).await.map_err(|error| unexpected(error.to_string()))
    }

    /// Makes sure that all topics of a payload exist.
    async fn topics(&self, session: &mut Session, payload: &Payload) -> Result<RefusedTopics, Trouble> {
        let mut refused = RefusedTopics::new();
        for (topic, _) in payload.parts() {
            let Session { producer, topics } = session;
            if let Standing::Refused(code) = topics.ensure(topic, producer, &self.reports).await? {
                refused.insert(Arc::clone(topic), code);
            }
        }
        Ok(refused)
    }

    /// Hands over one record an item.
    async fn hand_over(&self, session: &Session, payload: &Payload, refused: &RefusedTopics) {
        let kind = if self.encoding == KafkaEncoding::Raw { PLAIN_TEXT } else { JSON };
        for item in 0..payload.len() {
            let number = u32::try_from(item).unwrap_or(u32::MAX);
            let topic = payload.target_of(item);
            let Some(record) = Record::of(&payload.body()[payload.range(item)]) else {
                self.reports.refused(number, RDKafkaErrorCode::InvalidRecord);
                continue;
            };
            if let Some(code) = refused.get(topic) {
                self.reports.refused(number, *code);
                continue;
            }
            let mut headers = OwnedHeaders::new_with_capacity(3)
                .insert(Header { key: ORIGIN, value: Some(record.id) })
                .insert(Header { key: SOURCE, value: Some(record.source) })
                .insert(Header { key: CONTENT_TYPE, value: Some(kind) });
            if !record.trace.is_empty() {
                headers = headers.insert(Header { key: TRACEPARENT, value: Some(record.trace) });
            }
            self.send_record(&session.producer, number, topic, &record, record.value, headers).await;
            if item % RECORDS_AT_ONCE == RECORDS_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Hands over records of several documents: those of one topic, key and source. Returns in which record an item is.
    async fn hand_over_groups(
        &self,
        session: &Session,
        payload: &Payload,
        refused: &RefusedTopics,
    ) -> Vec<u32> {
        let mut record_of = Vec::with_capacity(payload.len());
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places: HashMap<(&str, &[u8], &[u8]), usize> = HashMap::new();
        let mut next = 0;
        let mut last: Option<usize> = None;
        for item in 0..payload.len() {
            let topic = payload.target_of(item);
            let record = Record::of(&payload.body()[payload.range(item)]);
            let code = refused.get(topic).copied();
            let (Some(record), None) = (record, code) else {
                self.reports.refused(next, code.unwrap_or(RDKafkaErrorCode::InvalidRecord));
                record_of.push(next);
                next += 1;
                continue;
            };
            let place = last.filter(|&place| groups[place].takes(topic, &record)).unwrap_or_else(|| {
                *places.entry((topic, record.key, record.source)).or_insert_with(|| {
                    groups.push(Group { first: record, topic, number: 0, value: Vec::new() });
                    groups.len() - 1
                })
            });
            last = Some(place);
            let group = &mut groups[place];
            if !group.value.is_empty() && group.value.len() + 1 + record.value.len() > self.record_bytes {
                self.send_group(session, group).await;
            }
            if group.value.is_empty() {
                (group.first, group.number) = (record, next);
                next += 1;
            } else {
                group.value.push(b'\n');
            }
            group.value.extend_from_slice(record.value);
            record_of.push(group.number);
        }
        for group in groups.iter_mut().filter(|group| !group.value.is_empty()) {
            self.send_group(session, group).await;
        }
        record_of
    }

    async fn send_group(&self, session: &Session, group: &mut Group<'_>) {
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: SOURCE, value: Some(group.first.source) })
            .insert(Header { key: CONTENT_TYPE, value: Some(NDJSON) });
        let Group { first, topic, number, value } = group;
        self.send_record(&session.producer, *number, topic, first, value, headers).await;
        group.value.clear();
    }

    /// Hands one record over; waits while the producer is full.
    async fn send_record(
        &self,
        producer: &ThreadedProducer<Callbacks>,
        number: u32,
        topic: &str,
        record: &Record<'_>,
        value: &[u8],
        headers: OwnedHeaders,
    ) {
        let mut record = BaseRecord::with_opaque_to(topic, number as usize)
            .key(record.key)
            .payload(value)
            .timestamp(record.timestamp)
            .headers(headers);
        self.reports.expect();
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                self.reports.refused(number, code);
                self.reports.expect_less();
                return;
            }
            self.say_trouble(Duration::ZERO);
            sleep(FULL_WAIT).await;
            record = back;
        }
    }

    /// Waits until there is a report of every record, and says what is in the way.
    async fn settled(&self, session: &Session) {
        let start = Instant::now();
        while timeout(LOOK_EVERY, self.reports.settled()).await.is_err() {
            self.say_trouble(start.elapsed());
            if session.producer.client().fatal_error().is_some() {
                // It sends nothing any more: its records come back as failures.
                session.producer.purge(PurgeConfig::default().queue().inflight());
            }
        }
    }

    fn say_trouble(&self, waited: Duration) {
        match self.reports.trouble() {
            Some((state, reason)) => self.reporter.trouble(state, &reason),
            None if waited >= SLOW => {
                let reason = format!("the brokers have not answered for {} s", waited.as_secs());
                self.reporter.trouble(OutputState::Retrying, &reason);
            }
            None => {}
        }
    }
}

impl Client for KafkaClient {
    const ORDERED: bool = true;

    async fn send(&self, payload: &Payload) -> Verdict {
        let mut session = self.session.lock().await;
        // Nothing is under way, unless a call before this one was cancelled.
        self.settled(&session).await;
        if let Err(trouble) = self.renew(&mut session).await {
            return Verdict::Retry(trouble);
        }
        let refused = match self.topics(&mut session, payload).await {
            Ok(refused) => refused,
            Err(trouble) => return Verdict::Retry(trouble),
        };
        self.reports.begin();
        let record_of = if self.encoding == KafkaEncoding::Ndjson {
            self.hand_over_groups(&session, payload, &refused).await
        } else {
            self.hand_over(&session, payload, &refused).await;
            Vec::new()
        };
        self.reports.expect_less();
        self.settled(&session).await;
        let failures = self.reports.take_failures();
        let number = |item: usize| {
            record_of.get(item).copied().unwrap_or_else(|| u32::try_from(item).unwrap_or(u32::MAX))
        };
        if failures.iter().any(|failure| is_gone(failure.code)) {
            payload.parts().for_each(|(topic, _)| session.topics.forget(topic));
        }
        judge(payload.len(), &failures, number)
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        let record = Record::of(item);
        let id = record.map_or(&b""[..], |record| record.id);
        Document {
            id: str::from_utf8(id).unwrap_or_default(),
            json: record.map_or(item, |record| record.value),
        }
    }
}

impl Group<'_> {
    fn takes(&self, topic: &str, record: &Record<'_>) -> bool {
        self.topic == topic && self.first.key == record.key && self.first.source == record.source
    }
}

/// Whether a topic went away, or one of its partitions; then its payload's topics are asked for anew.
fn is_gone(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
    )
}

pub(super) fn new_producer(
    config: &ClientConfig,
    reports: &Arc<Reports>,
) -> Result<Arc<ThreadedProducer<Callbacks>>, KafkaError> {
    config.create_with_context(Callbacks(Arc::clone(reports))).map(Arc::new)
}

impl fmt::Debug for KafkaClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KafkaClient").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}
