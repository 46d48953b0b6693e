//! `logfmt`: pairs `key=value`, as Go programs log.
//!
//! ```text
//! time=2023-11-14T22:13:20Z level=info msg="order accepted" order=7 retried
//! ```
//!
//! Owns: this grammar. The names that mean a time, a level or a message are those of
//! [`application`](super::application).
//! Promises: every value is a text, also one that looks like a number, for the next line may hold a word there; a key
//! that stands alone is true. A line without any `=` is rejected.
//! Never: unescapes a quoted value whose escapes are those of JSON.

use nom::{Parser, error::context};

use super::{
    application::{Fields, Kind, Value, role},
    json::scan,
};
use crate::{
    Context, Reject, Sink,
    grammar::{Explain, Parsed, Stopped, expected, quoted, reject, stop},
    preset,
    search::find_either,
};

/// Takes a line with at least one pair.
#[inline]
pub(super) fn parse<S: Sink>(line: &[u8], context: &Context, sink: &mut S) -> Result<(), Reject> {
    if pairs::<(), S>(line, &mut Fields::new(sink, context)).is_err() {
        return Err(reject(line, pairs::<Stopped<'_>, S>(line, &mut Fields::new(sink, context))));
    }
    sink.preset(preset::EVENT);
    Ok(())
}

#[inline]
fn pairs<'a, E: Explain<'a>, S: Sink>(line: &'a [u8], fields: &mut Fields<'_, S>) -> Parsed<'a, (), E> {
    let mut has_pair = false;
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (after, key) = context("a key", key).parse(rest)?;
        let (after, value) = match after {
            [b'=', after @ ..] => {
                has_pair = true;
                value(after)?
            }
            _ => (after, Value::new(Kind::Present, b"")),
        };
        fields.put(key, role(key), value, None);
        rest = after.trim_ascii_start();
        if rest.len() == after.len() && !rest.is_empty() {
            return expected(rest, "a space");
        }
    }
    if has_pair { Ok((rest, ())) } else { expected(rest, "a pair `key=value`") }
}

/// Bytes, at least one, up to a `=`, a quote, a space or a control character.
#[inline]
fn key<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    let length = input.iter().position(|byte| matches!(byte, b'=' | b'"' | 0..=b' ')).unwrap_or(input.len());
    if length == 0 { stop(input) } else { Ok((&input[length..], &input[..length])) }
}

#[inline]
fn value<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Value<'a>, E> {
    if input.first() != Some(&b'"') {
        let length = find_either(b' ', b'\t', input).unwrap_or(input.len());
        return Ok((&input[length..], Value::new(Kind::Text, &input[..length])));
    }
    if let Ok(parsed) = scan::text::<()>(input) {
        return Ok(parsed);
    }
    let (rest, text) = quoted(input)?;
    Ok((rest, Value::new(if text.is_escaped() { Kind::Escaped } else { Kind::Text }, text.text)))
}
