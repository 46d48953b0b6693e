//! `rename`: gives the value of one field to another name.

use logweir_parsers::KeyId;

use super::live_events;
use crate::event::Batch;

/// Renames on every event that has the field.
pub(super) fn apply(names: &[(KeyId, KeyId)], batch: &mut Batch) {
    for (from, to) in names {
        for index in live_events(batch) {
            batch.rename(index, *from, *to);
        }
    }
}
