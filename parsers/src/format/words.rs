//! Leaves for messages that programs write for people: fixed words with names between them.
//!
//! Owns: splitting at words from either end.
//! Promises: linear; a leaf that says "last" is the one to use where somebody else chose what stands on its left.
//! Never: knows a program.

use memchr::memchr_iter;
use nom::Parser;

use crate::{
    grammar::{Explain, Parsed, stop},
    search::find,
};

/// This text.
#[inline]
pub(super) fn text<'a, E: Explain<'a>>(text: &'static str) -> impl Parser<&'a [u8], Output = (), Error = E> {
    move |input: &'a [u8]| match input.strip_prefix(text.as_bytes()) {
        Some(rest) => Ok((rest, ())),
        None => stop(input),
    }
}

/// What stands before the first `mark`, which is taken too.
#[inline]
pub(super) fn before<'a, E: Explain<'a>>(
    mark: &'static str,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = E> {
    move |input: &'a [u8]| match first(input, mark.as_bytes()) {
        Some(at) => Ok((&input[at + mark.len()..], &input[..at])),
        None => stop(input),
    }
}

/// What stands before the last `mark`, which is taken too.
#[inline]
pub(super) fn before_last<'a, E: Explain<'a>>(
    mark: &'static str,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = E> {
    move |input: &'a [u8]| match last(input, mark.as_bytes()) {
        Some(at) => Ok((&input[at + mark.len()..], &input[..at])),
        None => stop(input),
    }
}

/// Everything but this end.
#[inline]
pub(super) fn all_but<'a, E: Explain<'a>>(
    end: &'static str,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = E> {
    move |input: &'a [u8]| match input.strip_suffix(end.as_bytes()) {
        Some(text) => Ok((&input[input.len()..], text)),
        None => stop(input),
    }
}

/// Everything.
#[inline]
pub(super) fn all<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    Ok((&input[input.len()..], input))
}

/// Bytes, at least one, up to a space, which is taken too, or the end.
#[inline]
pub(super) fn word<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match split_word(input) {
        (b"", _) => stop(input),
        (word, rest) => Ok((rest, word)),
    }
}

/// The bytes before the first space, and those after it.
#[inline]
pub(super) fn split_word(input: &[u8]) -> (&[u8], &[u8]) {
    match find(b' ', input) {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &input[input.len()..]),
    }
}

/// The bytes before the last space, and those after it.
#[inline]
pub(super) fn split_last_word(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = input.iter().rposition(|byte| *byte == b' ')?;
    Some((&input[..at], &input[at + 1..]))
}

/// Where `mark` first stands.
#[inline]
pub(super) fn first(input: &[u8], mark: &[u8]) -> Option<usize> {
    memchr_iter(*mark.first()?, input).find(|at| input[*at..].starts_with(mark))
}

/// Where `mark` last stands.
#[inline]
pub(super) fn last(input: &[u8], mark: &[u8]) -> Option<usize> {
    let begin = *mark.first()?;
    // Byte by byte: what stands at the end of a line is short, and a wide search costs more to begin than this.
    let mut at = input.len().checked_sub(mark.len())? + 1;
    while at > 0 {
        at -= 1;
        if input[at] == begin && input[at..].starts_with(mark) {
            return Some(at);
        }
    }
    None
}
