//! `rename`: gives the value of one field to another name.

use logweir_parsers::KeyId;

use crate::event::Batch;

/// Renames on the selected events that has the field.
pub(super) fn apply(names: &[(KeyId, KeyId)], batch: &mut Batch, selected: &[u32]) {
    for (from, to) in names {
        selected.iter().for_each(|&index| batch.rename(index as usize, *from, *to));
    }
}
