//! Patterns: formats that a config describes by an example of a line.
//!
//! ```text
//! {@timestamp:%Y-%m-%d %H:%M:%S,%3f} [{log.level:word}{ }]{? <{trace.id}>} {log.logger} - {message}
//! ```
//!
//! Owns: [`Pattern`]: a list of leaves, compiled once and run on every line.
//! Promises: takes a line whole or says where it stopped. Linear in the line's length: every field is looked for once,
//! from where the last one ended, and nothing goes back but over an optional part, once for each. A run allocates
//! nothing.
//! Never: guesses. What ends a field is the text that follows it in the pattern.

mod compile;
mod leaf;
mod needle;
mod nothing;
#[cfg(test)]
mod tests;

use alloc::{boxed::Box, string::String};
use core::ops::Range;

use memchr::{memchr2, memchr3};

pub use leaf::{KINDS, Kind, Leaf};
use needle::Needle;
use nothing::Nothing;

use crate::{Context, KeyId, Rejection, Sink, preset, timestamp::TimeLayout};

/// What is wrong with a pattern or the format of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What was expected there.
    pub expected: String,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: Box<[Part]>,
}

/// One part of a pattern.
#[derive(Clone, Debug)]
struct Part {
    action: Action,
    /// What a line that stops here lacks.
    expected: Box<str>,
}

#[derive(Clone, Debug)]
enum Action {
    /// This text.
    Text(Needle),
    /// Any number of blanks.
    Blanks,
    /// A field.
    Field(Field),
    /// The time of the event, in the first of these layouts behind which the pattern may go on.
    Time(Box<[TimeLayout]>),
    /// The parts up to this one, or nothing.
    Optional { end: usize },
}

#[derive(Clone, Debug)]
struct Field {
    /// `None` for a field that nobody wants.
    key: Option<KeyId>,
    leaf: Leaf,
    end: End,
    /// The optional parts that may follow at once: where one of them begins, the field ends too.
    optional: Box<[usize]>,
    /// What a line lacks in which nothing ends the field.
    unended: Box<str>,
}

/// What ends a field.
#[derive(Clone, Debug)]
enum End {
    /// The field itself, as a number does.
    Own,
    /// The line.
    Line,
    /// The text that follows.
    Text(Needle),
    /// A blank, or this byte.
    Blank(u8),
}

/// Where a run stopped.
struct Stop<'p> {
    offset: usize,
    expected: &'p str,
}

impl Pattern {
    /// Takes a line, without its line end, into `sink`.
    ///
    /// # Errors
    /// Where the pattern stopped and what it expected there. The sink may have received some fields.
    pub fn parse<S: Sink>(&self, line: &[u8], context: &Context, sink: &mut S) -> Result<(), Rejection<'_>> {
        let end = self
            .run(0..self.parts.len(), line, 0, context, sink)
            .map_err(|Stop { offset, expected }| Rejection { offset, expected })?;
        if end < line.len() {
            return Err(Rejection { offset: end, expected: "the end of the line" });
        }
        sink.preset(preset::EVENT);
        Ok(())
    }

    /// Takes these parts from `at` on; the place behind them.
    fn run<S: Sink>(
        &self,
        parts: Range<usize>,
        line: &[u8],
        mut at: usize,
        context: &Context,
        sink: &mut S,
    ) -> Result<usize, Stop<'_>> {
        let mut next = parts.start;
        while next < parts.end {
            let Part { action, expected } = &self.parts[next];
            let stop = |offset| Stop { offset: at + offset, expected };
            let rest = &line[at..];
            next += 1;
            at = match action {
                Action::Text(text) if rest.starts_with(text.bytes()) => at + text.bytes().len(),
                Action::Text(_) => return Err(stop(0)),
                Action::Blanks => at + rest.iter().take_while(|byte| is_blank(**byte)).count(),
                Action::Field(field) => {
                    let Some(length) = self.length_of(field, line, at, context) else {
                        return Err(Stop { offset: at, expected: &field.unended });
                    };
                    if !field.leaf.put(field.key, &rest[..length], sink) {
                        return Err(stop(0));
                    }
                    at + length
                }
                Action::Time(layouts) => at + self.time(layouts, next, rest, context, sink).map_err(stop)?,
                Action::Optional { end } => {
                    if self.run(next..*end, line, at, context, &mut Nothing).is_err() {
                        next = *end;
                    }
                    at
                }
            };
        }
        Ok(at)
    }

    /// The bytes of a field that begins at `at`.
    #[inline]
    fn length_of(&self, field: &Field, line: &[u8], at: usize, context: &Context) -> Option<usize> {
        let rest = &line[at..];
        let mut length = match &field.end {
            End::Own => return Some(field.leaf.own_length(rest)),
            End::Line => rest.len(),
            End::Text(text) => text.find(rest)?,
            End::Blank(b' ') => memchr2(b' ', b'\t', rest).unwrap_or(rest.len()),
            End::Blank(byte) => memchr3(b' ', b'\t', *byte, rest).unwrap_or(rest.len()),
        };
        for &optional in &*field.optional {
            let (Action::Optional { end }, Action::Text(text)) =
                (&self.parts[optional].action, &self.parts[optional + 1].action)
            else {
                continue;
            };
            let room = (length + text.bytes().len() - 1).min(rest.len());
            if let Some(found) = text.find(&rest[..room])
                && self.run(optional + 1..*end, line, at + found, context, &mut Nothing).is_ok()
            {
                length = found;
            }
        }
        Some(length)
    }

    /// The bytes of a time at the beginning of `rest`; when there is none, the bytes before the place where the layout
    /// that came furthest stopped.
    fn time<S: Sink>(
        &self,
        layouts: &[TimeLayout],
        next: usize,
        rest: &[u8],
        context: &Context,
        sink: &mut S,
    ) -> Result<usize, usize> {
        let mut furthest = 0;
        for layout in layouts {
            match layout.read(rest, context) {
                Ok((nanos, length)) if layouts.len() == 1 || self.may_go_on(next, &rest[length..]) => {
                    sink.timestamp(nanos);
                    return Ok(length);
                }
                Ok((_, offset)) | Err(offset) => furthest = furthest.max(offset),
            }
        }
        Err(furthest)
    }

    /// Whether what follows a time can be what follows it in the pattern.
    fn may_go_on(&self, next: usize, rest: &[u8]) -> bool {
        match self.parts.get(next).map(|part| &part.action) {
            None => rest.is_empty(),
            Some(Action::Text(text)) => rest.starts_with(text.bytes()),
            Some(_) => true,
        }
    }
}

#[inline]
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
