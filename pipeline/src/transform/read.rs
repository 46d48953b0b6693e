//! What a field holds, however it stands in the batch.
//!
//! Owns: reading a value as a text without escapes, and taking a constant into the batch.
//! Promises: a text is lent from where it stands when it stands there as it is; else it is made in the caller's room.
//! Never: allocates, but for a list that all events of a source share.

use logweir_parsers::KeyId;

use crate::event::{Batch, ConstantValue, Value};
use crate::time::TimeText;

/// The value of a field, also of one that the event shares with others: those are copied into the batch.
pub(super) fn value(batch: &mut Batch, index: usize, key: KeyId, room: &mut Vec<u8>) -> Option<Value> {
    if let Some(value) = batch.get(index, key) {
        return Some(value);
    }
    room.clear();
    match batch.constant(index, key)? {
        ConstantValue::Integer(number) => return Some(Value::Integer(*number)),
        ConstantValue::Float(number) => return Some(Value::Float(*number)),
        ConstantValue::Bool(truth) => return Some(Value::Bool(*truth)),
        ConstantValue::Text(text) => {
            room.extend_from_slice(text.as_bytes());
            return Some(batch.make_text(room));
        }
        list @ ConstantValue::List(_) => room.extend_from_slice(&list.to_json()),
    }
    Some(batch.make_json(room))
}

/// The value of a field as a text: of a JSON string what it means, of a list or an object its JSON. `None` when the event
/// has no such field, or it is null. `room` is for a text that has to be made.
pub fn text<'a>(batch: &'a Batch, index: usize, key: KeyId, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    text_of(batch, index, key, batch.get(index, key), room)
}

/// The same, when the event's own value of the field is known.
pub(super) fn text_of<'a>(
    batch: &'a Batch,
    index: usize,
    key: KeyId,
    own: Option<Value>,
    room: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    room.clear();
    match own {
        Some(value) => value_text(batch, value, room),
        None => constant_text(batch.constant(index, key)?, room),
    }
}

fn value_text<'a>(batch: &'a Batch, value: Value, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    match value {
        Value::Text(_) | Value::MadeText(_) => return batch.text(value),
        Value::JsonText(_) => return Some(unescaped(batch.text(value)?, room)),
        Value::Json(_) | Value::MadeJson(_) => {
            return match batch.text(value)? {
                b"null" => None,
                [b'"', inside @ .., b'"'] => Some(unescaped(inside, room)),
                json => Some(json),
            };
        }
        Value::Integer(number) => push_integer(number, room),
        Value::Float(number) => room.extend_from_slice(zmij::Buffer::new().format(number).as_bytes()),
        Value::Bool(truth) => room.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Time(nanos) => room.extend_from_slice(TimeText::new().render(nanos)),
        Value::Members(_) | Value::MadeMembers(_) | Value::Removed => return None,
    }
    Some(room)
}

fn constant_text<'a>(constant: &'a ConstantValue, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    match constant {
        ConstantValue::Text(text) => return Some(text.as_bytes()),
        ConstantValue::Integer(number) => push_integer(*number, room),
        _ => room.extend_from_slice(&constant.to_json()),
    }
    Some(room)
}

fn push_integer(number: i64, room: &mut Vec<u8>) {
    room.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// What the inside of a valid JSON string means (RFC 8259 section 7).
pub(super) fn unescaped<'a>(inside: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(first) = memchr::memchr(b'\\', inside) else { return inside };
    room.clear();
    let (plain, mut rest) = inside.split_at(first);
    room.extend_from_slice(plain);
    while let [b'\\', kind, after @ ..] = rest {
        rest = after;
        match kind {
            b'b' => room.push(8),
            b'f' => room.push(12),
            b'n' => room.push(b'\n'),
            b'r' => room.push(b'\r'),
            b't' => room.push(b'\t'),
            b'u' => rest = push_unit(rest, room),
            _ => room.push(*kind),
        }
        let (plain, escaped) = rest.split_at(memchr::memchr(b'\\', rest).unwrap_or(rest.len()));
        room.extend_from_slice(plain);
        rest = escaped;
    }
    room
}

/// Pushes what `\u` and these digits stand for, with the second half of a surrogate pair; half a pair is U+FFFD.
fn push_unit<'a>(digits: &'a [u8], room: &mut Vec<u8>) -> &'a [u8] {
    let Some((unit, mut rest)) = unit(digits) else { return digits };
    let mut letter = char::from_u32(unit);
    if let (0xd800..=0xdbff, [b'\\', b'u', after @ ..]) = (unit, rest)
        && let Some((low @ 0xdc00..=0xdfff, after)) = self::unit(after)
    {
        letter = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        rest = after;
    }
    let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
    room.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn unit(digits: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = digits.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}
