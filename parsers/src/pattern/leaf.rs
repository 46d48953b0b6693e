//! What a field of a format of one's own may hold.
//!
//! Owns: [`Kind`], the types that a pattern names, and [`Leaf`], one of them at its place.
//! Promises: a value that is not of the type is refused; a text stays where it stands in the line.
//! Never: looks past the field.

use alloc::{format, string::String};

use crate::{
    KeyId, Sink,
    grammar::{is_ip, quoted},
};

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text, also none.
    Text,
    /// A text without blanks, at least one byte.
    Word,
    /// A whole number of 64 bits.
    Integer,
    /// A finite number.
    Float,
    /// True or false, in letters of any case.
    Bool,
    /// An IP address.
    Ip,
    /// A text in double quotes, in which a backslash hides the byte after it.
    Quoted,
    /// The rest of the line.
    Rest,
}

/// The types and what a config calls them.
pub const KINDS: &[(&str, Kind)] = &[
    ("text", Kind::Text),
    ("word", Kind::Word),
    ("int", Kind::Integer),
    ("float", Kind::Float),
    ("bool", Kind::Bool),
    ("ip", Kind::Ip),
    ("quoted", Kind::Quoted),
    ("rest", Kind::Rest),
];

/// A type, and whether a value may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The type.
    pub kind: Kind,
    /// Whether nothing, or `-`, gives no field.
    pub may_be_missing: bool,
}

impl Leaf {
    /// The type of this name, such as `int`; `int?` may be missing, and so may a text called `?`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let bare = name.strip_suffix('?');
        let name = bare.unwrap_or(name);
        let (_, kind) =
            KINDS.iter().find(|(known, _)| *known == name || (name.is_empty() && *known == "text"))?;
        Some(Self { kind: *kind, may_be_missing: bare.is_some() })
    }

    /// Whether its text shows where it ends.
    pub(super) fn ends_itself(self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Float | Kind::Quoted)
    }

    /// The bytes at the beginning of a text that may belong to a value that [ends itself](Self::ends_itself).
    #[inline]
    pub(super) fn own_length(self, text: &[u8]) -> usize {
        let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
        let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        match self.kind {
            Kind::Integer => sign + digits(sign),
            Kind::Float => {
                let mut end = sign + digits(sign);
                if let [b'.', b'0'..=b'9', ..] = text[end..] {
                    end += 1 + digits(end + 1);
                }
                match text[end..] {
                    [b'e' | b'E', b'0'..=b'9', ..] => end + 1 + digits(end + 1),
                    [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => end + 2 + digits(end + 2),
                    _ => end,
                }
            }
            _ => match (quoted::<()>(text), text) {
                (Ok((rest, _)), _) => text.len() - rest.len(),
                (Err(_), [b'-', ..]) => 1,
                (Err(_), _) => 0,
            },
        }
    }

    /// Gives a value to the sink; `false` when the text is none. Without a key it is only looked at.
    #[inline]
    pub fn put<S: Sink>(self, key: Option<KeyId>, text: &[u8], sink: &mut S) -> bool {
        if self.may_be_missing && matches!(text, [] | b"-") {
            return true;
        }
        match self.kind {
            Kind::Text | Kind::Rest => put(key, |key| sink.text_span(key, text)),
            Kind::Word => {
                let is_word = !text.is_empty() && memchr::memchr2(b' ', b'\t', text).is_none();
                is_word && put(key, |key| sink.text_span(key, text))
            }
            Kind::Integer => integer(text).is_some_and(|number| put(key, |key| sink.integer(key, number))),
            _ => self.put_rarer(key, text, sink),
        }
    }

    fn put_rarer<S: Sink>(self, key: Option<KeyId>, text: &[u8], sink: &mut S) -> bool {
        match self.kind {
            Kind::Float => {
                let number = core::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                let number = number.filter(|number: &f64| number.is_finite());
                number.is_some_and(|number| put(key, |key| sink.float(key, number)))
            }
            Kind::Bool => match [b"true".as_slice(), b"false"].map(|word| text.eq_ignore_ascii_case(word)) {
                [false, false] => false,
                [is_true, _] => put(key, |key| sink.boolean(key, is_true)),
            },
            Kind::Ip => is_ip(text) && put(key, |key| sink.text_span(key, text)),
            _ => match quoted::<()>(text) {
                Ok(([], inside)) => put(key, |key| inside.put(key, sink)),
                _ => false,
            },
        }
    }

    /// What a line lacks in which no such value stands where `name` is looked for.
    #[must_use]
    pub fn expected(self, name: &str) -> String {
        let kind = match self.kind {
            Kind::Text | Kind::Rest => "a text",
            Kind::Word => "a word",
            Kind::Integer => "a whole number of 64 bits",
            Kind::Float => "a number",
            Kind::Bool => "true or false",
            Kind::Ip => "an IP address",
            Kind::Quoted => "a quoted text",
        };
        format!("{kind} for `{name}`")
    }
}

#[inline]
fn put(key: Option<KeyId>, give: impl FnOnce(KeyId)) -> bool {
    if let Some(key) = key {
        give(key);
    }
    true
}

/// A whole number, perhaps with a sign.
#[inline]
fn integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        let tens = number.checked_mul(10).filter(|_| digit <= 9)?;
        if is_negative { tens.checked_sub(digit.into()) } else { tens.checked_add(digit.into()) }
    })
}
