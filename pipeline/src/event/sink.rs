//! What grammars fill: the fields of one event, appended to the batch.
//!
//! Owns: [`EventSink`], the pipeline's side of [`logweir_parsers::Sink`].
//! Promises: an event has each key once (the last value wins, as JSON readers do; of a second grammar only what the
//! first did not give); a span given by a grammar lies in the chunk, or in the side buffer where the second grammar
//! reads a text from there; a grammar that fails leaves no trace after [`EventSink::roll_back`].
//! Never: copies text that already stands in the chunk.

use logweir_parsers::{KeyId, PresetId, Sink, format::Shape, key, key::KeySet, preset};

use super::batch::{Batch, close, leave_room};
use super::escape::append_escaped;
use super::{Event, EventFlags, Field, KeyTable, Span, Value};

/// Receives the fields of one event of a batch.
#[derive(Debug)]
pub struct EventSink<'a> {
    /// What spans are parts of: the chunk, or a copy of a piece of the side buffer.
    base: &'a [u8],
    /// Where that piece begins.
    base_in_side: Option<u32>,
    side: &'a mut Vec<u8>,
    fields: &'a mut Vec<Field>,
    keys: &'a mut KeyTable,
    first: usize,
    /// Where the fields of this grammar begin; those before are an earlier one's.
    kept: usize,
    side_mark: usize,
    timestamp: Option<i64>,
    preset: PresetId,
    seen: KeySet,
    /// Whether the line is valid UTF-8.
    is_valid: bool,
}

/// A copy of a text of the side buffer, which grows while a grammar reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeText<'a> {
    pub(crate) text: &'a [u8],
    /// Where it stands in the side buffer.
    pub(crate) start: u32,
}

/// The parts of a batch that a sink writes to, and the worker's own tables.
#[derive(Debug)]
pub(crate) struct SinkParts<'a> {
    pub(crate) chunk: &'a [u8],
    pub(crate) side: &'a mut Vec<u8>,
    pub(crate) fields: &'a mut Vec<Field>,
    pub(crate) keys: &'a mut KeyTable,
}

impl<'a> EventSink<'a> {
    /// A sink for the next event, whose line has these flags.
    #[inline]
    pub(crate) fn new(parts: SinkParts<'a>, flags: EventFlags) -> Self {
        let SinkParts { chunk, side, fields, keys } = parts;
        Self {
            base: chunk,
            base_in_side: None,
            first: fields.len(),
            kept: fields.len(),
            side_mark: side.len(),
            side,
            fields,
            keys,
            timestamp: None,
            preset: preset::NONE,
            seen: KeySet::default(),
            is_valid: !flags.contains(EventFlags::INVALID_UTF8),
        }
    }

    /// A sink for more fields of an event. Those that it has, removed ones too, stay as they are. `made` is what the
    /// grammar reads if that does not stand in the chunk.
    #[inline]
    pub(crate) fn resume(parts: SinkParts<'a>, event: &Event, made: Option<MadeText<'a>>) -> Self {
        let mut sink = Self::new(parts, event.flags);
        let (first, end) = (event.first as usize, (event.first + event.len) as usize);
        if end == sink.first {
            sink.first = first;
        } else {
            // The fields of other events stand behind: a run has no room to grow in its place.
            sink.fields.extend_from_within(first..end);
            sink.kept = sink.fields.len();
        }
        for field in &sink.fields[sink.first..] {
            sink.seen.insert(field.key());
        }
        if let Some(MadeText { text, start }) = made {
            sink.base = text;
            sink.base_in_side = Some(start);
        }
        sink
    }

    /// Forgets everything that the grammar said.
    pub fn roll_back(&mut self) {
        self.fields.truncate(self.kept);
        self.side.truncate(self.side_mark);
        self.timestamp = None;
        self.preset = preset::NONE;
        self.seen = KeySet::default();
        for field in &self.fields[self.first..] {
            self.seen.insert(field.key());
        }
    }

    /// Gives a second key the value of a first one, unless it has one; `false` when neither has.
    #[inline]
    pub(crate) fn repeat(&mut self, key: KeyId, second: KeyId) -> bool {
        if self.seen.may_contain(second)
            && self.fields[self.first..].iter().any(|field| field.key() == second)
        {
            return true;
        }
        let field = self.fields[self.first..].iter().find(|field| field.key() == key);
        let value = field.map(Field::value);
        value.into_iter().for_each(|value| self.add(second, value));
        value.is_some()
    }

    /// Gives the fields to the event.
    #[inline]
    pub(crate) fn finish(self, event: &mut Event) {
        event.first = u32::try_from(self.first).unwrap_or(u32::MAX);
        event.len = u32::try_from(self.fields.len() - self.first).unwrap_or(0);
        event.capacity = event.len;
        if self.kept == self.first {
            event.preset = self.preset;
        } else if event.second_preset == preset::NONE
            && self.preset != preset::EVENT
            && preset::go_together(event.preset, self.preset)
        {
            event.second_preset = self.preset;
        }
        if self.seen.may_contain(key::DATA_STREAM_DATASET)
            || self.seen.may_contain(key::DATA_STREAM_NAMESPACE)
        {
            event.flags.insert(EventFlags::NAMES_DATA_STREAM);
        }
        if let Some(timestamp) = self.timestamp {
            event.timestamp = timestamp;
        }
    }

