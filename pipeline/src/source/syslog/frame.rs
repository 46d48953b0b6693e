//! Framing: where one message of a byte stream ends and the next begins.
//!
//! Owns: [`Deframer`], one a connection. It knows octet counting and the two trailers of RFC 6587, line feed and NUL,
//! and tells them apart per frame: a digit from 1 to 9, more digits and a space begin an octet count (section 3.4.1).
//! Promises: the messages do not depend on how the bytes were cut into reads; what a caller must keep between two reads
//! is never longer than a message and its count; of a longer message the beginning is given once, as cut, and the rest
//! passed over as it arrives, whatever length was announced.
//! Never: reads, allocates, or looks into a message.

/// Most digits of an octet count. More are no count: 999,999,999 bytes are beyond what anyone sends.
const COUNT_DIGITS_MAX: usize = 9;

/// A message of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Its text, without count, trailer and line end.
    pub(super) text: &'a [u8],
    /// Whether its end is missing.
    pub(super) cut: bool,
}

/// Cuts a byte stream into messages.
#[derive(Debug)]
pub(super) struct Deframer {
    message_bytes_max: usize,
    skip: Skip,
}

/// What is passed over before the next frame: the rest of a message that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// Up to a trailer.
    Trailer,
}

/// How the frame at the beginning of some bytes is delimited.
enum Delimiter {
    /// By its length; `text` is where it begins.
    Count {
        text: usize,
        bytes: usize,
    },
    Trailer,
    /// The bytes end inside what may be a count.
    Unknown,
}

impl Deframer {
    /// A deframer at the beginning of a stream, for messages of at most `message_bytes_max` bytes, at least 1.
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, skip: Skip::Nothing }
    }

    /// Takes the next message off `input`; `None` when it is not complete. What then is left of `input` belongs in front
    /// of what is read next.
    #[inline]
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Message<'a>> {
        loop {
            if self.skip != Skip::Nothing && !self.pass_over(input) {
                return None;
            }
            // Trailers after a counted frame, and empty lines.
            let begin = input.iter().position(|byte| !matches!(byte, b'\n' | b'\0' | b'\r'));
            *input = &input[begin.unwrap_or(input.len())..];
            let message = match delimiter(input) {
                Delimiter::Count { text, bytes } => self.counted(input, text, bytes),
                Delimiter::Trailer => self.trailed(input),
                Delimiter::Unknown => None,
            }?;
            if !message.text.is_empty() {
                return Some(message);
            }
        }
    }

    /// Gives what is left as a message: the stream has ended, or nobody waits longer for its end. It is cut if a count
    /// says so.
    pub(super) fn rest<'a>(&mut self, input: &mut &'a [u8]) -> Option<Message<'a>> {
        if self.skip != Skip::Nothing {
            return None;
        }
        let rest = std::mem::take(input);
        let (text, counted) = match delimiter(rest) {
            Delimiter::Count { text, .. } => (&rest[text..], true),
            Delimiter::Trailer | Delimiter::Unknown => (rest, false),
        };
        let text = without_line_end(text);
        let kept = text.len().min(self.message_bytes_max);
        let message = Message { text: &text[..kept], cut: counted || kept < text.len() };
        (kept > 0).then_some(message)
    }

    /// Whether a frame has begun and somebody waits for its end; `rest` is what [`Deframer::next`] left.
    pub(super) fn is_inside_frame(&self, rest: &[u8]) -> bool {
        matches!(self.skip, Skip::Bytes(_)) || !rest.is_empty()
    }

    /// Whether the missing end is that of a counted frame: without it nobody knows where the next one begins.
    pub(super) fn is_inside_counted_frame(&self, rest: &[u8]) -> bool {
        matches!(self.skip, Skip::Bytes(_)) || matches!(delimiter(rest), Delimiter::Count { .. })
    }

    /// Passes over what is left of a cut message. Says whether it has ended.
    #[cold]
    fn pass_over(&mut self, input: &mut &[u8]) -> bool {
        let passed = match self.skip {
            Skip::Nothing => 0,
            Skip::Bytes(bytes) => {
                let passed = bytes.min(input.len());
                self.skip = if passed < bytes { Skip::Bytes(bytes - passed) } else { Skip::Nothing };
                passed
            }
            Skip::Trailer => match memchr::memchr2(b'\n', b'\0', input) {
                Some(place) => {
                    self.skip = Skip::Nothing;
                    place + 1
                }
                None => input.len(),
            },
        };
        *input = &input[passed..];
        self.skip == Skip::Nothing
    }

    #[inline]
    fn counted<'a>(&mut self, input: &mut &'a [u8], text: usize, bytes: usize) -> Option<Message<'a>> {
        let kept = bytes.min(self.message_bytes_max);
        let message = input.get(text..text + kept)?;
        *input = &input[text + kept..];
        let cut = kept < bytes;
        if cut {
            self.skip = Skip::Bytes(bytes - kept);
        }
        Some(Message { text: if cut { message } else { without_line_end(message) }, cut })
    }

    #[inline]
    fn trailed<'a>(&mut self, input: &mut &'a [u8]) -> Option<Message<'a>> {
        // A line of the longest allowed length may have a carriage return besides.
        let reach = input.len().min(self.message_bytes_max + 2);
        if let Some(end) = memchr::memchr2(b'\n', b'\0', &input[..reach]) {
            let text = without_line_end(&input[..end]);
            let cut = text.len() > self.message_bytes_max;
            *input = &input[end + 1..];
            return Some(Message { text: &text[..text.len().min(self.message_bytes_max)], cut });
        }
        if reach < self.message_bytes_max + 2 {
            return None;
        }
        let text = &input[..self.message_bytes_max];
        *input = &input[self.message_bytes_max..];
        self.skip = Skip::Trailer;
        Some(Message { text, cut: true })
    }
}

