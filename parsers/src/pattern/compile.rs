//! From the text of a pattern to its parts.
//!
//! Owns: [`Pattern::new`] and the notation: `{field}`, `{field:type}`, `{field?}`, `{_}`, `{ }`, `{? … }`, and `{{` and
//! `}}` for braces.
//! Promises: a pattern that compiles knows of every field where it ends; a fault has its place.
//! Never: looks at a line.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use super::{Action, End, Fault, Field, KINDS, Kind, Leaf, Needle, Part, Pattern};
use crate::{KeyId, timestamp::TimeLayout};

/// Most parts of a pattern.
const PARTS_MAX: usize = 128;
/// Most optional parts: each may be tried where each one before it is.
const OPTIONAL_MAX: usize = 8;

/// A part as it was written.
#[derive(Debug)]
struct Token {
    what: What,
    span: Range<usize>,
}

#[derive(Debug)]
enum What {
    Text(String),
    Blanks,
    Field {
        name: String,
        leaf: Leaf,
    },
    Time(Vec<TimeLayout>),
    /// An optional part up to this token.
    Optional {
        end: usize,
    },
}

impl Pattern {
    /// Compiles a pattern. `timestamp` are the layouts of `{@timestamp}`, tried in order; `key` numbers a field's name.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn new(
        text: &str,
        timestamp: &[TimeLayout],
        key: &mut dyn FnMut(&str) -> Option<KeyId>,
    ) -> Result<Self, Fault> {
        let tokens = Reader { text, timestamp, at: 0, optional: None, tokens: Vec::new() }.tokens()?;
        check(text, &tokens)?;
        let mut parts = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let (action, expected) = match &token.what {
                What::Text(text) => (Action::Text(Needle::new(text.as_bytes())), shown(text)),
                What::Blanks => (Action::Blanks, String::new()),
                What::Optional { end } => (Action::Optional { end: *end }, String::new()),
                What::Time(layouts) => {
                    let written = layouts.iter().map(|layout| format!("`{}`", layout.as_str()));
                    let written = written.collect::<Vec<_>>().join(" or ");
                    (Action::Time(layouts.as_slice().into()), format!("a time by {written}"))
                }
                What::Field { name, leaf } => {
                    let field = field(&tokens, at, name, *leaf, key)?;
                    (Action::Field(field), leaf.expected(name))
                }
            };
            parts.push(Part { action, expected: expected.into() });
        }
        Ok(Self { parts: parts.into() })
    }
}

/// Reads tokens.
struct Reader<'t> {
    text: &'t str,
    timestamp: &'t [TimeLayout],
    at: usize,
    /// The token that begins the optional part which is open.
    optional: Option<usize>,
    tokens: Vec<Token>,
}

impl<'t> Reader<'t> {
    fn tokens(mut self) -> Result<Vec<Token>, Fault> {
        while let Some(letter) = self.text[self.at..].chars().next() {
            let rest = &self.text[self.at..];
            match letter {
                '{' if rest.starts_with("{{") => self.push_letter(letter, 2),
                '}' if rest.starts_with("}}") => self.push_letter(letter, 2),
                '{' if rest.starts_with("{?") => self.open()?,
                '{' => self.braces()?,
                '}' => self.close()?,
                _ => self.push_letter(letter, letter.len_utf8()),
            }
        }
        match self.optional {
            None => Ok(self.tokens),
            Some(open) => Err(fault(
                self.tokens[open].span.clone(),
                "an optional part that does not end",
                "expected `}` behind it; `}}` stands for a brace in the line",
            )),
        }
    }

    /// Adds a letter of the line, which takes so many bytes of the pattern.
    fn push_letter(&mut self, letter: char, length: usize) {
        let start = self.at;
        self.at += length;
        // An optional part begins with a text of its own.
        let last = self.tokens.len().checked_sub(1).filter(|last| self.closed_at() != Some(last + 1));
        if let Some(Token { what: What::Text(text), span }) = last.map(|last| &mut self.tokens[last]) {
            text.push(letter);
            span.end = self.at;
        } else {
            self.push(What::Text(letter.into()), start);
        }
    }

