//! Events told apart by the values of some fields.
//!
//! Owns: the hash of those values.
//! Promises: the same in every process and version for the same values, whatever they stand as: `7` and `"7"` are one
//! value. 128 bits: no two sets of values that occur are taken for one.
//! Never: keeps a value.

use logweir_parsers::KeyId;
use xxhash_rust::xxh3::xxh3_128;

use super::{Bench, read};
use crate::event::Batch;

/// The hash of the event's values of these fields, and whether it has one of them.
pub(super) fn of(keys: &[KeyId], batch: &Batch, index: usize, bench: &mut Bench) -> (u128, bool) {
    let mut is_any = false;
    bench.made.clear();
    for key in keys {
        match read::text(batch, index, *key, &mut bench.room) {
            Some(text) => {
                is_any = true;
                // The length keeps neighbours apart, and no text has the length that stands for none.
                bench.made.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bench.made.extend_from_slice(text);
            }
            None => bench.made.extend_from_slice(&u64::MAX.to_le_bytes()),
        }
    }
    (xxh3_128(&bench.made), is_any)
}
