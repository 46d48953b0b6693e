//! Events as a mail (RFC 5322).
//!
//! Owns: [`compose`], from a payload to a mail, and the readable form of a document.
//! Promises: what an event holds cannot add a header; a mail is marked as made by a machine (RFC 3834), so nobody
//! answers it on holiday; the same events have the same `Message-ID`.
//! Never: sends.

use std::fmt::Write as _;

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use serde_json::{Map, Value};

use super::config::{SUBJECT, TEXT};
use crate::payload::Payload;
use crate::webhook::Part;

/// Longest subject, in bytes.
const SUBJECT_MAX: usize = 200;
/// Stands for a subject or text that an event does not have.
const MISSING: &str = "unknown";
/// Between two events of a mail.
const RULE: &str = "\n----------------------------------------\n\n";

/// Who writes to whom.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
}

/// The mail of a payload.
///
/// # Errors
/// What the payload lacks of a mail, which is a bug.
pub(super) fn compose(addresses: &Addresses, payload: &Payload) -> Result<Message, lettre::error::Error> {
    let letters = (0..payload.len()).map(|item| Letter::of(&payload.body()[payload.range(item)]));
    let letters = letters.collect::<Vec<_>>();
    let (id, mut subject) =
        letters.first().map(|first| (first.id.clone(), first.subject())).unwrap_or_default();
    if letters.len() > 1 {
        subject.push_str(&format!(" (and {} more)", letters.len() - 1));
    }
    let text = letters.iter().map(Letter::text).collect::<Vec<_>>().join(RULE);
    let domain = addresses.from.email.domain();
    let builder = addresses.to.iter().cloned().fold(Message::builder(), MessageBuilder::to);
    let mut message = builder
        .from(addresses.from.clone())
        .subject(subject)
        .message_id(Some(format!("<{id}.{}@{domain}>", letters.len())))
        .header(ContentType::TEXT_PLAIN)
        .body(text)?;
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
    Ok(message)
}

/// What a mail says of one event.
struct Letter {
    id: String,
    members: Map<String, Value>,
    document: Map<String, Value>,
}

impl Letter {
    fn of(item: &[u8]) -> Self {
        let Part { id, body, document } = Part::of(item);
        let object = |bytes| serde_json::from_slice(bytes).unwrap_or_default();
        let id = String::from_utf8_lossy(&item[id]).into_owned();
        Self { id, members: object(&item[body]), document: object(&item[document]) }
    }

    fn subject(&self) -> String {
        let subject = self.members.get(SUBJECT).map_or(MISSING.to_owned(), plain);
        let subject = subject.replace(char::is_control, " ");
        subject[..subject.floor_char_boundary(SUBJECT_MAX)].to_owned()
    }

    fn text(&self) -> String {
        let mut text = self.members.get(TEXT).map_or_else(|| readable(&self.document), plain);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// A value as a person reads it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => format!("{value:#}"),
        _ => value.to_string(),
    }
}

/// A line for each field, in the order of their names.
fn readable(document: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in document {
        // Writing to a string does not fail.
        writeln!(text, "{name}: {}", plain(value)).unwrap_or_default();
    }
    text
}