    /// The token behind the optional part that ended last.
    fn closed_at(&self) -> Option<usize> {
        let ends = self.tokens.iter().filter_map(|token| match token.what {
            What::Optional { end } => Some(end),
            _ => None,
        });
        ends.max()
    }

    fn push(&mut self, what: What, start: usize) {
        self.tokens.push(Token { what, span: start..self.at });
    }

    fn open(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 2;
        if self.optional.is_some() {
            let expected = "expected it behind the other one";
            return Err(fault(start..self.at, "an optional part within an optional part", expected));
        }
        self.optional = Some(self.tokens.len());
        self.push(What::Optional { end: 0 }, start);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let span = self.at..self.at + 1;
        self.at += 1;
        let Some(open) = self.optional.take() else {
            return Err(fault(span, "a `}` without its `{`", "expected `}}` for a brace in the line"));
        };
        if !matches!(self.tokens.get(open + 1), Some(Token { what: What::Text(_), .. })) {
            let span = self.tokens[open].span.clone();
            return Err(fault(
                span,
                "an optional part that does not begin with a text",
                "expected a text first, by which a line that has the part is known",
            ));
        }
        self.tokens[open].what = What::Optional { end: self.tokens.len() };
        self.tokens[open].span.end = self.at;
        Ok(())
    }

    /// `{…}`: a field, a time or blanks.
    fn braces(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let inside = &self.text[start + 1..];
        let Some(length) = inside.find(['{', '}']).filter(|at| inside.as_bytes()[*at] == b'}') else {
            return Err(fault(
                start..start + 1,
                "a `{` without its `}`",
                "expected a field such as `{message}`, or `{{` for a brace in the line",
            ));
        };
        self.at = start + length + 2;
        let inside = &inside[..length];
        if inside == " " {
            self.push(What::Blanks, start);
            return Ok(());
        }
        let (name, kind) = inside.split_once(':').map_or((inside, None), |(name, kind)| (name, Some(kind)));
        let what = if name == "@timestamp" {
            What::Time(self.layouts(kind, start + 1 + name.len() + 1)?)
        } else {
            self.field(name, kind, start)?
        };
        self.push(what, start);
        Ok(())
    }

    /// The layouts of a time; `at` is where its own one stands.
    fn layouts(&self, own: Option<&str>, at: usize) -> Result<Vec<TimeLayout>, Fault> {
        match own {
            None if self.timestamp.is_empty() => Ok(Vec::from([TimeLayout::rfc3339()])),
            None => Ok(self.timestamp.to_vec()),
            Some(text) => match TimeLayout::new(text) {
                Ok(layout) => Ok(Vec::from([layout])),
                Err(Fault { span, problem, expected }) => {
                    Err(Fault { span: at + span.start..at + span.end, problem, expected })
                }
            },
        }
    }

    fn field(&self, name: &str, kind: Option<&str>, start: usize) -> Result<What, Fault> {
        let span = start..self.at;
        let (name, kind) = match (name.strip_suffix('?'), kind) {
            (Some(name), None) => (name, "?"),
            _ => (name, kind.unwrap_or("text")),
        };
        if name.is_empty() || name.contains([' ', '?']) {
            let expected =
                "expected a name such as `log.level`; `{_}` skips a field, `{ }` any number of blanks";
            return Err(fault(span, "a field without a name", expected));
        }
        if kind.contains('%') {
            let expected = "expected `@timestamp`; the step `convert` reads other times";
            return Err(fault(span, format!("`{name}` is not the time of the event"), expected));
        }
        let Some(leaf) = Leaf::by_name(kind) else {
            let known = KINDS.iter().map(|(known, _)| format!("`{known}`")).collect::<Vec<_>>().join(", ");
            let problem = format!("unknown type `{kind}` of `{name}`");
            return Err(fault(span, problem, format!("expected one of {known}")));
        };
        Ok(What::Field { name: name.to_owned(), leaf })
    }
}

