//! Values by when they were seen last.

use super::anchor::Anchor;
use super::{Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// The most values of a key.
const VALUES_MAX: u32 = 4096;

/// The values that a key had most recently, the stalest first.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<(u64, Anchor)>);

impl Recent {
    /// An error unless a key may have so many values.
    pub(super) fn check(values: u32, setting: &'static str) -> Result<(), RuleError> {
        RuleError::unless((1..=VALUES_MAX).contains(&values), setting, "1 to 4,096")
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has the value.
    pub(super) fn has(&self, value: u64) -> bool {
        self.0.iter().any(|(known, _)| *known == value)
    }

    /// When and where the stalest value was seen last.
    pub(super) fn first(&self) -> Option<Anchor> {
        self.0.first().map(|(_, seen)| *seen)
    }

    /// When and where a value was seen last.
    pub(super) fn last(&self) -> Option<Anchor> {
        self.0.last().map(|(_, seen)| *seen)
    }

    /// Forgets what was seen before a time.
    pub(super) fn expire(&mut self, oldest: i64) {
        let old = self.0.iter().take_while(|(_, seen)| seen.time < oldest).count();
        self.0.drain(..old);
    }

    /// Remembers the hit's value, for that the stalest of more than `most`. Whether it was known.
    pub(super) fn see(&mut self, hit: &Hit, most: u32) -> bool {
        let place = self.0.iter().rposition(|(value, _)| *value == hit.value);
        match place {
            Some(place) => self.0[place..].rotate_left(1),
            None => {
                if self.0.len() >= most as usize {
                    self.0.remove(0);
                }
                self.0.push((hit.value, Anchor::at(hit)));
            }
        }
        if let Some((_, seen)) = self.0.last_mut() {
            *seen = Anchor::at(hit);
        }
        place.is_some()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, Anchor)>()
    }

    pub(super) fn write(&self, out: &mut Encoder<'_>) {
        out.length(self.0.len());
        for (value, seen) in &self.0 {
            out.u64(*value);
            seen.write(out);
        }
    }

    pub(super) fn read(bytes: &mut Decoder<'_>, most: u32) -> Option<Self> {
        let values = bytes.length(most as usize)?;
        (0..values).map(|_| Some((bytes.u64()?, Anchor::read(bytes)?))).collect::<Option<_>>().map(Self)
    }
}
