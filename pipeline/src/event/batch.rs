//! The one thing that travels: a chunk of source bytes and the events in it.
//!
//! Owns: [`Batch`] and [`Event`]; get, set, rename and remove of fields.
//! Promises: an event's fields stand in one run, each key at most once (removed ones aside); an event's field hides
//! the constant of the same key; the chunk never changes.
//! Never: copies a line.

use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::format::Format;
use logweir_parsers::preset::{self, PresetId};
use logweir_parsers::{KeyId, key};

use super::constants::{ConstantSet, ConstantValue};
use super::origin::OwnOrigin;
use super::piece::Piece;
use super::sink::MEMBERS;
use super::{Field, Span, Value};
use crate::ack::Ack;
use crate::parse::FormatId;
use crate::stream::Stream;

/// Bytes of made text for which a batch leaves room to the next one.
const SIDE_BYTES_KEPT: usize = 4 * 1024 * 1024;
/// Fields for which it does: 4 MiB.
const FIELDS_KEPT: usize = 256 * 1024;

/// Facts about an event that its fields do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlags(u8);

impl EventFlags {
    /// The line was longer than the limit; its end was cut off.
    pub const CUT: Self = Self(1);
    /// The event is several lines.
    pub const MULTILINE: Self = Self(2);
    /// The line holds invalid UTF-8.
    pub const INVALID_UTF8: Self = Self(4);
    /// The event has, or had, a field that names its data stream; otherwise only the constants do.
    pub const NAMES_DATA_STREAM: Self = Self(8);

    /// Whether all of `flags` are set.
    #[inline]
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Sets `flags`.
    #[inline]
    pub fn insert(&mut self, flags: Self) {
        self.0 |= flags.0;
    }
}

/// One event: its line, its place in the source, its run of fields.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The line in the chunk, without its line end.
    pub line: Span,
    /// Where the event begins in its stream; the second half of its `_id`, unless it brought its own [`Origin`](super::Origin).
    /// That of a piece lies within its line.
    pub offset: u64,
    /// When it happened, in nanoseconds since 1970-01-01T00:00:00Z; the time of reading until a grammar knows better.
    pub timestamp: i64,
    pub(super) first: u32,
    pub(super) len: u32,
    pub(super) capacity: u32,
    /// The format that took the line.
    pub format: FormatId,
    /// Its constant fields.
    pub preset: PresetId,
    /// The constant fields of the grammar that read one of its fields.
    pub second_preset: PresetId,
    /// Facts that its fields do not tell.
    pub flags: EventFlags,
    /// Its place in [`Batch::senders`], counted from 1; 0 when the stream's own constants say who sent it.
    pub(crate) sender: u8,
    /// Its place in [`Batch::pieces`], counted from 1; 0 when the source made it.
    pub(super) piece: u32,
}

// Thousands of them stand in a batch.
const _: () = assert!(size_of::<Event>() == 48);

/// A chunk of source bytes and the events in it.
#[derive(Debug)]
pub struct Batch {
    /// The source's bytes.
    pub chunk: Bytes,
    /// Text that grammars and transforms made; always valid UTF-8.
    pub side: Vec<u8>,
    pub(super) fields: Vec<Field>,
    room: Room,
    /// The events: those of the source in the order of their lines, then the pieces that transforms made of them.
    pub events: Vec<Event>,
    pub(super) pieces: Vec<Piece>,
    /// The origins that events brought with them.
    pub(super) origins: Vec<OwnOrigin>,
    /// Where the bytes come from, and what is constant for all of them.
    pub stream: Arc<Stream>,
    /// What is constant for the events of one sender, where many senders share a batch.
    pub(crate) senders: Vec<Arc<ConstantSet>>,
    /// When the chunk was read, in nanoseconds since 1970-01-01T00:00:00Z.
    pub read_at: i64,
    /// Resolved when the last holder of the batch is done.
    pub ack: Ack,
}

/// The memory of a batch's fields and made text, for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    side: Vec<u8>,
    fields: Vec<Field>,
    room: Room,
}

/// Room behind each event's fields for those that transforms add: without it the first one moves all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    /// Whether the parser leaves it: where the last batch needed it.
    is_left: bool,
    /// Whether this batch needed it.
    is_used: bool,
}

/// Fields for which there is room.
const ROOM: usize = 4;

/// The fields of a batch's events at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    fields: Vec<Field>,
    events: Vec<Event>,
    pieces: usize,
}

