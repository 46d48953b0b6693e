//! Dotted names that a grammar has to make.
//!
//! Owns: [`Name`], a name of at most [`NAME_BYTES_MAX`] bytes on the stack.
//! Promises: a name that does not fit is refused, never cut.
//! Never: allocates.

use crate::unescape::hex;

/// Elasticsearch itself takes longer names, but no mapping that people made has any.
const NAME_BYTES_MAX: usize = 256;

/// A name, made piece by piece in place: it is too large to be passed on by value.
pub(super) struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    length: usize,
}

impl Name {
    /// No name yet.
    pub(super) const EMPTY: Self = Self { bytes: [0; NAME_BYTES_MAX], length: 0 };

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Forgets all but the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Adds a plain text, after a dot unless this name is empty. A name that does not fit may be left with a part of it.
    #[inline]
    pub(super) fn join(&mut self, text: &[u8]) -> Option<()> {
        self.dot()?;
        self.push(text)
    }

    /// The same with the inside of a valid JSON string.
    pub(super) fn join_json(&mut self, text: &[u8]) -> Option<()> {
        self.dot()?;
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            rest = if *first == b'\\' {
                self.push_escape(after)?
            } else {
                self.push(&[*first])?;
                after
            };
        }
        Some(())
    }

    fn dot(&mut self) -> Option<()> {
        if self.length == 0 { Some(()) } else { self.push(b".") }
    }

    fn push(&mut self, text: &[u8]) -> Option<()> {
        let end = self.length.checked_add(text.len())?;
        self.bytes.get_mut(self.length..end)?.copy_from_slice(text);
        self.length = end;
        Some(())
    }

    /// Pushes what an escape stands for, given what follows its backslash. Gives what follows the escape.
    fn push_escape<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (kind, rest) = text.split_first()?;
        let byte = match kind {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, rest) = unicode(rest)?;
                self.push(character.encode_utf8(&mut [0; 4]).as_bytes())?;
                return Some(rest);
            }
            plain => *plain,
        };
        self.push(&[byte])?;
        Some(rest)
    }
}

/// The character of `HHHH` or, for a surrogate pair, of `HHHH\uHHHH`.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = code_unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let (second, rest) = code_unit(rest.strip_prefix(b"\\u")?)?;
    let character = char::from_u32(0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff))?;
    Some((character, rest))
}

fn code_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let unit = digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u32::from(hex(*digit)?)))?;
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec};

    use super::*;

    #[test]
    fn names_are_joined_with_dots_and_unescaped() {
        let mut name = Name::EMPTY;
        name.join(b"log").unwrap();
        name.join(b"level").unwrap();
        assert_eq!(name.as_bytes(), b"log.level");
        name.truncate(3);
        name.join_json(br#"a\"\\\/\n\u00e4\ud83d\ude00"#).unwrap();
        assert_eq!(String::from_utf8_lossy(name.as_bytes()), "log.a\"\\/\nä😀");
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        let mut full = Name::EMPTY;
        full.join(&vec![b'a'; NAME_BYTES_MAX]).unwrap();
        assert_eq!(full.len(), NAME_BYTES_MAX);
        assert!(full.join(b"").is_none());
        let mut empty = Name::EMPTY;
        assert!(empty.join(&vec![b'a'; NAME_BYTES_MAX + 1]).is_none());
    }
}
