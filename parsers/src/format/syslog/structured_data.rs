//! Structured data, RFC 5424 section 6.3.
//!
//! ```text
//! [id name="value" name="value"][id]   becomes   {"id":{"name":"value",…},"id":{}}
//! ```
//!
//! Owns: its grammar, and its form as JSON, made piece by piece.
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

/// Printable ASCII without the bytes that have a meaning here.
#[inline]
fn name<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    let is_end = |byte: &u8| matches!(byte, b'=' | b']' | b'"' | b'\\' | 0..=b' ' | 0x7f..);
    match input.iter().position(is_end).unwrap_or(input.len()) {
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

/// What follows the opening quote of the next parameter with this name.
#[cold]
fn next_value<'a>(mut parameters: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    while let [b' ', after @ ..] = parameters {
        let (rest, (name, _)) = parameter::<()>(after).ok()?;
        if name == wanted {
            return after.get(name.len() + 2..);
        }
        parameters = rest;
    }
    None
}

impl<'a> StructuredData<'a> {
    /// The pieces of the JSON object.
    pub(super) fn to_json(self) -> Pieces<'a> {
        Pieces {
            rest: self.elements,
            may_repeat: self.repeated != 0,
            next: Next::Element { opening: b"{\"" },
            parameters: b"",
            list: None,
        }
    }
}

/// What comes next in the JSON object.
#[derive(Clone, Copy)]
enum Next {
    Element { opening: &'static [u8] },
    Id,
    Parameters,
    Parameter,
    Name,
    Colon,
    Value,
    Nothing,
}

/// The pieces of the JSON object of some elements, which have been checked.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    may_repeat: bool,
    next: Next,
    /// The parameters of this element, all of them.
    parameters: &'a [u8],
    /// The name whose values are being listed, and what follows its first value.
    list: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Pieces<'a> {
    /// Goes on with `next` at `rest` after this piece.
    fn piece(&mut self, piece: &'a [u8], next: Next, rest: &'a [u8]) -> Option<&'a [u8]> {
        self.next = next;
        self.rest = rest;
        Some(piece)
    }

    /// Opens the next parameter whose name has not stood before, or closes the element.
    fn parameter(&mut self) -> Option<&'a [u8]> {
        while let [b' ', after @ ..] = self.rest {
            match self.after_repetition(after) {
                Some(rest) => self.rest = rest,
                None => return self.piece(b",\"", Next::Name, after),
            }
        }
        self.piece(b"}", Next::Element { opening: b",\"" }, self.rest.get(1..)?)
    }

    /// What follows the parameter here, if its name stood in this element before.
    #[cold]
    fn after_repetition(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let (rest, (name, _)) = parameter::<()>(input).ok()?;
        let first_value = next_value(self.parameters, name)?;
        (first_value.len() > input.len()).then_some(rest)
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let (after_name, name) = name::<()>(self.rest).ok()?;
        if self.may_repeat {
            self.list = self.before_repetition();
        }
        self.piece(name, Next::Colon, after_name.get(2..)?)
    }

    /// The next piece of a value. A backslash that hides nothing stands for itself (RFC 5424 section 6.3.3).
    fn value(&mut self) -> Option<&'a [u8]> {
        match self.rest {
            [b'"', rest @ ..] => self.after_value(rest),
            [b'\\', b'"' | b'\\', rest @ ..] => self.piece(&self.rest[..2], Next::Value, rest),
            [b'\\', b']', rest @ ..] => self.piece(b"]", Next::Value, rest),
            [b'\\', rest @ ..] => self.piece(b"\\\\", Next::Value, rest),
            [control @ 0..=0x1f, rest @ ..] => {
                self.piece(CONTROLS.get(usize::from(*control))?, Next::Value, rest)
            }
            _ => {
                let (plain, rest) = self.rest.split_at(plain_bytes(self.rest));
                self.piece(plain, Next::Value, rest)
            }
        }
    }

    /// Closes a value, and with it what comes next, unless a name may stand twice.
    fn after_value(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        match (rest, self.list) {
            (_, Some((name, resume))) => self.after_listed_value(rest, name, resume),
            ([b' ', rest @ ..], None) if !self.may_repeat => self.piece(b"\",\"", Next::Name, rest),
            _ => self.piece(b"\"", Next::Parameter, rest),
        }
    }

    /// Goes on to the next value of this name, or closes the list.
    #[cold]
    fn after_listed_value(&mut self, rest: &'a [u8], name: &[u8], resume: &'a [u8]) -> Option<&'a [u8]> {
        match next_value(rest, name) {
            Some(value) => self.piece(b"\",\"", Next::Value, value),
            None => {
                self.list = None;
                self.piece(b"\"]", Next::Parameter, resume)
            }
        }
    }

    /// The name here and what follows its parameter, if the name stands in this element again.
    #[cold]
    fn before_repetition(&self) -> Option<(&'a [u8], &'a [u8])> {
        let (rest, (name, _)) = parameter::<()>(self.rest).ok()?;
        next_value(rest, name).map(|_| (name, rest))
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.next {
            Next::Element { opening } => match self.rest {
                [b'[', rest @ ..] => self.piece(opening, Next::Id, rest),
                rest => self.piece(b"}", Next::Nothing, rest),
            },
            Next::Id => {
                let (rest, id) = name::<()>(self.rest).ok()?;
                self.parameters = rest;
                self.piece(id, Next::Parameters, rest)
            }
            Next::Parameters => match self.rest {
                [b' ', rest @ ..] => self.piece(b"\":{\"", Next::Name, rest),
                rest => self.piece(b"\":{", Next::Parameter, rest),
            },
            Next::Parameter => self.parameter(),
            Next::Name => self.name(),
            Next::Colon => {
                let colon: &[u8] = if self.list.is_some() { b"\":[\"" } else { b"\":\"" };
                self.piece(colon, Next::Value, self.rest)
            }
            Next::Value => self.value(),
            Next::Nothing => None,
        }
    }
}
