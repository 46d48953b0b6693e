//! `[sources.NAME]`.
//!
//! Owns: the table of kinds of sources, the keys that they share, and a source's checked values.
//! Promises: every event of a source that reads this host's logs has the name of this host, unless the source's own
//! fields have it.
//! Never: reads a log.

use std::sync::Arc;

use logweir_parsers::{Format, Zone, key};
use logweir_pipeline::Keys;
use logweir_pipeline::aggregate::{Aggregate, AggregateConfig};
use logweir_pipeline::event::{ConstantSet, ConstantValue};
use logweir_pipeline::operator::Operator;
use logweir_pipeline::parse::{Grammar, Grammars};
use logweir_pipeline::rule::{Rule, RuleConfig, SigmaConfig, SigmaRules};
use logweir_pipeline::source::file::FileConfig;
#[cfg(feature = "kafka")]
use logweir_pipeline::source::kafka::KafkaSourceConfig;
use logweir_pipeline::source::syslog::SyslogConfig;

use super::component::{Component, Decode, describe_types};
use super::decode::{Decoder, Found, Given};
use super::error::Diagnostic;
use super::schema::{Key, SectionKind, Table, table};
use super::transforms::intern;
use super::value::tables::Fields;
use super::value::{At, Bytes, Description, Value, ZoneByName};

mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod syslog;

/// The kinds of sources.
pub(crate) const KINDS: &[Component<SourceKind>] = &[
    source(
        "file",
        "Reads files and follows them through rotation.",
        &[LineKeys::KEYS, file::FileKeys::KEYS],
        file::source,
    ),
    #[cfg(feature = "kafka")]
    source(
        "kafka",
        "Reads records of Kafka topics, shared with the other members of a consumer group.",
        kafka::KEYS,
        kafka::source,
    ),
    source("stdin", "Reads standard input; its end ends the run.", &[LineKeys::KEYS], stdin),
    source(
        "syslog",
        "Receives syslog over UDP, TCP, TLS and Unix sockets.",
        &[syslog::SyslogKeys::KEYS],
        syslog::source,
    ),
];

const TYPE: &[Key] = &[Key::component_type("What kind of source it is.", || describe_types(KINDS))];

const fn source(
    component: &'static str,
    summary: &'static str,
    keys: &'static [&'static [Key]],
    decode: Decode<SourceKind>,
) -> Component<SourceKind> {
    let (header, shared) = ("sources.NAME", &[TYPE, SourceKeys::KEYS]);
    let section = SectionKind { header, component: Some(component), summary, shared, keys };
    Component { section, decode }
}

fn stdin(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<SourceKind> {
    let max_line_bytes = LineKeys::decode(found, decoder)?.max_line_bytes.0;
    Some(SourceKind::Stdin { max_line_bytes })
}

table! {
    /// The keys that every source has.
    struct SourceKeys {
        /// Format of the lines, or formats to try in order, `[formats.NAME]` included; a line that none takes is delivered as `message` with
        /// `event.kind = "pipeline_error"`. Absent: `syslog` for a syslog source, `raw` for others.
        parse: Option<Vec<Grammar>>,
        /// What reads the `message` of a line that `parse` took and adds fields; those of the line stay. "auto": the
        /// format of the program that wrote it, by `process.name`, such as `sshd`, or `pam`. A list: the first format
        /// that fits. A message that none takes is delivered with the fields of its line; with a list it counts as
        /// unparsed. Absent: nothing reads it.
        parse_message: Option<Grammars>,
        /// `data_stream.dataset` and `event.dataset` of the events. Absent: the format's own, such as `nginx.access`.
        dataset: Option<DataStreamPart>,
        /// `data_stream.namespace` of the events.
        namespace: DataStreamPart = "default",
        /// Fields that every event of the source gets.
        fields: Option<Fields>,
        /// Zone of times that name none, such as "Europe/Berlin" or "+02:00".
        timezone: ZoneByName = "Z",
        /// Whether to keep the line as `event.original` beside the fields parsed from it.
        keep_original: bool = false,
    }
}

table! {
    /// The key of every source that cuts bytes into lines.
    struct LineKeys {
        /// Longest line; of a longer one the rest is cut off and the event marked.
        max_line_bytes: Bytes<usize, 64> = "1MiB",
    }
}

/// A source of the config.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// The formats to try.
    pub(crate) formats: Vec<Grammar>,
    /// The grammars that read the message of a line, if any do.
    pub(crate) parse_message: Option<Grammars>,
    /// The fields that all its events get.
    pub(crate) fields: ConstantSet,
    /// Its dataset, unless the format says.
    pub(crate) dataset: Option<String>,
    /// Its namespace.
    pub(crate) namespace: String,
    /// The zone of times that name none.
    pub(crate) zone: Zone,
    /// Whether to keep the line.
    pub(crate) keep_original: bool,
    /// What it reads.
    pub(crate) kind: SourceKind,
    /// Of an aggregate or a rule, a hash of all that the config says of it: what it remembers is another's when that changes.
    pub(crate) settings: u64,
}

