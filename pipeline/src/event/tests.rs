//! The batch held against a plain map, with random events and operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::format::Format;
use logweir_parsers::{KeyId, Sink, key, preset};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::{
    Batch, ConstantSet, ConstantValue, Event, EventFlags, EventSink, Field, JsonEncoder, KeyTable, Keys,
    Span, Value, Writer,
};
use crate::stream::Position;
use crate::testing;
use crate::transform::{Bench, RenameFields, Step};

/// Keys that the random operations use: two constants (of the source, of the stream), two well-known, two others.
const NAMES: [&str; 6] = ["host.name", "log.file.path", "message", "url.path", "my.field", "other"];
const LINE: &[u8] = b"plain \"quoted\" back\\slash \x01\x1f\ttab \xe2\x80\xa8 caf\xc3\xa9 broken\xff\xc3 and a longer clean tail of text";

#[derive(Clone, Debug)]
enum Made {
    Part(usize, usize),
    Text(Vec<u8>),
    Integer(i64),
    Float(f64),
    Bool(bool),
}

#[derive(Clone, Debug)]
enum Operation {
    Set(usize, Made),
    Rename(usize, usize),
    Remove(usize),
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        (0..LINE.len(), 0..LINE.len()).prop_map(|(a, b)| Made::Part(a.min(b), a.max(b))),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Made::Text),
        any::<i64>().prop_map(Made::Integer),
        any::<i32>().prop_map(|eighths| Made::Float(f64::from(eighths) / 8.0)),
        any::<bool>().prop_map(Made::Bool),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = 0..NAMES.len();
    prop_oneof![
        (name.clone(), made()).prop_map(|(name, made)| Operation::Set(name, made)),
        (name.clone(), name.clone()).prop_map(|(from, to)| Operation::Rename(from, to)),
        name.prop_map(Operation::Remove),
    ]
}

/// One event: the fields a grammar gave it, then what transforms did.
type Case = (Vec<(usize, Made)>, Vec<Operation>);

