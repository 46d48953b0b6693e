//! The sink of a grammar that reads a field.
//!
//! Owns: [`FieldSink`], which gathers fields on the bench.
//! Promises: a part of a text that stands in the chunk stays there; all else is copied to the side buffer as valid UTF-8.
//! Never: changes an event.

use logweir_parsers::{KeyId, PresetId, Sink, preset};

use crate::event::{ConstantValue, Field, KeyTable, MEMBERS, Span, Value, close_span};

/// Receives the fields that a grammar finds in a text.
pub(super) struct FieldSink<'a> {
    pub(super) text: &'a [u8],
    /// Where the text begins in the chunk; `None` when it does not stand there.
    pub(super) base: Option<u32>,
    pub(super) side: &'a mut Vec<u8>,
    pub(super) side_mark: usize,
    pub(super) fields: &'a mut Vec<Field>,
    pub(super) keys: &'a mut KeyTable,
    pub(super) found: Found,
}

/// What a grammar said beside the fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) timestamp: Option<i64>,
    pub(super) preset: PresetId,
}

impl Default for Found {
    fn default() -> Self {
        Self { timestamp: None, preset: preset::NONE }
    }
}

impl FieldSink<'_> {
    /// Forgets everything that a grammar said.
    pub(super) fn roll_back(&mut self) {
        self.side.truncate(self.side_mark);
        self.fields.clear();
        self.found = Found::default();
    }

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
        let json = |text: &[u8]| ConstantValue::Text(String::from_utf8_lossy(text).into_owned()).to_json();
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

    fn float(&mut self, key: KeyId, value: f64) {
        self.add(key, Value::Float(value));
    }

    fn boolean(&mut self, key: KeyId, value: bool) {
        self.add(key, Value::Bool(value));
    }

    fn timestamp(&mut self, nanos: i64) {
        self.found.timestamp = Some(nanos);
    }

    fn preset(&mut self, preset: PresetId) {
        self.found.preset = preset;
    }
}
