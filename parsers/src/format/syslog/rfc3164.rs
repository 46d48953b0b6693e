//! The form of RFC 3164, which describes what senders did rather than what they should do.
//!
//! Owns: `TIMESTAMP SP [HOSTNAME SP] TAG[PID]: MSG`, section 4.1, also with the ISO time that later daemons write.
//! Promises: each part may be missing. A word after the time is a host name unless it is a tag.
//! Never: rejects a line that had a priority.

use super::Message;
use crate::{
    Context,
    grammar::{Explain, Parsed, expected},
    search::find,
    timestamp,
};

/// A tag, the process id after it, and the message.
type Tagged<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// What follows the priority. Without a priority there must be a time.
#[inline]
pub(super) fn message<'a, E: Explain<'a>>(
    input: &'a [u8],
    reading: &Context,
    has_priority: bool,
) -> Parsed<'a, Message<'a>, E> {
    let message = match time(input, reading) {
        Some((rest, nanos)) => after_time(rest, nanos),
        None if has_priority => Message { text: input, ..Message::default() },
        None => {
            return expected(input, "a priority or a time such as `Oct 12 08:30:00`, and a space");
        }
    };
    Ok((b"", message))
}

/// The time and the space after it.
#[inline]
fn time<'a>(input: &'a [u8], reading: &Context) -> Option<(&'a [u8], i64)> {
    let is_bsd = input.first()?.is_ascii_alphabetic();
    let length = if is_bsd { timestamp::BSD_LENGTH } else { find(b' ', input)? };
    let (text, rest) = input.split_at_checked(length)?;
    let nanos = if is_bsd { timestamp::bsd(text, reading) } else { timestamp::rfc3339(text, reading) }?;
    Some((rest.strip_prefix(b" ")?, nanos))
}

#[inline]
fn after_time(input: &[u8], nanos: i64) -> Message<'_> {
    let (host, (application, process, text)) = match (tagged(input), find(b' ', input)) {
        (Some(tagged), _) => (&b""[..], tagged),
        (None, Some(space)) => {
            let rest = &input[space + 1..];
            (&input[..space], tagged(rest).unwrap_or((b"", b"", rest)))
        }
        (None, None) => (&b""[..], (&b""[..], &b""[..], input)),
    };
    Message { time: Some(nanos), host, application, process, text, ..Message::default() }
}

/// Reads `tag: message` or `tag[process]: message`.
#[inline]
fn tagged(input: &[u8]) -> Option<Tagged<'_>> {
    let end = input.iter().position(|byte| matches!(byte, b':' | b'[' | b' '))?;
    let (tag, rest) = input.split_at(end);
    let (process, rest) = match rest {
        [b'[', rest @ ..] => {
            let end =
                rest.iter().position(|byte| matches!(byte, b']' | b' ')).filter(|end| rest[*end] == b']')?;
            (&rest[..end], &rest[end + 1..])
        }
        _ => (&b""[..], rest),
    };
    let text = match rest {
        [b':', b' ', text @ ..] => text,
        [b':'] => b"",
        _ => return None,
    };
    (!tag.is_empty()).then_some((tag, process, text))
}