    /// The place of a part of the chunk, or of the piece of the side buffer.
    #[inline]
    fn span(&self, part: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(self.base.as_ptr() as usize);
        debug_assert!(part.is_empty() || start + part.len() <= self.base.len(), "not a part of the chunk");
        #[allow(clippy::cast_possible_truncation)] // a chunk and a side buffer are below 4 GiB
        let (start, len) = (start as u32, part.len() as u32);
        Span { start: if part.is_empty() { 0 } else { start + self.base_in_side.unwrap_or(0) }, len }
    }

    #[inline]
    fn add(&mut self, key: KeyId, value: Value) {
        let known = self.seen.may_contain(key);
        self.seen.insert(key);
        let field = Field::new(key, value);
        if known {
            self.replace(field);
        } else {
            self.fields.push(field);
        }
    }

    fn replace(&mut self, field: Field) {
        let run = &self.fields[self.first..];
        match run.iter().position(|old| old.key() == field.key()).map(|place| self.first + place) {
            Some(place) if place < self.kept => {}
            Some(place) => self.fields[place] = field,
            None => self.fields.push(field),
        }
    }

    /// What was written at the end of the side buffer since `start`, made valid UTF-8.
    fn close_valid(&mut self, start: usize) -> Span {
        if simdutf8::basic::from_utf8(&self.side[start..]).is_err() {
            let valid = String::from_utf8_lossy(&self.side[start..]).into_owned();
            self.side.truncate(start);
            self.side.extend_from_slice(valid.as_bytes());
        }
        close(self.side, start)
    }
}

/// The key of fields that hold whole members; no look-up finds it.
pub(crate) const MEMBERS: KeyId = KeyId(u16::MAX);

impl Sink for EventSink<'_> {
    #[inline]
    fn key(&mut self, name: &[u8]) -> Option<KeyId> {
        self.keys.intern(name)
    }

    #[inline]
    fn shape(&mut self) -> Option<&mut Shape> {
        Some(self.keys.shape(self.kept > self.first))
    }

    #[inline]
    fn text_span(&mut self, key: KeyId, text: &[u8]) {
        let span = self.span(text);
        self.add(key, if self.base_in_side.is_some() { Value::MadeText(span) } else { Value::Text(span) });
    }

    #[inline]
    fn json_text_span(&mut self, key: KeyId, text: &[u8]) {
        if self.base_in_side.is_some() {
            // No value means an escaped text in the side buffer; with its quotes it is JSON.
            return self.made_json(key, |push| [b"\"", text, b"\""].into_iter().for_each(push));
        }
        self.add(key, Value::JsonText(self.span(text)));
    }

    #[inline]
    fn json_span(&mut self, key: KeyId, json: &[u8]) {
        let span = self.span(json);
        self.add(key, if self.base_in_side.is_some() { Value::MadeJson(span) } else { Value::Json(span) });
    }

    fn member(&mut self, json: &[u8]) {
        let span = self.span(json);
        let members =
            if self.base_in_side.is_some() { Value::MadeMembers(span) } else { Value::Members(span) };
        self.fields.push(Field::new(MEMBERS, members));
    }

    fn made_member(&mut self, name: &[u8], value: &[u8]) {
        let start = self.side.len();
        self.side.push(b'"');
        append_escaped(name, self.side);
        self.side.extend_from_slice(b"\":\"");
        append_escaped(value, self.side);
        self.side.push(b'"');
        let span = close(self.side, start);
        self.fields.push(Field::new(MEMBERS, Value::MadeMembers(span)));
    }

    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>) {
        let start = self.side.len();
        pieces.for_each(|piece| self.side.extend_from_slice(piece));
        let span = self.close_valid(start);
        self.add(key, Value::MadeText(span));
    }

    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let start = self.side.len();
        write(&mut |piece| self.side.extend_from_slice(piece));
        let span = if self.is_valid { close(self.side, start) } else { self.close_valid(start) };
        self.add(key, Value::MadeJson(span));
    }

    #[inline]
    fn integer(&mut self, key: KeyId, value: i64) {
        self.add(key, Value::Integer(value));
    }

    #[inline]
    fn float(&mut self, key: KeyId, value: f64) {
        self.add(key, Value::Float(value));
    }

    #[inline]
    fn boolean(&mut self, key: KeyId, value: bool) {
        self.add(key, Value::Bool(value));
    }

    #[inline]
    fn timestamp(&mut self, nanos: i64) {
        self.timestamp = Some(nanos);
    }

    #[inline]
    fn preset(&mut self, preset: PresetId) {
        self.preset = preset;
    }
}

impl Batch {
    /// The batch's parts that a sink writes to.
    pub(crate) fn sink_parts<'a>(&'a mut self, keys: &'a mut KeyTable) -> (SinkParts<'a>, &'a mut [Event]) {
        let parts = SinkParts { chunk: &self.chunk, side: &mut self.side, fields: &mut self.fields, keys };
        (parts, &mut self.events)
    }
}

impl SinkParts<'_> {
    /// The fields of an event, removed ones included.
    #[inline]
    pub(crate) fn fields_of(&self, event: &Event) -> &[Field] {
        let first = event.first as usize;
        &self.fields[first..first + event.len as usize]
    }

    /// Leaves room behind the fields of the event that was parsed last.
    #[inline]
    pub(crate) fn leave_room(&mut self, event: &mut Event) {
        leave_room(self.fields, event);
    }

    /// The same parts for a shorter time.
    #[inline]
    pub(crate) fn reborrow(&mut self) -> SinkParts<'_> {
        SinkParts { chunk: self.chunk, side: self.side, fields: self.fields, keys: self.keys }
    }
}
