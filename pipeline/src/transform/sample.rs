//! `sample`: keeps a share of the events.
//!
//! Owns: [`Sample`].
//! Promises: decides by a hash and not by chance: events with the same values of the key's fields go the same way, in
//! every process and after every restart. Without a key each event decides for itself, by its place in its stream.
//! Never: remembers an event.

use logweir_parsers::KeyId;
use xxhash_rust::xxh3::xxh3_64;

use super::{Bench, Step, key_hash};
use crate::event::Batch;

/// Keeps a share of the events.
#[derive(Debug)]
pub struct Sample {
    by: Vec<KeyId>,
    /// Hashes below this are kept.
    below: u64,
}

impl Sample {
    /// Keeps this share, between 0 and 1, of the keys that these fields make. An event without any of them is kept.
    #[must_use]
    pub fn new(rate: f64, by: Vec<KeyId>) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // the cast keeps to the type's bounds
        let below = (rate * 2_f64.powi(64)) as u64;
        Self { by, below }
    }
}

impl Step for Sample {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let stream = batch.stream.id().to_le_bytes();
        selected.retain(|&index| {
            let index = index as usize;
            if self.by.is_empty() {
                let mut place = [0; 16];
                place[..8].copy_from_slice(&stream);
                place[8..].copy_from_slice(&batch.events[index].offset.to_le_bytes());
                return xxh3_64(&place) < self.below;
            }
            let (hash, is_any) = key_hash::of(&self.by, batch, index, bench);
            #[allow(clippy::cast_possible_truncation)] // half of the hash will do
            let hash = hash as u64;
            !is_any || hash < self.below
        });
    }

    fn changes_events(&self) -> bool {
        false
    }
}
