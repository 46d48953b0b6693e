//! `remove`: takes fields away.

use logweir_parsers::KeyId;

use crate::event::Batch;

/// Removes the fields from every event.
pub(super) fn apply(keys: &[KeyId], batch: &mut Batch) {
    for key in keys {
        batch.for_each_live(|batch, index| batch.remove(index, *key));
    }
}
