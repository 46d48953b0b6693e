//! Bodies as strings.

use logweir_parsers::Format;
use logweir_pipeline::event::{ConstantSet, EventFlags, Origin, OwnOrigin, Span};
use logweir_pipeline::{Position, Stream};

use super::*;
use crate::testing::{READ_AT, Source};

/// The body of a request for all events of the batch, to the data stream of the first.
fn body(encoder: &mut BulkEncoder, batch: &Batch) -> (String, String) {
    encoder.begin(batch);
    let own = Arc::clone(encoder.target(batch, 0));
    let mut out = Writer::default();
    for (index, event) in batch.events.iter().enumerate() {
        let target = Arc::clone(encoder.target(batch, index));
        encoder.encode(batch, event, (target != own).then_some(&*target), &mut out);
    }
    (own.to_string(), String::from_utf8(out.as_slice().to_vec()).unwrap())
}

#[test]
fn an_event_is_an_action_and_a_document() {
    let mut source = Source::new(Format::Raw, 0x0102_0304_0506_0708);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    let (target, body) = body(&mut encoder, &source.batch(&["a", "b\"c"]));
    assert_eq!(target, "logs-generic-default");
    let lines = body.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], r#"{"create":{"_id":"AQIDBAUGBwgAAAAAAAAAAA"}}"#);
    assert_eq!(lines[2], r#"{"create":{"_id":"AQIDBAUGBwgAAAAAAAAAAg"}}"#);
    assert!(
        lines[1].starts_with(r#"{"@timestamp":"2026-01-01T00:00:00.000Z","message":"a","#),
        "{}",
        lines[1]
    );
    assert!(lines[3].contains(r#""message":"b\"c""#) && lines[3].ends_with('}'));
    assert!(body.ends_with("}\n"));
}

#[test]
fn an_event_of_another_data_stream_names_it() {
    let mut source = Source::new(Format::Raw, 1);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    let mut batch = source.batch(&["a", "b", "c", "d"]);
    for (index, key, name) in
        [(1, key::DATA_STREAM_DATASET, "Shop Api"), (2, key::DATA_STREAM_NAMESPACE, "prod")]
    {
        let value = batch.make_text(name.as_bytes());
        batch.set(index, key, value);
    }
    let (target, body) = body(&mut encoder, &batch);
    assert_eq!(target, "logs-generic-default");
    let actions =
        body.lines().step_by(2).map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let indexes = actions.map(|action| action["create"]["_index"].as_str().map(str::to_owned));
    let expected = [None, Some("logs-shop_api-default"), Some("logs-generic-prod"), None];
    assert_eq!(indexes.collect::<Vec<_>>(), expected.map(|name| name.map(str::to_owned)));
}

#[test]
fn the_fields_of_a_source_choose_the_data_stream() {
    let mut fields = ConstantSet::default();
    fields.add(key::DATA_STREAM_DATASET, "data_stream.dataset", ConstantValue::Text("checkout".to_owned()));
    let mut source = Source::with_fields(Format::Raw, 1, fields);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    assert_eq!(body(&mut encoder, &source.batch(&["a"])).0, "logs-checkout-default");
}

#[test]
fn an_event_that_brought_its_origin_has_its_id() {
    let mut source = Source::new(Format::Raw, 1);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    let origin = Origin { stream: 0x0102_0304_0506_0708, offset: 2 };
    let batch = source.batch(&["a", "b", "c"]).with_origins(vec![OwnOrigin { at: 2, room: 1, origin }]);
    let (_, body) = body(&mut encoder, &batch);
    let actions = body.lines().step_by(2).collect::<Vec<_>>();
    let place = |offset| {
        format!("{{\"create\":{{\"_id\":\"{}\"}}}}", str::from_utf8(EventId::new(1).render(offset)).unwrap())
    };
    assert_eq!(actions, [&*place(0), r#"{"create":{"_id":"AQIDBAUGBwgAAAAAAAAAAg"}}"#, &*place(4)]);
}

#[test]
fn ids_follow_the_stream() {
    let mut encoder = BulkEncoder::new(Source::new(Format::Raw, 0).keys);
    let ids = [1, 2, 1].map(|stream| {
        let (_, body) = body(&mut encoder, &Source::new(Format::Raw, stream).batch(&["x"]));
        body.lines().next().unwrap().to_owned()
    });
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_document_is_found_again_in_its_item() {
    let mut source = Source::new(Format::Raw, u64::MAX);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    for line in ["a", "b"] {
        let batch = source.batch(&[line]);
        encoder.begin(&batch);
        for target in [None, Some("logs-x-default")] {
            let mut out = Writer::default();
            encoder.encode(&batch, &batch.events[0], target, &mut out);
            let document = document_of(out.as_slice());
            assert_eq!(document.id.as_bytes(), EventId::new(u64::MAX).render(batch.events[0].offset));
            let json = serde_json::from_slice::<serde_json::Value>(document.json).unwrap();
            assert!(json["message"].is_string());
        }
    }
    assert_eq!(document_of(b""), Document { id: "", json: b"" });
}

#[test]
fn any_bytes_make_a_body_of_valid_json() {
    let source = Source::new(Format::Raw, 3);
    let mut encoder = BulkEncoder::new(Arc::clone(&source.keys));
    let text = (0..=255).collect::<Vec<u8>>();
    let stream =
        Stream::new(3, Arc::clone(source.stream.source()), ConstantSet::default(), Position::default());
    let ack = stream.begin(Position { offset: 256, marker: 0 }, 1, 256);
    let mut flags = EventFlags::default();
    flags.insert(EventFlags::INVALID_UTF8);
    let events = vec![Batch::line(Span { start: 0, len: 256 }, 0, READ_AT, flags)];
    let mut batch = Batch::new(text.into(), events, stream, READ_AT, ack);
    batch.set(0, key::MESSAGE, logweir_pipeline::event::Value::Text(Span { start: 0, len: 256 }));
    let (_, body) = body(&mut encoder, &batch);
    assert_eq!(body.lines().count(), 2);
    assert!(body.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}
