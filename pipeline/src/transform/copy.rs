//! `copy`: gives the value of one field to another name as well.
//!
//! Owns: [`CopyFields`].
//! Promises: both fields hold the same value; no text is copied that stands in the batch; an event whose field is to be
//! its time and is none stays as it is and is marked.
//! Never: removes a field.

use logweir_parsers::KeyId;

use super::{Bench, Step, read};
use crate::event::Batch;

/// Gives the value of the first field of each pair to the second as well.
#[derive(Debug)]
pub struct CopyFields(pub Vec<(KeyId, KeyId)>);

impl Step for CopyFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for &(from, to) in &self.0 {
            for index in selected.iter().map(|&index| index as usize) {
                if let Some(value) = read::value(batch, index, from, &mut bench.room) {
                    bench.give(batch, index, from, to, value);
                }
            }
        }
    }
}
