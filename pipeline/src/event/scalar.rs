//! One value of an event, for who keeps it longer than the batch.
//!
//! Owns: [`Batch::push_json`] and [`Batch::number`].
//! Promises: a constant counts like a field of the event's own unless that hides it; what is appended is valid JSON in valid
//! UTF-8.
//! Never: changes an event.

use logweir_parsers::KeyId;

use super::escape::append_escaped;
use super::{Batch, ConstantValue, EventFlags, Value};
use crate::matcher;
use crate::time::TimeText;

impl Batch {
    /// Appends the JSON of a field's value. Says whether there is one: a field that is null has none.
    pub(crate) fn push_json(&self, index: usize, key: KeyId, out: &mut Vec<u8>) -> bool {
        match self.get(index, key) {
            Some(value) => self.push_value(index, value, out),
            None => match self.constant(index, key) {
                Some(ConstantValue::Text(text)) => {
                    push_text(text.as_bytes(), true, out);
                    true
                }
                Some(constant) => {
                    out.extend_from_slice(&constant.to_json());
                    true
                }
                None => false,
            },
        }
    }

    fn push_value(&self, index: usize, value: Value, out: &mut Vec<u8>) -> bool {
        let valid = !self.events[index].flags.contains(EventFlags::INVALID_UTF8);
        match value {
            Value::Text(_) => push_text(self.text(value).unwrap_or_default(), valid, out),
            Value::MadeText(_) => push_text(self.text(value).unwrap_or_default(), true, out),
            Value::JsonText(_) => {
                out.push(b'"');
                push_lossy(self.text(value).unwrap_or_default(), valid, out);
                out.push(b'"');
            }
            Value::Json(_) | Value::MadeJson(_) => match self.text(value).unwrap_or_default() {
                b"null" => return false,
                json => push_lossy(json, valid, out),
            },
            Value::Integer(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Value::Float(number) if number.is_finite() => {
                out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
            }
            Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
            Value::Time(nanos) => push_text(TimeText::new().render(nanos), true, out),
            Value::Float(_) | Value::Removed | Value::Members(_) | Value::MadeMembers(_) => return false,
        }
        true
    }

    /// The finite number that a field holds, or that its text reads like.
    #[inline]
    pub(crate) fn number(&self, index: usize, key: KeyId) -> Option<f64> {
        match self.get(index, key) {
            #[allow(clippy::cast_precision_loss)] // beyond 2⁵³ it is rounded to the nearest
            Some(Value::Integer(number)) => Some(number as f64),
            Some(Value::Float(number)) => number.is_finite().then_some(number),
            _ => matcher::number_of(self, index, key),
        }
    }
}

/// Appends a JSON string. Most text needs no escape and is only copied.
#[inline]
fn push_text(text: &[u8], valid: bool, out: &mut Vec<u8>) {
    let is_clean = text.iter().fold(true, |clean, byte| clean & !matches!(byte, b'"' | b'\\' | ..b' '));
    out.push(b'"');
    if valid && is_clean {
        out.extend_from_slice(text);
    } else {
        append_escaped(text, out);
    }
    out.push(b'"');
}

fn push_lossy(json: &[u8], valid: bool, out: &mut Vec<u8>) {
    if valid {
        out.extend_from_slice(json);
    } else {
        out.extend_from_slice(String::from_utf8_lossy(json).as_bytes());
    }
}
