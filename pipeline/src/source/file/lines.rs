//! Framing: bytes into lines, lines into events.
//!
//! Owns: [`Framer`], a pure function with settings. It keeps no state: what is incomplete is left unconsumed and framed
//! again, from the same offset, when there is more.
//! Promises: every byte that it consumes is in an event, or is a line end, a byte order mark, the end of a line that
//! was cut (and marked), or a run of NULs; the same bytes give the same events however they are cut into chunks.
//! Never: does I/O.

use super::config::Multiline;
use super::encoding::Text;
use crate::event::{Batch, Event, EventFlags, Span};

/// A run of NULs at the beginning of a line from this length on is a hole that a truncation or a crash left.
const HOLE_BYTES: usize = 16;

/// What becomes of the end of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum End {
    /// More will come: an incomplete line or event is left.
    Open,
    /// An event of complete lines has waited long enough; an incomplete line is left.
    CloseEvent,
    /// Nothing more will come: everything is taken.
    CloseLine,
}

/// How bytes become events.
#[derive(Clone, Debug)]
pub(in crate::source) struct Framer {
    /// Bytes of a line that are kept.
    pub(in crate::source) max_line_bytes: usize,
    pub(in crate::source) multiline: Option<Multiline>,
}

/// Where bytes stand, and when they were read.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct Place {
    /// The offset of the chunk's first byte in its stream.
    pub(in crate::source) offset: u64,
    /// In nanoseconds since 1970-01-01T00:00:00Z.
    pub(in crate::source) read_at: i64,
}

/// One line: where it stands in the source's bytes (with its end) and in the text (without).
#[derive(Clone, Copy, Debug)]
struct Line {
    begin: usize,
    next: usize,
    text: (usize, usize),
    cut: bool,
}

impl Framer {
    /// Bytes that one event can need at most, line ends aside.
    pub(in crate::source) fn event_bytes_max(&self) -> usize {
        let multiline = self.multiline.as_ref().map_or(0, |multiline| multiline.max_bytes);
        self.max_line_bytes.max(multiline)
    }

    /// Frames UTF-8 whose events are single lines: the usual case, one pass. Returns the bytes consumed.
    pub(in crate::source) fn frame_lines(
        &self,
        chunk: &[u8],
        place: Place,
        end: End,
        events: &mut Vec<Event>,
    ) -> usize {
        let mut begin = 0;
        for line_feed in memchr::memchr_iter(b'\n', chunk) {
            self.push_line(chunk, begin, line_feed, place, events);
            begin = line_feed + 1;
        }
        if end == End::CloseLine && begin < chunk.len() && !is_hole(&chunk[begin..]) {
            self.push_line(chunk, begin, chunk.len(), place, events);
            begin = chunk.len();
        }
        begin
    }

    #[inline]
    fn push_line(&self, chunk: &[u8], begin: usize, end: usize, place: Place, events: &mut Vec<Event>) {
        let begin = text_begin(chunk, begin, end, place.offset);
        let mut text_end = end - usize::from(end > begin && chunk[end - 1] == b'\r');
        let mut flags = EventFlags::default();
        if text_end - begin > self.max_line_bytes {
            text_end = begin + self.max_line_bytes;
            flags = EventFlags::CUT;
        }
        let offset = place.offset + begin as u64;
        events.push(Batch::line(span(begin, text_end), offset, place.read_at, flags));
    }

