//! What the driver needs of an output: to send a payload and to say what became of it.
//!
//! Owns: [`Client`].
//! Promises: one implementation a kind of output; everything else (queue, retry, acks) is the driver's.
//! Never: retries by itself.

use std::future::Future;

use crate::payload::Payload;
use crate::verdict::Verdict;

/// The sending end of an output.
pub trait Client: Send + Sync + 'static {
    /// Whether payloads must be sent in their order, one at a time. Then a payload that waits for its next attempt
    /// keeps its place.
    const ORDERED: bool;

    /// Sends the payload once and judges the answer. Cancelling the future may leave the payload delivered.
    fn send(&self, payload: &Payload) -> impl Future<Output = Verdict> + Send;

    /// The identity and the document within the bytes of one item, for the dead letter.
    fn document<'a>(&self, item: &'a [u8]) -> Document<'a>;
}

/// What is kept of a refused item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// Its identity in the store, if it has one.
    pub id: &'a str,
    /// The document.
    pub json: &'a [u8],
}
