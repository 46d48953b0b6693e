//! Recycled buffers.
//!
//! Owns: [`BufferPool`], which keeps buffers that are done with for the next use.
//! Promises: a buffer comes back initialised, so nobody zeroes or page-faults it again; at most `keep` idle ones
//! are kept.
//! Never: hands one buffer to two holders.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::memory::Held;

/// Buffers of one kind, for reuse.
#[derive(Debug)]
pub struct BufferPool {
    idle: Mutex<Vec<Vec<u8>>>,
    keep: usize,
}

impl BufferPool {
    /// A pool that keeps at most `keep` idle buffers.
    #[must_use]
    pub fn new(keep: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), keep })
    }

    /// An idle buffer with whatever it last held, or a new one; at least `len` bytes long.
    #[must_use]
    pub fn take(&self, len: usize) -> Vec<u8> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // When the need has grown, the small ones would only lie beside the larger one.
            idle.retain(|buffer| buffer.len() >= len);
            idle.pop()
        };
        idle.unwrap_or_else(|| vec![0; len])
    }

    /// Takes a buffer back.
    pub fn give_back(&self, buffer: Vec<u8>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(buffer);
        }
    }

    /// The first `len` bytes of `buffer`, shared; when the last share is gone the buffer comes back and `held`
    /// bytes of memory are free again.
    #[must_use]
    pub fn share(self: &Arc<Self>, buffer: Vec<u8>, len: usize, held: Option<Held>) -> Bytes {
        Bytes::from_owner(PooledBuffer { buffer, len, pool: Arc::clone(self), _held: held })
    }
}

/// A buffer in use, given back when dropped.
#[derive(Debug)]
struct PooledBuffer {
    buffer: Vec<u8>,
    len: usize,
    pool: Arc<BufferPool>,
    _held: Option<Held>,
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}
