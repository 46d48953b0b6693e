//! Origins: the 128 bits of an event's `_id`.
//!
//! Owns: [`Origin`], its text, and which events of a batch have one of their own.
//! Promises: an event has the origin that its record named, else its stream's number and its offset; the pieces of an event
//! that brought its own have others, the same whenever it is read.
//! Never: makes an origin for a line; sources do, by the numbers of their streams.
//!
//! A piece of an event that brought its origin does not get the next offset of that origin: what was a line where the origin
//! was made may be longer here, and the offsets behind it belong to the next line.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_128;

use super::{Batch, Event};

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The number of the stream that it was read from first.
    pub stream: u64,
    /// Its offset in that stream.
    pub offset: u64,
}

/// The origin that an event brought with it.
#[derive(Clone, Copy, Debug)]
pub struct OwnOrigin {
    /// The event's offset in the batch's stream.
    pub at: u64,
    /// How many offsets from there on are the event's and its pieces'; at least 1.
    pub room: u64,
    /// Where the event comes from.
    pub origin: Origin,
}

impl Origin {
    /// Characters of an origin's text.
    pub const TEXT_LEN: usize = 22;

    /// Reads base64url without padding (RFC 4648 section 5) of both numbers, big-endian: an `_id`.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let mut halves = [[0; 8]; 2];
        let bytes = halves.as_flattened_mut();
        if text.len() != Self::TEXT_LEN || URL_SAFE_NO_PAD.decode_slice(text, bytes) != Ok(bytes.len()) {
            return None;
        }
        Some(Self::from_halves(halves))
    }

    /// The text that [`Origin::from_text`] reads.
    #[must_use]
    pub fn text(self) -> String {
        URL_SAFE_NO_PAD.encode([self.stream, self.offset].map(u64::to_be_bytes).as_flattened())
    }

    /// The origin of what is made of events: the same for the same hash.
    #[must_use]
    pub(crate) fn from_hash(hash: u128) -> Self {
        let mut halves = [[0; 8]; 2];
        halves.as_flattened_mut().copy_from_slice(&hash.to_be_bytes());
        Self::from_halves(halves)
    }

    fn from_halves(halves: [[u8; 8]; 2]) -> Self {
        let [stream, offset] = halves.map(u64::from_be_bytes);
        Self { stream, offset }
    }

    /// The origin of a piece that begins so many characters behind the event.
    fn piece(self, at: u64) -> Self {
        let [stream, offset, at] = [self.stream, self.offset, at].map(u64::to_be_bytes);
        Self::from_hash(xxh3_128([stream, offset, at].as_flattened()))
    }
}

impl Batch {
    /// The same, with origins that events brought with them, in the order of their offsets.
    #[must_use]
    pub fn with_origins(mut self, origins: Vec<OwnOrigin>) -> Self {
        debug_assert!(origins.is_sorted_by_key(|own| own.at));
        self.origins = origins;
        self
    }

    /// Whether an event may have another origin than its place in the stream.
    #[inline]
    #[must_use]
    pub fn has_origins(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Where the event comes from, which is its `_id`.
    #[inline]
    #[must_use]
    pub fn origin(&self, event: &Event) -> Origin {
        let place = Origin { stream: self.stream.id(), offset: event.offset };
        if self.origins.is_empty() { place } else { self.own_origin(event).unwrap_or(place) }
    }

    fn own_origin(&self, event: &Event) -> Option<Origin> {
        let behind = self.origins.partition_point(|own| own.at <= event.offset);
        let own = self.origins.get(behind.checked_sub(1)?)?;
        match event.offset - own.at {
            0 => Some(own.origin),
            at if at < own.room => Some(own.origin.piece(at)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::{ConstantSet, EventFlags, Span};
    use crate::stream::Position;
    use crate::testing;

    #[test]
    fn the_text_of_an_origin_is_an_id() {
        let origin = Origin { stream: 0x0102_0304_0506_0708, offset: 2 };
        assert_eq!(Origin::from_text(b"AQIDBAUGBwgAAAAAAAAAAg"), Some(origin));
        for wrong in
            [&b"AQIDBAUGBwgAAAAAAAAAA"[..], b"AQIDBAUGBwgAAAAAAAAAA+", b"AQIDBAUGBwgAAAAAAAAAAh", b""]
        {
            assert_eq!(Origin::from_text(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn events_without_an_origin_have_their_place() {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let ack = stream.begin(Position::default(), 0, 0);
        let origin = Origin { stream: 7, offset: 70 };
        let batch = Batch::new(Bytes::new(), Vec::new(), stream, 0, ack).with_origins(vec![OwnOrigin {
            at: 20,
            room: 5,
            origin,
        }]);
        let at = |offset| batch.origin(&Batch::line(Span::default(), offset, 0, EventFlags::default()));
        for offset in [0, 19, 25, 90] {
            assert_eq!(at(offset), Origin { stream: 1, offset });
        }
        assert_eq!(at(20), origin);
        let pieces = [21, 22, 24].map(at);
        assert!(pieces.iter().all(|piece| piece.stream != 1 && *piece != origin), "{pieces:?}");
        assert_ne!(pieces[0], pieces[1]);
        assert_eq!(pieces[0], at(21));
    }
}
