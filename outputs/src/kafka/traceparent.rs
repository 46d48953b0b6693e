//! The header `traceparent` of a record whose event belongs to a trace (W3C Trace Context, section 3.2, version 00).
//!
//! Owns: [`Traceparent`], and which events have one.
//! Promises: what it holds is valid there; the fields `trace.id` and `span.id` are looked for once an event, without an
//! allocation.
//! Never: makes an id for an event that has none.

use logweir_parsers::{KeyId, key};
use logweir_pipeline::{Batch, Event};

/// Characters of a trace's id.
const TRACE_LEN: usize = 32;
/// Characters of a span's id.
const SPAN_LEN: usize = 16;
/// The version in front of them.
const VERSION: &[u8] = b"00-";
/// The flags behind them: sampled, as somebody has written it down.
const FLAGS: &[u8] = b"-01";

/// The value of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traceparent([u8; Traceparent::LEN]);

impl Traceparent {
    /// Its bytes.
    pub(super) const LEN: usize = VERSION.len() + TRACE_LEN + 1 + SPAN_LEN + FLAGS.len();

    /// That of an event; none when it has not both ids, or one is no id.
    #[inline]
    pub(super) fn of(batch: &Batch, event: &Event) -> Option<Self> {
        let (mut trace, mut span) = (None, None);
        for field in batch.fields(event).iter().filter(|field| !field.is_removed()) {
            match field.key() {
                key::TRACE_ID => trace = batch.text(field.value()),
                key::SPAN_ID => span = batch.text(field.value()),
                KeyId(_) => {}
            }
        }
        Self::new(trace?, span?)
    }

    fn new(trace: &[u8], span: &[u8]) -> Option<Self> {
        if !is_id(trace, TRACE_LEN) || !is_id(span, SPAN_LEN) {
            return None;
        }
        let mut value = [0; Self::LEN];
        let mut rest = &mut value[..];
        for part in [VERSION, trace, b"-", span, FLAGS] {
            let (place, behind) = rest.split_at_mut_checked(part.len())?;
            place.copy_from_slice(part);
            rest = behind;
        }
        Some(Self(value))
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Whether a text is an id of so many characters: lowercase hexadecimal, and not all zeros.
fn is_id(text: &[u8], len: usize) -> bool {
    text.len() == len
        && text.iter().all(|character| matches!(character, b'0'..=b'9' | b'a'..=b'f'))
        && text.iter().any(|character| *character != b'0')
}

#[cfg(test)]
mod tests {
    use logweir_parsers::Format;

    use super::*;
    use crate::testing::Source;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn of(line: &str) -> Option<String> {
        let batch = Source::new(Format::Json, 1).batch(&[line]);
        let value = Traceparent::of(&batch, &batch.events[0])?;
        Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn an_event_of_a_trace_has_one() {
        let line = format!(r#"{{"span.id":"{SPAN}","trace.id":"{TRACE}","message":"x"}}"#);
        assert_eq!(of(&line).unwrap(), format!("00-{TRACE}-{SPAN}-01"));
    }

    #[test]
    fn what_is_no_id_makes_none() {
        let (upper, zeros) = (TRACE.to_uppercase(), "0".repeat(32));
        for (trace, span) in [
            (&*upper, SPAN),
            (&*zeros, SPAN),
            (&TRACE[1..], SPAN),
            (TRACE, "0000000000000000"),
            (TRACE, "00f067aa0ba902bg"),
            (TRACE, "00f067aa0ba902b70"),
        ] {
            assert_eq!(
                of(&format!(r#"{{"trace.id":"{trace}","span.id":"{span}"}}"#)),
                None,
                "{trace} {span}"
            );
        }
        assert_eq!(of(&format!(r#"{{"trace.id":"{TRACE}"}}"#)), None);
        assert_eq!(of(&format!(r#"{{"span.id":"{SPAN}"}}"#)), None);
        assert_eq!(of(r#"{"trace.id":12,"span.id":13}"#), None);
    }
}
