//! `[outputs.NAME]`.
//!
//! Owns: the table of kinds of outputs, the keys that they share, and an output's checked values.
//! Promises: two outputs never write one file.
//! Never: opens a file or a connection for writing.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::driver::DriverConfig;
use logweir_outputs::lane::LaneConfig;
use logweir_outputs::output::{OutputConfig, OutputKind};
use logweir_pipeline::Keys;

use super::component::{Component, Decode, Fed, describe_types};
use super::decode::{Decoder, Found};
use super::error::Diagnostic;
#[cfg(feature = "kafka")]
use super::error::Place;
use super::schema::{Key, SectionKind, Table, table};
use super::value::{At, Bytes, Integer};

mod console;
mod elasticsearch;
#[cfg(feature = "email")]
mod email;
mod file;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod rate;
mod template;
mod webhook;

/// The kinds of outputs.
pub(crate) const KINDS: &[Component<Target>] = &[
    output(
        "elasticsearch",
        "Stores events in data streams `logs-DATASET-NAMESPACE` of Elasticsearch or OpenSearch.",
        elasticsearch::KEYS,
        elasticsearch::target,
    ),
    #[cfg(feature = "kafka")]
    output("kafka", "Writes events as records to topics of Kafka.", kafka::KEYS, kafka::target),
    output(
        "webhook",
        "Sends events as JSON to an HTTP address, above all alerts to a chat or an incident service.",
        webhook::KEYS,
        webhook::target,
    ),
    #[cfg(feature = "email")]
    output("email", "Sends events by mail, above all alerts.", email::KEYS, email::target),
    output("file", "Writes events to files.", &[file::FileKeys::KEYS], file::target),
    output("console", "Writes events to standard output.", &[console::ConsoleKeys::KEYS], console::target),
];

const TYPE: &[Key] = &[Key::component_type("What kind of output it is.", || describe_types(KINDS))];

const fn output(
    component: &'static str,
    summary: &'static str,
    keys: &'static [&'static [Key]],
    decode: Decode<Target>,
) -> Component<Target> {
    let (header, shared) = ("outputs.NAME", &[TYPE, Fed::KEYS, OutputKeys::KEYS]);
    let section = SectionKind { header, component: Some(component), summary, shared, keys };
    Component { section, decode }
}

table! {
    /// The keys that every output has, besides its inputs.
    struct OutputKeys {
        /// Most bytes of one batch.
        batch_bytes: Bytes<usize, 4096> = "5MB",
        /// Most events of one batch.
        batch_events: Integer<usize, 1, 1_000_000> = 50000,
        /// Longest time that an event waits for its batch to fill.
        flush_after: Duration = "200ms",
        /// Most encoded bytes that wait; when they are used up, this output makes its sources wait.
        queue_bytes: Bytes<usize, 4096> = "16MiB",
    }
}

/// What a kind of output makes of its own keys.
pub(crate) struct Target {
    kind: OutputKind,
    /// Most requests at once.
    concurrency_max: usize,
    /// The path that it writes, if it writes a file.
    path: Option<At<String>>,
    /// Where it says that it writes in transactions, if it does.
    #[cfg(feature = "kafka")]
    transactional: Option<Place>,
}

impl Target {
    fn of(kind: OutputKind, concurrency_max: usize) -> Self {
        Self {
            kind,
            concurrency_max,
            path: None,
            #[cfg(feature = "kafka")]
            transactional: None,
        }
    }
}

/// An output of the config.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
    /// When its batches close, how much may wait, how it sends.
    pub(crate) config: OutputConfig,
    /// What it writes to.
    pub(crate) kind: OutputKind,
    path: Option<At<String>>,
    /// Where it says that it writes in transactions, if it does.
    #[cfg(feature = "kafka")]
    pub(super) transactional: Option<Place>,
}

/// The output of a section of this kind; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    component: &Component<Target>,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Output> {
    let target = (component.decode)(found, keys, decoder);
    let common = OutputKeys::decode(found, decoder)?;
    let lane = LaneConfig {
        batch_bytes: common.batch_bytes.0,
        batch_events: common.batch_events.0,
        flush_after: common.flush_after,
        queue_bytes: common.queue_bytes.0,
        ..LaneConfig::default()
    };
    let target = target?;
    let driver = DriverConfig { concurrency_max: target.concurrency_max, ..DriverConfig::default() };
    Some(Output {
        name: name.to_owned(),
        config: OutputConfig { lane, driver },
        kind: target.kind,
        path: target.path,
        #[cfg(feature = "kafka")]
        transactional: target.transactional,
    })
}

/// Two outputs that write one file would write into each other's lines.
pub(crate) fn check_shared_files(outputs: &[Output], decoder: &mut Decoder<'_>) {
    let paths = outputs.iter().filter_map(|output| output.path.as_ref()).collect::<Vec<_>>();
    for (index, path) in paths.iter().enumerate() {
        if let Some(first) = paths[..index].iter().find(|other| other.value == path.value) {
            decoder.report(
                Diagnostic::error(format!("two outputs write `{}`", path.value))
                    .at(path.place, "expected another file")
                    .at(first.place, "the first output")
                    .help("let one output take the events of both: `inputs` is a list"),
            );
        }
    }
}
