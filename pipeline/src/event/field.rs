//! One field of an event: 16 bytes, `Copy`, no destructor.
//!
//! Owns: [`Field`], its packed form, and [`Value`], what it means.
//! Promises: a field is 16 bytes; a value survives packing unchanged.
//! Never: holds text; a span says where the text stands.

use logweir_parsers::{KeyId, key};

/// A piece of a batch's text: `start` and `len` in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Bytes before the piece.
    pub start: u32,
    /// Bytes of the piece.
    pub len: u32,
}

impl Span {
    /// The place after the last byte.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.start + self.len
    }

    /// The bytes of this span in `text`; empty when the span does not fit, which is a bug in the caller.
    #[inline]
    #[must_use]
    pub fn of(self, text: &[u8]) -> &[u8] {
        let bytes = text.get(self.start as usize..self.end() as usize);
        debug_assert!(bytes.is_some(), "span {self:?} outside of {} bytes", text.len());
        bytes.unwrap_or_default()
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Text in the chunk.
    Text(Span),
    /// Text in the chunk that is already escaped as the inside of a JSON string.
    JsonText(Span),
    /// A JSON value in the chunk.
    Json(Span),
    /// Whole JSON members, `"name":value`, in the chunk: keys that got no number.
    Members(Span),
    /// Text in the batch's side buffer.
    MadeText(Span),
    /// A JSON value in the side buffer.
    MadeJson(Span),
    /// Whole JSON members in the side buffer.
    MadeMembers(Span),
    /// A whole number.
    Integer(i64),
    /// A floating-point number; written as `null` when not finite, as JSON has no such number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A time in nanoseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// A removed field: no output writes it.
    Removed,
}

/// A key and a packed [`Value`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    key: KeyId,
    tag: Tag,
    len: u32,
    value: u64,
}

const _: () = assert!(size_of::<Field>() == 16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Text,
    JsonText,
    Json,
    Members,
    MadeText,
    MadeJson,
    MadeMembers,
    Integer,
    Float,
    Bool,
    Time,
    Removed,
}

impl Field {
    /// Packs a value.
    #[inline]
    #[must_use]
    pub fn new(key: KeyId, value: Value) -> Self {
        let (tag, len, value) = match value {
            Value::Text(span) => (Tag::Text, span.len, u64::from(span.start)),
            Value::JsonText(span) => (Tag::JsonText, span.len, u64::from(span.start)),
            Value::Json(span) => (Tag::Json, span.len, u64::from(span.start)),
            Value::Members(span) => (Tag::Members, span.len, u64::from(span.start)),
            Value::MadeText(span) => (Tag::MadeText, span.len, u64::from(span.start)),
            Value::MadeJson(span) => (Tag::MadeJson, span.len, u64::from(span.start)),
            Value::MadeMembers(span) => (Tag::MadeMembers, span.len, u64::from(span.start)),
            Value::Integer(number) => (Tag::Integer, 0, number.cast_unsigned()),
            Value::Float(number) => (Tag::Float, 0, number.to_bits()),
            Value::Bool(truth) => (Tag::Bool, 0, u64::from(truth)),
            Value::Time(nanos) => (Tag::Time, 0, nanos.cast_unsigned()),
            Value::Removed => (Tag::Removed, 0, 0),
        };
        Self { key, tag, len, value }
    }

    /// A field that no event has yet.
    pub(super) const fn unused() -> Self {
        Self { key: key::MESSAGE, tag: Tag::Removed, len: 0, value: 0 }
    }

    /// The field's key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The same value under another key.
    #[must_use]
    pub fn with_key(self, key: KeyId) -> Self {
        Self { key, ..self }
    }

    /// What the field holds.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value {
        #[allow(clippy::cast_possible_truncation)] // `new` stored a u32 there
        let span = Span { start: self.value as u32, len: self.len };
        match self.tag {
            Tag::Text => Value::Text(span),
            Tag::JsonText => Value::JsonText(span),
            Tag::Json => Value::Json(span),
            Tag::Members => Value::Members(span),
            Tag::MadeText => Value::MadeText(span),
            Tag::MadeJson => Value::MadeJson(span),
            Tag::MadeMembers => Value::MadeMembers(span),
            Tag::Integer => Value::Integer(self.value.cast_signed()),
            Tag::Float => Value::Float(f64::from_bits(self.value)),
            Tag::Bool => Value::Bool(self.value != 0),
            Tag::Time => Value::Time(self.value.cast_signed()),
            Tag::Removed => Value::Removed,
        }
    }

    /// Whether the field was removed.
    #[inline]
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.tag == Tag::Removed
    }
}
