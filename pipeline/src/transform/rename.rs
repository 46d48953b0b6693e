//! `rename`: gives the value of one field to another name.
//!
//! Owns: [`RenameFields`].
//! Promises: the value stays what it was; an event without the field stays as it is; so does one whose field is to be its
//! time and is none, and it is marked.
//! Never: drops a value.

use logweir_parsers::KeyId;

use super::{Bench, Step, read};
use crate::event::Batch;

/// Gives the value of the first field of each pair to the second.
#[derive(Debug)]
pub struct RenameFields(pub Vec<(KeyId, KeyId)>);

impl Step for RenameFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for &(from, to) in self.0.iter().filter(|(from, to)| from != to) {
            for index in selected.iter().map(|&index| index as usize) {
                if batch.rename_in_place(index, from, to) {
                    continue;
                }
                let Some(value) = read::value(batch, index, from, &mut bench.room) else { continue };
                if bench.give(batch, index, from, to, value) {
                    batch.remove(index, from);
                }
            }
        }
    }
}
