//! The form of RFC 5424.
//!
//! Owns: `VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]`, section 6.
//! Promises: a part that is `-` is left out; a message loses its byte order mark.
//! Never: holds a part to the length that the RFC allows, for senders do not.

use nom::{Parser, error::context, sequence::terminated};

use super::{Message, structured_data::structured_data};
use crate::{
    Context,
    grammar::{Explain, Parsed, byte, expected, stop, until, whole_number},
    timestamp,
};

/// The version that this form begins with, if a time or `-` follows, so that it is one.
#[inline]
pub(super) fn version(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, _) = terminated(whole_number, byte::<()>(b' ')).parse(input).ok()?;
    let version = &input[..input.len() - rest.len() - 1];
    let is_header = matches!(rest, [b'-', b' ', ..] | [_, _, _, _, b'-', _, _, b'-', ..]);
    (is_header && version.len() <= 3 && version.first() != Some(&b'0')).then_some((rest, version))
}

/// What follows the version.
#[inline]
pub(super) fn message<'a, E: Explain<'a>>(
    version: &'a [u8],
    input: &'a [u8],
    reading: &Context,
) -> Parsed<'a, Message<'a>, E> {
    let (rest, time) = self::time(input, reading)?;
    let (rest, host) = context("a host name and a space", part).parse(rest)?;
    let (rest, application) = context("an application name and a space", part).parse(rest)?;
    let (rest, process) = context("a process id and a space", part).parse(rest)?;
    let (rest, message_id) = context("a message id and a space", part).parse(rest)?;
    let (rest, data) = structured_data(rest)?;
    let (rest, text) = text(rest)?;
    Ok((rest, Message { version, time, host, application, process, message_id, data, text }))
}

#[inline]
fn time<'a, E: Explain<'a>>(input: &'a [u8], reading: &Context) -> Parsed<'a, Option<i64>, E> {
    let (rest, text) = context("a time and a space", part).parse(input)?;
    match timestamp::rfc3339(text, reading) {
        None if !text.is_empty() => expected(input, "a time such as `2023-11-14T22:13:20.003Z`"),
        nanos => Ok((rest, nanos)),
    }
}

/// A part and the space after it; empty when it is `-`.
#[inline]
fn part<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    if let [b'-', b' ', rest @ ..] = input {
        return Ok((rest, b""));
    }
    match until(b' ').parse(input)? {
        (_, []) => stop(input),
        parsed => Ok(parsed),
    }
}

#[inline]
fn text<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match input {
        [] => Ok((input, input)),
        [b' ', 0xef, 0xbb, 0xbf, text @ ..] | [b' ', text @ ..] => Ok((b"", text)),
        _ => expected(input, "a space and the message, or the end of the line"),
    }
}