/// How the frame is delimited that begins here.
#[inline]
fn delimiter(input: &[u8]) -> Delimiter {
    if !matches!(input.first(), Some(b'1'..=b'9')) {
        return Delimiter::Trailer;
    }
    let mut bytes = 0;
    for (place, byte) in input.iter().enumerate().take(COUNT_DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' if place < COUNT_DIGITS_MAX => bytes = bytes * 10 + usize::from(byte - b'0'),
            b' ' => return Delimiter::Count { text: place + 1, bytes },
            _ => return Delimiter::Trailer,
        }
    }
    Delimiter::Unknown
}

/// The text without the line end that some senders count, or send in a datagram.
#[inline]
pub(super) fn without_line_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\0' | b'\r'));
    &text[..end.map_or(0, |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 16;

    /// What a connection does with reads of these sizes: messages, `~` behind a cut one, and the most bytes kept.
    fn deframe(stream: &[u8], reads: impl Iterator<Item = usize>) -> (Vec<String>, usize) {
        let (mut deframer, mut pending, mut messages, mut kept) =
            (Deframer::new(MAX), Vec::new(), Vec::new(), 0);
        let mut take = |message: Message<'_>| {
            messages.push(
                String::from_utf8_lossy(message.text).into_owned() + if message.cut { "~" } else { "" },
            );
        };
        let mut rest = stream;
        for size in reads {
            let (read, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            pending.extend_from_slice(read);
            let mut input = pending.as_slice();
            while let Some(message) = deframer.next(&mut input) {
                take(message);
            }
            kept = kept.max(input.len());
            pending = input.to_vec();
        }
        let mut input = pending.as_slice();
        if let Some(message) = deframer.rest(&mut input) {
            take(message);
        }
        (messages, kept)
    }

    /// The stream, and the messages that it holds.
    const CASES: &[(&str, &[&str])] = &[
        ("", &[]),
        ("<1>a\n", &["<1>a"]),
        ("<1>a\r\n<2>b\n", &["<1>a", "<2>b"]),
        ("<1>a\0<2>b\0", &["<1>a", "<2>b"]),
        ("<1>a\n\0\r\n\n<2>b\0", &["<1>a", "<2>b"]),
        ("\n\n\0", &[]),
        ("4 <1>a5 <2>bc", &["<1>a", "<2>bc"]),
        // A message of two lines: only a count can carry it.
        ("6 <1>a\nb4 <1>c", &["<1>a\nb", "<1>c"]),
        // Line ends inside the count, and after it.
        ("5 <1>a\n4 <2>b\n\n4 <3>c", &["<1>a", "<2>b", "<3>c"]),
        // All framings on one connection.
        ("4 <1>a<2>b\n<3>c\x004 <4>d<5>e\n", &["<1>a", "<2>b", "<3>c", "<4>d", "<5>e"]),
        // Without an end: a line is taken as it is, a count says what is missing.
        ("<1>a\n<2>b", &["<1>a", "<2>b"]),
        ("9 <1>a", &["<1>a~"]),
        ("9 ", &[]),
        ("12", &["12"]),
        // Digits that are no count: a time, a sequence number, a leading zero, too many.
        ("2023-11-14T00:00\n", &["2023-11-14T00:00"]),
        ("121: Mar  1\n", &["121: Mar  1"]),
        ("04 <1>a\n", &["04 <1>a"]),
        ("1234567890 a\n", &["1234567890 a"]),
        ("-4 <1>a\n", &["-4 <1>a"]),
        ("0 \n", &["0 "]),
        // As long as allowed, and longer.
        ("0123456789abcdef\r\nx\n", &["0123456789abcdef", "x"]),
        ("0123456789abcdefg\nx\n", &["0123456789abcdef~", "x"]),
        ("0123456789abcdefg\r\nx\n", &["0123456789abcdef~", "x"]),
        ("abcdefghijklmnopqrstuvwxyz\x00x\n", &["abcdefghijklmnop~", "x"]),
        ("16 0123456789abcdef1 x", &["0123456789abcdef", "x"]),
        ("17 0123456789abcdefg1 x", &["0123456789abcdef~", "x"]),
        ("40 0123456789abcdef0123456789abcdef012345671 x", &["0123456789abcdef~", "x"]),
        ("40 0123456789abcdef0123456789abcdef", &["0123456789abcdef~"]),
        ("100000000 <1>a\n<2>b\n3 <3>", &["<1>a\n<2>b\n3 <3>~"]),
        ("999999999 0123456789abcdefghijk\n<1>a\n", &["0123456789abcdef~"]),
        // Bytes that are no text.
        ("\u{1}\u{2}ÿ\n4 <1>a", &["\u{1}\u{2}ÿ", "<1>a"]),
    ];

    #[test]
    fn messages_do_not_depend_on_the_reads() {
        for (stream, expected) in CASES {
            let stream = stream.as_bytes();
            for size in 1..=stream.len().max(1) {
                let (messages, kept) = deframe(stream, std::iter::repeat_n(size, stream.len() / size + 1));
                assert_eq!(messages, *expected, "{} in reads of {size}", stream.escape_ascii());
                assert!(kept <= MAX + COUNT_DIGITS_MAX + 1, "{kept} bytes kept of {}", stream.escape_ascii());
            }
            for split in 0..=stream.len() {
                let (messages, _) = deframe(stream, [split, stream.len() - split].into_iter());
                assert_eq!(messages, *expected, "{} split at {split}", stream.escape_ascii());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_the_same_messages_in_any_reads(
            stream in "[0-9 a<>\\n\\x00\\r]{0,200}",
            sizes in proptest::collection::vec(1usize..40, 0..200),
        ) {
            let stream = stream.as_bytes();
            let whole = deframe(stream, [stream.len()].into_iter()).0;
            let (pieces, kept) = deframe(stream, sizes.into_iter().chain([stream.len()]));
            proptest::prop_assert_eq!(whole, pieces);
            proptest::prop_assert!(kept <= MAX + COUNT_DIGITS_MAX + 1);
        }
    }

    #[test]
    fn a_frame_without_end_is_told_from_none() {
        for (stream, inside, counted) in [
            ("", false, false),
            ("<1>a\n", false, false),
            ("<1>a", true, false),
            ("9 <1>a", true, true),
            ("12", true, false),
            ("40 0123456789abcdefghi", true, true),
            ("0123456789abcdefghi", false, false),
        ] {
            let mut deframer = Deframer::new(MAX);
            let mut input = stream.as_bytes();
            while deframer.next(&mut input).is_some() {}
            let found = (deframer.is_inside_frame(input), deframer.is_inside_counted_frame(input));
            assert_eq!(found, (inside, counted), "{stream}");
        }
    }
}
