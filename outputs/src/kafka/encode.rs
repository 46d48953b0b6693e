//! Events as the parts of records.
//!
//! Owns: [`KafkaEncoder`].
//! Promises: a document of an ndjson record carries its identity as `event.id`; no allocation per event.
//! Never: sends.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use logweir_pipeline::event::{JsonEncoder, Writer};
use logweir_pipeline::{Batch, Event, Keys};

use super::config::{KafkaConfig, KafkaEncoding, KafkaOutputError};
use super::record::{Addressing, write_head};
use super::topic::TopicTemplate;
use super::traceparent::Traceparent;
use crate::encode::Encode;
use crate::event_id::EventId;
use crate::file::PathTemplate;

/// Nanoseconds of a millisecond.
const MILLISECOND: i64 = 1_000_000;
/// Most names of topics kept; above it they are forgotten and met anew.
const NAMES_MAX: usize = 4096;

/// Where events go and what their records hold.
#[derive(Clone, Debug)]
pub struct RecordTemplate {
    topic: TopicTemplate,
    /// None for the identity of the stream.
    key: Option<PathTemplate>,
    encoding: KafkaEncoding,
}

/// Writes events as parts of records.
#[derive(Debug)]
pub struct KafkaEncoder {
    json: JsonEncoder,
    template: RecordTemplate,
    names: HashMap<String, Arc<str>>,
    name: Option<Arc<str>>,
    scratch: String,
    /// The stream whose identity and addressing are ready: where events were read first.
    stream: Option<u64>,
    id: EventId,
    addressing: Addressing,
    /// The event for which a target was asked last.
    index: usize,
}

impl RecordTemplate {
    /// What the config says of records.
    ///
    /// # Errors
    /// When the topic or the key is no template.
    pub fn new(config: &KafkaConfig, keys: &Arc<Keys>) -> Result<Self, KafkaOutputError> {
        let topic = TopicTemplate::new(&config.topic, keys)?;
        let key = config.key.as_deref().map(|key| PathTemplate::new(key, keys)).transpose();
        Ok(Self { topic, key: key.map_err(KafkaOutputError::Key)?, encoding: config.encoding })
    }
}

impl KafkaEncoder {
    /// An encoder for events whose keys are in `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>, template: RecordTemplate) -> Self {
        Self {
            json: JsonEncoder::new(keys),
            template,
            names: HashMap::new(),
            name: None,
            scratch: String::new(),
            stream: None,
            id: EventId::new(0),
            addressing: Addressing::default(),
            index: 0,
        }
    }

    fn render_name(&mut self, batch: &Batch, index: usize) -> Arc<str> {
        self.template.topic.render(batch, index, &mut self.scratch);
        if let Some(name) = self.name.as_ref().filter(|name| ***name == *self.scratch) {
            return Arc::clone(name);
        }
        if self.names.len() >= NAMES_MAX {
            self.names.clear();
        }
        if let Some(name) = self.names.get(&self.scratch) {
            return Arc::clone(name);
        }
        let name: Arc<str> = self.scratch.as_str().into();
        self.names.insert(self.scratch.clone(), Arc::clone(&name));
        name
    }
}

impl Encode for KafkaEncoder {
    /// The next batch may be of another source.
    fn begin(&mut self, _batch: &Batch) -> bool {
        self.stream = None;
        false
    }

    #[inline]
    fn target(&mut self, batch: &Batch, index: usize) -> &Arc<str> {
        self.index = index;
        if self.name.is_none() || !self.template.topic.is_constant() {
            self.name = Some(self.render_name(batch, index));
        }
        self.name.get_or_insert_default()
    }

    #[inline]
    fn encode(&mut self, batch: &Batch, event: &Event, _target: Option<&str>, out: &mut Writer) {
        let (origin, source) = (batch.origin(event), batch.stream.source().name.as_bytes());
        if self.stream != Some(origin.stream) {
            self.stream = Some(origin.stream);
            self.id = EventId::new(origin.stream);
            self.scratch.clear();
            // Writing to a text cannot fail.
            let (Ok(()) | Err(_)) = write!(self.scratch, "{:016x}", origin.stream);
            self.addressing.set(self.scratch.as_bytes(), source);
        }
        if let Some(key) = &mut self.template.key {
            key.fill_in(batch, self.index, &mut self.scratch);
            self.addressing.set(self.scratch.as_bytes(), source);
        }
        let id = self.id.render(origin.offset);
        // A record of many documents has no trace of its own.
        let has_trace = self.template.encoding != KafkaEncoding::Ndjson;
        let trace = if has_trace { Traceparent::of(batch, event) } else { None };
        let time = record_time(event.timestamp, batch.read_at);
        write_head(time, id, trace.as_ref(), &self.addressing, out);
        match self.template.encoding {
            KafkaEncoding::Json => self.json.write(batch, event, out),
            KafkaEncoding::Ndjson => self.json.write_with_id(batch, event, id, out),
            KafkaEncoding::Raw => out.push(event.line.of(&batch.chunk)),
        }
    }
}

/// The time of a record, in milliseconds. Brokers refuse whole batches for one record from the future, and one from before
/// 1970 has no time.
fn record_time(timestamp: i64, read_at: i64) -> i64 {
    (timestamp.min(read_at) / MILLISECOND).max(1)
}

