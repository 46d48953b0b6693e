//! Whether topics exist, and creating those that do not.
//!
//! Owns: [`Topics`], the topics that a producer may send to.
//! Promises: nothing is handed over for a topic before it is known to exist; a cluster is asked once for each topic.
//! Never: changes a topic that exists.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};

use super::config::CreateTopics;
use super::reports::{Callbacks, Reports, is_unauthorized};
use crate::verdict::{Cause, Trouble};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most topics remembered; above it they are forgotten and asked for anew.
const KNOWN_MAX: usize = 4096;

/// The topics that are known to exist, and how others are created.
pub(super) struct Topics {
    config: ClientConfig,
    create: Option<CreateTopics>,
    known: HashSet<Arc<str>>,
}

/// What a cluster says of a topic.
pub(super) enum Standing {
    /// It is there.
    Exists,
    /// It will never take our records.
    Refused(RDKafkaErrorCode),
}

impl Topics {
    /// No topic is known yet.
    pub(super) fn new(config: ClientConfig, create: Option<CreateTopics>) -> Self {
        Self { config, create, known: HashSet::new() }
    }

    /// A topic that was there is gone.
    pub(super) fn forget(&mut self, topic: &str) {
        self.known.remove(topic);
    }

    /// Makes sure that a topic exists.
    pub(super) async fn ensure(
        &mut self,
        topic: &Arc<str>,
        producer: &Arc<ThreadedProducer<Callbacks>>,
        reports: &Arc<Reports>,
    ) -> Result<Standing, Trouble> {
        if self.known.contains(topic) {
            return Ok(Standing::Exists);
        }
        // A cluster that creates topics when they are asked for would not ask us how.
        if let Some(create) = self.create
            && let Some(standing) = self.create(topic, create, reports).await?
        {
            return Ok(standing);
        }
        let (asking, name) = (Arc::clone(producer), Arc::clone(topic));
        let asked = tokio::task::spawn_blocking(move || ask(&asking, &name)).await;
        let answer = asked.map_err(|error| Trouble::new(Cause::Unexpected, error.to_string()))?;
        match answer.map_err(|error| trouble(&error, reports))? {
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {
                self.remember(topic);
                Ok(Standing::Exists)
            }
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::InvalidTopic)) => {
                Ok(Standing::Refused(code))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let reason = format!("the topic `{topic}` does not exist; create it, or set `create_topics`");
                Err(Trouble::new(Cause::Unexpected, reason))
            }
            Some(code) => Err(Trouble::new(Cause::Unexpected, format!("the topic `{topic}`: {code}"))),
        }
    }

    /// Creates a topic. None when we may not, and it may be there nevertheless.
    async fn create(
        &mut self,
        topic: &Arc<str>,
        create: CreateTopics,
        reports: &Arc<Reports>,
    ) -> Result<Option<Standing>, Trouble> {
        let CreateTopics { partitions, replication } = create;
        let admin =
            self.config.create_with_context::<_, AdminClient<Callbacks>>(Callbacks(Arc::clone(reports)));
        let admin = admin.map_err(|error| Trouble::new(Cause::Unexpected, error.to_string()))?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let created = admin.create_topics([&new], &options).await;
        // Its thread ends within a tenth of a second, which nobody else waits for.
        let ended = tokio::task::spawn_blocking(move || drop(admin)).await;
        ended.map_err(|error| Trouble::new(Cause::Unexpected, error.to_string()))?;
        let result = created.map_err(|error| trouble(&error, reports))?.into_iter().next();
        match result {
            Some(Ok(_)) => {
                tracing::info!(topic = &**topic, partitions, replication, "created a topic");
                self.remember(topic);
                Ok(Some(Standing::Exists))
            }
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
                self.remember(topic);
                Ok(Some(Standing::Exists))
            }
            Some(Err((_, code @ RDKafkaErrorCode::InvalidTopic))) => Ok(Some(Standing::Refused(code))),
            Some(Err((
                _,
                RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed,
            )))
            | None => Ok(None),
            Some(Err((_, code))) => {
                let reason = format!("cannot create the topic `{topic}`: {code}");
                Err(Trouble::new(Cause::Unexpected, reason))
            }
        }
    }

    fn remember(&mut self, topic: &Arc<str>) {
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(Arc::clone(topic));
    }
}

/// Asks the cluster for a topic; the answer is what is wrong with it. Waits.
fn ask(producer: &ThreadedProducer<Callbacks>, topic: &str) -> Result<Option<RDKafkaErrorCode>, KafkaError> {
    let metadata = producer.client().fetch_metadata(Some(topic), PATIENCE)?;
    let error = metadata.topics().first().and_then(rdkafka::metadata::MetadataTopic::error);
    Ok(error.map(RDKafkaErrorCode::from))
}

/// The cluster's trouble, or what librdkafka says when it has none.
fn trouble(error: &KafkaError, reports: &Reports) -> Trouble {
    let cause = match error.rdkafka_error_code() {
        Some(code) if is_unauthorized(code) => Cause::Unauthorized,
        _ => Cause::Unreachable,
    };
    match reports.trouble() {
        Some((crate::status::OutputState::Paused, reason)) => Trouble::new(Cause::Unauthorized, reason),
        Some((_, reason)) => Trouble::new(cause, reason),
        None => Trouble::new(cause, error.to_string()),
    }
}
