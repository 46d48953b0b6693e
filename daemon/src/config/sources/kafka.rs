//! `type = "kafka"`.
//!
//! Owns: the keys of a Kafka source and their checked values.
//! Promises: a topic that can't be one, and a setting that the client does not take, are told before anything starts.
//! Never: connects.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::source::kafka::{
    GroupProtocol, KafkaSourceConfig, RecordFraming, StartAt, TopicPattern,
};

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::kafka;
use super::super::schema::{Key, Table, table};
use super::super::value::lists::Item;
use super::super::value::{At, Bytes, Words};
use super::{LineKeys, SourceKind};

/// The keys of a Kafka source, those of its connection first.
pub(super) const KEYS: &[&[Key]] =
    &[kafka::KEYS[0], kafka::KEYS[1], kafka::KEYS[2], LineKeys::KEYS, KafkaKeys::KEYS];

table! {
    /// The keys of a Kafka source.
    struct KafkaKeys {
        /// Topics to read: names, or patterns with `*`, `?`, `[a-z]` and `{a,b}`; what begins with `^` is a regular expression.
        topics: Vec<Topic>,
        /// Consumer group. Its members share the partitions, and its positions are kept by the cluster.
        group: String,
        /// How the members agree on who reads what: "consumer" by the broker (KIP-848, Kafka 4.0 or later), "classic" among
        /// themselves, for older ones. All members of a group need the same.
        group_protocol: GroupProtocol = "consumer",
        /// Name of this member, another for each, under which it has its partitions again after a restart. Absent: none.
        group_instance_id: Option<String>,
        /// Where to begin in partitions of which the group has no position, or one whose records are gone.
        start: StartAt = "earliest",
        /// What an event is: "record", "lines" (each line of a record), or "auto": lines where the header `content-type` is
        /// `application/x-ndjson`, else the record.
        framing: RecordFraming = "auto",
        /// Records that wait in the client, of all partitions together.
        queue_bytes: Bytes<usize, 1_048_576> = "16MiB",
    }
}

impl Words for GroupProtocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("consumer", Self::Consumer), ("classic", Self::Classic)];
}

impl Words for StartAt {
    const WORDS: &'static [(&'static str, Self)] = &[("earliest", Self::Earliest), ("latest", Self::Latest)];
}

impl Words for RecordFraming {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("record", Self::Record), ("lines", Self::Lines)];
}

/// A topic or a pattern of topics.
struct Topic(TopicPattern);

impl Item for Topic {
    const NAMES: (&str, &str) =
        ("topic or list", "a topic or a pattern such as \"logs.*\", or a list of them");

    fn from_text(At { value, place }: At<String>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match value.parse() {
            Ok(topic) => Some(Self(topic)),
            Err(error) => {
                let diagnostic = Diagnostic::error(format!("`{value}` is no topic and no pattern"));
                decoder.report(diagnostic.at(place, format!("{error}")));
                None
            }
        }
    }
}

pub(super) fn source(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<SourceKind> {
    let connection = kafka::connection(found, decoder);
    let lines = LineKeys::decode(found, decoder);
    let keys = KafkaKeys::decode(found, decoder)?;
    let config = KafkaSourceConfig {
        connection: connection?,
        group: keys.group,
        topics: keys.topics.into_iter().map(|topic| topic.0).collect(),
        group_protocol: keys.group_protocol,
        group_instance_id: keys.group_instance_id,
        start: keys.start,
        framing: keys.framing,
        max_line_bytes: lines?.max_line_bytes.0,
        queue_bytes: keys.queue_bytes.0,
    };
    if let Err(error) = config.client_config() {
        decoder.report(Diagnostic::error(error.to_string()).at(found.name.place, "this cannot be used"));
        return None;
    }
    Some(SourceKind::Kafka(Box::new(config)))
}
