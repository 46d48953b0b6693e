//! The second parse: the text of one field through more grammars, into the same event.
//!
//! Owns: [`Grammars`] and [`FieldParser`], one a worker.
//! Promises: fields are only added: what the event has stays, its time, format and dataset too. A text that no grammar
//! takes leaves the event as it was. Nothing is allocated once the buffer has grown to the longest text that is not in
//! the chunk.
//! Never: makes an event a `pipeline_error`; the line was parsed.

use logweir_parsers::format::Format;
use logweir_parsers::{Context, KeyId, key};

use super::json_text::unescape;
use super::{Grammar, Scratch};
use crate::event::{Event, EventSink, Field, MadeText, SinkParts, Value};

/// Which grammars read a text.
#[derive(Clone, Debug)]
pub enum Grammars {
    /// That of the program that wrote it (`process.name`), or that of PAM. A program without one is left alone.
    ByProgram,
    /// These, in order; the first that fits.
    Listed(Vec<Grammar>),
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A grammar took it.
    Taken,
    /// Grammars were tried, and none took it.
    Refused,
    /// There was no text, or no grammar for it.
    Skipped,
}

/// Reads fields of events.
#[derive(Debug, Default)]
pub(crate) struct FieldParser {
    /// A text that does not stand in the chunk as it is.
    text: Vec<u8>,
    scratch: Scratch,
}

impl FieldParser {
    /// Gives the event the fields that the grammars find in the text of its field `key`.
    #[inline]
    pub(crate) fn parse(
        &mut self,
        mut parts: SinkParts<'_>,
        event: &mut Event,
        key: KeyId,
        grammars: &Grammars,
        context: &Context,
    ) -> Reading {
        let Some(value) = own_value(&parts, event, key) else { return Reading::Skipped };
        let (chunk, fields, side) = (parts.chunk, parts.fields.len(), parts.side.len());
        let (text, made) = match value {
            Value::Text(span) => (span.of(chunk), None),
            Value::JsonText(span) if memchr::memchr(b'\\', span.of(chunk)).is_none() => {
                (span.of(chunk), None)
            }
            _ => match self.copy(value, &mut parts) {
                Some(start) => (&self.text[..], Some(MadeText { text: &self.text, start })),
                None => return Reading::Skipped,
            },
        };
        let by_program = match grammars {
            Grammars::ByProgram => program_grammar(&parts, event, text),
            Grammars::Listed(_) => None,
        };
        let formats = match grammars {
            Grammars::ByProgram => by_program.as_slice(),
            Grammars::Listed(formats) => formats,
        };
        if formats.is_empty() {
            parts.side.truncate(side);
            return Reading::Skipped;
        }
        let mut sink = EventSink::resume(parts.reborrow(), event, made);
        for grammar in formats {
            grammar.put_constants(&mut sink);
            if grammar.parse(text, context, &mut sink, &mut self.scratch).is_ok() {
                let known = event.timestamp;
                sink.finish(event);
                if known != context.read_at() {
                    event.timestamp = known;
                }
                return Reading::Taken;
            }
            sink.roll_back();
        }
        parts.fields.truncate(fields);
        parts.side.truncate(side);
        Reading::Refused
    }

    /// Copies a text to where it stays while the side buffer grows, and says where in the side buffer it stands.
    #[cold]
    fn copy(&mut self, value: Value, parts: &mut SinkParts<'_>) -> Option<u32> {
        self.text.clear();
        match value {
            Value::MadeText(span) => {
                self.text.extend_from_slice(span.of(parts.side));
                Some(span.start)
            }
            Value::JsonText(span) => {
                unescape(span.of(parts.chunk), &mut self.text);
                let start = u32::try_from(parts.side.len()).ok()?;
                u32::try_from(parts.side.len() + self.text.len()).ok()?;
                parts.side.extend_from_slice(&self.text);
                Some(start)
            }
            _ => None,
        }
    }
}

/// The event's own value of a key.
#[inline]
fn own_value(parts: &SinkParts<'_>, event: &Event, key: KeyId) -> Option<Value> {
    parts.fields_of(event).iter().find(|field| field.key() == key).map(Field::value)
}

/// The grammar of the program that wrote the event.
#[inline]
fn program_grammar(parts: &SinkParts<'_>, event: &Event, text: &[u8]) -> Option<Grammar> {
    let program = match own_value(parts, event, key::PROCESS_NAME) {
        Some(Value::Text(span) | Value::JsonText(span)) => span.of(parts.chunk),
        Some(Value::MadeText(span)) => span.of(parts.side),
        _ => b"",
    };
    Format::of_message(program, text).map(Grammar::Known)
}