impl Batch {
    /// A batch of lines that nobody parsed yet. `events` come from [`Batch::line`].
    #[must_use]
    pub fn new(chunk: Bytes, events: Vec<Event>, stream: Arc<Stream>, read_at: i64, ack: Ack) -> Self {
        Self {
            chunk,
            side: Vec::new(),
            fields: Vec::new(),
            room: Room::default(),
            events,
            pieces: Vec::new(),
            origins: Vec::new(),
            stream,
            senders: Vec::new(),
            read_at,
            ack,
        }
    }

    /// Gives a new batch the storage of an old one.
    pub(crate) fn use_storage(&mut self, storage: Storage) {
        self.side = storage.side;
        self.fields = storage.fields;
        self.room = storage.room;
    }

    /// Takes the batch apart. What one batch needed beyond the usual is not kept for the next one.
    pub(crate) fn into_storage(mut self) -> (Storage, Ack) {
        self.side.clear();
        self.side.shrink_to(SIDE_BYTES_KEPT);
        self.fields.clear();
        self.fields.shrink_to(FIELDS_KEPT);
        let room = Room { is_left: self.room.is_used, is_used: false };
        (Storage { side: self.side, fields: self.fields, room }, self.ack)
    }

    /// An event that is only its line.
    #[inline]
    #[must_use]
    pub fn line(line: Span, offset: u64, read_at: i64, flags: EventFlags) -> Event {
        Event {
            line,
            offset,
            timestamp: read_at,
            first: 0,
            len: 0,
            capacity: 0,
            format: FormatId::Known(Format::Raw),
            preset: preset::NONE,
            second_preset: preset::NONE,
            flags,
            sender: 0,
            piece: 0,
        }
    }

    /// The fields of event `index`, removed ones included.
    #[inline]
    #[must_use]
    pub fn fields(&self, event: &Event) -> &[Field] {
        let first = event.first as usize;
        &self.fields[first..first + event.len as usize]
    }

    /// The event's own value of a key; constants are not looked at.
    #[must_use]
    pub fn get(&self, index: usize, key: KeyId) -> Option<Value> {
        if key == key::TIMESTAMP {
            return Some(Value::Time(self.events[index].timestamp));
        }
        let field = self.fields(&self.events[index]).iter().find(|field| field.key() == key)?;
        (!field.is_removed()).then(|| field.value())
    }

    /// The value of a key that the event shares with others, unless a field of its own hides it.
    #[must_use]
    pub fn constant(&self, index: usize, key: KeyId) -> Option<&ConstantValue> {
        let event = &self.events[index];
        let constant = self.constant_sets(event).iter().find_map(|set| set.get(key))?;
        let is_hidden = self.fields(event).iter().any(|field| field.key() == key);
        (!is_hidden).then_some(constant)
    }

    /// The sets of constants of an event, the nearest first.
    #[inline]
    #[must_use]
    pub fn constant_sets(&self, event: &Event) -> [&ConstantSet; 3] {
        let sender = usize::from(event.sender).checked_sub(1).and_then(|place| self.senders.get(place));
        let nearest = sender.map_or(self.stream.constants(), Arc::as_ref);
        let constants = &self.stream.source().constants;
        [nearest, constants.set(event.format, event.preset), constants.second(event.second_preset)]
    }

    /// Sets a key to a value, whether the event had it or not.
    pub fn set(&mut self, index: usize, key: KeyId, value: Value) {
        if key == key::TIMESTAMP {
            if let Value::Time(nanos) = value {
                self.events[index].timestamp = nanos;
            }
            return;
        }
        if key == key::DATA_STREAM_DATASET || key == key::DATA_STREAM_NAMESPACE {
            self.events[index].flags.insert(EventFlags::NAMES_DATA_STREAM);
        }
        match self.position(index, key) {
            Some(position) => self.fields[position] = Field::new(key, value),
            None => self.add(index, Field::new(key, value)),
        }
    }

    /// Removes a key; a constant of that key is hidden. `@timestamp` stays: every event has a time.
    pub fn remove(&mut self, index: usize, key: KeyId) {
        match self.position(index, key) {
            Some(position) => self.fields[position] = Field::new(key, Value::Removed),
            None if self.constant(index, key).is_some() => self.add(index, Field::new(key, Value::Removed)),
            None => {}
        }
    }

    /// Gives the event's own field another key in its place, when nothing else changes by that: the event has no field of
    /// that key, and no constant comes to light. Says whether it did.
    pub(crate) fn rename_in_place(&mut self, index: usize, from: KeyId, to: KeyId) -> bool {
        let event = self.events[index];
        let is_special = [key::TIMESTAMP, key::DATA_STREAM_DATASET, key::DATA_STREAM_NAMESPACE].contains(&to);
        if is_special || self.constant_sets(&event).iter().any(|set| set.get(from).is_some()) {
            return false;
        }
        let mut found = None;
        for (place, field) in self.fields(&event).iter().enumerate() {
            if field.key() == from && !field.is_removed() {
                found = Some(event.first as usize + place);
            } else if field.key() == to {
                return false;
            }
        }
        let Some(field) = found.and_then(|place| self.fields.get_mut(place)) else { return false };
        *field = field.with_key(to);
        true
    }

