//! The body of a `_bulk` request (Elasticsearch reference, "Bulk index or delete documents").
//!
//! Owns: [`BulkEncoder`]: for each event an action line and the document.
//! Promises: `{"create":{"_id":"…"}}` when the event goes to the data stream in the request's path, with `_index`
//! otherwise; no allocation per event.
//! Never: sends.

use std::collections::HashMap;
use std::sync::Arc;

use logweir_parsers::{KeyId, key};
use logweir_pipeline::event::{ConstantValue, EventFlags, JsonEncoder, Writer};
use logweir_pipeline::parse::FormatId;
use logweir_pipeline::{Batch, Event, Keys};

use super::data_stream::data_stream_name;
use crate::client::Document;
use crate::encode::Encode;
use crate::event_id::{EventId, ID_LEN};

const ACTION_START: &[u8] = b"{\"create\":{\"_id\":\"";
const ACTION_START_WITH_INDEX: &[u8] = b"{\"create\":{\"_index\":\"";
const ID_START: &[u8] = b"\",\"_id\":\"";
const ACTION_END: &[u8] = b"\"}}\n";
const ACTION_LEN: usize = ACTION_START.len() + ID_LEN + ACTION_END.len();
/// Most data stream names kept that events themselves brought; above it they are forgotten and met anew.
const OWN_NAMES_MAX: usize = 1024;

/// Writes events as items of a `_bulk` body.
#[derive(Debug)]
pub struct BulkEncoder {
    json: JsonEncoder,
    /// The stream whose names are ready.
    stream: Option<u64>,
    /// The stream whose ids are.
    id_stream: u64,
    id: EventId,
    /// An action line, ready but for the id.
    action: [u8; ACTION_LEN],
    /// The data streams of the stream's formats.
    names: Vec<(FormatId, Arc<str>)>,
    /// Data streams that events name themselves.
    own_names: HashMap<String, Arc<str>>,
    /// That of the last such event: the next one's is mostly the same.
    own: OwnName,
}

/// A data stream, and what an event names it by.
#[derive(Debug, Default)]
struct OwnName {
    dataset: Vec<u8>,
    namespace: Vec<u8>,
    name: Option<Arc<str>>,
}

impl BulkEncoder {
    /// An encoder for events whose keys are in `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        let mut action = [0; ACTION_LEN];
        action[..ACTION_START.len()].copy_from_slice(ACTION_START);
        action[ACTION_START.len() + ID_LEN..].copy_from_slice(ACTION_END);
        Self {
            json: JsonEncoder::new(keys),
            stream: None,
            id_stream: 0,
            id: EventId::new(0),
            action,
            names: Vec::new(),
            own_names: HashMap::new(),
            own: OwnName::default(),
        }
    }

    /// The data stream of an event that names one itself.
    fn own_target(&mut self, batch: &Batch, index: usize) -> &Arc<str> {
        let (dataset, namespace) = parts_of(batch, index);
        let OwnName { dataset: last_dataset, namespace: last_namespace, name } = &mut self.own;
        if *last_dataset != dataset || *last_namespace != namespace {
            last_dataset.clear();
            last_dataset.extend_from_slice(dataset);
            last_namespace.clear();
            last_namespace.extend_from_slice(namespace);
            *name = None;
        }
        name.get_or_insert_with(|| {
            if self.own_names.len() >= OWN_NAMES_MAX {
                self.own_names.clear();
            }
            let name = data_stream_name(dataset, namespace);
            Arc::clone(self.own_names.entry(name).or_insert_with_key(|name| name.as_str().into()))
        })
    }
}

impl Encode for BulkEncoder {
    fn begin(&mut self, batch: &Batch) -> bool {
        let stream = batch.stream.id();
        if self.stream != Some(stream) {
            self.stream = Some(stream);
            self.names.clear();
        }
        false
    }

    #[inline]
    fn target(&mut self, batch: &Batch, index: usize) -> &Arc<str> {
        let event = &batch.events[index];
        if event.flags.contains(EventFlags::NAMES_DATA_STREAM) {
            return self.own_target(batch, index);
        }
        let known = self.names.iter().position(|(format, _)| *format == event.format);
        let place = known.unwrap_or_else(|| {
            let (dataset, namespace) = parts_of(batch, index);
            self.names.push((event.format, data_stream_name(dataset, namespace).into()));
            self.names.len() - 1
        });
        &self.names[place].1
    }

    #[inline]
    fn encode(&mut self, batch: &Batch, event: &Event, target: Option<&str>, out: &mut Writer) {
        let origin = batch.origin(event);
        if origin.stream != self.id_stream {
            (self.id_stream, self.id) = (origin.stream, EventId::new(origin.stream));
        }
        let id = self.id.render(origin.offset);
        match target {
            None => {
                self.action[ACTION_START.len()..ACTION_START.len() + ID_LEN].copy_from_slice(id);
                out.push(&self.action);
            }
            Some(target) => push_action(target, id, out),
        }
        self.json.write(batch, event, out);
        out.push(b"\n");
    }
}

/// Writes an action line that names its data stream, which needs no escape.
fn push_action(target: &str, id: &[u8], out: &mut Writer) {
    for part in [ACTION_START_WITH_INDEX, target.as_bytes(), ID_START, id, ACTION_END] {
        out.push(part);
    }
}

/// The dataset and the namespace of an event; empty where it has none.
fn parts_of(batch: &Batch, index: usize) -> (&[u8], &[u8]) {
    let part = |key| text_of(batch, index, key).unwrap_or_default();
    (part(key::DATA_STREAM_DATASET), part(key::DATA_STREAM_NAMESPACE))
}

fn text_of(batch: &Batch, index: usize, key: KeyId) -> Option<&[u8]> {
    if let Some(value) = batch.get(index, key) {
        return batch.text(value);
    }
    match batch.constant(index, key)? {
        ConstantValue::Text(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// The id and the document in the bytes of one item.
pub(super) fn document_of(item: &[u8]) -> Document<'_> {
    let (action, document) = match memchr::memchr(b'\n', item) {
        Some(newline) => (&item[..newline], &item[newline + 1..]),
        None => (item, &item[..0]),
    };
    let id_end = action.len().saturating_sub(ACTION_END.len() - 1);
    let id = action.get(id_end.saturating_sub(ID_LEN)..id_end).unwrap_or_default();
    Document { id: str::from_utf8(id).unwrap_or_default(), json: document.trim_ascii_end() }
}

#[cfg(test)]
mod tests;
