//! The output `console`: short coloured lines for a person, NDJSON for a pipe.
//!
//! Owns: [`ConsoleConfig`], the encoder and the client of standard output.
//! Promises: what a line holds cannot control the terminal: control characters are shown as their pictures; a reader
//! that went away ends the output without an error.
//! Never: writes to standard error, where the log is.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::{KeyId, key};
use logweir_pipeline::event::{ConstantValue, JsonEncoder, Value, Writer};
use logweir_pipeline::time::TimeText;
use logweir_pipeline::{Batch, Event, Keys};

use crate::client::{Client, Document};
use crate::encode::Encode;
use crate::payload::Payload;
use crate::verdict::{Cause, Trouble, Verdict};

const RESET: &[u8] = b"\x1b[0m";
const DIM: &[u8] = b"\x1b[2m";
const RED: &[u8] = b"\x1b[31m";
const YELLOW: &[u8] = b"\x1b[33m";
const GREEN: &[u8] = b"\x1b[32m";
/// Longest text of one field in a short line, in bytes.
const TEXT_MAX: usize = 400;
/// Most fields of an event that has no message.
const FIELDS_MAX: usize = 8;

/// The configuration of the output `console`.
#[derive(Clone, Debug, Default)]
pub struct ConsoleConfig {
    /// How an event is written.
    pub encoding: ConsoleEncoding,
}

/// How an event is written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsoleEncoding {
    /// [`ConsoleEncoding::Short`] on a terminal, [`ConsoleEncoding::Json`] otherwise.
    #[default]
    Auto,
    /// Time, level, dataset and message in colour.
    Short,
    /// One JSON object a line.
    Json,
}

/// Writes events for standard output.
#[derive(Debug)]
pub struct ConsoleEncoder {
    json: JsonEncoder,
    short: bool,
    time: TimeText,
    target: Arc<str>,
}

impl ConsoleEncoder {
    /// An encoder for this configuration.
    #[must_use]
    pub fn new(keys: Arc<Keys>, config: &ConsoleConfig) -> Self {
        let short = match config.encoding {
            ConsoleEncoding::Auto => io::stdout().is_terminal(),
            ConsoleEncoding::Short => true,
            ConsoleEncoding::Json => false,
        };
        Self { json: JsonEncoder::new(keys), short, time: TimeText::new(), target: "console".into() }
    }

    fn write_short(&mut self, batch: &Batch, event: &Event, out: &mut Writer) {
        let time = self.time.render(event.timestamp);
        out.push(DIM);
        out.push(time.get(11..23).unwrap_or(time));
        out.push(RESET);
        let failed = text_of(batch, event, key::ERROR_MESSAGE).is_some();
        let level = text_of(batch, event, key::LOG_LEVEL);
        let status = own(batch, event, key::HTTP_RESPONSE_STATUS_CODE);
        out.push(b" ");
        out.push(colour(level, status, failed));
        match (level, status) {
            (Some(level), _) => push_shown(level, out),
            (None, Some(Value::Integer(status))) => out.push_integer(status),
            _ => out.push(if failed { b"unparsed" } else { b"-" }),
        }
        out.push(RESET);
        if let Some(dataset) = constant_of(batch, event, key::EVENT_DATASET) {
            out.push(b" ");
            out.push(DIM);
            push_shown(dataset, out);
            out.push(RESET);
        }
        match text_of(batch, event, key::MESSAGE) {
            Some(message) => {
                out.push(b" ");
                push_shown(message, out);
            }
            None => self.write_fields(batch, event, out),
        }
    }

