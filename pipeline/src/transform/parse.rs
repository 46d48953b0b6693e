//! `parse` and `json`: what a grammar finds in a field becomes fields.
//!
//! Owns: [`ParseField`].
//! Promises: a text in a field gives what a line of the format gives, its time and its constants included, and replaces
//! what the event had by those names; a text that no grammar takes changes nothing but that the event is marked.
//! Never: knows a grammar.

mod sink;

use bytes::Bytes;
use logweir_parsers::preset::{self, PRESETS, PresetId};
use logweir_parsers::{Context, Format, KeyId, Rejection, key};
use sink::{FieldSink, Found};

use super::{Bench, Step, read};
use crate::event::{Batch, ConstantValue, MEMBERS, Value};
use crate::parse::{Grammar, Grammars};

/// Reads a field by grammars. The field stays, unless a grammar gives one of its name.
#[derive(Debug)]
pub struct ParseField {
    field: KeyId,
    grammars: Grammars,
    /// Why a text is refused, where that is the same for all.
    reason: Option<&'static str>,
}

/// What became of a text.
enum Reading {
    /// The fields stand on the bench.
    Taken(Found),
    Refused(String),
    /// There was no text, or no grammar for it.
    Skipped,
}

impl ParseField {
    /// Reads this field by the first of these grammars that fits.
    #[must_use]
    pub fn new(field: KeyId, grammars: Grammars) -> Self {
        Self { field, grammars, reason: None }
    }

    /// Reads this field as a JSON object.
    #[must_use]
    pub fn json(field: KeyId) -> Self {
        let grammars = Grammars::Listed(vec![Format::Json.into()]);
        Self { field, grammars, reason: Some("is not a JSON object") }
    }

    fn read(
        &self,
        batch: &mut Batch,
        index: usize,
        chunk: &Bytes,
        context: &Context,
        bench: &mut Bench,
    ) -> Reading {
        let by_program = match self.grammars {
            Grammars::ByProgram => Some(program(batch, index, &mut bench.other)),
            Grammars::Listed(_) => None,
        };
        let (text, base) = match batch.get(index, self.field) {
            Some(Value::Text(span)) => (span.of(chunk), Some(span.start)),
            Some(Value::Json(span)) if span.of(chunk).starts_with(b"{") => (span.of(chunk), Some(span.start)),
            _ => {
                let Some(text) = read::text(batch, index, self.field, &mut bench.room) else {
                    return Reading::Skipped;
                };
                bench.made.clear();
                bench.made.extend_from_slice(text);
                (&*bench.made, None)
            }
        };
        let by_program = by_program.and_then(|program| Format::of_message(program, text)).map(Grammar::Known);
        let grammars = match &self.grammars {
            Grammars::ByProgram => by_program.as_slice(),
            Grammars::Listed(grammars) => grammars,
        };
        bench.fields.clear();
        let side_mark = batch.side.len();
        let mut sink = FieldSink {
            text,
            base,
            side: &mut batch.side,
            side_mark,
            fields: &mut bench.fields,
            keys: &mut bench.keys,
            found: Found::default(),
        };
        let mut furthest: Option<(&str, Rejection<'_>)> = None;
        for grammar in grammars {
            grammar.put_constants(&mut sink);
            match grammar.parse(text, context, &mut sink, &mut bench.scratch) {
                Ok(()) => return Reading::Taken(sink.found),
                Err(rejection) => {
                    sink.roll_back();
                    if furthest.is_none_or(|(_, other)| rejection.offset > other.offset) {
                        furthest = Some((grammar.name(), rejection));
                    }
                }
            }
        }
        match (furthest, self.reason) {
            (None, _) => Reading::Skipped,
            (Some(_), Some(reason)) => Reading::Refused(reason.to_owned()),
            (Some((name, rejection)), None) => Reading::Refused(format!("does not fit {name}: {rejection}")),
        }
    }
}

impl Step for ParseField {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let zone = batch.stream.source().zone.clone();
        let context = Context::new(batch.read_at, zone);
        let chunk = batch.chunk.clone();
        for index in selected.iter().map(|&index| index as usize) {
            match self.read(batch, index, &chunk, &context, bench) {
                Reading::Taken(found) => put(batch, index, found, bench),
                Reading::Refused(reason) => bench.fail(batch, index, self.field, &reason),
                Reading::Skipped => {}
            }
        }
    }
}

/// The name of the program that wrote an event.
fn program<'a>(batch: &'a Batch, index: usize, room: &'a mut Vec<u8>) -> &'a [u8] {
    read::text(batch, index, key::PROCESS_NAME, room).unwrap_or_default()
}

/// Gives the fields on the bench to the event.
fn put(batch: &mut Batch, index: usize, found: Found, bench: &Bench) {
    for field in &bench.fields {
        if field.key() == MEMBERS {
            batch.push_members(index, field.value());
        } else {
            batch.set(index, field.key(), field.value());
        }
    }
    if let Some(timestamp) = found.timestamp {
        batch.events[index].timestamp = timestamp;
    }
    if found.preset != preset::NONE && found.preset != preset::EVENT {
        put_preset(batch, index, found.preset);
    }
}

/// Says what the event is. Where its constants say so already, fields of its own hide them.
fn put_preset(batch: &mut Batch, index: usize, preset: PresetId) {
    let event = &mut batch.events[index];
    if event.second_preset == preset::NONE && preset::go_together(event.preset, preset) {
        event.second_preset = preset;
        return;
    }
    for (key, constant) in PRESETS[usize::from(preset.0)] {
        let value = batch.make_json(&ConstantValue::from(*constant).to_json());
        batch.set(index, *key, value);
    }
}