fn events() -> impl Strategy<Value = Vec<Case>> {
    let parsed = prop::collection::vec((0..NAMES.len(), made()), 0..6);
    prop::collection::vec((parsed, prop::collection::vec(operation(), 0..12)), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn a_batch_behaves_like_maps(events in events()) {
        check(&events);
    }

    #[test]
    fn any_bytes_become_valid_json(line in prop::collection::vec(any::<u8>(), 0..200), split in 0..200_usize) {
        let keys = Keys::new(10);
        let mut batch = batch(&keys, &line, 1);
        let split = split.min(line.len());
        let mut table = KeyTable::new(Arc::clone(&keys));
        fill(&mut batch, &mut table, 0, |sink, line| {
            sink.text_span(key::MESSAGE, &line[..split]);
            sink.text_span(key::URL_PATH, &line[split..]);
            sink.made_member(&line[..split], &line[split..]);
        });
        let document = document(&keys, &batch, 0);
        prop_assert_eq!(&document["message"], &Json::from(String::from_utf8_lossy(&line[..split])));
        prop_assert_eq!(&document["url.path"], &Json::from(String::from_utf8_lossy(&line[split..])));
    }
}

fn check(events: &[Case]) {
    let keys = Keys::new(100);
    let ids = NAMES.map(|name| keys.intern(name).unwrap());
    let mut batch = batch(&keys, LINE, events.len());
    let mut table = KeyTable::new(Arc::clone(&keys));
    let mut models = vec![constants_model(); events.len()];
    for (index, (parsed, _)) in events.iter().enumerate() {
        fill(&mut batch, &mut table, index, |sink, line| {
            for (name, made) in parsed {
                give(sink, ids[*name], made, line);
            }
        });
        for (name, made) in parsed {
            if let Some(json) = sink_model(made) {
                models[index].insert(NAMES[*name], json);
            }
        }
    }
    for (index, (_, operations)) in events.iter().enumerate() {
        for operation in operations {
            apply(&mut batch, index, &ids, operation);
            apply_to_model(&mut models[index], operation);
        }
    }
    for (index, model) in models.iter().enumerate() {
        let written = document(&keys, &batch, index);
        let written = written.into_iter().filter(|(name, _)| NAMES.contains(&name.as_str())).collect();
        let expected =
            model.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>();
        assert_eq!(expected, written);
        for (id, name) in ids.iter().zip(NAMES) {
            let found = batch.get(index, *id).is_some() || batch.constant(index, *id).is_some();
            assert_eq!(found, model.contains_key(name), "{name}");
        }
    }
}

fn batch(keys: &Arc<Keys>, line: &[u8], events: usize) -> Batch {
    let mut fields = ConstantSet::default();
    fields.add(keys.intern("host.name").unwrap(), "host.name", ConstantValue::Text("h\"1".to_owned()));
    let mut own = ConstantSet::default();
    own.add(key::LOG_FILE_PATH, "log.file.path", ConstantValue::Text("/var/log/x".to_owned()));
    let stream = testing::stream(testing::source(fields), own);
    let mut flags = EventFlags::default();
    flags.insert(EventFlags::INVALID_UTF8);
    let span = Span { start: 0, len: u32::try_from(line.len()).unwrap() };
    let events = vec![Batch::line(span, 0, 0, flags); events];
    let ack = stream.begin(Position::default(), events.len() as u64, 0);
    Batch::new(Bytes::copy_from_slice(line), events, stream, 0, ack)
}

/// Lets a grammar fill event `index`.
fn fill(
    batch: &mut Batch,
    table: &mut KeyTable,
    index: usize,
    grammar: impl FnOnce(&mut EventSink<'_>, &[u8]),
) {
    let (mut parts, events) = batch.sink_parts(table);
    let line = events[index].line.of(parts.chunk);
    let mut sink = EventSink::new(parts.reborrow(), events[index].flags);
    grammar(&mut sink, line);
    sink.finish(&mut events[index]);
}

fn give(sink: &mut EventSink<'_>, key: KeyId, made: &Made, line: &[u8]) {
    match made {
        Made::Part(start, end) => sink.text_span(key, &line[*start..*end]),
        Made::Text(text) => sink.made_text(key, text.chunks(7)),
        Made::Integer(number) => sink.integer(key, *number),
        Made::Float(_) | Made::Bool(_) => {}
    }
}

fn sink_model(made: &Made) -> Option<Json> {
    (!matches!(made, Made::Float(_) | Made::Bool(_))).then(|| model(made))
}

fn model(made: &Made) -> Json {
    match made {
        Made::Part(start, end) => Json::from(String::from_utf8_lossy(&LINE[*start..*end])),
        Made::Text(text) => Json::from(String::from_utf8_lossy(text)),
        Made::Integer(number) => Json::from(*number),
        Made::Float(number) => Json::from(*number),
        Made::Bool(truth) => Json::from(*truth),
    }
}

fn apply(batch: &mut Batch, index: usize, ids: &[KeyId; 6], operation: &Operation) {
    match operation {
        Operation::Set(name, made) => {
            let value = match made {
                Made::Part(start, end) => {
                    let [start, end] = [*start, *end].map(|place| u32::try_from(place).unwrap());
                    Value::Text(Span { start, len: end - start })
                }
                Made::Text(text) => batch.make_text(text),
                Made::Integer(number) => Value::Integer(*number),
                Made::Float(number) => Value::Float(*number),
                Made::Bool(truth) => Value::Bool(*truth),
            };
            batch.set(index, ids[*name], value);
        }
        Operation::Rename(from, to) => {
            let selected = &mut vec![u32::try_from(index).unwrap()];
            RenameFields(vec![(ids[*from], ids[*to])]).apply(batch, selected, &mut Bench::new(Keys::new(0)));
        }
        Operation::Remove(name) => batch.remove(index, ids[*name]),
    }
}

fn constants_model() -> BTreeMap<&'static str, Json> {
    BTreeMap::from([("host.name", Json::from("h\"1")), ("log.file.path", Json::from("/var/log/x"))])
}

fn apply_to_model(model_map: &mut BTreeMap<&'static str, Json>, operation: &Operation) {
    match operation {
        Operation::Set(name, made) => {
            model_map.insert(NAMES[*name], model(made));
        }
        Operation::Rename(from, to) => {
            if let Some(value) = model_map.remove(NAMES[*from]) {
                model_map.insert(NAMES[*to], value);
            }
        }
        Operation::Remove(name) => {
            model_map.remove(NAMES[*name]);
        }
    }
}

/// The document of an event, read by another JSON library; fails when a key stands in it twice.
fn document(keys: &Arc<Keys>, batch: &Batch, index: usize) -> BTreeMap<String, Json> {
    let mut out = Writer::default();
    JsonEncoder::new(Arc::clone(keys)).write(batch, &batch.events[index], &mut out);
    let text = std::str::from_utf8(out.as_slice()).unwrap();
    let members = serde_json::from_str::<Members>(text).unwrap_or_else(|error| panic!("{error}: {text}")).0;
    let mut document = BTreeMap::new();
    for (name, value) in members {
        assert!(document.insert(name.clone(), value).is_none(), "{name} stands twice in {text}");
    }
    document
}

/// A JSON object's members as they stand, repeated ones included.
struct Members(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[test]
fn the_last_of_two_values_counts_and_hides_the_constant() {
    let keys = Keys::new(10);
    let mut batch = batch(&keys, b"one two", 1);
    let mut table = KeyTable::new(Arc::clone(&keys));
    fill(&mut batch, &mut table, 0, |sink, line| {
        sink.text_span(key::HOST_NAME, &line[..3]);
        sink.text_span(key::HOST_NAME, &line[4..]);
        sink.preset(preset::EVENT);
    });
    let document = document(&keys, &batch, 0);
    assert_eq!(document["host.name"], "two");
    assert_eq!(document["event.kind"], "event");
}

#[test]
fn a_field_packs_and_unpacks_every_value() {
    let span = Span { start: 7, len: u32::MAX - 7 };
    for value in [
        Value::Text(span),
        Value::JsonText(span),
        Value::Json(span),
        Value::Members(span),
        Value::MadeText(span),
        Value::MadeJson(span),
        Value::MadeMembers(span),
        Value::Integer(i64::MIN),
        Value::Float(-0.1),
        Value::Bool(true),
        Value::Time(-1),
        Value::Removed,
    ] {
        assert_eq!(Field::new(KeyId(9), value).value(), value);
        assert_eq!(Field::new(KeyId(9), value).key(), KeyId(9));
    }
}

#[test]
fn an_event_without_a_time_has_the_time_of_reading() {
    let event: Event = Batch::line(Span::default(), 0, 42, EventFlags::default());
    assert_eq!((event.timestamp, event.format), (42, Format::Raw.into()));
}
