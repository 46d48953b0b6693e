//! A field's text as characters, whatever form it stands in.
//!
//! Owns: [`Text`], the unescaping of JSON strings, and [`fold`], by which upper and lower case become one.
//! Promises: the characters are those that an output writes: an invalid UTF-8 sequence is one U+FFFD; nothing is
//! allocated; an ASCII character folds to ASCII and every other one does not.
//! Never: knows patterns.

use std::borrow::Cow;

/// The text of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// The inside of a JSON string, with at least one escape.
    Escaped(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The inside of a JSON string.
    pub(super) fn json(inside: &'a [u8]) -> Self {
        match memchr::memchr(b'\\', inside) {
            None => Self::Plain(inside),
            Some(_) => Self::Escaped(inside),
        }
    }

    /// The bytes, when they stand there as they are.
    #[inline]
    pub(super) fn plain(self) -> Option<&'a [u8]> {
        match self {
            Self::Plain(bytes) => Some(bytes),
            Self::Escaped(_) => None,
        }
    }

    /// The bytes without escapes; only text with escapes is copied.
    pub(super) fn unescaped(self) -> Cow<'a, [u8]> {
        match self {
            Self::Plain(bytes) => Cow::Borrowed(bytes),
            Self::Escaped(_) => Cow::Owned(self.chars().collect::<String>().into_bytes()),
        }
    }

    /// The characters.
    #[inline]
    pub(super) fn chars(self) -> Chars<'a> {
        match self {
            Self::Plain(rest) => Chars { rest, escaped: false },
            Self::Escaped(rest) => Chars { rest, escaped: true },
        }
    }
}

/// The characters of a [`Text`].
#[derive(Clone, Debug)]
pub(super) struct Chars<'a> {
    rest: &'a [u8],
    escaped: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        let (&first, after) = self.rest.split_first()?;
        if first == b'\\' && self.escaped {
            let (character, rest) = unescape(after);
            self.rest = rest;
            return Some(character);
        }
        if first.is_ascii() {
            self.rest = after;
            return Some(char::from(first));
        }
        let window = &self.rest[..self.rest.len().min(4)];
        let chunk = window.utf8_chunks().next()?;
        let (character, len) = match chunk.valid().chars().next() {
            Some(character) => (character, character.len_utf8()),
            None => (char::REPLACEMENT_CHARACTER, chunk.invalid().len()),
        };
        self.rest = &self.rest[len..];
        Some(character)
    }
}

/// The character of the JSON escape that follows a backslash (RFC 8259 section 7), and the rest.
fn unescape(after: &[u8]) -> (char, &[u8]) {
    let Some((&kind, rest)) = after.split_first() else {
        return ('\\', after);
    };
    let character = match kind {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(rest),
        other => char::from(other),
    };
    (character, rest)
}

/// What follows `\u`: four digits, or eight as a pair of surrogates. Half a pair is U+FFFD.
fn unicode_escape(text: &[u8]) -> (char, &[u8]) {
    let Some((unit, rest)) = hex_unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    let low = rest.strip_prefix(b"\\u").and_then(hex_unit);
    if let (0xd800..=0xdbff, Some((low @ 0xdc00..=0xdfff, rest))) = (unit, low) {
        let scalar = 0x1_0000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), rest);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn hex_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// The character that stands for all cases of this one: Unicode's one-to-one case mappings. ASCII and the rest of
/// Unicode stay apart (`K` is not the Kelvin sign), so a pattern of ASCII is sought without decoding the text.
#[inline]
pub(super) fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let upper = only(character.to_uppercase()).unwrap_or(character);
    only(upper.to_lowercase()).unwrap_or(character)
}

/// The one character that this is, if it is one and not of ASCII.
fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next().filter(|first| !first.is_ascii());
    first.filter(|_| mapped.next().is_none())
}

/// The character as it is compared.
#[inline]
pub(super) fn compared(character: char, cased: bool) -> char {
    if cased { character } else { fold(character) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_characters_that_an_output_writes() {
        for (text, expected) in [
            (Text::Plain(b"a\\n\xc3\xa9"), "a\\né"),
            (Text::Plain(b"a\xff\xc3\xe2\x82b"), "a\u{fffd}\u{fffd}\u{fffd}b"),
            (Text::json(br"none"), "none"),
            (Text::json(br#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t"),
            (Text::json(br"\u00e9\uD83D\uDE00!"), "é😀!"),
            (Text::json(br"\ud83d \ud83d\u0041"), "\u{fffd} \u{fffd}A"),
        ] {
            assert_eq!(text.chars().collect::<String>(), expected);
            assert_eq!(String::from_utf8_lossy(&text.unescaped()), expected);
        }
    }

    #[test]
    fn cases_fold_and_ascii_stays_apart() {
        for cases in ["aA", "éÉ", "Ωω", "ςσΣ", "пП", "µΜμ", "ßẞ"] {
            let folded = cases.chars().map(fold).collect::<Vec<_>>();
            assert!(folded.iter().all(|character| *character == folded[0]), "{cases}: {folded:?}");
        }
        for character in ('\u{80}'..=char::MAX).chain("İıſ\u{212a}".chars()) {
            assert!(!fold(character).is_ascii(), "{character}");
        }
    }
}
