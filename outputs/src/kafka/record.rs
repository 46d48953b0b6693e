//! What an item of a payload holds: a record's parts, one behind the other.
//!
//! Owns: [`Record`] and its form in a payload's body.
//! Promises: what was written is read again; reading never copies.
//! Never: leaves the process in this form.

use logweir_pipeline::event::Writer;

use super::traceparent::Traceparent;
use crate::event_id::ID_LEN;

/// Bytes that each record has in front: the time, the identity, whether it belongs to a trace.
const FIXED: usize = 8 + ID_LEN + 1;
/// And of the lengths of the key and of the source's name.
const LENGTHS: usize = 2 + 1;

/// The parts of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The event's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub(super) timestamp: i64,
    /// The event's identity.
    pub(super) id: &'a [u8],
    /// Its header `traceparent`; empty when it has none.
    pub(super) trace: &'a [u8],
    /// What decides its partition.
    pub(super) key: &'a [u8],
    /// The name of its source.
    pub(super) source: &'a [u8],
    /// The document or line.
    pub(super) value: &'a [u8],
}

/// What stands between the identity and the value, ready to be written often.
#[derive(Debug, Default)]
pub(super) struct Addressing(Vec<u8>);

impl Addressing {
    /// Holds this key and this name of a source from now on; what is longer than a length can tell is cut.
    pub(super) fn set(&mut self, key: &[u8], source: &[u8]) {
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let source_len = u8::try_from(source.len()).unwrap_or(u8::MAX);
        self.0.clear();
        self.0.extend_from_slice(&key_len.to_le_bytes());
        self.0.push(source_len);
        self.0.extend_from_slice(&key[..usize::from(key_len)]);
        self.0.extend_from_slice(&source[..usize::from(source_len)]);
    }
}

/// Writes what stands before the value.
#[inline]
pub(super) fn write_head(
    timestamp: i64,
    id: &[u8; ID_LEN],
    trace: Option<&Traceparent>,
    addressing: &Addressing,
    out: &mut Writer,
) {
    out.push(&timestamp.to_le_bytes());
    out.push(id);
    out.push(&[u8::from(trace.is_some())]);
    if let Some(trace) = trace {
        out.push(trace.as_bytes());
    }
    out.push(&addressing.0);
}

impl<'a> Record<'a> {
    /// The parts of an item; none of bytes that no encoder wrote.
    #[inline]
    pub(super) fn of(item: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = item.split_at_checked(FIXED)?;
        let timestamp = i64::from_le_bytes(*fixed.first_chunk()?);
        let id = &fixed[8..8 + ID_LEN];
        let trace_len = if fixed[8 + ID_LEN] == 0 { 0 } else { Traceparent::LEN };
        let (trace, rest) = rest.split_at_checked(trace_len)?;
        let (lengths, rest) = rest.split_at_checked(LENGTHS)?;
        let key_len = usize::from(u16::from_le_bytes([lengths[0], lengths[1]]));
        let source_len = usize::from(lengths[2]);
        let (key, rest) = rest.split_at_checked(key_len)?;
        let (source, value) = rest.split_at_checked(source_len)?;
        Some(Self { timestamp, id, trace, key, source, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let id = [b'a'; ID_LEN];
        for (key, source, value) in
            [("", "", ""), ("key", "web", "{}"), (&"k".repeat(70_000), &"s".repeat(300), "x")]
        {
            let (mut addressing, mut out) = (Addressing::default(), Writer::default());
            addressing.set(b"another", b"before");
            addressing.set(key.as_bytes(), source.as_bytes());
            write_head(-7, &id, None, &addressing, &mut out);
            out.push(value.as_bytes());
            let record = Record::of(out.as_slice()).unwrap();
            let (key, source) =
                (&key.as_bytes()[..key.len().min(0xffff)], &source.as_bytes()[..source.len().min(0xff)]);
            assert_eq!(
                record,
                Record { timestamp: -7, id: &id, trace: b"", key, source, value: value.as_bytes() }
            );
        }
        assert_eq!(Record::of(b"short"), None);
    }
}
