//! An output as a whole: its lanes, its driver, its status.
//!
//! Owns: [`OutputKind`], the table of kinds, and [`Output::spawn`], which puts the parts of one together.
//! Promises: a configuration that cannot work is refused before anything starts.
//! Never: reads the configuration's text.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use logweir_pipeline::buffers::BufferPool;
#[cfg(feature = "kafka")]
use logweir_pipeline::kafka::transaction::Transaction;
use logweir_pipeline::worker::Lane;
use logweir_pipeline::{Keys, Memory};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::console::{ConsoleClient, ConsoleConfig, ConsoleEncoder};
use crate::dead_letter::DeadLetter;
use crate::driver::{Driver, DriverConfig, DriverEnd};
#[cfg(feature = "elasticsearch")]
use crate::elasticsearch::{BulkEncoder, ElasticsearchClient, ElasticsearchConfig, ElasticsearchConfigError};
#[cfg(feature = "email")]
use crate::email::{EmailClient, EmailConfig, EmailConfigError};
use crate::encode::Encode;
use crate::file::{FileClient, FileConfig, FileEncoder, FileOutputError, PathTemplate};
#[cfg(feature = "kafka")]
use crate::kafka::{
    KafkaClient, KafkaConfig, KafkaEncoder, KafkaOutputError, RecordTemplate, TransactionalClient,
};
use crate::lane::{LaneConfig, LaneShared, OutputLane};
use crate::status::OutputStatus;
#[cfg(feature = "webhook")]
use crate::webhook::{WebhookClient, WebhookConfig, WebhookConfigError, WebhookEncoder};

/// Payloads between the lanes and the driver beyond those that fill the output's queue: for one batch a worker that
/// found room. The bytes are what bounds the queue.
const PAYLOADS_BEYOND_QUEUE: usize = 64;

/// Idle buffers that an output keeps for its next payloads.
const IDLE_BUFFERS: usize = 4;

/// The kinds of outputs, by the name that a config uses.
pub const KINDS: &[(&str, &str)] = &[
    #[cfg(feature = "elasticsearch")]
    ("elasticsearch", "Documents into data streams of Elasticsearch or OpenSearch."),
    #[cfg(feature = "kafka")]
    ("kafka", "Records in topics of Kafka."),
    #[cfg(feature = "webhook")]
    ("webhook", "JSON of one's own making to any HTTP address."),
    #[cfg(feature = "email")]
    ("email", "Mails by SMTP."),
    ("file", "Lines in files, with path templates and rotation."),
    ("console", "Short coloured lines on a terminal, one JSON object a line otherwise."),
];

/// A kind of output with its configuration.
#[derive(Clone, Debug)]
pub enum OutputKind {
    /// Documents into data streams.
    #[cfg(feature = "elasticsearch")]
    Elasticsearch(ElasticsearchConfig),
    /// Records in topics.
    #[cfg(feature = "kafka")]
    Kafka(KafkaConfig),
    /// Requests to an HTTP address.
    #[cfg(feature = "webhook")]
    Webhook(WebhookConfig),
    /// Mails.
    #[cfg(feature = "email")]
    Email(EmailConfig),
    /// Lines in files.
    File(FileConfig),
    /// Standard output.
    Console(ConsoleConfig),
}

/// What every kind of output is configured with.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputConfig {
    /// When payloads close, and how much may wait.
    pub lane: LaneConfig,
    /// How payloads are sent.
    pub driver: DriverConfig,
}

/// What an output needs of the process.
#[derive(Clone, Debug)]
pub struct OutputDependencies {
    /// The budget of the process.
    pub memory: Arc<Memory>,
    /// The names of keys.
    pub keys: Arc<Keys>,
    /// Where refused events are kept. Without it they are only counted and said.
    pub dead_letter: Option<Arc<DeadLetter>>,
    /// The folder for journals.
    pub data_dir: PathBuf,
    /// Where drivers run.
    pub runtime: Handle,
}

/// Makes the lanes of an output, one for each worker. The driver ends when the factory and all its lanes are gone.
pub struct LaneFactory {
    make: Box<dyn Fn() -> Box<dyn Lane> + Send + Sync>,
}

/// A running output.
#[derive(Debug)]
pub struct Output {
    /// Makes its lanes.
    pub lanes: LaneFactory,
    /// Ends when every lane is gone and everything is settled, or when the output itself has ended.
    pub driver: JoinHandle<DriverEnd>,
    /// How it is doing.
    pub status: Arc<OutputStatus>,
    /// The transactions that its source is to begin and end, if it writes in such.
    #[cfg(feature = "kafka")]
    pub transaction: Option<Arc<dyn Transaction>>,
}

/// Why an output cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output `elasticsearch`.
    #[cfg(feature = "elasticsearch")]
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchConfigError),
    /// The output `kafka`.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] KafkaOutputError),
    /// The output `webhook`.
    #[cfg(feature = "webhook")]
    #[error(transparent)]
    Webhook(#[from] WebhookConfigError),
    /// The output `email`.
    #[cfg(feature = "email")]
    #[error(transparent)]
    Email(#[from] EmailConfigError),
    /// The output `file`.
    #[error(transparent)]
    File(#[from] FileOutputError),
}

impl OutputKind {
    /// The name that a config uses.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "elasticsearch")]
            Self::Elasticsearch(_) => "elasticsearch",
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => "kafka",
            #[cfg(feature = "webhook")]
            Self::Webhook(_) => "webhook",
            #[cfg(feature = "email")]
            Self::Email(_) => "email",
            Self::File(_) => "file",
            Self::Console(_) => "console",
        }
    }
}

