//! Places: what a record's partition and offset are in the numbers of a stream.
//!
//! Owns: [`Place`], and the identity of a partition's streams.
//! Promises: the same record has the same place whoever reads it, and no other has it; a record has an offset of the stream
//! for each of its first 16 MiB, so lines in it, and pieces of them, have ids of their own.
//! Never: wraps: where a partition's offsets no longer fit, another stream begins.

use xxhash_rust::xxh3::xxh3_64;

/// Bits of a stream's offset that belong to one record.
const RECORD_BITS: u32 = 24;
/// Bytes of a record that have offsets.
pub(super) const RECORD_ROOM: usize = 1 << RECORD_BITS;
/// Bits of a partition's offset that fit beside them.
const OFFSET_BITS: u32 = u64::BITS - RECORD_BITS;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// How often the offsets of the partition did not fit any more: never, in the first trillion records.
    pub(super) epoch: u64,
    /// The offset of the record's first byte in its stream.
    pub(super) offset: u64,
}

impl Place {
    /// The place of the record at an offset of its partition.
    pub(super) fn of(offset: u64) -> Self {
        Self { epoch: offset >> OFFSET_BITS, offset: offset << RECORD_BITS }
    }
}

/// The number of a partition's stream.
pub(super) fn stream_id(cluster: &str, topic: &str, partition: i32, epoch: u64) -> u64 {
    let mut bytes = Vec::with_capacity(cluster.len() + topic.len() + 16);
    bytes.extend_from_slice(cluster.as_bytes());
    bytes.push(0); // in no name
    bytes.extend_from_slice(topic.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&partition.to_be_bytes());
    if epoch > 0 {
        bytes.extend_from_slice(&epoch.to_be_bytes());
    }
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn places_do_not_meet() {
        let last = (1 << OFFSET_BITS) - 1;
        assert_eq!(Place::of(0), Place { epoch: 0, offset: 0 });
        assert_eq!(Place::of(7), Place { epoch: 0, offset: 7 << RECORD_BITS });
        assert_eq!(Place::of(last), Place { epoch: 0, offset: last << RECORD_BITS });
        assert_eq!(Place::of(last + 1), Place { epoch: 1, offset: 0 });
    }

    #[test]
    fn partitions_have_numbers_of_their_own() {
        let ids = [
            stream_id("c", "logs", 0, 0),
            stream_id("c", "logs", 1, 0),
            stream_id("c", "logs", 0, 1),
            stream_id("c", "log", 0, 0),
            stream_id("d", "logs", 0, 0),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(
            stream_id("c", "logs", 3, 0),
            11_074_834_353_145_413_369,
            "a changed number gives old records new ids"
        );
    }
}
