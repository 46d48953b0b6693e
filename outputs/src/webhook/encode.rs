//! Events as parts of requests.
//!
//! Owns: [`WebhookEncoder`] and [`Part`], the form in which an event stands in a payload.
//! Promises: the body for each event; where that is not its whole document, the document too, because the dead letter
//! keeps documents, and a body may hold a secret of the configuration.
//! Never: sends.

use std::ops::Range;
use std::sync::Arc;

use logweir_pipeline::event::{JsonEncoder, Writer};
use logweir_pipeline::{Batch, Event, Keys};

use super::body::{Body, Filling};
use crate::encode::Encode;
use crate::event_id::{EventId, ID_LEN};

/// Bytes behind body and document: the length of the body.
const TAIL_LEN: usize = size_of::<u32>();

/// Writes events as parts of requests.
#[derive(Debug)]
pub struct WebhookEncoder {
    json: JsonEncoder,
    body: Option<Body>,
    target: Arc<str>,
    /// The event for which a target was asked last.
    index: usize,
    made: Vec<u8>,
    room: Vec<u8>,
}

/// An item of a payload: its identity, what is sent, and its document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where the identity stands in the item.
    pub(crate) id: Range<usize>,
    /// Where the body stands.
    pub(crate) body: Range<usize>,
    /// Where the document stands.
    pub(crate) document: Range<usize>,
}

impl Part {
    /// The parts of an item as the encoder wrote it.
    pub(crate) fn of(item: &[u8]) -> Self {
        let Some((front, tail)) = item.split_last_chunk::<TAIL_LEN>() else { return Self::default() };
        let body_end = (ID_LEN + u32::from_le_bytes(*tail) as usize).min(front.len());
        let (id, body, document) = (0..ID_LEN.min(front.len()), ID_LEN..body_end, body_end..front.len());
        let document = if document.is_empty() { body.clone() } else { document };
        Self { id, body, document }
    }
}

impl WebhookEncoder {
    /// An encoder for events whose keys are in `keys`; `target` tells in dead letters where they were to go.
    #[must_use]
    pub fn new(keys: Arc<Keys>, body: Option<Body>, target: &str) -> Self {
        let json = JsonEncoder::new(keys);
        Self { json, body, target: target.into(), index: 0, made: Vec::new(), room: Vec::new() }
    }
}

impl Encode for WebhookEncoder {
    fn begin(&mut self, _batch: &Batch) -> bool {
        false
    }

    fn target(&mut self, _batch: &Batch, index: usize) -> &Arc<str> {
        self.index = index;
        &self.target
    }

    fn encode(&mut self, batch: &Batch, event: &Event, _target: Option<&str>, out: &mut Writer) {
        let Self { json, body, index, made, room, .. } = self;
        let origin = batch.origin(event);
        let mut ids = EventId::new(origin.stream);
        let id = ids.render(origin.offset);
        out.push(id);
        let start = out.len();
        if let Some(body) = body {
            let mut filling = Filling { json, batch, index: *index, id, made, room };
            body.write(&mut filling, out);
        }
        let body_len = out.len() - start;
        json.write_with_id(batch, event, id, out);
        let body_len = if body_len == 0 { out.len() - start } else { body_len };
        out.push(&u32::try_from(body_len).unwrap_or(u32::MAX).to_le_bytes());
    }
}
