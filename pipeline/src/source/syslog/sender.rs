//! Who sent a message: constant fields, made once a sender.
//!
//! Owns: [`SenderFields`], which makes them, and [`Senders`], those of a datagram socket by address.
//! Promises: a field that the source's own `fields` set is theirs; the table of senders is bounded, whatever addresses are
//! forged.
//! Never: says what host the message is about; the message says that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use logweir_parsers::key::{self, KNOWN};
use logweir_parsers::{Format, KeyId, preset};

use crate::Keys;
use crate::event::{ConstantSet, ConstantValue};
use crate::stream::SourceMeta;

/// Senders of one socket whose fields are kept.
const SENDERS_MAX: usize = 1024;

/// Makes the constant fields of senders.
#[derive(Debug)]
pub(super) struct SenderFields {
    meta: Arc<SourceMeta>,
    host_name: String,
    observer_hostname: Option<KeyId>,
    observer_type: Option<KeyId>,
    tls_client_subject: Option<KeyId>,
}

impl SenderFields {
    /// Fields for the senders of a source on the host `host_name`.
    pub(super) fn new(meta: Arc<SourceMeta>, host_name: String, keys: &Arc<Keys>) -> Self {
        Self {
            meta,
            host_name,
            observer_hostname: keys.intern("observer.hostname"),
            observer_type: keys.intern("observer.type"),
            tls_client_subject: keys.intern("tls.client.subject"),
        }
    }

    /// A process of this host: what it says is about this host.
    pub(super) fn local(&self) -> Arc<ConstantSet> {
        let mut set = ConstantSet::default();
        self.add(&mut set, Some(key::HOST_NAME), known(key::HOST_NAME), self.host_name());
        Arc::new(set)
    }

    /// A host of the network, with the subject of its certificate. This host passes on what others say: it is the
    /// observer, and `host` is what the message says, or the sender when it says nothing, which the parse stage sees.
    pub(super) fn remote(&self, address: SocketAddr, subject: Option<String>) -> Arc<ConstantSet> {
        let mut set = ConstantSet::default();
        let ip = ConstantValue::Text(address.ip().to_canonical().to_string());
        self.add(&mut set, Some(key::SOURCE_IP), known(key::SOURCE_IP), ip);
        let port = ConstantValue::Integer(i64::from(address.port()));
        self.add(&mut set, Some(key::SOURCE_PORT), known(key::SOURCE_PORT), port);
        if let Some(subject) = subject {
            let subject = ConstantValue::Text(subject);
            self.add(&mut set, self.tls_client_subject, "tls.client.subject", subject);
        }
        self.add(&mut set, self.observer_hostname, "observer.hostname", self.host_name());
        let forwarder = ConstantValue::Text("forwarder".to_owned());
        self.add(&mut set, self.observer_type, "observer.type", forwarder);
        Arc::new(set)
    }

    fn host_name(&self) -> ConstantValue {
        ConstantValue::Text(self.host_name.clone())
    }

    fn add(&self, set: &mut ConstantSet, key: Option<KeyId>, name: &str, value: ConstantValue) {
        let configured = self.meta.constants.set(Format::Raw.into(), preset::NONE);
        if let Some(key) = key.filter(|key| configured.get(*key).is_none()) {
            set.add(key, name, value);
        }
    }
}

fn known(key: KeyId) -> &'static str {
    KNOWN.get(usize::from(key.0)).copied().unwrap_or_default()
}

/// The senders that a datagram socket has heard of.
#[derive(Debug)]
pub(super) struct Senders {
    fields: Arc<SenderFields>,
    local: Arc<ConstantSet>,
    last: Option<(SocketAddr, Arc<ConstantSet>)>,
    known: HashMap<SocketAddr, Arc<ConstantSet>, RandomState>,
}

impl Senders {
    /// A table that knows nobody.
    pub(super) fn new(fields: Arc<SenderFields>) -> Self {
        Self { local: fields.local(), fields, last: None, known: HashMap::default() }
    }

    /// The fields of the sender at an address; without one it is a process of this host.
    #[inline]
    pub(super) fn get(&mut self, address: Option<SocketAddr>) -> &Arc<ConstantSet> {
        let Some(address) = address else { return &self.local };
        if self.last.as_ref().is_none_or(|(last, _)| *last != address) {
            self.last = Some((address, self.find(address)));
        }
        self.last.as_ref().map_or(&self.local, |(_, set)| set)
    }

    fn find(&mut self, address: SocketAddr) -> Arc<ConstantSet> {
        if let Some(set) = self.known.get(&address) {
            return Arc::clone(set);
        }
        if self.known.len() >= SENDERS_MAX {
            self.known.clear();
        }
        let set = self.fields.remote(address, None);
        self.known.insert(address, Arc::clone(&set));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn text(text: &str) -> ConstantValue {
        ConstantValue::Text(text.to_owned())
    }

    fn fields(configured: ConstantSet) -> Arc<SenderFields> {
        let meta = Arc::new(testing::source(configured));
        Arc::new(SenderFields::new(meta, "relay".to_owned(), &Keys::new(16)))
    }

    #[test]
    fn a_field_of_the_config_is_not_given_twice() {
        let mut configured = ConstantSet::default();
        configured.add(key::SOURCE_IP, "source.ip", text("192.0.2.7"));
        let set = fields(configured).remote("[::ffff:127.0.0.1]:5514".parse().unwrap(), None);
        assert_eq!(set.get(key::SOURCE_IP), None);
        assert_eq!(set.get(key::SOURCE_PORT), Some(&ConstantValue::Integer(5514)));
    }

    #[test]
    fn an_ipv4_sender_is_one_on_a_socket_for_both() {
        let set = fields(ConstantSet::default()).remote("[::ffff:127.0.0.1]:5514".parse().unwrap(), None);
        assert_eq!(set.get(key::SOURCE_IP), Some(&text("127.0.0.1")));
    }

    #[test]
    fn forged_addresses_cost_bounded_memory() {
        let mut senders = Senders::new(fields(ConstantSet::default()));
        for port in 1..=3000 {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(
                senders.get(Some(address)).get(key::SOURCE_PORT),
                Some(&ConstantValue::Integer(port.into()))
            );
            assert!(senders.known.len() <= SENDERS_MAX);
        }
    }
}
