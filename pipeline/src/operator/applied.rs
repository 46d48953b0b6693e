//! Which events an operator has taken.
//!
//! Owns: [`Applied`], how far each stream is taken.
//! Promises: an event that is read again, after a crash, a lost transaction or a change of partitions, is not counted again; what
//! is remembered of a stream is forgotten when nothing before it can be read again.
//! Never: holds an event.
//!
//! A source's position is what all outputs have settled, and an operator takes events before that: the two are stored in one
//! transaction, the positions read first, so that a stored position is never beyond what the stored state has taken. What lies
//! between them is read again and passed over.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::event::Batch;
use crate::snapshot::{Decoder, Encoder};

/// How far streams are taken.
#[derive(Debug, Default)]
pub(super) struct Applied {
    streams: HashMap<u64, Taken, FixedState>,
    /// How often positions were read.
    round: u64,
}

#[derive(Debug)]
struct Taken {
    /// The offset behind the last event that was taken.
    end: u64,
    /// When the stream ended with everything settled: in which round.
    settled: Option<u64>,
}

impl Applied {
    /// The offset before which all events of a stream are taken.
    pub(super) fn end_of(&self, stream: u64) -> u64 {
        self.streams.get(&stream).map_or(0, |taken| taken.end)
    }

    /// Events of a stream are taken up to this offset.
    pub(super) fn take(&mut self, stream: u64, end: u64) {
        let taken = self.streams.entry(stream).or_insert(Taken { end, settled: None });
        *taken = Taken { end: taken.end.max(end), settled: None };
    }

    /// A stream has ended. When all of it is settled, the next position that is stored is behind all that was taken.
    pub(super) fn closed(&mut self, stream: u64, is_settled: bool) {
        if let Some(taken) = self.streams.get_mut(&stream).filter(|_| is_settled) {
            taken.settled = Some(self.round);
        }
    }

    /// Positions are read from now on.
    pub(super) fn mark(&mut self) {
        self.round += 1;
    }

    /// Appends what the positions that were read since the mark do not say, and forgets the rest.
    pub(super) fn save(&mut self, out: &mut Encoder<'_>) {
        let round = self.round;
        self.streams.retain(|_, taken| taken.settled.is_none_or(|settled| settled >= round));
        out.u64(self.streams.len() as u64);
        for (stream, taken) in &self.streams {
            out.u64(*stream);
            out.u64(taken.end);
        }
    }

    pub(super) fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let mut applied = Self::default();
        for _ in 0..from.u64()? {
            let stream = from.u64()?;
            applied.take(stream, from.u64()?);
        }
        Some(applied)
    }
}

/// The offset behind the last of these events of a batch. Pieces of an event may stand behind others.
pub(super) fn end_of(batch: &Batch, selected: &[u32]) -> u64 {
    let offsets = selected.iter().map(|event| batch.events[*event as usize].offset);
    offsets.max().map_or(0, |offset| offset.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(applied: &mut Applied) -> Applied {
        let mut bytes = Vec::new();
        applied.save(&mut Encoder::new(&mut bytes));
        Applied::load(&mut Decoder::new(&bytes)).unwrap()
    }

    #[test]
    fn a_settled_stream_is_forgotten_once_its_last_position_was_read() {
        let mut applied = Applied::default();
        applied.take(1, 10);
        applied.take(2, 20);
        applied.take(2, 15);
        applied.mark();
        applied.closed(1, true);
        // Its position may have been read before the end.
        assert_eq!(saved(&mut applied).end_of(1), 10);
        applied.mark();
        applied.closed(2, false);
        assert_eq!(saved(&mut applied).end_of(1), 0);
        applied.mark();
        assert_eq!(saved(&mut applied).end_of(2), 20);
    }

    #[test]
    fn a_stream_that_goes_on_is_remembered_again() {
        let mut applied = Applied::default();
        applied.take(1, 10);
        applied.closed(1, true);
        applied.take(1, 12);
        applied.mark();
        assert_eq!(saved(&mut applied).end_of(1), 12);
    }
}
