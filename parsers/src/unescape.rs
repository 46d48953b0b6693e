//! Texts without their backslashes.
//!
//! Owns: [`Unescape`], the pieces of a text as access logs and logfmt escape it.
//! Promises: every piece is a part of the text or one decoded byte; an escape it does not know stays as it is.
//! Never: allocates, fails.

use memchr::memchr;

/// Every byte once, so that a decoded byte can be lent.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut value = 0;
    while value < 256 {
        bytes[value] = value as u8;
        value += 1;
    }
    bytes
};

/// The pieces of a text in which `\"`, `\\`, `\n`, `\t`, `\r`, `\b`, `\v` and `\xHH` stand for one byte each.
pub(crate) struct Unescape<'a> {
    rest: &'a [u8],
}

impl<'a> Unescape<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Unescape<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some((byte, rest)) = escape(self.rest) {
            self.rest = rest;
            return BYTES.get(usize::from(byte)..=usize::from(byte));
        }
        // The first byte is itself, even when it is a backslash: no escape that is known begins there.
        let (_, after) = self.rest.split_first()?;
        let length = 1 + memchr(b'\\', after).unwrap_or(after.len());
        let (plain, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(plain)
    }
}

/// The byte that an escape at the beginning of `text` stands for, and what follows.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'\\', kind, rest @ ..] = text else {
        return None;
    };
    Some(match (kind, rest) {
        (b'"' | b'\\', _) => (*kind, rest),
        (b'n', _) => (b'\n', rest),
        (b't', _) => (b'\t', rest),
        (b'r', _) => (b'\r', rest),
        (b'b', _) => (8, rest),
        (b'v', _) => (11, rest),
        (b'x', [high, low, rest @ ..]) => (hex(*high)? << 4 | hex(*low)?, rest),
        _ => return None,
    })
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn unescaped(text: &str) -> Vec<u8> {
        Unescape::new(text.as_bytes()).flatten().copied().collect()
    }

    #[test]
    fn known_escapes_are_decoded_and_others_kept() {
        assert_eq!(unescaped(r#"a\"b\\c\x2Fd\n"#), b"a\"b\\c/d\n");
        assert_eq!(unescaped(r"\q\x4\xZZ\"), br"\q\x4\xZZ\");
        assert_eq!(unescaped(""), b"");
        assert_eq!(unescaped(r"\\\\n"), br"\\n");
    }
}
