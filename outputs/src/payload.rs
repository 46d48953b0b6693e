//! One encoded request: the bytes, and whose they are.
//!
//! Owns: [`Payload`], its items (one an event), slices (runs of items of one batch) and runs (items of one target).
//! Promises: the body is shared, never copied, however often it is sent; every slice holds a clone of its batch's
//! ack until its items are settled; a payload that is dropped unsettled makes its batches fail, not vanish.
//! Never: knows what the bytes mean.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use logweir_pipeline::Ack;
use logweir_pipeline::memory::Held;

/// The bytes of one event, or of a piece of one, in the body, and the event's place in its batch.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// The end of its bytes in the plain body; they begin where the item before ends.
    pub end: u32,
    /// Its index among the events that the source made in its batch: what becomes of a piece counts for it.
    pub event: u32,
}

/// A run of items from one batch.
#[derive(Debug)]
pub struct Slice {
    /// Settles the batch's share in this payload.
    pub ack: Ack,
    /// The end of the run; it begins where the slice before ends.
    pub end: u32,
    /// Where its first event begins in the stream.
    pub first_offset: u64,
    /// Where its last event begins in the stream.
    pub last_offset: u64,
}

/// A run of items with one target.
#[derive(Clone, Debug)]
pub struct Run {
    /// The data stream or file.
    pub target: Arc<str>,
    /// The end of the run; it begins where the run before ends.
    pub end: u32,
}

/// How the body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// As it was encoded.
    Identity,
    /// Compressed with gzip (RFC 1952).
    Gzip,
}

/// The parts of a payload, in the order of its items.
#[derive(Debug, Default)]
pub struct Contents {
    /// One an event.
    pub items: Vec<Item>,
    /// Where the items come from.
    pub slices: Vec<Slice>,
    /// Where they go.
    pub runs: Vec<Run>,
}

/// One encoded request.
#[derive(Debug)]
pub struct Payload {
    body: Bytes,
    encoding: ContentEncoding,
    contents: Contents,
    /// The body's share of the output's queue.
    _queued: Option<Held>,
}

impl Payload {
    /// A payload of these contents.
    #[must_use]
    pub fn new(body: Bytes, encoding: ContentEncoding, contents: Contents, queued: Option<Held>) -> Self {
        Self { body, encoding, contents, _queued: queued }
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How the body stands.
    #[must_use]
    pub fn encoding(&self) -> ContentEncoding {
        self.encoding
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.items.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.items.is_empty()
    }

    /// The target of the first item.
    #[must_use]
    pub fn target(&self) -> &str {
        self.contents.runs.first().map_or("", |run| &run.target)
    }

    /// The target of an item.
    #[must_use]
    pub fn target_of(&self, item: usize) -> &str {
        let run = self.contents.runs.partition_point(|run| run.end as usize <= item);
        self.contents.runs.get(run).map_or("", |run| &run.target)
    }

    /// Each target with the range of the plain body that goes there.
    pub fn parts(&self) -> impl Iterator<Item = (&Arc<str>, Range<usize>)> {
        let mut start = 0;
        self.contents.runs.iter().map(move |run| {
            let end = self.range(run.end as usize - 1).end;
            (&run.target, std::mem::replace(&mut start, end)..end)
        })
    }

    /// The items' batches, with where in their streams they begin and end.
    #[must_use]
    pub fn slices(&self) -> &[Slice] {
        &self.contents.slices
    }

    /// The plain body, decompressed if need be.
    ///
    /// # Errors
    /// When the body cannot be decompressed, which is a bug.
    pub fn plain(&self) -> io::Result<Cow<'_, [u8]>> {
        match self.encoding {
            ContentEncoding::Identity => Ok(Cow::Borrowed(&self.body)),
            ContentEncoding::Gzip => {
                let mut plain = Vec::new();
                GzDecoder::new(&self.body[..]).read_to_end(&mut plain)?;
                Ok(Cow::Owned(plain))
            }
        }
    }

    /// The place of an item in the plain body.
    #[must_use]
    pub fn range(&self, item: usize) -> Range<usize> {
        let start = item.checked_sub(1).map_or(0, |before| self.contents.items[before].end as usize);
        start..self.contents.items[item].end as usize
    }

    /// Everything is settled.
    pub fn done(self) {
        for slice in self.contents.slices {
            slice.ack.done();
        }
    }

    /// Its source reads everything again.
    pub fn abandoned(self) {
        for slice in self.contents.slices {
            slice.ack.read_again();
        }
    }

    /// The dead-letter output has this item.
    pub fn rejected(&self, item: usize) {
        let slice = self.contents.slices.partition_point(|slice| slice.end as usize <= item);
        if let Some(slice) = self.contents.slices.get(slice) {
            slice.ack.rejected(self.contents.items[item].event);
        }
    }

    /// A payload of these items only (ascending), with clones of their acks; it is not compressed again. The other
    /// items are as good as settled: the caller calls [`Payload::done`] on the old one. `held` counts the copy.
    ///
    /// # Errors
    /// When the body cannot be decompressed, which is a bug.
    pub fn select(&self, items: &[u32], held: impl FnOnce(usize) -> Held) -> io::Result<Self> {
        let plain = self.plain()?;
        let mut body = Vec::with_capacity(items.iter().map(|&item| self.range(item as usize).len()).sum());
        let mut contents = Contents::default();
        for &item in items {
            body.extend_from_slice(&plain[self.range(item as usize)]);
            let end = u32::try_from(body.len()).map_err(io::Error::other)?;
            contents.items.push(Item { end, event: self.contents.items[item as usize].event });
        }
        let mut taken = 0;
        for slice in &self.contents.slices {
            let end = end_within(items, slice.end);
            if end > taken {
                let (first_offset, last_offset) = (slice.first_offset, slice.last_offset);
                contents.slices.push(Slice { ack: slice.ack.clone(), end, first_offset, last_offset });
                taken = end;
            }
        }
        let mut taken = 0;
        for run in &self.contents.runs {
            let end = end_within(items, run.end);
            if end > taken {
                contents.runs.push(Run { target: Arc::clone(&run.target), end });
                taken = end;
            }
        }
        let queued = held(body.len());
        Ok(Self { body: body.into(), encoding: ContentEncoding::Identity, contents, _queued: Some(queued) })
    }
}

/// How many of the ascending `items` are below `end`.
fn end_within(items: &[u32], end: u32) -> u32 {
    u32::try_from(items.partition_point(|&item| item < end)).unwrap_or(u32::MAX)
}
