//! The parse stage: each line through the source's formats, the first that fits; then, where the source asks for it,
//! the message through grammars of its own.
//!
//! Owns: [`Parser`], one a worker.
//! Promises: no line is lost: one that no grammar takes is delivered as `message` with
//! `event.kind = "pipeline_error"` and the failing column in `error.message`; a line that was cut says so.
//! Never: knows how any format looks.

mod field;
mod host;
mod json_text;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use field::Grammars;
use field::{FieldParser, Reading};
use host::HostNames;
use logweir_parsers::format::Format;
use logweir_parsers::{Context, Reject, Sink, key, preset};

use crate::ack::Ack;
use crate::event::{Batch, Event, EventFlags, EventSink, KeyTable, Keys, Storage};
use crate::stream::SourceMeta;

/// Parses the lines of batches.
#[derive(Debug)]
pub struct Parser {
    keys: KeyTable,
    storage: Storage,
    messages: FieldParser,
}

impl Parser {
    /// A parser whose run-time keys go into `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        Self { keys: KeyTable::new(keys), storage: Storage::default(), messages: FieldParser::default() }
    }

    /// Gives every event of the batch its fields.
    pub fn parse(&mut self, batch: &mut Batch) {
        batch.use_storage(std::mem::take(&mut self.storage));
        let source = Arc::clone(batch.stream.source());
        let context = Context { read_at: batch.read_at, utc_offset: source.utc_offset };
        let invalid_utf8 = mark_invalid_utf8(batch);
        let hosts = HostNames::take(batch);
        let mut unparsed = 0;
        let (mut parts, events) = batch.sink_parts(&mut self.keys);
        for event in events {
            let line = event.line.of(parts.chunk);
            let mut is_parsed = true;
            let mut sink = EventSink::new(parts.reborrow(), event.flags);
            if let Err(reject) = parse_line(line, &source, &context, &mut sink, event) {
                take_unparsed(line, &reject, &source, &mut sink, event);
                unparsed += 1;
                is_parsed = false;
            } else if source.keep_original && event.format != Format::Raw {
                sink.text_span(key::EVENT_ORIGINAL, line);
            }
            add_flags(event.flags, &mut sink);
            hosts.add(event, &mut sink);
            sink.finish(event);
            if let Some(grammars) = source.parse_message.as_ref().filter(|_| is_parsed) {
                let reading = self.messages.parse(parts.reborrow(), event, key::MESSAGE, grammars, &context);
                // The program of a message may say things that nobody wrote a grammar for; a list is a claim.
                unparsed += u64::from(reading == Reading::Refused && *grammars != Grammars::ByProgram);
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

/// Tries the source's formats in order. The error is the one of the format that came furthest.
#[inline]
fn parse_line(
    line: &[u8],
    source: &SourceMeta,
    context: &Context,
    sink: &mut EventSink<'_>,
    event: &mut Event,
) -> Result<(), (Format, Reject)> {
    let mut furthest: Option<(Format, Reject)> = None;
    for &format in &source.formats {
        match format.parse(line, context, sink) {
            Ok(()) => {
                event.format = format;
                return Ok(());
            }
            Err(reject) => {
                sink.roll_back();
                if furthest.is_none_or(|(_, other)| reject.offset > other.offset) {
                    furthest = Some((format, reject));
                }
            }
        }
    }
    match furthest {
        Some(reject) => Err(reject),
        None => Format::Raw.parse(line, context, sink).map_err(|reject| (Format::Raw, reject)),
    }
}

/// Keeps a line that no grammar took. Its dataset stays that of the first format, where its neighbours are.
#[cold]
fn take_unparsed(
    line: &[u8],
    (format, reject): &(Format, Reject),
    source: &SourceMeta,
    sink: &mut EventSink<'_>,
    event: &mut Event,
) {
    event.format = source.formats.first().copied().unwrap_or(Format::Raw);
    sink.text_span(key::MESSAGE, line);
    let reason = format!("{}: {reject}", format.name());
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
