//! `split`: one event for each element of a list.
//!
//! Owns: [`Split`].
//! Promises: each piece has the fields of its event, its element in place of the list, and an offset of its own within the
//! line; the members of an object become fields with dotted names, if asked; an event without the field, or with an empty
//! list in it, stays as it is; one whose value is no list, or a list that is too large, stays whole and is marked.
//! Never: drops an event; copies the text of an element, but for one that does not stand anywhere as it is.

use logweir_parsers::KeyId;
use serde::de::IgnoredAny;

use super::flatten::flatten;
use super::members::Elements;
use super::{Bench, Step, read};
use crate::event::{Batch, Field, PiecePlace, Span, Value, characters};

/// Most fields that the pieces of one event may have together, those from the event itself: 4 MiB.
const FIELDS_MAX: usize = 256 * 1024;

/// Makes an event of each element of the list in a field.
#[derive(Debug)]
pub struct Split {
    /// The field with the list: JSON, or a text that is JSON.
    pub field: KeyId,
    /// Most elements of a list.
    pub elements_max: usize,
    /// Whether the members of an element that is an object become fields of their own.
    pub flatten: bool,
}

/// An element of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    text: Span,
    place: PiecePlace,
}

/// Where a list stands.
#[derive(Clone, Copy, Debug)]
struct List {
    text: Span,
    /// Whether in the side buffer.
    is_made: bool,
}

impl List {
    /// The buffer that it stands in.
    fn buffer(self, batch: &Batch) -> &[u8] {
        if self.is_made { &batch.side } else { &batch.chunk }
    }
}

impl Step for Split {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let mut pieces = std::mem::take(&mut bench.selection);
        pieces.clear();
        for &index in selected.iter() {
            pieces.push(index);
            match self.list(batch, index as usize, bench) {
                Ok(Some(list)) => self.split(batch, index, list, &mut pieces, bench),
                Ok(None) => {}
                Err(reason) => bench.fail(batch, index as usize, self.field, reason),
            }
        }
        std::mem::swap(selected, &mut pieces);
        bench.selection = pieces;
    }
}

impl Split {
    /// The list of an event, with its elements on the bench. `None` when there is nothing to split.
    fn list(&self, batch: &mut Batch, index: usize, bench: &mut Bench) -> Result<Option<List>, &'static str> {
        let Some(value) = read::value(batch, index, self.field, &mut bench.room) else { return Ok(None) };
        let list = match value {
            Value::Json(text) => List { text, is_made: false },
            Value::MadeJson(text) => List { text, is_made: true },
            _ => List { text: Span::default(), is_made: false },
        };
        let list = match list.text.of(list.buffer(batch)) {
            [b'[', ..] => list,
            _ => match read::text(batch, index, self.field, &mut bench.room) {
                None => return Ok(None),
                Some(_) => written_list(batch, index, self.field, value, bench)?,
            },
        };
        let text = list.text.of(list.buffer(batch));
        if characters(text) > batch.offset_room(index) {
            return Err("is longer than the line that it came with");
        }
        bench.elements.clear();
        let (mut at, mut counted) = (0, 0);
        for element in Elements::of(text) {
            if bench.elements.len() == self.elements_max {
                return Err("has more than `elements_max` elements");
            }
            at += characters(&text[counted..element.start]);
            counted = element.start;
            let room = characters(&text[element.clone()]);
            let (Ok(start), Ok(len)) = (u32::try_from(element.start), u32::try_from(element.len())) else {
                return Err("is too large");
            };
            let text = Span { start: list.text.start + start, len };
            bench.elements.push(Element { text, place: PiecePlace { at, room } });
        }
        if bench.elements.len() * batch.fields(&batch.events[index]).len() > FIELDS_MAX {
            return Err("would make too many copies of the other fields");
        }
        Ok((!bench.elements.is_empty()).then_some(list))
    }

    /// Makes the pieces of an event, whose elements stand on the bench. The first takes the event's own place, last of all.
    fn split(&self, batch: &mut Batch, index: u32, list: List, pieces: &mut Vec<u32>, bench: &mut Bench) {
        let elements = std::mem::take(&mut bench.elements);
        for element in elements.iter().skip(1) {
            let is_whole = self.read(batch, list, *element, bench);
            let piece = batch.add_piece(index, element.place, bench.fields.len());
            if let Some(piece) = piece {
                self.put(batch, piece, is_whole, bench);
                pieces.push(piece);
            }
        }
        if let Some(first) = elements.first() {
            let is_whole = self.read(batch, list, *first, bench);
            batch.become_piece(index, first.place);
            self.put(batch, index, is_whole, bench);
        }
        bench.elements = elements;
    }

    /// Puts the fields that an element becomes on the bench. Says whether it got all the names that it needs; without them
    /// an object stays one.
    fn read(&self, batch: &Batch, list: List, element: Element, bench: &mut Bench) -> bool {
        let (Element { text: span, .. }, List { is_made, .. }) = (element, list);
        let buffer = list.buffer(batch);
        bench.fields.clear();
        let mut got_names = true;
        let value = match span.of(buffer) {
            [b'n', ..] => return true,
            [b'{', ..] if self.flatten => {
                bench.refresh_for(self.field);
                bench.made.clear();
                bench.made.extend_from_slice(bench.keys.name(self.field));
                if flatten(buffer, span, is_made, 1, bench).is_some() {
                    return true;
                }
                bench.fields.clear();
                got_names = false;
                if is_made { Value::MadeJson(span) } else { Value::Json(span) }
            }
            [b'"', ..] if !is_made => {
                Value::JsonText(Span { start: span.start + 1, len: span.len.saturating_sub(2) })
            }
            _ if is_made => Value::MadeJson(span),
            _ => Value::Json(span),
        };
        bench.fields.push(Field::new(self.field, value));
        got_names
    }

    /// Gives a piece the fields on the bench in place of the list.
    fn put(&self, batch: &mut Batch, piece: u32, got_names: bool, bench: &mut Bench) {
        let piece = piece as usize;
        if bench.fields.iter().all(|field| field.key() != self.field) {
            batch.remove(piece, self.field);
        }
        bench.fields.iter().for_each(|field| batch.set(piece, field.key(), field.value()));
        if !got_names {
            bench.fail(batch, piece, self.field, "has more members than there is room for names");
        }
    }
}

/// The list that a text is, checked as it is about to be written as JSON.
fn written_list(
    batch: &mut Batch,
    index: usize,
    key: KeyId,
    value: Value,
    bench: &mut Bench,
) -> Result<List, &'static str> {
    let text = read::text_of(batch, index, key, Some(value), &mut bench.room).unwrap_or_default();
    let json = text.trim_ascii();
    if !json.starts_with(b"[") || serde_json::from_slice::<IgnoredAny>(json).is_err() {
        return Err("is not a JSON list");
    }
    if let Value::Text(span) = value {
        let before = u32::try_from(text.len() - text.trim_ascii_start().len()).unwrap_or(0);
        let len = u32::try_from(json.len()).unwrap_or(0);
        return Ok(List { text: Span { start: span.start + before, len }, is_made: false });
    }
    bench.made.clear();
    bench.made.extend_from_slice(json);
    match batch.make_json(&bench.made) {
        Value::MadeJson(text) => Ok(List { text, is_made: true }),
        _ => Err("is not a JSON list"),
    }
}

#[cfg(test)]
mod tests;
