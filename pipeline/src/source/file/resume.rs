//! Where to begin in a file: the one decision for the start, for a new name and for a file opened again.
//!
//! Owns: [`decide`] and [`Candidate`], a checkpoint together with what was found out about it.
//! Promises: when in doubt a file is new and read from its beginning: twice rather than never.
//! Never: does I/O; whoever asks has compared fingerprints and markers already.

use crate::checkpoint::{FileId, Record};

/// Bytes that a fingerprint must cover to tell one file from another of a different number.
pub(super) const HEAD_BYTES_MIN: u32 = 256;

/// A checkpoint, and how the file at hand compares with it.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) record: &'a Record,
    /// Whether another file that is still read belongs to the checkpoint.
    pub(super) alive: bool,
    /// Whether the file begins with the same bytes.
    pub(super) head_matches: bool,
    /// Whether the file has the same bytes before the position.
    pub(super) marker_matches: bool,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// At the position of this stream's checkpoint.
    Continue(u64),
    /// At the beginning, as a new stream of this generation.
    Begin {
        /// Streams that the file (or its number) had before.
        generation: u32,
        why: Why,
    },
}

/// Why a file is read from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing like it was seen before.
    Unknown,
    /// The file was cut short or written anew.
    Truncated(u64),
    /// Another file has taken its number.
    NumberUsedAgain,
    /// More than one checkpoint fits, or the file is too short to tell.
    Ambiguous,
}

/// Decides where to begin in the file `id` of `size` bytes.
pub(super) fn decide(id: FileId, size: u64, candidates: &[Candidate<'_>]) -> Decision {
    let same_number = candidates.iter().filter(|candidate| candidate.record.file == id);
    if let Some(newest) = same_number.max_by_key(|candidate| candidate.record.generation) {
        return decide_by_number(newest, size);
    }
    let mut moved = candidates.iter().filter(|candidate| {
        let fits = candidate.head_matches && candidate.marker_matches && !candidate.alive;
        fits && size >= candidate.record.position.offset
    });
    let begin = |why| Decision::Begin { generation: 0, why };
    match (moved.next(), moved.next()) {
        (None, _) => begin(Why::Unknown),
        (Some(only), None) if only.record.head.len >= HEAD_BYTES_MIN => {
            Decision::Continue(only.record.stream)
        }
        // An empty fingerprint fits every file.
        (Some(only), None) if only.record.head.len == 0 => begin(Why::Unknown),
        _ => begin(Why::Ambiguous),
    }
}

fn decide_by_number(candidate: &Candidate<'_>, size: u64) -> Decision {
    let record = candidate.record;
    let begin = |why| Decision::Begin { generation: record.generation.saturating_add(1), why };
    if !candidate.head_matches {
        // A file cut to less than its fingerprint cannot match it either.
        let cut = size < u64::from(record.head.len);
        begin(if cut { Why::Truncated(record.stream) } else { Why::NumberUsedAgain })
    } else if size < record.position.offset || !candidate.marker_matches {
        begin(Why::Truncated(record.stream))
    } else {
        Decision::Continue(record.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Head;
    use crate::stream::Position;
    use crate::testing;

    const FILE: FileId = FileId { device: 1, inode: 1 };
    const OTHER: FileId = FileId { device: 1, inode: 2 };

    fn record(stream: u64, file: FileId, generation: u32, head: u32) -> Record {
        let head = Head { len: head, ..Head::default() };
        let position = Position { offset: 500, marker: 0 };
        Record { generation, head, position, ..testing::record(stream, file) }
    }

    #[test]
    fn the_table_of_decisions() {
        let (mine, old) = (record(7, FILE, 3, 300), record(8, FILE, 2, 300));
        let (gone, short, twin) =
            (record(9, OTHER, 0, 300), record(10, OTHER, 0, 200), record(11, OTHER, 1, 300));
        let begin = |generation, why| Decision::Begin { generation, why };
        let case = |record, alive, head_matches, marker_matches| Candidate {
            record,
            alive,
            head_matches,
            marker_matches,
        };
        for (name, size, candidates, expected) in [
            ("nothing known", 900, vec![], begin(0, Why::Unknown)),
            ("same file, grown", 900, vec![case(&mine, false, true, true)], Decision::Continue(7)),
            ("same file, not grown", 500, vec![case(&mine, false, true, true)], Decision::Continue(7)),
            ("cut short", 499, vec![case(&mine, false, true, true)], begin(4, Why::Truncated(7))),
            (
                "cut below its fingerprint",
                9,
                vec![case(&mine, false, false, false)],
                begin(4, Why::Truncated(7)),
            ),
            ("written anew", 900, vec![case(&mine, false, true, false)], begin(4, Why::Truncated(7))),
            ("number used again", 900, vec![case(&mine, false, false, true)], begin(4, Why::NumberUsedAgain)),
            (
                "the newest generation counts",
                900,
                vec![case(&old, false, true, true), case(&mine, false, true, false)],
                begin(4, Why::Truncated(7)),
            ),
            ("moved to another file", 900, vec![case(&gone, false, true, true)], Decision::Continue(9)),
            ("a copy, the original alive", 900, vec![case(&gone, true, true, true)], begin(0, Why::Unknown)),
            ("same header only", 900, vec![case(&gone, false, true, false)], begin(0, Why::Unknown)),
            ("a shorter copy", 499, vec![case(&gone, false, true, true)], begin(0, Why::Unknown)),
            ("too short to tell", 900, vec![case(&short, false, true, true)], begin(0, Why::Ambiguous)),
            (
                "two fit",
                900,
                vec![case(&gone, false, true, true), case(&twin, false, true, true)],
                begin(0, Why::Ambiguous),
            ),
        ] {
            assert_eq!(decide(FILE, size, &candidates), expected, "{name}");
        }
    }
}
