//! `type = "kafka"`.
//!
//! Owns: the keys of a Kafka source and their checked values.
//! Promises: a topic that can't be one, and a setting that the client does not take, are told before anything starts.
//! Never: connects.

use std::sync::Arc;

use logweir_parsers::timestamp::rfc3339;
use logweir_parsers::{Context, Zone};
use logweir_pipeline::Keys;
use logweir_pipeline::source::kafka::{
    GroupProtocol, KafkaSourceConfig, OnLostPosition, RecordFraming, StartAt, TopicPattern,
};

use super::super::decode::{Decoder, Found, Given};
use super::super::error::Diagnostic;
use super::super::nearest::nearest;
use super::super::schema::{Key, Table, table};
use super::super::value::lists::Item;
use super::super::value::{At, Bytes, Description, Value, Words};
use super::super::{kafka, units};
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
        /// themselves. Absent: by the broker, or among themselves where the broker does not do it.
        group_protocol: Option<GroupProtocol>,
        /// Name of this member, another for each, under which it has its partitions again after a restart. Absent: none.
        group_instance_id: Option<String>,
        /// Where to begin in partitions of which the group has no position: "earliest" at the first record, "latest" behind the
        /// last, or at the first that is not older than a time, or than so long before the first start ("2h").
        start: Start = "earliest",
        /// Where to go on when the records at the group's position are gone, by retention or because the topic was made anew:
        /// "earliest" at the first that is there, "latest" behind the last, "stop": nowhere, logweir ends with an error.
        on_lost_position: OnLostPosition = "earliest",
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

impl Words for OnLostPosition {
    const WORDS: &'static [(&'static str, Self)] =
        &[("earliest", Self::Earliest), ("latest", Self::Latest), ("stop", Self::Stop)];
}

/// A time, a duration or a word.
struct Start(StartAt);

impl Start {
    const WORDS: [(&'static str, StartAt); 2] =
        [("earliest", StartAt::Earliest), ("latest", StartAt::Latest)];
}

impl Value for Start {
    fn describe() -> Description {
        Description::new(
            "\"earliest\", \"latest\", time or duration",
            "\"earliest\", \"latest\", a time as in RFC 3339, such as \"2026-11-23T08:30:00Z\", or a duration, such as \"2h\"",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(given)?;
        if let Some((_, start)) = Self::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(Self(*start));
        }
        if let Some(duration) = units::parse_duration(&text) {
            return Some(Self(StartAt::Ago(duration)));
        }
        if let Some(nanos) = rfc3339(text.as_bytes(), &Context::new(0, Zone::UTC)) {
            return Some(Self(StartAt::Time(nanos)));
        }
        let word = nearest(&text, Self::WORDS.iter().map(|(word, _)| *word)).map(str::to_owned);
        let meant = word.or_else(|| units::correct_duration(&text));
        decoder.wrong(given, meant.map(|meant| format!("did you mean \"{meant}\"?")))
    }
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
        start: keys.start.0,
        on_lost_position: keys.on_lost_position,
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