#[cfg(test)]
mod tests {
    use logweir_parsers::Format;
    use logweir_pipeline::event::{Origin, OwnOrigin};

    use super::super::record::Record;
    use super::*;
    use crate::testing::{READ_AT, Source};

    /// The topic and the parts of the record of a line of JSON.
    fn encoded<T>(config: KafkaConfig, line: &str, look: impl FnOnce(&str, Record<'_>) -> T) -> T {
        let config = KafkaConfig { topic: "logs.{service.name}".to_owned(), ..config };
        let mut source = Source::new(Format::Json, 0xabc);
        let template = RecordTemplate::new(&config, &source.keys).unwrap();
        let mut encoder = KafkaEncoder::new(Arc::clone(&source.keys), template);
        let (batch, mut out) = (source.batch(&["{}", line]), Writer::default());
        encoder.begin(&batch);
        let topic = Arc::clone(encoder.target(&batch, 1));
        encoder.encode(&batch, &batch.events[1], None, &mut out);
        look(&topic, Record::of(out.as_slice()).unwrap())
    }

    const LINE: &str = r#"{"service.name":"shop","event.id":"own","@timestamp":"2025-06-01T00:00:00Z"}"#;

    #[test]
    fn a_record_has_all_that_consumers_need() {
        encoded(KafkaConfig::default(), LINE, |topic, record| {
            assert_eq!(topic, "logs.shop");
            assert_eq!(record.key, b"0000000000000abc");
            assert_eq!(record.source, b"test");
            assert_eq!(record.id, EventId::new(0xabc).render(3));
            assert_eq!(record.timestamp, 1_748_736_000_000);
            let document = serde_json::from_slice::<serde_json::Value>(record.value).unwrap();
            assert_eq!(document["event.id"], "own");
        });
    }

    #[test]
    fn encodings_differ_in_what_a_record_holds() {
        let raw = KafkaConfig { encoding: KafkaEncoding::Raw, ..KafkaConfig::default() };
        encoded(raw, LINE, |_, record| assert_eq!(record.value, LINE.as_bytes()));
        let ndjson = KafkaConfig { encoding: KafkaEncoding::Ndjson, ..KafkaConfig::default() };
        encoded(ndjson, LINE, |_, record| {
            let text = str::from_utf8(record.value).unwrap();
            assert_eq!(text.matches("\"event.id\":").count(), 1, "{text}");
            let document = serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(document["event.id"], str::from_utf8(record.id).unwrap());
            assert_eq!(document["service.name"], "shop");
        });
    }

    #[test]
    fn an_event_of_a_trace_brings_it_as_a_header() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let line = format!(r#"{{"service.name":"shop","trace.id":"{trace}","span.id":"{span}"}}"#);
        let header = format!("00-{trace}-{span}-01");
        for (encoding, expected) in
            [(KafkaEncoding::Json, &*header), (KafkaEncoding::Raw, &header), (KafkaEncoding::Ndjson, "")]
        {
            encoded(KafkaConfig { encoding, ..KafkaConfig::default() }, &line, |_, record| {
                assert_eq!(record.trace, expected.as_bytes());
                assert_eq!(record.key, b"0000000000000abc");
                assert!(str::from_utf8(record.value).unwrap().contains(trace));
            });
        }
    }

    #[test]
    fn an_event_that_brought_its_origin_keeps_it() {
        let mut source = Source::new(Format::Json, 0xabc);
        let template = RecordTemplate::new(
            &KafkaConfig { topic: "t".to_owned(), ..KafkaConfig::default() },
            &source.keys,
        );
        let mut encoder = KafkaEncoder::new(Arc::clone(&source.keys), template.unwrap());
        let origin = Origin { stream: 0xdef, offset: 70 };
        let batch = source.batch(&["{}", "{}"]).with_origins(vec![OwnOrigin { at: 3, room: 1, origin }]);
        encoder.begin(&batch);
        for (index, stream, offset) in [(0, 0xabc, 0), (1, 0xdef, 70)] {
            let mut out = Writer::default();
            encoder.target(&batch, index);
            encoder.encode(&batch, &batch.events[index], None, &mut out);
            let record = Record::of(out.as_slice()).unwrap();
            assert_eq!(record.id, EventId::new(stream).render(offset));
            assert_eq!(record.key, format!("{stream:016x}").as_bytes());
        }
    }

    #[test]
    fn a_key_may_be_made_of_fields() {
        let config = KafkaConfig { key: Some("{service.name}-1".to_owned()), ..KafkaConfig::default() };
        encoded(config, LINE, |_, record| {
            assert_eq!((record.key, record.source), (&b"shop-1"[..], &b"test"[..]));
        });
    }

    #[test]
    fn times_are_those_that_brokers_take() {
        for (timestamp, expected) in [
            (READ_AT, READ_AT / MILLISECOND),
            (READ_AT + 3_600_000 * MILLISECOND, READ_AT / MILLISECOND),
            (-5 * MILLISECOND, 1),
            (1_000 * MILLISECOND, 1_000),
        ] {
            assert_eq!(record_time(timestamp, READ_AT), expected);
        }
    }
}
