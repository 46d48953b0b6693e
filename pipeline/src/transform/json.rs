//! `json`: the members of a JSON text become fields.
//!
//! Owns: [`ParseJson`], and the sink that takes what the grammar finds in a field.
//! Promises: a text in a field gives the fields that a line of the format `json` gives, its time included; a text that
//! is no JSON object changes nothing but that the event is marked.
//! Never: knows the grammar.

use bytes::Bytes;
use logweir_parsers::format::Format;
use logweir_parsers::{Context, KeyId, PresetId, Sink};

use super::{Bench, Step, read};
use crate::event::{Batch, Field, KeyTable, MEMBERS, Span, Value, close_span};

/// Reads this field as a JSON object. The field stays, unless the object has one of its name.
#[derive(Debug)]
pub struct ParseJson(pub KeyId);

impl Step for ParseJson {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let context = Context { read_at: batch.read_at, utc_offset: batch.stream.source().utc_offset };
        let chunk = batch.chunk.clone();
        for index in selected.iter().map(|&index| index as usize) {
            match self.parse(batch, index, &chunk, &context, bench) {
                Some(Parsed::Fields(timestamp)) => put(batch, index, timestamp, bench),
                Some(Parsed::Rejected) => bench.fail(batch, index, self.0, "is not a JSON object"),
                None => {}
            }
        }
    }
}

enum Parsed {
    /// The fields stand on the bench; the time, if one was found.
    Fields(Option<i64>),
    Rejected,
}

impl ParseJson {
    fn parse(
        &self,
        batch: &mut Batch,
        index: usize,
        chunk: &Bytes,
        context: &Context,
        bench: &mut Bench,
    ) -> Option<Parsed> {
        let (text, base) = match batch.get(index, self.0) {
            Some(Value::Text(span)) => (span.of(chunk), Some(span.start)),
            Some(Value::Json(span)) if span.of(chunk).starts_with(b"{") => (span.of(chunk), Some(span.start)),
            _ => {
                let text = read::text(batch, index, self.0, &mut bench.room)?;
                bench.made.clear();
                bench.made.extend_from_slice(text);
                (&*bench.made, None)
            }
        };
        bench.fields.clear();
        let mark = batch.side.len();
        let mut sink = FieldSink {
            text,
            base,
            side: &mut batch.side,
            fields: &mut bench.fields,
            keys: &mut bench.keys,
            timestamp: None,
        };
        if Format::Json.parse(text, context, &mut sink).is_ok() {
            return Some(Parsed::Fields(sink.timestamp));
        }
        batch.side.truncate(mark);
        Some(Parsed::Rejected)
    }
}

/// Gives the fields on the bench to the event.
fn put(batch: &mut Batch, index: usize, timestamp: Option<i64>, bench: &Bench) {
    for field in &bench.fields {
        if field.key() == MEMBERS {
            batch.push_members(index, field.value());
        } else {
            batch.set(index, field.key(), field.value());
        }
    }
    if let Some(timestamp) = timestamp {
        batch.events[index].timestamp = timestamp;
    }
}

/// Receives the fields that a grammar finds in a text.
struct FieldSink<'a> {
    text: &'a [u8],
    /// Where the text begins in the chunk; `None` when it does not stand there.
    base: Option<u32>,
    side: &'a mut Vec<u8>,
    fields: &'a mut Vec<Field>,
    keys: &'a mut KeyTable,
    timestamp: Option<i64>,
}

impl FieldSink<'_> {
    /// The place in the chunk of a part of the text.
    fn span(&self, part: &[u8]) -> Option<Span> {
        let start = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let start = if part.is_empty() { 0 } else { start };
        Some(Span {
            start: self.base?.checked_add(u32::try_from(start).ok()?)?,
            len: u32::try_from(part.len()).ok()?,
        })
    }

    /// Joins the pieces in the side buffer, as valid UTF-8.
    fn make<'p>(&mut self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Span {
        let start = self.side.len();
        pieces.into_iter().for_each(|piece| self.side.extend_from_slice(piece));
        self.close(start)
    }

    /// What was written at the end of the side buffer since `start`, made valid UTF-8.
    fn close(&mut self, start: usize) -> Span {
        if std::str::from_utf8(&self.side[start..]).is_err() {
            let valid = String::from_utf8_lossy(&self.side[start..]).into_owned();
            self.side.truncate(start);
            self.side.extend_from_slice(valid.as_bytes());
        }
        close_span(self.side, start)
    }

    fn add(&mut self, key: KeyId, value: Value) {
        self.fields.push(Field::new(key, value));
    }
}

impl Sink for FieldSink<'_> {
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        self.keys.intern(name)
    }

    fn text_span(&mut self, key: KeyId, text: &[u8]) {
        let value = match self.span(text) {
            Some(span) => Value::Text(span),
            None => Value::MadeText(self.make([text])),
        };
        self.add(key, value);
    }

    fn json_text_span(&mut self, key: KeyId, text: &[u8]) {
        let value = match self.span(text) {
            Some(span) => Value::JsonText(span),
            None => Value::MadeJson(self.make([b"\"".as_slice(), text, b"\""])),
        };
        self.add(key, value);
    }

    fn json_span(&mut self, key: KeyId, json: &[u8]) {
        let value = match self.span(json) {
            Some(span) => Value::Json(span),
            None => Value::MadeJson(self.make([json])),
        };
        self.add(key, value);
    }

    fn member(&mut self, json: &[u8]) {
        let value = match self.span(json) {
            Some(span) => Value::Members(span),
            None => Value::MadeMembers(self.make([json])),
        };
        self.add(MEMBERS, value);
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        let json = |text: &[u8]| {
            crate::event::ConstantValue::Text(String::from_utf8_lossy(text).into_owned()).to_json()
        };
        let span = self.make([&*json(name), b":", &*json(value)]);
        self.add(MEMBERS, Value::MadeMembers(span));
    }

    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        let span = self.make(pieces);
        self.add(key, Value::MadeText(span));
    }

    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let start = self.side.len();
        write(&mut |piece| self.side.extend_from_slice(piece));
        let span = self.close(start);
        self.add(key, Value::MadeJson(span));
    }

    fn integer(&mut self, key: KeyId, value: i64) {
        self.add(key, Value::Integer(value));
    }

    fn timestamp(&mut self, nanos: i64) {
        self.timestamp = Some(nanos);
    }

    /// What the event is does not change by what one of its fields holds.
    fn preset(&mut self, _: PresetId) {}
}
