//! Pieces: events that a transform makes of one line.
//!
//! Owns: which event the source made of a piece's line, and which offsets pieces may have.
//! Promises: a piece's offset lies within its line, behind the line's own and before the next line's, so ids of pieces
//! meet no others; the same line gives the same offsets, whatever became of other pieces; a piece's fields are its own.
//! Never: decides what a piece is.
//!
//! The offsets of a line's bytes are all its own, and each element of a list in it begins at another one. Characters are
//! counted rather than bytes: a source that decodes a line may make it longer in bytes, but never in characters.

use logweir_parsers::KeyId;

use super::{Batch, Field, Value};

/// What an event that is a piece is a piece of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// The event that the source made of the line.
    line: u32,
    /// Offsets that are its own, from its first one on.
    room: u32,
}

/// Where the offset of a piece lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PiecePlace {
    /// Characters behind the offset of the event that it is made of; at least 1.
    pub(crate) at: u32,
    /// Characters from there on that are its own.
    pub(crate) room: u32,
}

impl Batch {
    /// The event that the source made of the line of event `index`: that event itself, unless it is a piece. What becomes
    /// of pieces counts for it.
    #[inline]
    #[must_use]
    pub fn line_of(&self, index: u32) -> u32 {
        let piece = self.events[index as usize].piece.checked_sub(1);
        piece.and_then(|piece| self.pieces.get(piece as usize)).map_or(index, |piece| piece.line)
    }

    /// How many offsets, from its own on, are the event's and its pieces'.
    pub(crate) fn offset_room(&self, index: usize) -> u32 {
        let event = &self.events[index];
        let piece = event.piece.checked_sub(1).and_then(|piece| self.pieces.get(piece as usize));
        piece.map_or_else(|| characters(event.line.of(&self.chunk)), |piece| piece.room)
    }

    /// Adds a piece of event `of`, with the fields of that event and room for so many more. `None` when a batch can hold
    /// no more fields.
    pub(crate) fn add_piece(&mut self, of: u32, place: PiecePlace, more_fields: usize) -> Option<u32> {
        let index = u32::try_from(self.events.len()).ok()?;
        let mut event = self.events[of as usize];
        let (first, len) = (event.first as usize, event.len as usize);
        let capacity = len + more_fields;
        event.first = u32::try_from(self.fields.len()).ok()?;
        event.capacity = u32::try_from(capacity).ok()?;
        u32::try_from(self.fields.len() + capacity).ok()?;
        self.fields.extend_from_within(first..first + len);
        self.fields.extend(std::iter::repeat_n(Field::new(KeyId(0), Value::Removed), more_fields));
        self.events.push(event);
        self.note_piece(index, Piece { line: self.line_of(of), room: place.room }, place.at);
        Some(index)
    }

    /// Makes a piece of what was a whole event.
    pub(crate) fn become_piece(&mut self, index: u32, place: PiecePlace) {
        self.note_piece(index, Piece { line: self.line_of(index), room: place.room }, place.at);
    }

    fn note_piece(&mut self, index: u32, piece: Piece, at: u32) {
        self.pieces.push(piece);
        let event = &mut self.events[index as usize];
        event.offset = event.offset.saturating_add(u64::from(at));
        event.piece = u32::try_from(self.pieces.len()).unwrap_or(0);
    }
}

/// The characters of a text: its bytes, without those that go on with one.
pub(crate) fn characters(text: &[u8]) -> u32 {
    let characters = text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    u32::try_from(characters).unwrap_or(u32::MAX)
}
