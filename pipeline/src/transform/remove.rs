//! `remove`: takes fields away.
//!
//! Owns: [`RemoveFields`].
//! Promises: a field that all events of a source share is taken away too.
//! Never: fails.

use logweir_parsers::KeyId;

use super::{Bench, Step};
use crate::event::Batch;

/// Removes these fields.
#[derive(Debug)]
pub struct RemoveFields(pub Vec<KeyId>);

impl Step for RemoveFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, _: &mut Bench) {
        for key in &self.0 {
            selected.iter().for_each(|&index| batch.remove(index as usize, *key));
        }
    }
}
