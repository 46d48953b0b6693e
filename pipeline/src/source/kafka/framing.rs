//! Framing: a record's value into events.
//!
//! Owns: [`RecordFraming`], which values are several documents, and where an origin stands in one.
//! Promises: a value is cut, not refused, where it is longer than an event may be; a value too large for the offsets of a
//! record is one event.
//! Never: parses JSON: an origin is looked for where logweir writes it.

use std::ops::Range;

use memchr::memchr;
use rdkafka::message::{BorrowedHeaders, Headers};

use super::place::RECORD_ROOM;
use crate::event::Origin;
use crate::kafka::headers::{CONTENT_TYPE, NDJSON, ORIGIN, SOURCE};

/// How a document of logweir begins.
const DOCUMENT_START: &[u8] = b"{\"@timestamp\":\"";
/// Longest text of a time.
const TIME_MAX: usize = 40;
/// What stands before the origin in a document that has it with it.
const ORIGIN_START: &[u8] = b"\",\"event.id\":\"";

/// How a record becomes events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordFraming {
    /// Lines when its header `content-type` says `application/x-ndjson`, else one event.
    #[default]
    Auto,
    /// One event.
    Record,
    /// An event a line.
    Lines,
}

/// What the headers say of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordFacts {
    /// Where its event comes from.
    pub(super) origin: Option<Origin>,
    /// Whether its value is a document a line.
    pub(super) is_ndjson: bool,
    /// Whether logweir wrote it.
    pub(super) is_ours: bool,
}

impl RecordFacts {
    /// Looks at the headers of a record.
    pub(super) fn of(headers: Option<&BorrowedHeaders>) -> Self {
        let mut facts = Self::default();
        for header in headers.into_iter().flat_map(Headers::iter) {
            match (header.key, header.value) {
                (ORIGIN, Some(text)) => facts.origin = Origin::from_text(text),
                (CONTENT_TYPE, Some(kind)) => facts.is_ndjson = kind.starts_with(NDJSON),
                (SOURCE, _) => facts.is_ours = true,
                _ => {}
            }
        }
        facts
    }
}

impl RecordFraming {
    /// Whether a value is an event a line. One that has no offsets for all its bytes is not.
    pub(super) fn is_lines(self, facts: RecordFacts, value: &[u8]) -> bool {
        let is_lines = match self {
            Self::Auto => facts.is_ndjson,
            Self::Record => false,
            Self::Lines => true,
        };
        is_lines && value.len() < RECORD_ROOM
    }
}

/// The lines of a value, without their ends; empty ones are none.
pub(super) fn lines(value: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        while begin < value.len() {
            let end = memchr(b'\n', &value[begin..]).map_or(value.len(), |place| begin + place);
            let line = begin..end;
            begin = end + 1;
            let line = without_carriage_return(value, line);
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    })
}

/// A value that is one event, without the line end that it may have.
pub(super) fn whole(value: &[u8]) -> Range<usize> {
    match value {
        [.., b'\n'] => without_carriage_return(value, 0..value.len() - 1),
        _ => 0..value.len(),
    }
}

fn without_carriage_return(value: &[u8], line: Range<usize>) -> Range<usize> {
    let is_there = value[line.clone()].ends_with(b"\r");
    line.start..line.end - usize::from(is_there)
}

/// The origin that a document of logweir has as its second member, and where that member stands with the comma before it.
pub(super) fn origin_of_document(document: &[u8]) -> Option<(Origin, Range<usize>)> {
    let time = document.strip_prefix(DOCUMENT_START)?;
    let time_len = memchr(b'"', &time[..time.len().min(TIME_MAX)])?;
    let (text, rest) = time[time_len..].strip_prefix(ORIGIN_START)?.split_at_checked(Origin::TEXT_LEN)?;
    let origin = Origin::from_text(text).filter(|_| rest.starts_with(b"\""))?;
    let start = DOCUMENT_START.len() + time_len + 1;
    Some((origin, start..start + ORIGIN_START.len() + Origin::TEXT_LEN))
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders};

    use super::*;

    const ID: &str = "AQIDBAUGBwgAAAAAAAAAAg";

    fn facts(headers: &[(&str, &str)]) -> RecordFacts {
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
        RecordFacts::of(Some(headers.as_borrowed()))
    }

    #[test]
    fn headers_say_where_a_record_comes_from_and_what_it_is() {
        let origin = Some(Origin { stream: 0x0102_0304_0506_0708, offset: 2 });
        for (headers, expected) in [
            (&[][..], RecordFacts::default()),
            (&[("logweir-origin", ID)], RecordFacts { origin, ..RecordFacts::default() }),
            (&[("logweir-origin", "order-17")], RecordFacts::default()),
            (&[("content-type", "application/json")], RecordFacts::default()),
            (
                &[("content-type", "application/x-ndjson"), ("x", "y")],
                RecordFacts { is_ndjson: true, ..RecordFacts::default() },
            ),
            (&[("source", "syslog")], RecordFacts { is_ours: true, ..RecordFacts::default() }),
        ] {
            assert_eq!(facts(headers), expected, "{headers:?}");
        }
        assert_eq!(RecordFacts::of(None), RecordFacts::default());
    }

    #[test]
    fn lines_are_what_stands_between_their_ends() {
        let texts = |value: &'static str| {
            let lines = lines(value.as_bytes()).map(|line| &value[line]).collect::<Vec<_>>();
            (lines, &value[whole(value.as_bytes())])
        };
        assert_eq!(texts(""), (vec![], ""));
        assert_eq!(texts("a"), (vec!["a"], "a"));
        assert_eq!(texts("a\r\n"), (vec!["a"], "a"));
        assert_eq!(texts("\n\na\n\r\nb\n"), (vec!["a", "b"], "\n\na\n\r\nb"));
    }

    #[test]
    fn a_value_without_offsets_for_its_bytes_is_one_event() {
        let (small, large) = (vec![b'x'; RECORD_ROOM - 1], vec![b'x'; RECORD_ROOM]);
        let ndjson = RecordFacts { is_ndjson: true, ..RecordFacts::default() };
        assert!(RecordFraming::Auto.is_lines(ndjson, &small));
        assert!(!RecordFraming::Auto.is_lines(ndjson, &large));
        assert!(!RecordFraming::Auto.is_lines(RecordFacts::default(), &small));
        assert!(!RecordFraming::Record.is_lines(ndjson, &small));
        assert!(RecordFraming::Lines.is_lines(RecordFacts::default(), &small));
    }

    #[test]
    fn a_document_has_its_origin_behind_its_time() {
        let document = format!(r#"{{"@timestamp":"2026-01-01T00:00:00.000Z","event.id":"{ID}","a":1}}"#);
        let (origin, member) = origin_of_document(document.as_bytes()).unwrap();
        assert_eq!(origin.offset, 2);
        assert_eq!(&document[member], format!(r#","event.id":"{ID}""#));
        for other in [
            r#"{"@timestamp":"2026-01-01T00:00:00.000Z","event.id":"mine","a":1}"#,
            r#"{"event.id":"AQIDBAUGBwgAAAAAAAAAAg"}"#,
            r#"{"@timestamp":"2026-01-01T00:00:00.000Z","event.id":"AQIDBAUGBwgAAAAAAAAAAg,"}"#,
            r#"{"@timestamp":"2026-01-01T00:00:00.000Z","event.id":"AQID"#,
            r#"{"@timestamp":"2026"#,
            "",
        ] {
            assert_eq!(origin_of_document(other.as_bytes()), None, "{other}");
        }
    }
}
