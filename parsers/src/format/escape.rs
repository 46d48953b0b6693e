//! Texts as the inside of JSON strings.
//!
//! Owns: [`Escape`], the pieces of a plain text escaped for JSON, and the table of what control characters become.
//! Promises: linear; a text without anything to escape is one piece.
//! Never: allocates, or looks whether the text is UTF-8.

use super::json::scan::plain_bytes;

/// `\u00HH` for the control characters.
pub(super) static CONTROLS: [[u8; 6]; 32] = {
    let mut escapes = [*b"\\u0000"; 32];
    let mut value = 0;
    while value < 32 {
        escapes[value][4] = b"01"[value / 16];
        escapes[value][5] = b"0123456789abcdef"[value % 16];
        value += 1;
    }
    escapes
};

/// The pieces of a text, escaped.
#[derive(Clone, Copy)]
pub(super) struct Escape<'a> {
    rest: &'a [u8],
}

impl<'a> Escape<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Escape<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (first, after) = self.rest.split_first()?;
        let (piece, rest): (&[u8], _) = match first {
            b'"' => (b"\\\"", after),
            b'\\' => (b"\\\\", after),
            0..=0x1f => (CONTROLS.get(usize::from(*first))?, after),
            _ => self.rest.split_at(plain_bytes(self.rest)),
        };
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_json_cannot_hold_is_escaped() {
        let escaped: Vec<u8> = Escape::new(b"a\"b\\c\nd").flatten().copied().collect();
        assert_eq!(escaped, br#"a\"b\\c\u000ad"#);
        assert_eq!(Escape::new(b"alice").count(), 1);
        assert_eq!(Escape::new(b"").count(), 0);
    }
}
