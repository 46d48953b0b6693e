//! Patterns of text: literals with the wildcards `*` and `?`, for the whole value.
//!
//! Owns: [`Pattern`], Sigma's escape rules, and matching without a copy of the text.
//! Promises: `*` is any text, line ends included; `?` is one character; unless the pattern is cased, upper and
//! lower case are one; no allocation.
//! Never: knows where a value comes from.

use std::fmt::{self, Write};

use super::text::{Text, compared};

/// Longest pattern, in characters.
pub const PATTERN_CHARACTERS_MAX: usize = 16 * 1024;

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// This character.
    Character(char),
    /// `?`: one character.
    One,
    /// `*`: any characters.
    Any,
}

/// Reads a text with wildcards. A backslash takes the meaning from `*`, `?` and `\`; before anything else it is a
/// character like others.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        pieces.push(match character {
            '*' => Piece::Any,
            '?' => Piece::One,
            '\\' => {
                Piece::Character(characters.next_if(|next| matches!(next, '*' | '?' | '\\')).unwrap_or('\\'))
            }
            other => Piece::Character(other),
        });
    }
    pieces
}

/// A text of which no character is a wildcard.
#[must_use]
pub fn literal(text: &str) -> Vec<Piece> {
    text.chars().map(Piece::Character).collect()
}

/// A pattern that is compared with whole values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    pieces: Box<[Piece]>,
    shape: Shape,
    /// The literal of the shape.
    literal: Box<str>,
    cased: bool,
}

/// As it is written, in quotes; in lower case unless it is cased.
impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for piece in &self.pieces {
            match piece {
                Piece::Character(character @ ('*' | '?')) => write!(formatter, "\\{character}")?,
                Piece::Character(character) => formatter.write_char(*character)?,
                Piece::One => formatter.write_char('?')?,
                Piece::Any => formatter.write_char('*')?,
            }
        }
        formatter.write_char('"')
    }
}

/// What a pattern comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// Any text at all.
    AnyText,
    /// Exactly the literal.
    Is,
    /// The literal, then anything.
    StartsWith,
    /// Anything, then the literal.
    EndsWith,
    /// The literal anywhere.
    Contains,
    /// The literal, the longest of the pattern, stands somewhere in it; it is empty if there is none.
    Wildcards,
}

impl Pattern {
    /// The pattern of these pieces; `cased` when upper and lower case differ.
    #[must_use]
    pub fn new(mut pieces: Vec<Piece>, cased: bool) -> Self {
        pieces.dedup_by(|piece, before| *piece == Piece::Any && *before == Piece::Any);
        for piece in &mut pieces {
            if let Piece::Character(character) = piece {
                *character = compared(*character, cased);
            }
        }
        let (shape, characters) = match pieces.as_slice() {
            [Piece::Any] => (Shape::AnyText, &[][..]),
            [Piece::Any, inner @ .., Piece::Any] if is_literal(inner) => (Shape::Contains, inner),
            [Piece::Any, inner @ ..] if is_literal(inner) => (Shape::EndsWith, inner),
            [inner @ .., Piece::Any] if is_literal(inner) => (Shape::StartsWith, inner),
            all if is_literal(all) => (Shape::Is, all),
            all => (Shape::Wildcards, longest_literal(all)),
        };
        let literal = characters.iter().filter_map(|piece| match piece {
            Piece::Character(character) => Some(*character),
            Piece::One | Piece::Any => None,
        });
        let literal = literal.collect::<String>().into();
        Self { pieces: pieces.into(), shape, literal, cased }
    }

    /// What the pattern comes down to, and its literal, in lower case unless the pattern is cased.
    pub(super) fn shape(&self) -> (Shape, &str) {
        (self.shape, &self.literal)
    }

    /// Whether upper and lower case differ.
    pub(super) fn is_cased(&self) -> bool {
        self.cased
    }

    /// Whether the pattern takes the whole text.
    pub(super) fn is_match(&self, text: Text<'_>) -> bool {
        match text.plain() {
            // No character outside of ASCII folds into it, so bytes can be compared as they stand.
            Some(bytes) if self.shape != Shape::Wildcards && self.literal.is_ascii() => {
                self.is_match_in(bytes)
            }
            _ => self.is_match_slowly(text),
        }
    }

    fn is_match_in(&self, bytes: &[u8]) -> bool {
        let literal = self.literal.as_bytes();
        let equal = |part: Option<&[u8]>| {
            part.is_some_and(
                |part| if self.cased { part == literal } else { part.eq_ignore_ascii_case(literal) },
            )
        };
        match self.shape {
            Shape::AnyText => true,
            Shape::Is => equal(Some(bytes)),
            Shape::StartsWith => equal(bytes.get(..literal.len())),
            Shape::EndsWith => equal(bytes.len().checked_sub(literal.len()).map(|start| &bytes[start..])),
            Shape::Contains | Shape::Wildcards => match literal {
                [] => true,
                [first, ..] => {
                    let upper = if self.cased { *first } else { first.to_ascii_uppercase() };
                    memchr::memchr2_iter(*first, upper, bytes)
                        .any(|start| equal(bytes.get(start..start + literal.len())))
                }
            },
        }
    }

    /// Tries the pieces one by one; after a failure goes back to the last `*`, which then takes one character more.
    fn is_match_slowly(&self, text: Text<'_>) -> bool {
        let mut rest = text.chars();
        let mut place = 0;
        let mut retry = None;
        loop {
            let piece = self.pieces.get(place);
            if piece == Some(&Piece::Any) {
                place += 1;
                retry = Some((place, rest.clone()));
                continue;
            }
            let mut ahead = rest.clone();
            let fits = match (piece, ahead.next()) {
                (None, None) => return true,
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Character(wanted)), Some(found)) => *wanted == compared(found, self.cased),
                _ => false,
            };
            if fits {
                place += 1;
                rest = ahead;
                continue;
            }
            let Some((after_any, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            place = *after_any;
            rest = from.clone();
        }
    }
}

fn is_literal(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| matches!(piece, Piece::Character(_)))
}

fn longest_literal(pieces: &[Piece]) -> &[Piece] {
    let literals = pieces.split(|piece| !matches!(piece, Piece::Character(_)));
    literals.max_by_key(|literal| literal.len()).unwrap_or_default()
}