/// What a source reads.
#[derive(Clone, Debug)]
pub(crate) enum SourceKind {
    /// Files.
    File(Box<FileConfig>),
    /// Topics.
    #[cfg(feature = "kafka")]
    Kafka(Box<KafkaSourceConfig>),
    /// Standard input.
    Stdin {
        /// Bytes of a line that are kept.
        max_line_bytes: usize,
    },
    /// Sockets.
    Syslog(Box<SyslogConfig>),
    /// The windows of an aggregate, which stands in a section of its own.
    Aggregate(Box<AggregateConfig>),
    /// The alerts of a rule, which stands in a section of its own.
    Rule(Box<RuleConfig>),
    /// The alerts of rules of Sigma.
    Sigma(Box<SigmaConfig>),
}

impl SourceKind {
    /// What watches events and makes those of this source of them, if it is that.
    pub(crate) fn operator(&self) -> Option<Box<dyn Operator>> {
        match self {
            Self::Aggregate(config) => Some(Aggregate::operator((**config).clone())),
            // What makes no sense was told when the config was checked.
            Self::Rule(config) => Rule::operator((**config).clone()).ok(),
            Self::Sigma(config) => SigmaRules::operator((**config).clone()).ok(),
            _ => None,
        }
    }

    /// Whether it is made of other events.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self, Self::Aggregate(_) | Self::Rule(_) | Self::Sigma(_))
    }
}

impl SourceKind {
    /// The formats of a source that names none.
    fn default_formats(&self) -> Vec<Grammar> {
        match self {
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => vec![Format::Raw.into()],
            Self::File(_) | Self::Stdin { .. } => vec![Format::Raw.into()],
            Self::Syslog(_) => vec![Format::Syslog.into()],
            Self::Aggregate(_) | Self::Rule(_) | Self::Sigma(_) => vec![Format::Json.into()],
        }
    }

    /// Whether what it reads is about this host, unless it says otherwise.
    fn is_about_this_host(&self) -> bool {
        match self {
            Self::File(_) | Self::Stdin { .. } => true,
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => false,
            Self::Syslog(_) | Self::Aggregate(_) | Self::Rule(_) | Self::Sigma(_) => false,
        }
    }
}

/// The source of a section of this kind; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    component: &Component<SourceKind>,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Source> {
    let kind = (component.decode)(found, keys, decoder);
    let common = SourceKeys::decode(found, decoder)?;
    let about_this_host = kind.as_ref().is_none_or(SourceKind::is_about_this_host);
    let fields = constant_fields(common.fields, about_this_host, keys, decoder)?;
    let kind = kind?;
    Some(Source {
        name: name.to_owned(),
        formats: common.parse.unwrap_or_else(|| kind.default_formats()),
        parse_message: common.parse_message,
        fields,
        dataset: common.dataset.map(|part| part.0),
        namespace: common.namespace.0,
        zone: common.timezone.0,
        keep_original: common.keep_original,
        kind,
        settings: 0,
    })
}

/// The name of this host.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The source's own fields, then the name of this host if the events are about it, unless they have it.
fn constant_fields(
    fields: Option<Fields>,
    about_this_host: bool,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<ConstantSet> {
    let mut set = ConstantSet::default();
    for At { value: (name, value), place } in fields.map(|fields| fields.0).unwrap_or_default() {
        if name.starts_with("data_stream.") {
            decoder.report(
                Diagnostic::error(format!("`{name}` is not set by `fields`"))
                    .at(place, "expected another field")
                    .help("the keys `dataset` and `namespace` of the source set the data stream"),
            );
            return None;
        }
        set.add(intern(&name, place, keys, decoder)?, &name, value);
    }
    if about_this_host {
        set.add(key::HOST_NAME, "host.name", ConstantValue::Text(host_name()));
    }
    Some(set)
}

/// What Elasticsearch takes as a part of a data stream's name.
pub(super) struct DataStreamPart(pub(super) String);

impl Value for DataStreamPart {
    fn describe() -> Description {
        String::describe()
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        let forbidden = |letter: char| letter.is_uppercase() || "-\\/*?\"<>| ,#:".contains(letter);
        if !text.is_empty() && text.len() <= 100 && !text.contains(forbidden) {
            return Some(Self(text));
        }
        decoder.report(Diagnostic::error(format!("`{text}` cannot be a part of a data stream's name")).at(
            given.place,
            "expected 1 to 100 bytes, no capitals, none of - \\ / * ? \" < > | , # : and space",
        ));
        None
    }
}
