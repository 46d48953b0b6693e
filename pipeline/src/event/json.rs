//! An event as one JSON object: the single pass that writes a document.
//!
//! Owns: [`JsonEncoder`], one a worker and output.
//! Promises: `{"@timestamp":…,` then the event's fields in their order, then its constants; every key once;
//! always valid JSON in valid UTF-8, whatever the line held.
//! Never: changes an event.

use std::sync::Arc;

use logweir_parsers::{KeyId, key, key::KeySet};

use super::escape::{write_escaped, write_lossy};
use super::{Batch, ConstantValue, Event, EventFlags, Field, KeyTable, Keys, Span, Value, Writer};
use crate::time::TimeText;

/// In place of the name of a key that has none, which is a bug: the document stays valid JSON.
const UNNAMED: &[u8] = b",\"?\":\"";

/// Writes events as JSON objects.
#[derive(Debug)]
pub struct JsonEncoder {
    keys: KeyTable,
    event_time: TimeText,
    other_time: TimeText,
}

impl JsonEncoder {
    /// An encoder for events whose keys are in `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        Self { keys: KeyTable::new(keys), event_time: TimeText::new(), other_time: TimeText::new() }
    }

    /// Writes one event as a JSON object without a line end.
    #[inline]
    pub fn write(&mut self, batch: &Batch, event: &Event, out: &mut Writer) {
        self.write_object(batch, event, None, out);
    }

    /// Writes one event as [`JsonEncoder::write`] does, but with this `event.id`, which needs no escape, instead of the
    /// event's own.
    #[inline]
    pub fn write_with_id(&mut self, batch: &Batch, event: &Event, id: &[u8], out: &mut Writer) {
        self.write_object(batch, event, Some(id), out);
    }

    #[inline]
    fn write_object(&mut self, batch: &Batch, event: &Event, id: Option<&[u8]>, out: &mut Writer) {
        out.push(b"{\"@timestamp\":\"");
        out.push(self.event_time.render(event.timestamp));
        out.push_byte(b'"');
        let valid = !event.flags.contains(EventFlags::INVALID_UTF8);
        let mut keys = KeySet::default();
        if let Some(id) = id {
            keys.insert(key::EVENT_ID);
            out.push(b",\"event.id\":\"");
            out.push(id);
            out.push_byte(b'"');
        }
        for field in batch.fields(event) {
            keys.insert(field.key());
            if id.is_none() || field.key() != key::EVENT_ID {
                self.write_field(batch, field, valid, out);
            }
        }
        for constants in batch.constant_sets(event) {
            if constants.may_be_hidden_by(&keys) {
                let members = constants.members().filter(|(key, _)| id.is_none() || *key != key::EVENT_ID);
                write_unhidden(members, batch.fields(event), out);
            } else {
                out.push(constants.json());
            }
        }
        out.push_byte(b'}');
    }

    #[inline]
    fn write_field(&mut self, batch: &Batch, field: &Field, valid: bool, out: &mut Writer) {
        let value = field.value();
        match value {
            Value::Text(span) => {
                self.write_text_key(field.key(), out);
                write_text(&batch.chunk, span, valid, out);
            }
            Value::Integer(number) => {
                self.write_key(field.key(), out);
                out.push_integer(number);
            }
            Value::Removed => {}
            _ => self.write_rarer(batch, field.key(), value, valid, out),
        }
    }

    fn write_rarer(&mut self, batch: &Batch, key: KeyId, value: Value, valid: bool, out: &mut Writer) {
        match value {
            Value::Members(span) => {
                out.push_byte(b',');
                return write_ready(&batch.chunk, span, valid, out);
            }
            Value::MadeMembers(span) => {
                out.push_byte(b',');
                return write_ready(&batch.side, span, true, out);
            }
            Value::JsonText(_) | Value::MadeText(_) | Value::Time(_) => self.write_text_key(key, out),
            _ => self.write_key(key, out),
        }
        self.write_rest(batch, value, valid, out);
    }

    /// Writes the value of one field, also of one that the event shares with others. Returns false, and writes nothing,
    /// when the event has no such field.
    pub fn write_value(&mut self, batch: &Batch, index: usize, key: KeyId, out: &mut Writer) -> bool {
        let Some(value) = batch.get(index, key) else {
            let constant = batch.constant(index, key).map(ConstantValue::to_json);
            constant.iter().for_each(|json| out.push(json));
            return constant.is_some();
        };
        let valid = !batch.events[index].flags.contains(EventFlags::INVALID_UTF8);
        if matches!(value, Value::Text(_) | Value::JsonText(_) | Value::MadeText(_) | Value::Time(_)) {
            out.push_byte(b'"');
        }
        self.write_rest(batch, value, valid, out);
        true
    }

    /// Writes a value; of a text, what follows its opening quote.
    #[inline]
    fn write_rest(&mut self, batch: &Batch, value: Value, valid: bool, out: &mut Writer) {
        match value {
            Value::Text(span) => write_text(&batch.chunk, span, valid, out),
            Value::Integer(number) => out.push_integer(number),
            Value::JsonText(span) => {
                write_ready(&batch.chunk, span, valid, out);
                out.push_byte(b'"');
            }
            Value::MadeText(span) => write_text(&batch.side, span, true, out),
            Value::Time(nanos) => {
                out.push(self.other_time.render(nanos));
                out.push_byte(b'"');
            }
            Value::Json(span) => write_ready(&batch.chunk, span, valid, out),
            Value::MadeJson(span) => write_ready(&batch.side, span, true, out),
            Value::Float(number) if number.is_finite() => {
                out.push(zmij::Buffer::new().format_finite(number).as_bytes());
            }
            Value::Float(_) => out.push(b"null"),
            Value::Bool(truth) => out.push(if truth { b"true" } else { b"false" }),
            Value::Removed | Value::Members(_) | Value::MadeMembers(_) => {}
        }
    }

    /// Writes `,"name":`.
    #[inline]
    fn write_key(&mut self, key: KeyId, out: &mut Writer) {
        self.write_label(key, 1, out);
    }

    /// Writes `,"name":"`.
    #[inline]
    fn write_text_key(&mut self, key: KeyId, out: &mut Writer) {
        self.write_label(key, 0, out);
    }

    #[inline]
    fn write_label(&mut self, key: KeyId, less: usize, out: &mut Writer) {
        match self.keys.label(key) {
            Some(label) => out.push_label(label, less),
            None => self.write_new_label(key, less, out),
        }
    }

    #[cold]
    fn write_new_label(&mut self, key: KeyId, less: usize, out: &mut Writer) {
        self.keys.refresh();
        let name = self.keys.label(key);
        debug_assert!(name.is_some(), "key {key:?} has no name");
        match name {
            Some(label) => out.push_label(label, less),
            None => out.push(&UNNAMED[..UNNAMED.len() - less]),
        }
    }

    /// The name of a key.
    #[must_use]
    pub fn name(&mut self, key: KeyId) -> &[u8] {
        if !self.keys.has(key) {
            self.keys.refresh();
        }
        self.keys.name(key)
    }
}

/// Writes the inside of a JSON string and its closing quote.
#[inline]
fn write_text(text: &[u8], span: Span, valid: bool, out: &mut Writer) {
    if valid {
        write_escaped(text, span.start as usize, span.len as usize, out);
    } else {
        write_lossy(span.of(text), true, out);
    }
    out.push_byte(b'"');
}

/// Writes text that is JSON already.
#[inline]
fn write_ready(text: &[u8], span: Span, valid: bool, out: &mut Writer) {
    if valid {
        out.push_part(text, span.start as usize, span.len as usize);
    } else {
        write_lossy(span.of(text), false, out);
    }
}

/// Writes the constants that no field hides.
#[cold]
fn write_unhidden<'a>(members: impl Iterator<Item = (KeyId, &'a [u8])>, fields: &[Field], out: &mut Writer) {
    for (key, member) in members {
        if !fields.iter().any(|field| field.key() == key) {
            out.push(member);
        }
    }
}
