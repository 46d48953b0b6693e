//! Structured data, RFC 5424 section 6.3.
//!
//! ```text
//! [id name="value" name="value"][id]   becomes   {"id":{"name":"value",…},"id":{}}
//! ```
//!
//! Owns: its grammar, and its form as JSON, written piece by piece.
//! Promises: a name that stands more than once in an element (section 7.2.1 does that with `ip`) becomes a list. The
//! work is linear in the length, because the number of names that are compared with each other is bounded.
//! Never: allocates.

use nom::{Parser, error::context, sequence::separated_pair};

use crate::{
    format::{escape::CONTROLS, json::scan::plain_bytes},
    grammar::{Explain, Parsed, Quoted, byte, expected, quoted, stop},
};

/// The most elements of a line, and the most parameters of an element.
const NAMES_MAX: usize = 64;

/// One or more elements, checked.
#[derive(Clone, Copy)]
pub(super) struct StructuredData<'a> {
    elements: &'a [u8],
    /// Not 0 if a name may stand twice in an element. (A number leaves no padding: see `Quoted`.)
    repeated: u64,
}

/// Names met so far: a bit each, which several names may share.
#[derive(Default)]
struct Met {
    bits: u64,
    /// Bits that were met again.
    repeated: u64,
    count: usize,
}

impl Met {
    #[inline]
    fn add(&mut self, name: &[u8]) {
        let ends =
            name.first().zip(name.last()).map_or(0, |(first, last)| u32::from(*first) * 7 + u32::from(*last));
        let bit = 1_u64.rotate_left(name.len() as u32 * 13 + ends);
        self.repeated |= self.bits & bit;
        self.bits |= bit;
        self.count += 1;
    }
}

/// `-`, or elements.
#[inline]
pub(super) fn structured_data<'a, E: Explain<'a>>(
    input: &'a [u8],
) -> Parsed<'a, Option<StructuredData<'a>>, E> {
    if let [b'-', rest @ ..] = input {
        return Ok((rest, None));
    }
    let mut ids = Met::default();
    let mut repeated = 0;
    let mut rest = input;
    while ids.count == 0 || rest.first() == Some(&b'[') {
        let (after, (id, parameters)) =
            context("structured data in brackets, or `-`", element).parse(rest)?;
        ids.add(id);
        if ids.count > NAMES_MAX || (ids.repeated != 0 && has_element(&input[..input.len() - rest.len()], id))
        {
            return expected(rest, "at most 64 elements with different names");
        }
        repeated |= parameters.repeated;
        rest = after;
    }
    let elements = &input[..input.len() - rest.len()];
    Ok((rest, Some(StructuredData { elements, repeated })))
}

/// One element in its brackets: its name, and what names it has.
#[inline]
fn element<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, (&'a [u8], Met), E> {
    let (rest, ()) = byte(b'[').parse(input)?;
    let (mut rest, id) = context("the name of an element", name).parse(rest)?;
    let mut parameters = Met::default();
    loop {
        match rest {
            [b']', rest @ ..] => return Ok((rest, (id, parameters))),
            [b' ', after @ ..] => {
                let (after, (name, _)) =
                    context("a parameter such as `name=\"value\"`", parameter).parse(after)?;
                parameters.add(name);
                if parameters.count > NAMES_MAX {
                    return expected(rest, "at most 64 parameters in an element");
                }
                rest = after;
            }
            _ => return expected(rest, "a space and a parameter, or `]`"),
        }
    }
}

#[inline]
fn parameter<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, (&'a [u8], Quoted<'a>), E> {
    separated_pair(name, byte(b'='), quoted).parse(input)
}

/// The bytes of which a name is not made: all but printable ASCII, and those that have a meaning here.
static ENDS_NAME: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte < ends.len() {
        ends[byte] = matches!(byte as u8, b'=' | b']' | b'"' | b'\\' | 0..=b' ' | 0x7f..);
        byte += 1;
    }
    ends
};

