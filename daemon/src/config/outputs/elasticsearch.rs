//! `type = "elasticsearch"`.
//!
//! Owns: the keys of an Elasticsearch output and their checked values.
//! Promises: a client can be made of what is decoded.
//! Never: connects.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::elasticsearch::{
    Compression, ElasticsearchClient, ElasticsearchConfig, ElasticsearchConfigError,
};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::schema::{Key, Table, table};
use super::super::value::lists::Url;
use super::super::value::{Integer, Words};
use super::{Target, http};

pub(super) const KEYS: &[&[Key]] = &[StoreKeys::KEYS, http::KEYS[0], http::KEYS[1]];

table! {
    /// How to reach the store.
    struct StoreKeys {
        /// Addresses of the nodes; each batch goes to one that answers.
        urls: Vec<Url>,
        /// Whether to compress requests; "auto" does, except to this host.
        compression: Compression = "auto",
        /// Time for one request and its answer.
        request_timeout: Duration = "60s",
        /// Whether to use the proxies that the environment names.
        use_proxy: bool = false,
        /// Most requests at once; fewer while the store is slow.
        concurrency_max: Integer<usize, 1, 64> = 8,
    }
}

impl Words for Compression {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("gzip", Self::Gzip), ("none", Self::None)];
}

pub(super) fn target(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let store = StoreKeys::decode(found, decoder);
    let (auth, tls) = (http::auth(found, decoder), http::tls(found, decoder));
    let (store, complete) = (store?, auth.is_some() && tls.is_some());
    let config = ElasticsearchConfig {
        urls: store.urls.iter().map(|url| url.0.value.clone()).collect(),
        auth: auth.unwrap_or_default(),
        tls: tls.unwrap_or_default(),
        compression: store.compression,
        request_timeout: store.request_timeout,
        use_proxy: store.use_proxy,
    };
    if let Err(error) = ElasticsearchClient::new(&config) {
        let place = match &error {
            ElasticsearchConfigError::BadUrl { place, .. }
            | ElasticsearchConfigError::CredentialsInUrl { place } => {
                store.urls.get(place - 1).map_or(found.name.place, |url| url.0.place)
            }
            _ => found.name.place,
        };
        decoder.report(Diagnostic::error(error.to_string()).at(place, "this cannot be used"));
        return None;
    }
    let kind = OutputKind::Elasticsearch(config);
    complete.then_some(Target::of(kind, store.concurrency_max.0))
}