    /// Frames any encoding, and events of several lines. `decoded` takes the text when it is not UTF-8 already; the
    /// events' spans are then into it. Returns the bytes consumed.
    pub(in crate::source) fn frame(
        &self,
        text: Text,
        chunk: &[u8],
        place: Place,
        end: End,
        decoded: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> usize {
        let mut lines = Lines { framer: self, text, chunk, place, next: 0, end, decoded };
        let mut group: Option<Group> = None;
        let mut consumed = 0;
        while let Some(line) = lines.next_line() {
            if let Some(open) = &mut group {
                if self.belongs(open, line, lines.text_of(line)) {
                    open.add(line);
                    continue;
                }
                events.push(open.event(place));
            }
            consumed = line.begin;
            group = Some(Group { begin: line.begin, text: line.text, lines: 1, cut: line.cut });
            if self.multiline.is_none() {
                events.extend(group.take().map(|open| open.event(place)));
                consumed = line.next;
            }
        }
        if let Some(open) = &group
            && end != End::Open
        {
            events.push(open.event(place));
            consumed = lines.next;
        }
        consumed
    }

    /// Whether the line goes on with the open event.
    fn belongs(&self, open: &Group, line: Line, text: &[u8]) -> bool {
        let Some(multiline) = &self.multiline else {
            return false;
        };
        let fits = open.lines < multiline.max_lines && line.text.1 - open.text.0 <= multiline.max_bytes;
        let continues = multiline.continues.as_ref().is_some_and(|pattern| pattern.is_match(text));
        let starts = multiline.start.as_ref().is_none_or(|pattern| pattern.is_match(text));
        fits && (continues || !starts)
    }
}

/// The lines of a chunk, one after the other.
struct Lines<'a> {
    framer: &'a Framer,
    text: Text,
    chunk: &'a [u8],
    place: Place,
    next: usize,
    end: End,
    decoded: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn next_line(&mut self) -> Option<Line> {
        let begin = self.next;
        let rest = self.chunk.get(begin..).filter(|rest| !rest.is_empty())?;
        let (line_end, next) = match self.text.find_line_feed(rest) {
            Some(place) => (begin + place, begin + place + self.text.unit()),
            None if self.end == End::CloseLine && !is_hole(rest) => {
                // Half a unit is left: its other half may come, and lines begin at whole ones.
                let end = begin + rest.len() / self.text.unit() * self.text.unit();
                (end, end)
            }
            None => return None,
        };
        if next == begin {
            return None;
        }
        self.next = next;
        Some(if self.text == Text::Utf8 {
            self.utf8(begin, line_end, next)
        } else {
            self.decode(begin, line_end, next)
        })
    }

    fn utf8(&self, begin: usize, end: usize, next: usize) -> Line {
        let begin = text_begin(self.chunk, begin, end, self.place.offset);
        let end = end - usize::from(end > begin && self.chunk[end - 1] == b'\r');
        let cut = end - begin > self.framer.max_line_bytes;
        let end = end.min(begin + self.framer.max_line_bytes);
        Line { begin, next, text: (begin, end), cut }
    }

    fn decode(&mut self, begin: usize, end: usize, next: usize) -> Line {
        let unit = self.text.unit();
        let max = self.framer.max_line_bytes.max(unit) / unit * unit;
        let mark =
            if self.place.offset == 0 && begin == 0 { self.text.byte_order_mark(self.chunk) } else { 0 };
        let from = (begin + mark).min(end);
        let cut = end - from > max;
        if begin > 0 {
            self.decoded.push(b'\n');
        }
        let text_begin = self.decoded.len();
        self.text.decode(&self.chunk[from..end.min(from + max)], self.decoded);
        if !cut && self.decoded.len() > text_begin && self.decoded.ends_with(b"\r") {
            self.decoded.pop();
        }
        Line { begin, next, text: (text_begin, self.decoded.len()), cut }
    }

    fn text_of(&self, line: Line) -> &[u8] {
        let text = if self.text == Text::Utf8 { self.chunk } else { self.decoded.as_slice() };
        &text[line.text.0..line.text.1]
    }
}

/// Lines that make one event.
struct Group {
    begin: usize,
    text: (usize, usize),
    lines: usize,
    cut: bool,
}

impl Group {
    fn add(&mut self, line: Line) {
        self.text.1 = line.text.1;
        self.lines += 1;
        self.cut |= line.cut;
    }

    fn event(&self, place: Place) -> Event {
        let mut flags = EventFlags::default();
        if self.cut {
            flags.insert(EventFlags::CUT);
        }
        if self.lines > 1 {
            flags.insert(EventFlags::MULTILINE);
        }
        Batch::line(span(self.text.0, self.text.1), place.offset + self.begin as u64, place.read_at, flags)
    }
}

/// Where the text of a line begins: after a byte order mark at the beginning of the file, and after a hole.
#[inline]
fn text_begin(chunk: &[u8], begin: usize, end: usize, offset: u64) -> usize {
    match chunk[begin..end].first() {
        Some(0) => begin + hole_len(&chunk[begin..end]),
        Some(0xef) if offset + begin as u64 == 0 => begin + Text::Utf8.byte_order_mark(&chunk[begin..end]),
        _ => begin,
    }
}

/// Bytes of the hole at the beginning, 0 when the run of NULs is too short to be one.
#[cold]
fn hole_len(line: &[u8]) -> usize {
    let nuls = line.iter().position(|&byte| byte != 0).unwrap_or(line.len());
    if nuls >= HOLE_BYTES { nuls } else { 0 }
}

