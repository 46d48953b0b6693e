//! What the grammars share: leaves, and the way from a failed grammar to a [`Reject`].
//!
//! Owns: [`until`], [`quoted`], [`whole_number`], the error [`Stopped`].
//! Promises: a grammar is generic in its error. It runs with `()`, which costs nothing; only when it fails does it
//! run again with [`Stopped`], which says where and what was expected (the innermost `context` that failed).
//! Never: allocates, or looks at a byte more often than the grammar asks.

use core::net::{Ipv4Addr, Ipv6Addr};

use nom::{
    IResult, Parser,
    error::{ContextError, ErrorKind, ParseError},
};

use crate::{
    KeyId, Reject, Sink,
    search::{find, find_either},
    unescape::Unescape,
};

/// What a grammar gives: the rest of the line, and what it found.
pub(crate) type Parsed<'a, T, E> = IResult<&'a [u8], T, E>;

/// An error that a grammar can run with.
pub(crate) trait Explain<'a>: ParseError<&'a [u8]> + ContextError<&'a [u8]> {}

impl<'a, E: ParseError<&'a [u8]> + ContextError<&'a [u8]>> Explain<'a> for E {}

/// Where a grammar stopped, and what it expected there.
pub(crate) struct Stopped<'a> {
    rest: &'a [u8],
    expected: Option<&'static str>,
}

impl<'a> ParseError<&'a [u8]> for Stopped<'a> {
    fn from_error_kind(rest: &'a [u8], _kind: ErrorKind) -> Self {
        Self { rest, expected: None }
    }

    fn append(_rest: &'a [u8], _kind: ErrorKind, inner: Self) -> Self {
        inner
    }
}

impl<'a> ContextError<&'a [u8]> for Stopped<'a> {
    fn add_context(_rest: &'a [u8], expected: &'static str, inner: Self) -> Self {
        Self { expected: inner.expected.or(Some(expected)), ..inner }
    }
}

/// Turns the second run of a grammar over `line` into a [`Reject`].
#[cold]
pub(crate) fn reject<T>(line: &[u8], result: Parsed<'_, T, Stopped<'_>>) -> Reject {
    let (rest, expected) = match result {
        Err(nom::Err::Error(stopped) | nom::Err::Failure(stopped)) => (stopped.rest, stopped.expected),
        Err(nom::Err::Incomplete(_)) | Ok(_) => (line, None),
    };
    Reject { offset: line.len().saturating_sub(rest.len()), expected: expected.unwrap_or("another line") }
}

/// Stops a grammar at `rest`.
#[inline]
pub(crate) fn stop<'a, T, E: Explain<'a>>(rest: &'a [u8]) -> Parsed<'a, T, E> {
    Err(nom::Err::Error(E::from_error_kind(rest, ErrorKind::Verify)))
}

/// Stops a grammar at `rest` and says what it expected there.
#[inline]
pub(crate) fn expected<'a, T, E: Explain<'a>>(rest: &'a [u8], what: &'static str) -> Parsed<'a, T, E> {
    let error = E::from_error_kind(rest, ErrorKind::Verify);
    Err(nom::Err::Error(E::add_context(rest, what, error)))
}

/// The bytes before the next `byte`, which is taken too.
#[inline]
pub(crate) fn until<'a, E: Explain<'a>>(byte: u8) -> impl Parser<&'a [u8], Output = &'a [u8], Error = E> {
    move |input: &'a [u8]| match find(byte, input) {
        Some(at) => Ok((&input[at + 1..], &input[..at])),
        None => stop(input),
    }
}

/// One `byte`.
#[inline]
pub(crate) fn byte<'a, E: Explain<'a>>(byte: u8) -> impl Parser<&'a [u8], Output = (), Error = E> {
    move |input: &'a [u8]| match input {
        [first, rest @ ..] if *first == byte => Ok((rest, ())),
        _ => stop(input),
    }
}

/// The inside of a quoted text, as it stands in the line.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a> {
    /// The bytes between the quotes.
    pub(crate) text: &'a [u8],
    /// How many of them come before the first backslash: all, if there is none. A number, because a `bool` would
    /// leave padding, and a value with padding is slow to pass on.
    plain: usize,
}

impl Quoted<'_> {
    /// Whether a backslash is in the text.
    #[inline]
    pub(crate) fn is_escaped(self) -> bool {
        self.plain < self.text.len()
    }

    /// Gives the text to the sink, unescaped if need be.
    #[inline]
    pub(crate) fn put<S: Sink>(self, key: KeyId, sink: &mut S) {
        self.put_part(self.text, key, sink);
    }

    /// Gives a part of the text to the sink, unescaped if need be.
    #[inline]
    pub(crate) fn put_part<S: Sink>(self, part: &[u8], key: KeyId, sink: &mut S) {
        if self.is_escaped() && find(b'\\', part).is_some() {
            sink.made_text(key, Unescape::new(part));
        } else {
            sink.text_span(key, part);
        }
    }
}

/// Said of an opening quote.
const UNCLOSED: &str = "a quoted text that ends";

/// A text between quotes, in which a backslash hides the byte after it.
#[inline]
pub(crate) fn quoted<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Quoted<'a>, E> {
    let (inside, ()) = byte(b'"').parse(input)?;
    match find_either(b'"', b'\\', inside) {
        Some(at) if inside[at] == b'"' => {
            let text = &inside[..at];
            Ok((&inside[at + 1..], Quoted { text, plain: text.len() }))
        }
        Some(at) => quoted_with_escapes(input, at),
        None => expected(input, UNCLOSED),
    }
}

/// The rest of [`quoted`], when so many bytes come before the first backslash.
#[cold]
fn quoted_with_escapes<'a, E: Explain<'a>>(input: &'a [u8], plain: usize) -> Parsed<'a, Quoted<'a>, E> {
    let inside = &input[1..];
    let mut from = plain + 2;
    while let Some(at) = inside.get(from..).and_then(|rest| find_either(b'"', b'\\', rest)) {
        let end = from + at;
        if inside[end] == b'"' {
            let text = &inside[..end];
            return Ok((&inside[end + 1..], Quoted { text, plain }));
        }
        from = end + 2;
    }
    expected(input, UNCLOSED)
}

/// A whole number without sign that fits in an `i64`.
#[inline]
pub(crate) fn whole_number<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, i64, E> {
    let mut number = 0_i64;
    let mut length = 0;
    while let Some(digit) = input.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
    {
        let Some(next) = number.checked_mul(10).and_then(|tens| tens.checked_add(i64::from(digit))) else {
            return expected(input, "a number below 2^63");
        };
        number = next;
        length += 1;
    }
    if length == 0 { stop(input) } else { Ok((&input[length..], number)) }
}

/// Whether the text is an IP address.
#[inline]
pub(crate) fn is_ip(text: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(text) else {
        return false;
    };
    if text.contains(':') { text.parse::<Ipv6Addr>().is_ok() } else { text.parse::<Ipv4Addr>().is_ok() }
}
