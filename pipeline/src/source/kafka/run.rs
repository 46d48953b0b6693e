//! Runs: records of one partition that become one batch.
//!
//! Owns: [`Run`], the chunk that their values are copied into, and the ids of their events.
//! Promises: a value is copied once; the events' offsets rise; a record without a value moves the position and is no event.
//! Never: waits or sends.

use std::ops::Range;
use std::sync::Arc;

use super::framing::{self, RecordFacts, RecordFraming};
use super::place::{Place, RECORD_ROOM};
use crate::buffers::BufferPool;
use crate::event::{Batch, Event, EventFlags, Origin, OwnOrigin, Span};
use crate::memory::Held;
use crate::stream::{Position, Stream};

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) framing: RecordFraming,
    /// Bytes of an event that are kept.
    pub(super) line_bytes_max: usize,
}

/// A record of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) offset: u64,
    pub(super) facts: RecordFacts,
    pub(super) value: &'a [u8],
}

/// Records of one partition that are read and not sent.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// That of all its places.
    pub(super) epoch: u64,
    /// The offset of its first record.
    pub(super) first: u64,
    chunk: Vec<u8>,
    filled: usize,
    held: Option<Held>,
    events: Vec<Event>,
    origins: Vec<OwnOrigin>,
    /// Bytes of the values, whole.
    bytes: u64,
    /// The offset behind its last record.
    pub(super) end: u64,
    read_at: i64,
}

impl Run {
    /// A run that has no chunk yet.
    pub(super) fn new(topic: Arc<str>, partition: i32, epoch: u64, first: u64, read_at: i64) -> Self {
        Self {
            topic,
            partition,
            epoch,
            first,
            chunk: Vec::new(),
            filled: 0,
            held: None,
            events: Vec::new(),
            origins: Vec::new(),
            bytes: 0,
            end: 0,
            read_at,
        }
    }

    /// Gives it its chunk.
    pub(super) fn use_chunk(&mut self, chunk: Vec<u8>, held: Held) {
        (self.chunk, self.held) = (chunk, Some(held));
    }

    /// Whether it has a chunk.
    pub(super) fn has_chunk(&self) -> bool {
        !self.chunk.is_empty()
    }