/// Whether these bytes are nothing but a hole. At the end of a file it may yet be filled by its writer.
pub(super) fn is_hole(bytes: &[u8]) -> bool {
    bytes.len() >= HOLE_BYTES && bytes.iter().all(|&byte| byte == 0)
}

/// The span between two places in a chunk. Chunks are far smaller than 4 GiB.
#[inline]
fn span(begin: usize, end: usize) -> Span {
    #[allow(clippy::cast_possible_truncation)] // the config limits an event, and thereby a chunk, to 1 GiB
    let (start, len) = (begin as u32, (end - begin) as u32);
    Span { start, len }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames `bytes` as they become known piece by piece, as a growing file is read.
    fn frame_growing(framer: &Framer, text: Text, bytes: &[u8], pieces: &[usize]) -> Vec<(u64, Vec<u8>, u8)> {
        let (mut position, mut known, mut found) = (0, 0, Vec::new());
        let mut pieces = pieces.iter();
        while known < bytes.len() || position < bytes.len() {
            let last = known == bytes.len();
            known = pieces.next().map_or(bytes.len(), |piece| (known + piece).min(bytes.len()));
            let known = known / text.unit() * text.unit();
            let end = if last { End::CloseLine } else { End::Open };
            let (mut decoded, mut events) = (Vec::new(), Vec::new());
            let place = Place { offset: position as u64, read_at: 0 };
            let chunk = &bytes[position..known.max(position)];
            let consumed = framer.frame(text, chunk, place, end, &mut decoded, &mut events);
            let shown = if text == Text::Utf8 { chunk } else { &decoded };
            for event in events {
                let flags = u8::from(event.flags.contains(EventFlags::CUT))
                    + 2 * u8::from(event.flags.contains(EventFlags::MULTILINE));
                found.push((event.offset, event.line.of(shown).to_vec(), flags));
            }
            if text == Text::Utf8 && framer.multiline.is_none() {
                let mut fast = Vec::new();
                assert_eq!(framer.frame_lines(chunk, place, end, &mut fast), consumed);
            }
            position += consumed;
            if last && consumed == 0 {
                break;
            }
        }
        found
    }

    fn framers() -> [Framer; 2] {
        let multiline = Multiline {
            continues: regex::bytes::Regex::new("^ ").ok(),
            max_lines: 3,
            max_bytes: 12,
            ..Multiline::default()
        };
        let framer = |multiline| Framer { max_line_bytes: 6, multiline };
        [framer(None), framer(Some(multiline))]
    }

    proptest! {
        #[test]
        fn the_same_bytes_give_the_same_events_however_they_arrive(
            lines in proptest::collection::vec("[ ab\u{e9}\r]{0,9}", 0..12),
            ends in any::<bool>(),
            pieces in proptest::collection::vec(1_usize..20, 0..12),
        ) {
            let mut written = lines.join("\n");
            if ends {
                written.push('\n');
            }
            let utf16 = written.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            for framer in framers() {
                for (text, bytes) in [(Text::Utf8, written.as_bytes()), (Text::Utf16Le, &utf16)] {
                    let whole = frame_growing(&framer, text, bytes, &[]);
                    let growing = frame_growing(&framer, text, bytes, &pieces);
                    prop_assert_eq!(&whole, &growing);
                }
            }
        }

        #[test]
        fn no_byte_of_a_line_within_the_limit_is_lost(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let framer = Framer { max_line_bytes: 1000, multiline: None };
            let found = frame_growing(&framer, Text::Utf8, &bytes, &[]);
            let mut expected = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            expected.pop_if(|last| last.is_empty());
            for line in &mut expected {
                line.pop_if(|last| *last == b'\r');
            }
            if let Some(first) = expected.first_mut()
                && first.starts_with(&[0xef, 0xbb, 0xbf])
            {
                first.drain(..3);
            }
            let found = found.into_iter().map(|(_, line, _)| line).collect::<Vec<_>>();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn holes_are_passed_over_once_something_follows_them() {
        let framer = Framer { max_line_bytes: 100, multiline: None };
        let mut bytes = vec![0; 40];
        let place = Place { offset: 0, read_at: 0 };
        let mut events = Vec::new();
        assert_eq!(framer.frame_lines(&bytes, place, End::CloseLine, &mut events), 0);
        bytes.extend_from_slice(b"new\n\0x\n");
        assert_eq!(framer.frame_lines(&bytes, place, End::Open, &mut events), bytes.len());
        let found = events.iter().map(|event| (event.offset, event.line.of(&bytes))).collect::<Vec<_>>();
        assert_eq!(found, [(40, &b"new"[..]), (44, b"\0x")]);
    }
}
