//! An event that a key's window begins with.

use super::Hit;
use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder};

/// The first event of a window, for as long as it is in the window; then the next that comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    pub(super) time: i64,
    pub(super) event: Origin,
}

impl Default for Anchor {
    /// One that any event takes the place of.
    fn default() -> Self {
        Self { time: i64::MIN, event: Origin { stream: 0, offset: 0 } }
    }
}

impl Anchor {
    /// The hit as an anchor.
    pub(super) fn at(hit: &Hit) -> Self {
        Self { time: hit.time, event: hit.event }
    }

    /// Whether there is an event.
    pub(super) fn is_set(self) -> bool {
        self.time > i64::MIN
    }

    /// Takes the hit unless the event that it has is at `oldest` or later.
    pub(super) fn keep(&mut self, oldest: i64, hit: &Hit) {
        if !self.is_set() || self.time < oldest {
            *self = Self::at(hit);
        }
    }

    pub(super) fn write(self, out: &mut Encoder<'_>) {
        out.i64(self.time);
        out.origin(self.event);
    }

    pub(super) fn read(bytes: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { time: bytes.i64()?, event: bytes.origin()? })
    }
}
