//! `host.name` of what came over the network.
//!
//! Owns: [`HostNames`].
//! Promises: an event of a sender of the network is of the host that its message names, and of the address that sent it
//! when it names none, as other receivers of syslog have it; what the config or a grammar says is left alone.
//! Never: says there what this host is called.

use std::sync::Arc;

use logweir_parsers::{Format, Sink, key, preset};

use crate::event::{Batch, ConstantSet, ConstantValue, Event, EventSink};

/// The senders of a batch while it is parsed.
#[derive(Debug)]
pub(super) struct HostNames {
    senders: Vec<Arc<ConstantSet>>,
    /// The config says which host all events are about.
    is_configured: bool,
}

impl HostNames {
    /// Borrows the senders from a batch.
    pub(super) fn take(batch: &mut Batch) -> Self {
        let configured = batch.stream.source().constants.set(Format::Raw.into(), preset::NONE);
        let is_configured = configured.get(key::HOST_NAME).is_some();
        Self { senders: std::mem::take(&mut batch.senders), is_configured }
    }

    /// Gives the senders back.
    pub(super) fn give_back(self, batch: &mut Batch) {
        batch.senders = self.senders;
    }

    /// Gives an event its host, if it has none.
    #[inline]
    pub(super) fn add(&self, event: &Event, sink: &mut EventSink<'_>) {
        let sender = usize::from(event.sender).checked_sub(1).and_then(|place| self.senders.get(place));
        let Some(sender) = sender.filter(|_| !self.is_configured) else { return };
        // Of a process of this host the constants say so.
        if sender.get(key::HOST_NAME).is_some() || sink.repeat(key::HOST_HOSTNAME, key::HOST_NAME) {
            return;
        }
        if let Some(ConstantValue::Text(address)) = sender.get(key::SOURCE_IP) {
            sink.made_text(key::HOST_NAME, std::iter::once(address.as_bytes()));
        }
    }
}
