//! `rename`: gives the value of one field to another name.

use logweir_parsers::KeyId;

use crate::event::Batch;

/// Renames on every event that has the field.
pub(super) fn apply(names: &[(KeyId, KeyId)], batch: &mut Batch) {
    for (from, to) in names {
        batch.for_each_live(|batch, index| batch.rename(index, *from, *to));
    }
}