/// Bytes, at least one, that do not end a name.
#[inline]
fn name<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    match input.iter().position(|byte| ENDS_NAME[usize::from(*byte)]).unwrap_or(input.len()) {
        0 => stop(input),
        length => Ok((&input[length..], &input[..length])),
    }
}

/// Whether an element with this name is among these.
#[cold]
fn has_element(mut elements: &[u8], id: &[u8]) -> bool {
    while let Ok((rest, (other, _))) = element::<()>(elements) {
        if other == id {
            return true;
        }
        elements = rest;
    }
    false
}

impl StructuredData<'_> {
    /// Writes the JSON object.
    pub(super) fn write_json(self, push: &mut dyn FnMut(&[u8])) {
        let mut rest = self.elements;
        let mut opening: &[u8] = b"{\"";
        while let [b'[', after @ ..] = rest {
            let Ok((parameters, id)) = name::<()>(after) else { return };
            push(opening);
            push(id);
            push(b"\":{");
            rest = self.write_parameters(parameters, push);
            push(b"}");
            opening = b",\"";
        }
        push(b"}");
    }

    /// Writes the members of an element. Returns what follows its bracket.
    #[inline]
    fn write_parameters<'p>(self, parameters: &'p [u8], push: &mut dyn FnMut(&[u8])) -> &'p [u8] {
        let mut rest = parameters;
        let mut opening: &[u8] = b"\"";
        while let [b' ', after @ ..] = rest {
            let Ok((value, name)) = name::<()>(after) else { return b"" };
            if self.repeated == 0 {
                push(opening);
                push(name);
                push(b"\":\"");
                rest = write_value(value.get(2..).unwrap_or_default(), push);
                push(b"\"");
            } else {
                rest = write_repeated(parameters, after, opening, push);
            }
            opening = b",\"";
        }
        rest.get(1..).unwrap_or_default()
    }
}

/// Writes the member that the line goes on with: a list if its name stands again, nothing if it stood before. Returns
/// what follows the parameter.
#[cold]
fn write_repeated<'a>(
    parameters: &'a [u8],
    this: &'a [u8],
    opening: &[u8],
    push: &mut dyn FnMut(&[u8]),
) -> &'a [u8] {
    let Ok((next, (name, _))) = parameter::<()>(this) else { return b"" };
    let Some(first) = value_of(parameters, name).filter(|first| first.len() < this.len()) else {
        return next;
    };
    push(opening);
    push(name);
    let second = value_of(next, name);
    push(if second.is_some() { b"\":[\"" } else { b"\":\"" });
    let mut rest = write_value(first, push);
    while let Some(value) = value_of(rest, name) {
        push(b"\",\"");
        rest = write_value(value, push);
    }
    push(if second.is_some() { b"\"]" } else { b"\"" });
    next
}

/// What follows the opening quote of the next parameter with this name.
#[cold]
fn value_of<'a>(mut parameters: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    while let [b' ', after @ ..] = parameters {
        let (rest, (name, _)) = parameter::<()>(after).ok()?;
        if name == wanted {
            return after.get(name.len() + 2..);
        }
        parameters = rest;
    }
    None
}

/// Writes the inside of a value that begins here. A backslash that hides nothing stands for itself (RFC 5424 section
/// 6.3.3). Returns what follows the closing quote.
#[inline]
fn write_value<'a>(mut rest: &'a [u8], push: &mut dyn FnMut(&[u8])) -> &'a [u8] {
    loop {
        let (plain, special) = rest.split_at(plain_bytes(rest));
        push(plain);
        rest = match special {
            [] => return special,
            [b'"', after @ ..] => return after,
            [b'\\', b'"' | b'\\', after @ ..] => {
                push(&special[..2]);
                after
            }
            [b'\\', b']', after @ ..] => {
                push(b"]");
                after
            }
            [b'\\', after @ ..] => {
                push(b"\\\\");
                after
            }
            [control, after @ ..] => {
                push(CONTROLS.get(usize::from(*control)).map_or(b"", |escape| escape));
                after
            }
        };
    }
}
