//! The parse stage: each line through the source's formats, the first that fits; then, where the source asks for it,
//! the message through grammars of its own.
//!
//! Owns: [`Parser`], one a worker; [`Grammar`], what it parses by, with the formats of the config.
//! Promises: no line is lost: one that no grammar takes is delivered as `message` with
//! `event.kind = "pipeline_error"` and the failing column in `error.message`; a line that was cut says so.
//! Never: knows how any format looks.

mod field;
mod grammar;
mod host;
mod json_text;
mod own;
mod regex_format;
mod regex_stop;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use field::Grammars;
use field::{FieldParser, Reading};
pub use grammar::{FormatId, Grammar, Scratch};
use host::HostNames;
use logweir_parsers::format::Format;
use logweir_parsers::{Context, Rejection, Sink, key, preset};
pub use own::{Body, OwnConstant, OwnFormat};
pub use regex_format::{RegexFormat, RegexFormatError};

use crate::ack::Ack;
use crate::event::{Batch, EventFlags, EventSink, KeyTable, Keys, Storage};
use crate::stream::SourceMeta;

/// Parses the lines of batches.
#[derive(Debug)]
pub struct Parser {
    keys: KeyTable,
    storage: Storage,
    scratch: Scratch,
    messages: FieldParser,
}

impl Parser {
    /// A parser whose run-time keys go into `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        let (storage, scratch) = (Storage::default(), Scratch::default());
        Self { keys: KeyTable::new(keys), storage, scratch, messages: FieldParser::default() }
    }

    /// Gives every event of the batch its fields.
    pub fn parse(&mut self, batch: &mut Batch) {
        batch.use_storage(std::mem::take(&mut self.storage));
        let source = Arc::clone(batch.stream.source());
        let context = Context::new(batch.read_at, source.zone.clone());
        let invalid_utf8 = mark_invalid_utf8(batch);
        let hosts = HostNames::take(batch);
        let mut unparsed = 0;
        let leaves_room = batch.leaves_room();
        let (mut parts, events) = batch.sink_parts(&mut self.keys);
        for event in events {
            let line = event.line.of(parts.chunk);
            let mut is_parsed = true;
            let mut sink = EventSink::new(parts.reborrow(), event.flags);
            let parsed = parse_line(line, &source, &context, &mut sink, &mut self.scratch);
            event.format = parsed.as_ref().map_or_else(|_| source.first_format(), |format| *format);
            if let Err((grammar, rejection)) = parsed {
                take_unparsed(line, grammar, &rejection, &mut sink);
                unparsed += 1;
                is_parsed = false;
            } else if source.keep_original && event.format != FormatId::Known(Format::Raw) {
                sink.text_span(key::EVENT_ORIGINAL, line);
            }
            add_flags(event.flags, &mut sink);
            hosts.add(event, &mut sink);
            sink.finish(event);
            if let Some(grammars) = source.parse_message.as_ref().filter(|_| is_parsed) {
                let reading = self.messages.parse(parts.reborrow(), event, key::MESSAGE, grammars, &context);
                // The program of a message may say things that nobody wrote a grammar for; a list is a claim.
                unparsed +=
                    u64::from(reading == Reading::Refused && !matches!(grammars, Grammars::ByProgram));
            }
            if leaves_room {
                parts.leave_room(event);
            }
        }
        hosts.give_back(batch);
        source.ledger.parsed(unparsed, invalid_utf8);
    }

    /// Takes a batch apart that is done with: its storage serves the next one. Returns its ack.
    pub fn recycle(&mut self, batch: Batch) -> Ack {
        let (storage, ack) = batch.into_storage();
        self.storage = storage;
        ack
    }
}

/// Tries the source's formats in order, and says which one took the line. The error is that of the format that came
/// furthest.
#[inline]
fn parse_line<'s>(
    line: &[u8],
    source: &'s SourceMeta,
    context: &Context,
    sink: &mut EventSink<'_>,
    scratch: &mut Scratch,
) -> Result<FormatId, (&'s str, Rejection<'s>)> {
    let mut furthest: Option<(&str, Rejection<'_>)> = None;
    for (place, grammar) in source.formats.iter().enumerate() {
        match grammar.parse(line, context, sink, scratch) {
            Ok(()) => return Ok(grammar.id(place)),
            Err(rejection) => {
                sink.roll_back();
                if furthest.is_none_or(|(_, other)| rejection.offset > other.offset) {
                    furthest = Some((grammar.name(), rejection));
                }
            }
        }
    }
    match furthest {
        Some(rejection) => Err(rejection),
        None => {
            let parsed = Format::Raw.parse(line, context, sink);
            parsed.map(|()| Format::Raw.into()).map_err(|rejection| (Format::Raw.name(), rejection))
        }
    }
}

/// Keeps a line that no grammar took. Its dataset stays that of the first format, where its neighbours are.
#[cold]
fn take_unparsed(line: &[u8], grammar: &str, rejection: &Rejection<'_>, sink: &mut EventSink<'_>) {
    sink.text_span(key::MESSAGE, line);
    let reason = format!("{grammar}: {rejection}");
    sink.made_text(key::ERROR_MESSAGE, std::iter::once(reason.as_bytes()));
    sink.preset(preset::PIPELINE_ERROR);
}

/// Says in `log.flags` what happened to the line, in the words of the ECS field's other writers.
#[inline]
fn add_flags(flags: EventFlags, sink: &mut EventSink<'_>) {
    let json: &[u8] = match (flags.contains(EventFlags::CUT), flags.contains(EventFlags::MULTILINE)) {
        (false, false) => return,
        (true, false) => b"[\"truncated\"]",
        (false, true) => b"[\"multiline\"]",
        (true, true) => b"[\"multiline\",\"truncated\"]",
    };
    sink.made_json(key::LOG_FLAGS, |push| push(json));
}

/// Flags the events with invalid UTF-8 and counts them. One pass over the chunk settles the usual case.
fn mark_invalid_utf8(batch: &mut Batch) -> u64 {
    if simdutf8::basic::from_utf8(&batch.chunk).is_ok() {
        return 0;
    }
    let mut invalid = 0;
    for event in &mut batch.events {
        if simdutf8::basic::from_utf8(event.line.of(&batch.chunk)).is_err() {
            event.flags.insert(EventFlags::INVALID_UTF8);
            invalid += 1;
        }
    }
    invalid
}