/// What no token can know by itself.
fn check(text: &str, tokens: &[Token]) -> Result<(), Fault> {
    let mut names = Vec::new();
    for (at, Token { what, span }) in tokens.iter().enumerate() {
        let name = match what {
            What::Field { name, .. } if name == "_" => continue,
            What::Field { name, .. } => name.as_str(),
            What::Time(_) => "@timestamp",
            What::Blanks => {
                check_blanks(tokens, at)?;
                continue;
            }
            _ => continue,
        };
        if names.contains(&name) {
            let expected = "expected each field once";
            return Err(fault(span.clone(), format!("`{name}` stands twice"), expected));
        }
        names.push(name);
    }
    let optional = tokens.iter().filter(|token| matches!(token.what, What::Optional { .. })).count();
    let problem = if names.is_empty() {
        "a pattern without a field"
    } else if tokens.len() > PARTS_MAX {
        "a pattern with too many parts"
    } else if optional > OPTIONAL_MAX {
        "a pattern with too many optional parts"
    } else {
        return Ok(());
    };
    let expected = format!(
        "expected fields such as `{{message}}`, {PARTS_MAX} parts and {OPTIONAL_MAX} optional ones at most"
    );
    Err(fault(0..text.len(), problem, expected))
}

fn check_blanks(tokens: &[Token], at: usize) -> Result<(), Fault> {
    match tokens.get(at + 1) {
        Some(Token { what: What::Text(text), span }) if text.starts_with([' ', '\t']) => {
            let problem = "`{ }` takes every blank, so the one behind it is never there";
            Err(fault(span.start..span.start + 1, problem, "expected another letter than a blank"))
        }
        Some(Token { what: What::Optional { .. }, span }) => {
            let problem = "`{ }` before an optional part";
            Err(fault(span.clone(), problem, "expected the blanks within the part, or a text before it"))
        }
        _ => Ok(()),
    }
}

/// Finds what ends a field.
fn field(
    tokens: &[Token],
    at: usize,
    name: &str,
    leaf: Leaf,
    key: &mut dyn FnMut(&str) -> Option<KeyId>,
) -> Result<Field, Fault> {
    let span = || tokens[at].span.clone();
    let number = if name == "_" {
        None
    } else {
        let unknown = || {
            fault(
                span(),
                format!("`{name}` cannot be a field name"),
                "expected 1 to 256 bytes, and no more names than `keys_max`",
            )
        };
        Some(key(name).ok_or_else(unknown)?)
    };
    let (mut next, mut optional) = (at + 1, Vec::new());
    let (end, unended) = loop {
        match tokens.get(next).map(|token| &token.what) {
            _ if leaf.ends_itself() => break (End::Own, String::new()),
            None => break (End::Line, String::new()),
            Some(What::Optional { end }) => {
                optional.push(next);
                next = *end;
            }
            Some(What::Text(text)) => break (End::Text(Needle::new(text.as_bytes())), shown(text)),
            Some(What::Blanks) => {
                let first = match tokens.get(next + 1).map(|token| &token.what) {
                    Some(What::Text(text)) => text.bytes().next(),
                    _ => None,
                };
                break (End::Blank(first.unwrap_or(b' ')), String::new());
            }
            Some(What::Field { .. } | What::Time(_)) => {
                let problem = format!("nothing tells where `{name}` ends");
                return Err(fault(
                    span(),
                    problem,
                    "expected a text or `{ }` between this field and the next",
                ));
            }
        }
    };
    if leaf.kind == Kind::Rest && !matches!(end, End::Line) {
        let problem = format!("`{name}` is the rest of the line, and more follows");
        return Err(fault(span(), problem, "expected nothing behind a field of the type `rest`"));
    }
    if leaf.kind == Kind::Rest {
        optional.clear();
    }
    let unended = format!("{unended} after `{name}`").into();
    Ok(Field { key: number, leaf, end, optional: optional.into(), unended })
}

/// A text of the line, for a message.
fn shown(text: &str) -> String {
    let escape =
        |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() };
    format!("`{}`", text.chars().map(escape).collect::<String>())
}

fn fault(span: Range<usize>, problem: impl Into<String>, expected: impl Into<String>) -> Fault {
    Fault { span, problem: problem.into(), expected: expected.into() }
}
