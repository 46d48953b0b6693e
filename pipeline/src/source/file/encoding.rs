//! Text encodings.
//!
//! Owns: [`Text`], the encoding of one file, and its way into UTF-8.
//! Promises: line ends are found in the original bytes, so offsets stay theirs; bytes that are no text become U+FFFD,
//! never a lost line.
//! Never: looks further than one line.

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::config::Encoding;

/// The encoding of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::source) enum Text {
    #[default]
    Utf8,
    Utf16Le,
    Utf16Be,
    Latin1,
}

impl Text {
    /// The encoding of a file that begins with these bytes.
    pub(super) fn of(configured: Encoding, first_bytes: &[u8]) -> Self {
        match (configured, first_bytes) {
            (Encoding::Utf16Le, _) | (Encoding::Auto, [0xff, 0xfe, ..]) => Self::Utf16Le,
            (Encoding::Utf16Be, _) | (Encoding::Auto, [0xfe, 0xff, ..]) => Self::Utf16Be,
            (Encoding::Latin1, _) => Self::Latin1,
            (Encoding::Auto, _) => Self::Utf8,
        }
    }

    /// Bytes of the byte order mark at the beginning of a file.
    pub(super) fn byte_order_mark(self, first_bytes: &[u8]) -> usize {
        let mark: &[u8] = match self {
            Self::Utf8 => &[0xef, 0xbb, 0xbf],
            Self::Utf16Le => &[0xff, 0xfe],
            Self::Utf16Be => &[0xfe, 0xff],
            Self::Latin1 => return 0,
        };
        if first_bytes.starts_with(mark) { mark.len() } else { 0 }
    }

    /// Bytes of a line feed; also what every line's length and offset is a multiple of.
    pub(super) fn unit(self) -> usize {
        match self {
            Self::Utf8 | Self::Latin1 => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// The first line feed: where it begins. `bytes` begin at a whole unit.
    pub(super) fn find_line_feed(self, bytes: &[u8]) -> Option<usize> {
        let line_feed = match self {
            Self::Utf8 | Self::Latin1 => return memchr::memchr(b'\n', bytes),
            Self::Utf16Le => [b'\n', 0],
            Self::Utf16Be => [0, b'\n'],
        };
        bytes.chunks_exact(2).position(|unit| unit == line_feed).map(|index| index * 2)
    }

    /// Appends the line as UTF-8.
    pub(super) fn decode(self, line: &[u8], out: &mut Vec<u8>) {
        let decoded = match self {
            Self::Utf8 => return out.extend_from_slice(line),
            Self::Utf16Le => UTF_16LE.decode_without_bom_handling(line).0,
            Self::Utf16Be => UTF_16BE.decode_without_bom_handling(line).0,
            Self::Latin1 => WINDOWS_1252.decode_without_bom_handling(line).0,
        };
        out.extend_from_slice(decoded.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_order_mark_tells_the_encoding() {
        for (configured, bytes, text, mark) in [
            (Encoding::Auto, &b"\xff\xfea\0"[..], Text::Utf16Le, 2),
            (Encoding::Auto, b"\xfe\xff\0a", Text::Utf16Be, 2),
            (Encoding::Auto, b"\xef\xbb\xbfa", Text::Utf8, 3),
            (Encoding::Auto, b"a", Text::Utf8, 0),
            (Encoding::Utf16Be, b"\0a", Text::Utf16Be, 0),
            (Encoding::Latin1, b"\xff\xfe", Text::Latin1, 0),
        ] {
            assert_eq!(Text::of(configured, bytes), text);
            assert_eq!(text.byte_order_mark(bytes), mark);
        }
    }

    #[test]
    fn line_feeds_stand_at_whole_units() {
        assert_eq!(Text::Utf16Le.find_line_feed(b"\x01\x0a\x00\x01\x0a\x00"), Some(4));
        assert_eq!(Text::Utf16Be.find_line_feed(b"\x01\x00\x0a\x01\x00\x0a"), Some(4));
        assert_eq!(Text::Utf16Le.find_line_feed(b"\x01\x0a\x00\x01"), None);
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        for (text, line, expected) in [
            (Text::Utf16Le, &b"a\0\x3d\xd8\x00\xde"[..], "a😀"),
            (Text::Utf16Le, b"\x3d\xd8", "\u{fffd}"),
            (Text::Latin1, b"caf\xe9", "café"),
        ] {
            let mut out = Vec::new();
            text.decode(line, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