impl LaneFactory {
    /// A lane for one worker.
    #[must_use]
    pub fn lane(&self) -> Box<dyn Lane> {
        (self.make)()
    }
}

impl fmt::Debug for LaneFactory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LaneFactory")
    }
}

impl Output {
    /// Starts the driver of an output.
    ///
    /// # Errors
    /// What is wrong with its configuration, or with the files that it needs.
    pub fn spawn(
        name: &str,
        kind: &OutputKind,
        config: OutputConfig,
        dependencies: &OutputDependencies,
    ) -> Result<Self, OutputError> {
        let status = Arc::new(OutputStatus::new(name, kind.name()));
        let keys = Arc::clone(&dependencies.keys);
        match kind {
            #[cfg(feature = "elasticsearch")]
            OutputKind::Elasticsearch(elasticsearch) => {
                let lane = LaneConfig { gzip: elasticsearch.gzip(), ..config.lane };
                let config = OutputConfig { lane, ..config };
                let client = ElasticsearchClient::new(elasticsearch)?;
                let encoder = move || BulkEncoder::new(Arc::clone(&keys));
                Ok(Self::start(client, encoder, config, dependencies, status))
            }
            #[cfg(feature = "kafka")]
            OutputKind::Kafka(kafka) => {
                let template = RecordTemplate::new(kafka, &keys)?;
                let encoder = move || KafkaEncoder::new(Arc::clone(&keys), template.clone());
                let Some(transaction) = &kafka.transaction else {
                    let client =
                        KafkaClient::new(kafka, Arc::clone(&status)).map_err(KafkaOutputError::from)?;
                    return Ok(Self::start(client, encoder, config, dependencies, status));
                };
                let client = TransactionalClient::new(kafka, transaction, Arc::clone(&status))
                    .map_err(KafkaOutputError::from)?;
                let lane = LaneConfig { source_waits: true, ..config.lane };
                let config = OutputConfig { lane, ..config };
                let transaction: Arc<dyn Transaction> = client.transaction();
                let output = Self::start(client, encoder, config, dependencies, status);
                Ok(Self { transaction: Some(transaction), ..output })
            }
            #[cfg(feature = "webhook")]
            OutputKind::Webhook(webhook) => {
                let lane = webhook.lane(config.lane);
                let client = WebhookClient::new(webhook)?;
                let (body, target) = (webhook.body.clone(), webhook.address());
                let encoder = move || WebhookEncoder::new(Arc::clone(&keys), body.clone(), &target);
                Ok(Self::start(client, encoder, OutputConfig { lane, ..config }, dependencies, status))
            }
            #[cfg(feature = "email")]
            OutputKind::Email(email) => {
                let lane = email.lane(config.lane);
                let client = EmailClient::new(email)?;
                let letter = email.letter();
                let encoder = move || WebhookEncoder::new(Arc::clone(&keys), Some(letter.clone()), "email");
                Ok(Self::start(client, encoder, OutputConfig { lane, ..config }, dependencies, status))
            }
            OutputKind::File(file) => {
                let template = PathTemplate::new(&file.path, &keys).map_err(FileOutputError::from)?;
                let journal =
                    dependencies.data_dir.join("outputs").join(format!("{}.journal", name.replace('/', "_")));
                let (client, written) = FileClient::new(file, &journal)?;
                let file = file.clone();
                let encoder = move || {
                    FileEncoder::new(Arc::clone(&keys), &file, template.clone(), Arc::clone(&written))
                };
                Ok(Self::start(client, encoder, config, dependencies, status))
            }
            OutputKind::Console(console) => {
                let console = console.clone();
                let encoder = move || ConsoleEncoder::new(Arc::clone(&keys), &console);
                Ok(Self::start(ConsoleClient, encoder, config, dependencies, status))
            }
        }
    }

    fn start<C: Client, E: Encode + 'static>(
        client: C,
        encoder: impl Fn() -> E + Send + Sync + 'static,
        config: OutputConfig,
        dependencies: &OutputDependencies,
        status: Arc<OutputStatus>,
    ) -> Self {
        let queue = Memory::new(config.lane.queue_bytes);
        let in_queue = config.lane.queue_bytes / config.lane.payload_min();
        let (payloads, inbox) = mpsc::channel(in_queue + PAYLOADS_BEYOND_QUEUE);
        let buffers = BufferPool::new(IDLE_BUFFERS);
        let dead_letter = dependencies.dead_letter.clone();
        let driver = Driver::new(client, config.driver, Arc::clone(&queue), Arc::clone(&status), dead_letter);
        let driver = dependencies.runtime.spawn(driver.run(inbox));
        let memory = Arc::clone(&dependencies.memory);
        let shared = LaneShared { payloads, queue, memory, buffers, status: Arc::clone(&status) };
        let lane = config.lane;
        let make = move || -> Box<dyn Lane> { Box::new(OutputLane::new(encoder(), lane, shared.clone())) };
        Self {
            lanes: LaneFactory { make: Box::new(make) },
            driver,
            status,
            #[cfg(feature = "kafka")]
            transaction: None,
        }
    }
}
