//! The values of an event, one scalar at a time.
//!
//! Owns: [`Found`], the value of a field wherever it stands, [`LINE`], and [`Scalar`], what a test looks at.
//! Promises: a constant counts like a field of the event's own unless that hides it; a list gives its items, nested
//! ones included, and an object nothing; a number's text is the one that an output writes.
//! Never: allocates.

use logweir_parsers::KeyId;

use super::number::Number;
use super::text::Text;
use crate::event::{Batch, ConstantValue, Event, Value};
use crate::time::TimeText;

/// What conditions without a field look at: the line as it was read, whatever transforms did to its fields. No field has
/// this number: there are fewer of them.
pub const LINE: KeyId = KeyId(u16::MAX - 1);

/// The first number that a field holds, or that its text reads like.
pub(crate) fn number_of(batch: &Batch, index: usize, key: KeyId) -> Option<f64> {
    let mut number = None;
    Found::of(batch, index, key)?.any(batch, |scalar| {
        number = scalar.as_number().map(Number::as_float);
        number.is_some()
    });
    number
}

/// One value that is not a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar<'a> {
    /// Its text; none for JSON's null.
    pub(super) text: Option<Text<'a>>,
    /// Its number, if it is one and not only a text that reads like one.
    pub(super) number: Option<Number>,
}

impl<'a> Scalar<'a> {
    fn text(text: Text<'a>) -> Self {
        Self { text: Some(text), number: None }
    }

    fn bool(truth: bool) -> Self {
        Self::text(Text::Plain(if truth { b"true" } else { b"false" }))
    }

    /// Its number, if it is one or reads like one.
    #[inline]
    pub(super) fn as_number(&self) -> Option<Number> {
        self.number.or_else(|| self.text.and_then(Number::from_text))
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// The event's own.
    Own(Value),
    /// One that it shares.
    Constant(&'a ConstantValue),
}

impl<'a> Found<'a> {
    /// The value of a key, if the event has it.
    pub(super) fn of(batch: &'a Batch, index: usize, key: KeyId) -> Option<Self> {
        if key == LINE {
            return Some(Self::line(&batch.events[index]));
        }
        match batch.get(index, key) {
            Some(value) => Some(Self::Own(value)),
            None => batch.constant(index, key).map(Self::Constant),
        }
    }

    /// The line of an event.
    #[inline]
    pub(super) fn line(event: &Event) -> Self {
        Self::Own(Value::Text(event.line))
    }

    /// Whether `test` holds for one of the scalars; the rest is not visited.
    #[inline]
    pub(super) fn any(self, batch: &Batch, mut test: impl FnMut(Scalar<'_>) -> bool) -> bool {
        match self {
            Self::Own(value) => any_of_value(batch, value, &mut test),
            Self::Constant(ConstantValue::Text(text)) => test(Scalar::text(Text::Plain(text.as_bytes()))),
            Self::Constant(ConstantValue::List(items)) => {
                items.iter().any(|item| test(Scalar::text(Text::Plain(item.as_bytes()))))
            }
            Self::Constant(ConstantValue::Integer(number)) => test_integer(*number, &mut test),
            Self::Constant(ConstantValue::Float(number)) => test_float(*number, &mut test),
            Self::Constant(ConstantValue::Bool(truth)) => test(Scalar::bool(*truth)),
        }
    }
}

#[inline]
fn any_of_value(batch: &Batch, value: Value, test: &mut impl FnMut(Scalar<'_>) -> bool) -> bool {
    match value {
        Value::Text(span) => test(Scalar::text(Text::Plain(span.of(&batch.chunk)))),
        Value::MadeText(span) => test(Scalar::text(Text::Plain(span.of(&batch.side)))),
        Value::JsonText(span) => test(Scalar::text(Text::json(span.of(&batch.chunk)))),
        Value::Json(span) => any_of_json(span.of(&batch.chunk), test),
        Value::MadeJson(span) => any_of_json(span.of(&batch.side), test),
        Value::Integer(number) => test_integer(number, test),
        Value::Float(number) => test_float(number, test),
        Value::Bool(truth) => test(Scalar::bool(truth)),
        Value::Time(nanos) => test(Scalar::text(Text::Plain(TimeText::new().render(nanos)))),
        Value::Members(_) | Value::MadeMembers(_) | Value::Removed => false,
    }
}

#[inline]
fn test_integer(number: i64, test: &mut impl FnMut(Scalar<'_>) -> bool) -> bool {
    let mut buffer = itoa::Buffer::new();
    let text = Some(Text::Plain(buffer.format(number).as_bytes()));
    test(Scalar { text, number: Some(number.into()) })
}

fn test_float(number: f64, test: &mut impl FnMut(Scalar<'_>) -> bool) -> bool {
    let Some(known) = Number::from_float(number) else {
        return test(Scalar { text: None, number: None });
    };
    let mut buffer = zmij::Buffer::new();
    let text = Some(Text::Plain(buffer.format_finite(number).as_bytes()));
    test(Scalar { text, number: Some(known) })
}

/// Visits the scalars of a JSON value, which is valid: one walk, whose depth is counted rather than called.
fn any_of_json(json: &[u8], test: &mut impl FnMut(Scalar<'_>) -> bool) -> bool {
    let mut objects = 0_usize;
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'"' => {
                let (inside, after) = after.split_at(string_len(after));
                rest = after.get(1..).unwrap_or_default();
                if objects == 0 && test(Scalar::text(Text::json(inside))) {
                    return true;
                }
            }
            b'{' => objects += 1,
            b'}' => objects = objects.saturating_sub(1),
            b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                let len = after.iter().take_while(|byte| is_word(**byte)).count();
                let word = Text::Plain(&json[json.len() - after.len() - 1..][..=len]);
                rest = &after[len..];
                let text = (first != b'n').then_some(word);
                if objects == 0 && test(Scalar { text, number: Number::from_text(word) }) {
                    return true;
                }
            }
        }
    }
    false
}

/// The length of a string's inside, up to its closing quote.
fn string_len(text: &[u8]) -> usize {
    let mut from = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(from..).unwrap_or_default()) {
        if text[from + found] == b'"' {
            return from + found;
        }
        from += found + 2;
    }
    text.len()
}

/// Whether the byte can stand within a number, `true`, `false` or `null`.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
