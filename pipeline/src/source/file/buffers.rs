//! Buffers of a few sizes.
//!
//! Owns: [`Buffers`], pools of small, middle and whole-chunk buffers.
//! Promises: a batch of two lines pins some KiB and not a whole chunk; buffers are used again.
//! Never: holds more idle ones than a few MiB.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::buffers::BufferPool;
use crate::memory::{Held, Memory};
use crate::source::CHUNK_BYTES;

/// How long a reader waits for memory, or for a worker, before it looks around again.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// Bytes of each size, and how many idle buffers of it are kept.
const SIZES: [(usize, usize); 3] = [(8 * 1024, 64), (64 * 1024, 16), (CHUNK_BYTES, 8)];

/// Pools of small, middle and whole-chunk buffers.
#[derive(Debug)]
pub(super) struct Buffers {
    memory: Arc<Memory>,
    pools: [(usize, Arc<BufferPool>); 3],
    /// Larger ones are rare and not kept.
    large: Arc<BufferPool>,
}

/// A buffer to fill, with its share of the memory budget.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pool: Arc<BufferPool>,
    held: Held,
}

impl Buffers {
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        let pools = SIZES.map(|(bytes, keep)| (bytes, BufferPool::new(keep)));
        Self { memory: Arc::clone(memory), pools, large: BufferPool::new(0) }
    }

    /// A buffer of at least `len` bytes, or `None` when there was no memory for it in time.
    pub(super) fn take(&self, len: usize) -> Option<Buffer> {
        let fitting = self.pools.iter().find(|(bytes, _)| *bytes >= len);
        let (bytes, pool) = fitting.map_or((len, &self.large), |(bytes, pool)| (*bytes, pool));
        let held = self.memory.acquire(bytes, PATIENCE)?;
        Some(Buffer { bytes: pool.take(bytes), pool: Arc::clone(pool), held })
    }
}

impl Buffer {
    /// The buffer's bytes from `begin` to `end`, shared; the memory is free again when the last share is gone.
    pub(super) fn share(self, begin: usize, end: usize) -> Bytes {
        self.pool.share(self.bytes, end, Some(self.held)).slice(begin..end)
    }

    /// Puts other bytes in place of the buffer, under its share of the memory budget.
    pub(super) fn replace(self, bytes: Vec<u8>) -> Bytes {
        let len = bytes.len();
        self.pool.give_back(self.bytes);
        BufferPool::new(0).share(bytes, len, Some(self.held))
    }

    /// Gives the buffer back unused.
    pub(super) fn give_back(self) {
        self.pool.give_back(self.bytes);
    }
}