    fn write_fields(&mut self, batch: &Batch, event: &Event, out: &mut Writer) {
        let is_shown = |key: KeyId| {
            ![key::EVENT_ORIGINAL, key::LOG_LEVEL, key::HTTP_RESPONSE_STATUS_CODE].contains(&key)
        };
        let fields = batch.fields(event).iter().filter(|field| !field.is_removed() && is_shown(field.key()));
        for field in fields.take(FIELDS_MAX) {
            out.push(b" ");
            out.push(DIM);
            push_shown(self.json.name(field.key()), out);
            out.push(b"=");
            out.push(RESET);
            match (batch.text(field.value()), field.value()) {
                (Some(text), _) => push_shown(text, out),
                (None, Value::Integer(number)) => out.push_integer(number),
                (None, Value::Float(number)) => out.push(number.to_string().as_bytes()),
                (None, Value::Bool(truth)) => out.push(if truth { b"true" } else { b"false" }),
                (None, Value::Time(nanos)) => out.push(TimeText::new().render(nanos)),
                (None, _) => {}
            }
        }
    }
}

impl Encode for ConsoleEncoder {
    fn begin(&mut self, _batch: &Batch) -> bool {
        false
    }

    fn target(&mut self, _batch: &Batch, _index: usize) -> &Arc<str> {
        &self.target
    }

    fn encode(&mut self, batch: &Batch, event: &Event, _target: Option<&str>, out: &mut Writer) {
        if self.short {
            self.write_short(batch, event, out);
        } else {
            self.json.write(batch, event, out);
        }
        out.push(b"\n");
    }
}

fn own(batch: &Batch, event: &Event, key: KeyId) -> Option<Value> {
    let field = batch.fields(event).iter().find(|field| field.key() == key)?;
    (!field.is_removed()).then(|| field.value())
}

fn text_of<'a>(batch: &'a Batch, event: &Event, key: KeyId) -> Option<&'a [u8]> {
    own(batch, event, key).and_then(|value| batch.text(value))
}

fn constant_of<'a>(batch: &'a Batch, event: &Event, key: KeyId) -> Option<&'a [u8]> {
    match batch.constant_sets(event).into_iter().find_map(|set| set.get(key))? {
        ConstantValue::Text(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn colour(level: Option<&[u8]>, status: Option<Value>, failed: bool) -> &'static [u8] {
    let first = level.and_then(<[u8]>::first).map(u8::to_ascii_lowercase);
    match (first, status) {
        _ if failed => RED,
        // error, emergency, critical, fatal, alert
        (Some(b'e' | b'c' | b'f' | b'a'), _) => RED,
        (Some(b'w'), _) => YELLOW,
        (Some(b'd' | b't'), _) => DIM,
        (None, Some(Value::Integer(500..))) => RED,
        (None, Some(Value::Integer(400..))) => YELLOW,
        _ => GREEN,
    }
}

/// Writes a text so that a terminal shows it and does nothing else.
fn push_shown(text: &[u8], out: &mut Writer) {
    let cut = text.len() > TEXT_MAX;
    for character in String::from_utf8_lossy(&text[..text.len().min(TEXT_MAX)]).chars() {
        let shown = match character {
            '\n' => '⏎',
            '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
            '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            character => character,
        };
        out.push(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if cut {
        out.push("…".as_bytes());
    }
}

/// Writes payloads to standard output.
#[derive(Debug, Default)]
pub struct ConsoleClient;

impl Client for ConsoleClient {
    const ORDERED: bool = true;

    async fn send(&self, payload: &Payload) -> Verdict {
        let body = payload.body().clone();
        match tokio::task::spawn_blocking(move || print(&body)).await {
            Ok(Ok(())) => Verdict::Delivered { soft_failures: 0 },
            Ok(Err(error)) => judge(&error),
            Err(error) => Verdict::Retry(Trouble::new(Cause::Unexpected, error.to_string())),
        }
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        Document { id: "", json: item.trim_ascii_end() }
    }
}

fn print(body: &Bytes) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(body)?;
    out.flush()
}

fn judge(error: &io::Error) -> Verdict {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Verdict::Closed("nobody reads standard output any more".to_owned());
    }
    Verdict::Retry(Trouble::new(Cause::Unreachable, format!("cannot write to standard output: {error}")))
}
