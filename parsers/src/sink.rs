//! Where a grammar puts what it finds.
//!
//! Owns: the trait [`Sink`], the seam between grammars and the event batch.
//! Promises: grammars know nothing else of the pipeline, so they are tested without it.
//! Never: stores anything.

use crate::{format::Shape, key::KeyId, preset::PresetId};

/// Receives the fields of one line. A slice given to a method named `…_span` must be a part of that line (the
/// sink keeps its place, not its bytes); every other text is copied. Any text, JSON too, may hold bytes that are no
/// UTF-8: grammars leave that to the sink.
///
/// A grammar that fails after it has called the sink need not clean up: the caller rolls the sink back.
pub trait Sink {
    /// The number of a key met in the line itself (JSON, logfmt; any bytes, without escapes), or `None` when the
    /// table of keys is full or the key is too long: the grammar then calls [`Sink::member`] or
    /// [`Sink::made_member`] instead, and the field is written all the same.
    fn key(&mut self, name: &[u8]) -> Option<KeyId>;

    /// What the sink remembers of earlier lines' members for the grammar, if it does.
    #[inline]
    fn shape(&mut self) -> Option<&mut Shape> {
        None
    }

    /// A text exactly as it stands in the line.
    fn text_span(&mut self, key: KeyId, text: &[u8]);

    /// A text that stands in the line already escaped as the inside of a valid JSON string.
    fn json_text_span(&mut self, key: KeyId, text: &[u8]);

    /// A JSON value (object, array, number, true, false or null) exactly as it stands in the line.
    fn json_span(&mut self, key: KeyId, json: &[u8]);

    /// A whole member `"name":value` of valid JSON, exactly as it stands in the line.
    fn member(&mut self, json: &[u8]);

    /// A member that the grammar had to make: `name` and `value` are plain texts, escaped by the sink.
    fn made_member(&mut self, name: &[u8], value: &[u8]);

    /// A text that the grammar had to make (unescaped, joined): the pieces, in order.
    fn made_text<'p>(&mut self, key: KeyId, pieces: impl Iterator<Item = &'p [u8]>);

    /// A JSON value that the grammar had to make: `write` gives the pieces of its valid JSON text, in order, to its
    /// argument. Bytes that are no UTF-8 stand in it only where they stand in the line.
    fn made_json(&mut self, key: KeyId, write: impl FnOnce(&mut dyn FnMut(&[u8])));

    /// A whole number.
    fn integer(&mut self, key: KeyId, value: i64);

    /// A finite floating-point number.
    fn float(&mut self, key: KeyId, value: f64);

    /// True or false.
    fn boolean(&mut self, key: KeyId, value: bool);

    /// The time at which the event happened, in nanoseconds since 1970-01-01T00:00:00Z. The last call counts.
    fn timestamp(&mut self, nanos: i64);

    /// The event's constant fields. The last call counts.
    fn preset(&mut self, preset: PresetId);
}
