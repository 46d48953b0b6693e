//! The values of JSON (RFC 8259), found and checked but not decoded.
//!
//! Owns: [`value`], [`name`] and the leaves below them.
//! Promises: what it takes is valid JSON, but for the UTF-8 of texts, which the sink sees to. Nesting ends at
//! [`DEPTH_MAX`], and no function calls itself, so a line of brackets costs no stack.
//! Never: allocates. Texts, numbers and nested values are walked by hand, sixteen bytes or one token at a time: they are
//! the whole cost of this format, and combinators around them doubled it.

use nom::{
    Parser,
    bytes::complete::{tag, take},
    combinator::verify,
    error::context,
};

use wide::u8x16;

use super::super::application::{Kind, Value};
use crate::{
    grammar::{Explain, Parsed, expected, stop},
    search::search,
    unescape::hex,
};

/// How deep arrays and objects may stand in one another.
const DEPTH_MAX: u32 = 128;

/// Skips white space.
#[inline]
pub(in crate::format) fn blank(input: &[u8]) -> &[u8] {
    match input {
        [..=b' ', ..] => blanks(input),
        _ => input,
    }
}

/// The rest of [`blank`], when the first byte may be white space.
fn blanks(input: &[u8]) -> &[u8] {
    let length = input.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &input[length.unwrap_or(input.len())..]
}

/// Any value.
#[inline(always)] // as `text`
pub(in crate::format) fn value<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Value<'a>, E> {
    match input.first() {
        Some(b'{') => nested.map(|json| Value::new(Kind::Object, json)).parse(input),
        Some(b'[') => nested.map(|json| Value::new(Kind::Array, json)).parse(input),
        _ => scalar(input),
    }
}

/// Any value but an object or an array.
#[inline(always)] // as `text`
fn scalar<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Value<'a>, E> {
    match input.first() {
        Some(b'"') => text(input),
        Some(b'n') => {
            context("`null`", tag(&b"null"[..])).map(|json| Value::new(Kind::Null, json)).parse(input)
        }
        _ => plain.map(|json| Value::new(Kind::Json, json)).parse(input),
    }
}

/// A number, `true` or `false`.
#[inline]
fn plain<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match input.first() {
        Some(b't') => context("`true`", tag(&b"true"[..])).parse(input),
        Some(b'f') => context("`false`", tag(&b"false"[..])).parse(input),
        Some(b'-' | b'0'..=b'9') => number(input),
        _ => expected(input, "a JSON value"),
    }
}

/// `number = [ minus ] int [ frac ] [ exp ]`, RFC 8259 section 6.
#[inline]
fn number<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    let mut rest = input.strip_prefix(b"-").unwrap_or(input);
    rest = match rest {
        [b'0', after @ ..] => after,
        _ => digits(rest, "a digit")?.0,
    };
    if let [b'.', after @ ..] = rest {
        rest = digits(after, "a digit after the point")?.0;
    }
    if let [b'e' | b'E', b'+' | b'-', after @ ..] | [b'e' | b'E', after @ ..] = rest {
        rest = digits(after, "a digit of the exponent")?.0;
    }
    Ok((rest, &input[..input.len() - rest.len()]))
}

/// At least one digit.
#[inline]
fn digits<'a, E: Explain<'a>>(input: &'a [u8], what: &'static str) -> Parsed<'a, (), E> {
    match input.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(input.len()) {
        0 => expected(input, what),
        length => Ok((&input[length..], ())),
    }
}

/// A string with its quotes.
#[inline(always)] // its result is five words, which a call would pass through memory
pub(in crate::format) fn text<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Value<'a>, E> {
    let [b'"', inside @ ..] = input else {
        return stop(input);
    };
    let plain = plain_bytes(inside);
    match inside.get(plain) {
        Some(b'"') => Ok((&inside[plain + 1..], Value::new(Kind::Text, &inside[..plain]))),
        _ => text_with_escapes(input, plain),
    }
}

/// The rest of [`text`], when so many bytes come before the first that is no plain one.
fn text_with_escapes<'a, E: Explain<'a>>(input: &'a [u8], plain: usize) -> Parsed<'a, Value<'a>, E> {
    let inside = &input[1..];
    let mut at = plain;
    loop {
        match inside.get(at) {
            Some(b'"') => return Ok((&inside[at + 1..], Value::new(Kind::JsonText, &inside[..at]))),
            Some(b'\\') => {
                let (rest, ()) = escape(&inside[at..])?;
                at = inside.len() - rest.len();
            }
            Some(_) => return expected(&inside[at..], "no control character within a string"),
            None => return expected(input, "a string that ends"),
        }
        at += plain_bytes(&inside[at..]);
    }
}

