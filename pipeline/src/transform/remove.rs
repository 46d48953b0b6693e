//! `remove`: takes fields away.

use logweir_parsers::KeyId;

use crate::event::Batch;

/// Removes the fields from the selected events.
pub(super) fn apply(keys: &[KeyId], batch: &mut Batch, selected: &[u32]) {
    for key in keys {
        selected.iter().for_each(|&index| batch.remove(index as usize, *key));
    }
}