    /// Removes the event's own fields whose keys are not to be kept; members without a key always are removed.
    pub(crate) fn retain(&mut self, index: usize, mut keep: impl FnMut(KeyId) -> bool) {
        let event = self.events[index];
        let first = event.first as usize;
        for field in &mut self.fields[first..first + event.len as usize] {
            if field.key() == MEMBERS || !keep(field.key()) {
                *field = Field::new(field.key(), Value::Removed);
            }
        }
    }

    /// Adds members whose keys got no number.
    pub(crate) fn push_members(&mut self, index: usize, members: Value) {
        self.add(index, Field::new(MEMBERS, members));
    }

    /// Puts a text into the side buffer; invalid UTF-8 becomes U+FFFD.
    pub fn make_text(&mut self, text: &[u8]) -> Value {
        Value::MadeText(self.append(text))
    }

    /// Puts a valid JSON value into the side buffer.
    pub fn make_json(&mut self, json: &[u8]) -> Value {
        Value::MadeJson(self.append(json))
    }

    fn append(&mut self, text: &[u8]) -> Span {
        let start = self.side.len();
        self.side.extend_from_slice(String::from_utf8_lossy(text).as_bytes());
        close(&mut self.side, start)
    }

    /// The bytes of a text or JSON value; none for numbers, times and removed fields.
    #[inline]
    #[must_use]
    pub fn text(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::Text(span) | Value::JsonText(span) | Value::Json(span) | Value::Members(span) => {
                Some(span.of(&self.chunk))
            }
            Value::MadeText(span) | Value::MadeJson(span) | Value::MadeMembers(span) => {
                Some(span.of(&self.side))
            }
            _ => None,
        }
    }

    /// Notes the fields of all events, so that [`Batch::restore`] can undo what is done to them from here on.
    pub fn save(&self, snapshot: &mut Snapshot) {
        snapshot.fields.clone_from(&self.fields);
        snapshot.events.clone_from(&self.events);
        snapshot.pieces = self.pieces.len();
    }

    /// Gives all events the fields that they had, and takes away pieces that were made since.
    pub fn restore(&mut self, snapshot: &mut Snapshot) {
        std::mem::swap(&mut self.fields, &mut snapshot.fields);
        std::mem::swap(&mut self.events, &mut snapshot.events);
        self.pieces.truncate(snapshot.pieces);
    }

    fn position(&self, index: usize, key: KeyId) -> Option<usize> {
        let event = &self.events[index];
        let place = self.fields(event).iter().position(|field| field.key() == key)?;
        Some(event.first as usize + place)
    }

    /// Whether the parser is to leave room behind each event's fields.
    #[inline]
    pub(crate) fn leaves_room(&self) -> bool {
        self.room.is_left
    }

    /// Adds a field in the room behind the event's fields, or moves these to the end of all fields, with new room.
    fn add(&mut self, index: usize, field: Field) {
        self.room.is_used = true;
        let event = self.events[index];
        let (first, len) = (event.first as usize, event.len as usize);
        if event.len < event.capacity {
            self.fields[first + len] = field;
        } else {
            let Ok(new_first) = u32::try_from(self.fields.len()) else { return };
            self.fields.extend_from_within(first..first + len);
            self.fields.push(field);
            self.fields.extend_from_slice(&UNUSED);
            self.events[index].first = new_first;
            self.events[index].capacity = event.len + 1 + ROOM as u32;
        }
        self.events[index].len = event.len + 1;
    }
}

/// Fields that nobody sees.
const UNUSED: [Field; ROOM] = [Field::unused(); ROOM];

/// Leaves room behind the fields of the event that was parsed last.
#[inline]
pub(super) fn leave_room(fields: &mut Vec<Field>, event: &mut Event) {
    if event.first as usize + event.len as usize == fields.len() {
        fields.extend_from_slice(&UNUSED);
        event.capacity = event.len + ROOM as u32;
    }
}

/// The span of what was appended to a side buffer since it had `start` bytes. A buffer at its 4 GiB limit takes no more:
/// what was appended is taken away again, and the span is empty.
pub(crate) fn close(side: &mut Vec<u8>, start: usize) -> Span {
    match (u32::try_from(start), u32::try_from(side.len())) {
        (Ok(start), Ok(end)) => Span { start, len: end - start },
        _ => {
            side.truncate(start);
            Span::default()
        }
    }
}