/// How many bytes come before the next quote, backslash or control character, or the end.
#[inline]
pub(in crate::format) fn plain_bytes(input: &[u8]) -> usize {
    let special = search(input, |block| {
        let is_control = block.min(u8x16::splat(b' ' - 1)).simd_eq(block);
        is_control | block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\'))
    });
    special.unwrap_or(input.len())
}

/// One escape, or two that make a surrogate pair (RFC 8259 section 7).
fn escape<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, (), E> {
    match input {
        [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => Ok((rest, ())),
        [b'\\', b'u', rest @ ..] => {
            let (rest, unit) = context("four hexadecimal digits", code_unit).parse(rest)?;
            match unit {
                0xd800..0xdc00 => {
                    let low = verify(code_unit, |unit| (0xdc00..0xe000).contains(unit));
                    (tag(&b"\\u"[..]), low)
                        .map(|_| ())
                        .parse(rest)
                        .or_else(|_: nom::Err<E>| expected(rest, "the second half of a surrogate pair"))
                }
                0xdc00..0xe000 => expected(input, "the first half of a surrogate pair"),
                _ => Ok((rest, ())),
            }
        }
        _ => expected(input, "an escape that JSON knows"),
    }
}

/// Four hexadecimal digits.
fn code_unit<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, u16, E> {
    let (rest, digits) = take(4_usize).parse(input)?;
    match digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::from(hex(*digit)?))) {
        Some(unit) => Ok((rest, unit)),
        None => stop(input),
    }
}

/// The brackets that are open: one bit each, set for an object.
struct Open {
    bits: u128,
    depth: u32,
}

impl Open {
    fn is_object(&self) -> bool {
        self.bits & 1 == 1
    }

    fn push(&mut self, is_object: bool) -> bool {
        self.bits = self.bits << 1 | u128::from(is_object);
        self.depth += 1;
        self.depth < DEPTH_MAX // the line's own object is one more
    }

    fn pop(&mut self) -> bool {
        self.bits >>= 1;
        self.depth -= 1;
        self.depth > 0
    }
}

/// An object or an array, whole.
fn nested<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    let mut open = Open { bits: 0, depth: 0 };
    let mut rest = input;
    loop {
        // A value begins here.
        let has_ended = match rest {
            [bracket @ (b'{' | b'['), inside @ ..] => {
                if !open.push(*bracket == b'{') {
                    return expected(rest, "at most 128 levels of nesting");
                }
                rest = blank(inside);
                rest.first() == Some(if *bracket == b'{' { &b'}' } else { &b']' })
            }
            _ => {
                (rest, _) = scalar(rest)?;
                true
            }
        };
        if !has_ended {
            rest = before_value(&open, rest)?.0;
            continue;
        }
        // A value or an empty bracket has ended here.
        loop {
            rest = blank(rest);
            match (rest, open.is_object()) {
                ([b'}', after @ ..], true) | ([b']', after @ ..], false) => {
                    rest = after;
                    if !open.pop() {
                        return Ok((rest, &input[..input.len() - rest.len()]));
                    }
                }
                ([b',', after @ ..], _) => {
                    rest = before_value(&open, blank(after))?.0;
                    break;
                }
                (_, true) => return expected(rest, "a comma or `}`"),
                (_, false) => return expected(rest, "a comma or `]`"),
            }
        }
    }
}

/// What stands before a value: its name, if it is in an object.
#[inline]
fn before_value<'a, E: Explain<'a>>(open: &Open, input: &'a [u8]) -> Parsed<'a, (), E> {
    if open.is_object() { name.map(|_| ()).parse(input) } else { Ok((input, ())) }
}

/// The name of a member, its colon, and the white space around that.
#[inline(always)] // as `text`
pub(in crate::format) fn name<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, Value<'a>, E> {
    if input.first() != Some(&b'"') {
        return expected(input, "a name in quotes");
    }
    let (rest, name) = text(input)?;
    match blank(rest) {
        [b':', rest @ ..] => Ok((blank(rest), name)),
        rest => expected(rest, "a colon"),
    }
}
