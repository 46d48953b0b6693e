//! `remove`: takes fields away.

use logweir_parsers::KeyId;

use super::live_events;
use crate::event::Batch;

/// Removes the fields from every event.
pub(super) fn apply(keys: &[KeyId], batch: &mut Batch) {
    for key in keys {
        for index in live_events(batch) {
            batch.remove(index, *key);
        }
    }
}
