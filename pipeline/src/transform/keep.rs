//! `keep`: takes away every field but these.
//!
//! Owns: [`KeepFields`] and [`KeepPattern`].
//! Promises: `@timestamp`, `ecs.version` and `data_stream.*` stay: no store could place an event without them.
//! Never: fails.

use logweir_parsers::{KeyId, key};

use super::{Bench, Step};
use crate::event::{Batch, ConstantSet};

/// Removes every field that no pattern names.
#[derive(Debug)]
pub struct KeepFields {
    keys: Vec<KeyId>,
    prefixes: Vec<Box<[u8]>>,
}

/// What a field is named by.
#[derive(Clone, Debug)]
pub enum KeepPattern {
    /// Its name.
    Name(KeyId),
    /// What its name begins with.
    Prefix(String),
}

/// What is kept in any case.
const ALWAYS: [KeyId; 4] =
    [key::ECS_VERSION, key::DATA_STREAM_TYPE, key::DATA_STREAM_DATASET, key::DATA_STREAM_NAMESPACE];

impl KeepFields {
    /// Keeps what one of the patterns names.
    #[must_use]
    pub fn new(patterns: Vec<KeepPattern>) -> Self {
        let mut kept = Self { keys: ALWAYS.to_vec(), prefixes: Vec::new() };
        for pattern in patterns {
            match pattern {
                KeepPattern::Name(key) => kept.keys.push(key),
                KeepPattern::Prefix(prefix) => kept.prefixes.push(prefix.into_bytes().into()),
            }
        }
        kept
    }

    fn keeps(&self, key: KeyId, bench: &mut Bench) -> bool {
        self.keys.contains(&key) || {
            let name = bench.name(key);
            self.prefixes.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

impl Step for KeepFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for index in selected.iter().map(|&index| index as usize) {
            batch.retain(index, |key| self.keeps(key, bench));
            for set in 0..batch.constant_sets(&batch.events[index]).len() {
                let mut place = 0;
                while let Some(key) = shared_key(batch, index, set, place) {
                    if !self.keeps(key, bench) {
                        batch.remove(index, key);
                    }
                    place += 1;
                }
            }
        }
    }
}

fn shared_key(batch: &Batch, index: usize, set: usize, place: usize) -> Option<KeyId> {
    batch.constant_sets(&batch.events[index]).get(set).and_then(|set: &&ConstantSet| set.key(place))
}
