//! What a request holds: JSON whose texts are templates.
//!
//! Owns: [`Body`] and how it is filled in.
//! Promises: the result is valid JSON whatever the event holds; a text that is one reference and nothing else becomes the
//! field's value with its type, and is left out where the event has no such field; within a longer text such a field
//! is "unknown"; `{event.id}` is the identity of the event.
//! Never: reads TOML.

use std::fmt;

use logweir_parsers::{KeyId, key};
use logweir_pipeline::Batch;
use logweir_pipeline::event::{JsonEncoder, Writer};
use logweir_pipeline::transform::{self, Template};

/// Stands within a longer text for a value that an event does not have.
const MISSING: &[u8] = b"unknown";

/// A JSON value whose texts are templates.
#[derive(Clone)]
pub enum Body {
    /// A text, filled in for each event.
    Text(Template),
    /// A number or a truth value, as it is.
    Fixed(serde_json::Value),
    /// A list.
    List(Vec<Body>),
    /// An object, in the order of its members.
    Table(Vec<(String, Body)>),
}

/// Its texts may hold secrets.
impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Body(…)")
    }
}

/// The event that a body is filled in for.
pub(super) struct Filling<'a> {
    pub(super) json: &'a mut JsonEncoder,
    pub(super) batch: &'a Batch,
    pub(super) index: usize,
    pub(super) id: &'a [u8],
    /// For texts in the making.
    pub(super) made: &'a mut Vec<u8>,
    pub(super) room: &'a mut Vec<u8>,
}

impl Body {
    /// Writes the value for an event. Returns false, and writes nothing, when it is left out.
    pub(super) fn write(&self, filling: &mut Filling<'_>, out: &mut Writer) -> bool {
        match self {
            Self::Text(template) => match template.reference() {
                Some(key) => return filling.write_value(key, out),
                None => filling.write_text(template, out),
            },
            Self::Fixed(value) => out.push(value.to_string().as_bytes()),
            Self::List(items) => {
                out.push_byte(b'[');
                let start = out.len();
                for item in items {
                    write_part(start, b"", item, filling, out);
                }
                out.push_byte(b']');
            }
            Self::Table(members) => {
                out.push_byte(b'{');
                let start = out.len();
                for (name, member) in members {
                    let label = format!("{}:", serde_json::Value::from(name.as_str()));
                    write_part(start, label.as_bytes(), member, filling, out);
                }
                out.push_byte(b'}');
            }
        }
        true
    }
}

/// Writes an item or a member, behind a comma when it is not the first; nothing when it is left out.
fn write_part(start: usize, label: &[u8], part: &Body, filling: &mut Filling<'_>, out: &mut Writer) {
    let end = out.len();
    if end > start {
        out.push_byte(b',');
    }
    out.push(label);
    if !part.write(filling, out) {
        out.truncate(end);
    }
}

impl Filling<'_> {
    fn write_value(&mut self, key: KeyId, out: &mut Writer) -> bool {
        if key != key::EVENT_ID {
            return self.json.write_value(self.batch, self.index, key, out);
        }
        write_json_text(self.id, out);
        true
    }

    fn write_text(&mut self, template: &Template, out: &mut Writer) {
        let Self { batch, index, id, made, room, .. } = self;
        made.clear();
        template.fill_in(made, |key, made| {
            let text =
                if key == key::EVENT_ID { Some(*id) } else { transform::text(batch, *index, key, room) };
            made.extend_from_slice(text.unwrap_or(MISSING));
            Some(())
        });
        write_json_text(made, out);
    }
}

fn write_json_text(text: &[u8], out: &mut Writer) {
    out.push(serde_json::Value::from(String::from_utf8_lossy(text)).to_string().as_bytes());
}