    /// Whether the chunk has room for so many bytes.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.chunk.len() - self.filled >= bytes
    }

    /// Bytes in the chunk.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Passes over a record that has no value.
    pub(super) fn skip(&mut self, offset: u64) {
        self.end = offset + 1;
    }

    /// Adds a record, for which there is room.
    pub(super) fn add(&mut self, record: Record<'_>, limits: Limits) {
        let Record { offset, facts, value } = record;
        let first = Place::of(offset).offset;
        if limits.framing.is_lines(facts, value) {
            let start = self.copy(value);
            for line in framing::lines(value) {
                let own = facts.is_ours.then(|| framing::origin_of_document(&value[line.clone()])).flatten();
                let at = first + line.start as u64;
                let mut begin = start + line.start;
                if let Some((_, member)) = &own {
                    // What stands before the member moves to its end.
                    self.chunk.copy_within(begin..begin + member.start, begin + member.len());
                    begin += member.len();
                }
                let text = begin..start + line.end;
                let kept = text.start..text.end.min(text.start + limits.line_bytes_max);
                self.push(kept.clone(), at, kept != text);
                self.bring(own.map(|(origin, _)| origin), at, line.len());
            }
        } else {
            let event = framing::whole(value);
            let kept = event.len().min(limits.line_bytes_max);
            let start = self.copy(&value[..kept]);
            self.push(start..start + kept, first, kept < event.len());
            self.bring(facts.origin, first, event.len());
        }
        self.bytes += value.len() as u64;
        self.end = offset + 1;
    }

    /// Bytes that a record takes in a chunk.
    pub(super) fn bytes_of(record: &Record<'_>, limits: Limits) -> usize {
        let len = record.value.len();
        if limits.framing.is_lines(record.facts, record.value) { len } else { len.min(limits.line_bytes_max) }
    }

    fn copy(&mut self, bytes: &[u8]) -> usize {
        let start = self.filled;
        self.filled += bytes.len();
        self.chunk[start..self.filled].copy_from_slice(bytes);
        start
    }

    fn push(&mut self, text: Range<usize>, at: u64, is_cut: bool) {
        let flags = if is_cut { EventFlags::CUT } else { EventFlags::default() };
        #[allow(clippy::cast_possible_truncation)] // a chunk is below 4 GiB
        let line = Span { start: text.start as u32, len: text.len() as u32 };
        self.events.push(Batch::line(line, at, self.read_at, flags));
    }

    /// Notes the origin of the event that begins there and has `len` bytes of its record.
    fn bring(&mut self, origin: Option<Origin>, at: u64, len: usize) {
        let room = len.clamp(1, RECORD_ROOM) as u64;
        self.origins.extend(origin.map(|origin| OwnOrigin { at, room, origin }));
    }

    /// The batch, announced to the partition's stream. `None` when there are no events: the position has moved all the same.
    pub(super) fn into_batch(self, stream: &Arc<Stream>, pool: &Arc<BufferPool>) -> Option<Batch> {
        let position = Position { offset: self.end, marker: 0 };
        let ack = stream.begin(position, self.events.len() as u64, self.bytes);
        if self.events.is_empty() {
            ack.done();
            return None;
        }
        let chunk = pool.share(self.chunk, self.filled, self.held);
        let batch = Batch::new(chunk, self.events, Arc::clone(stream), self.read_at, ack);
        Some(batch.with_origins(self.origins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ConstantSet;
    use crate::memory::Memory;
    use crate::testing;

    const LIMITS: Limits = Limits { framing: RecordFraming::Auto, line_bytes_max: 40 };
    const ORIGIN: Origin = Origin { stream: 0x0102_0304_0506_0708, offset: 2 };

    fn batch(records: &[(u64, RecordFacts, &str)]) -> (Option<Batch>, Arc<Stream>) {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let mut run = Run::new("logs".into(), 0, 0, 0, 0);
        run.use_chunk(vec![0; 4096], Memory::new(1 << 20).take(4096));
        for &(offset, facts, value) in records {
            let record = Record { offset, facts, value: value.as_bytes() };
            assert!(run.has_room(Run::bytes_of(&record, LIMITS)));
            run.add(record, LIMITS);
        }
        (run.into_batch(&stream, &BufferPool::new(1)), stream)
    }

    /// Text, offset, origin and whether it was cut.
    fn events(batch: &Batch) -> Vec<(&str, u64, Origin, bool)> {
        let event = |event: &Event| {
            let text = str::from_utf8(event.line.of(&batch.chunk)).unwrap();
            (text, event.offset, batch.origin(event), event.flags.contains(EventFlags::CUT))
        };
        batch.events.iter().map(event).collect()
    }

    fn here(offset: u64) -> Origin {
        Origin { stream: 1, offset }
    }

    #[test]
    fn a_record_is_an_event_with_its_place_or_origin() {
        let (plain, ours) =
            (RecordFacts::default(), RecordFacts { origin: Some(ORIGIN), ..RecordFacts::default() });
        let (batch, stream) = batch(&[(5, plain, "one\n"), (6, ours, "two"), (9, plain, "")]);
        let batch = batch.unwrap();
        let (five, six, nine) = (5 << 24, 6 << 24, 9 << 24);
        let expected =
            [("one", five, here(five), false), ("two", six, ORIGIN, false), ("", nine, here(nine), false)];
        assert_eq!(events(&batch), expected);
        assert_eq!(stream.acknowledged().offset, 0);
        let Batch { ack, .. } = batch;
        ack.done();
        assert_eq!(stream.acknowledged().offset, 10);
    }

    #[test]
    fn a_line_of_ndjson_is_an_event_without_the_origin_in_it() {
        let ours = RecordFacts { is_ndjson: true, is_ours: true, origin: None };
        let document = "{\"@timestamp\":\"2026Z\",\"event.id\":\"AQIDBAUGBwgAAAAAAAAAAg\",\"a\":1}";
        let value = format!("{document}\n{{\"b\":2}}\n\n");
        let (batch, _) = batch(&[(1, ours, &value), (2, RecordFacts { is_ours: false, ..ours }, document)]);
        let batch = batch.unwrap();
        let (first, second, third) = (1 << 24, (1 << 24) + document.len() as u64 + 1, 2 << 24);
        let expected = [
            ("{\"@timestamp\":\"2026Z\",\"a\":1}", first, ORIGIN, false),
            ("{\"b\":2}", second, here(second), false),
            (&document[..40], third, here(third), true),
        ];
        assert_eq!(events(&batch), expected);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "x".repeat(41);
        let two = format!("{long}\nshort");
        let ndjson = RecordFacts { is_ndjson: true, ..RecordFacts::default() };
        let (batch, _) = batch(&[(0, RecordFacts::default(), &long), (1, ndjson, &two)]);
        let batch = batch.unwrap();
        let seen = events(&batch).into_iter().map(|(text, _, _, cut)| (text.len(), cut)).collect::<Vec<_>>();
        assert_eq!(seen, [(40, true), (40, true), (5, false)]);
    }

    #[test]
    fn records_without_values_move_the_position() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let mut run = Run::new("logs".into(), 0, 0, 0, 0);
        run.skip(7);
        assert!(run.into_batch(&stream, &BufferPool::new(1)).is_none());
        assert_eq!(stream.acknowledged().offset, 8);
    }
}
