//! What operators remember, on its way into the store.
//!
//! Owns: [`Keeper`], who remembers, and [`States`], what was saved last and which parts of it the store has.
//! Promises: a state is written whole or not at all; a part that has not changed is not written again.
//! Never: knows what a state means.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a part of a state: what has not changed in one of them is not written again.
pub(super) const PART_BYTES: usize = 256 * 1024;

/// Who remembers something of events beside how far they are settled.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// Its name, no other's.
    fn name(&self) -> &str;

    /// Positions are read from now on: what is saved next holds all that they have passed.
    fn mark(&self);

    /// Appends its state; nothing when it is what it was, unless `whole`. Says whether it did.
    fn save(&self, whole: bool, bytes: &mut Vec<u8>) -> bool;
}

/// The states of all who remember something.
#[derive(Debug, Default)]
pub(super) struct States {
    keepers: Vec<(Arc<dyn Keeper>, State)>,
    /// Whether the store has something else than it is known to have: what an earlier run left, or what became of a failure.
    is_unsure: bool,
    /// Whether there is something to write.
    is_saved: bool,
}

/// What one has saved.
#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// The hashes of the parts that were saved last.
    saved: Vec<u64>,
    /// Those of the parts that the store has.
    stored: Vec<u64>,
}

impl States {
    pub(super) fn new(keepers: Vec<Arc<dyn Keeper>>) -> Self {
        let keepers = keepers.into_iter().map(|keeper| (keeper, State::default())).collect();
        Self { keepers, is_unsure: true, is_saved: false }
    }

    /// Positions are read from now on.
    pub(super) fn mark(&self) {
        self.keepers.iter().for_each(|(keeper, _)| keeper.mark());
    }

    /// Takes what all remember now.
    pub(super) fn save(&mut self) {
        self.is_saved = true;
        for (keeper, state) in &mut self.keepers {
            state.bytes.clear();
            if keeper.save(self.is_unsure, &mut state.bytes) {
                state.saved = state.bytes.chunks(PART_BYTES).map(xxh3_64).collect();
            }
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn are_written(&self) -> bool {
        let is_written = |state: &State| state.stored == state.saved;
        !self.is_saved || (!self.is_unsure && self.keepers.iter().all(|(_, state)| is_written(state)))
    }

    /// Whether all that the store has is to go first. What an earlier run left stays until there is something in its place.
    pub(super) fn replace_all(&self) -> bool {
        self.is_saved && self.is_unsure
    }

    /// The parts that the store does not have: each with its keeper's name, its number, and its bytes.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&str, u32, &[u8])> {
        let keepers = self.keepers.iter().filter(|_| self.is_saved);
        keepers.flat_map(|(keeper, state)| {
            let is_new = |(number, _): &(usize, _)| state.stored.get(*number) != state.saved.get(*number);
            let parts = state.bytes.chunks(PART_BYTES).enumerate().filter(is_new);
            parts.map(|(number, part)| (keeper.name(), short(number), part))
        })
    }

    /// The parts that the store has beyond the end of what was saved.
    pub(super) fn gone(&self) -> impl Iterator<Item = (&str, u32)> {
        let keepers = self.keepers.iter().filter(|_| self.is_saved);
        keepers.flat_map(|(keeper, state)| {
            (state.saved.len()..state.stored.len()).map(|number| (keeper.name(), short(number)))
        })
    }

    /// The store has all that was saved.
    pub(super) fn written(&mut self) {
        if std::mem::take(&mut self.is_saved) {
            self.is_unsure = false;
            for (_, state) in &mut self.keepers {
                (state.bytes, state.stored) = (Vec::new(), state.saved.clone());
            }
        }
    }

    /// Nobody knows what the store has.
    pub(super) fn lost(&mut self) {
        self.is_unsure = true;
        self.keepers.iter_mut().for_each(|(_, state)| state.stored.clear());
    }
}

/// The number of a part; a state has far fewer.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
