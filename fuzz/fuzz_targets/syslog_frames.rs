//! Fuzzes the framing of syslog streams: octet counts, line feeds and NULs, mixed, in reads of any size.
//!
//! The first byte is the longest message, the second how many sizes of reads follow; the rest is the stream.
#![no_main]

use frame::{Deframer, Message};

// The module itself, which needs nothing else of its crate: a fuzzer need not build the whole pipeline.
#[path = "../../pipeline/src/source/syslog/frame.rs"]
#[allow(dead_code)] // a connection asks more of it
mod frame;

/// Most digits of a count, and its space.
const COUNT_BYTES_MAX: usize = 10;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [longest, sizes, rest @ ..] = input else { return };
    let (sizes, stream) = rest.split_at(usize::from(*sizes).min(rest.len()));
    let longest = usize::from(*longest).max(1);
    let whole = messages(stream, longest, std::iter::empty());
    let pieces = messages(stream, longest, sizes.iter().map(|size| usize::from(*size)));
    assert_eq!(whole, pieces, "the messages depend on the reads");
});

/// What a connection does with reads of these sizes, and then one of the rest: each message, and whether it is cut.
fn messages(stream: &[u8], longest: usize, sizes: impl Iterator<Item = usize>) -> Vec<(Vec<u8>, bool)> {
    let (mut deframer, mut pending, mut messages) = (Deframer::new(longest), Vec::new(), Vec::new());
    let mut take = |Message { text, cut }: Message<'_>| {
        assert!(!text.is_empty() && text.len() <= longest);
        messages.push((text.to_vec(), cut));
    };
    let mut rest = stream;
    for size in sizes.chain([stream.len()]) {
        let (read, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        pending.extend_from_slice(read);
        let mut input = pending.as_slice();
        while let Some(message) = deframer.next(&mut input) {
            take(message);
        }
        assert!(input.len() <= longest + COUNT_BYTES_MAX, "{} bytes are kept", input.len());
        // A connection that hangs up inside a frame is asked these.
        assert!(deframer.is_inside_frame(input) || !deframer.is_inside_counted_frame(input));
        pending = input.to_vec();
    }
    let mut input = pending.as_slice();
    if let Some(message) = deframer.rest(&mut input) {
        take(message);
    }
    messages
}
