//! `type = "elasticsearch"`.
//!
//! Owns: the keys of an Elasticsearch output and their checked values.
//! Promises: a client can be made of what is decoded; there is at most one way to say who we are.
//! Never: connects.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::elasticsearch::{
    Auth, Compression, ElasticsearchClient, ElasticsearchConfig, ElasticsearchConfigError, Tls,
};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::{Diagnostic, Place};
use super::super::schema::{Key, Table, table};
use super::super::secret::Secret;
use super::super::value::lists::Url;
use super::super::value::{At, Content, Integer, Words};
use super::Target;

pub(super) const KEYS: &[&[Key]] = &[StoreKeys::KEYS, AuthKeys::KEYS, TlsKeys::KEYS];

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

table! {
    /// Who we are.
    struct AuthKeys {
        /// User name of basic authentication.
        username: Option<At<String>>,
        /// Password of basic authentication.
        password: Option<At<Secret>>,
        /// API key, encoded as Elasticsearch shows it.
        api_key: Option<At<Secret>>,
        /// Bearer token.
        bearer_token: Option<At<Secret>>,
    }
}

table! {
    /// Whom to trust, and how to prove who we are.
    struct TlsKeys {
        /// Certificates (PEM) of authorities to trust besides the public ones.
        ca_file: Option<Content>,
        /// Own certificate (PEM).
        client_certificate: Option<At<Content>>,
        /// Key of the own certificate (PEM).
        client_key: Option<At<Content>>,
    }
}

impl Words for Compression {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("gzip", Self::Gzip), ("none", Self::None)];
}

pub(super) fn target(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let store = StoreKeys::decode(found, decoder);
    let auth = AuthKeys::decode(found, decoder).and_then(|keys| auth(keys, decoder));
    let tls = TlsKeys::decode(found, decoder).and_then(|keys| tls(keys, decoder));
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

/// At most one way to say who we are.
fn auth(keys: AuthKeys, decoder: &mut Decoder<'_>) -> Option<Auth> {
    let AuthKeys { username, password, api_key, bearer_token } = keys;
    let place = |key: &Option<At<Secret>>| key.as_ref().map(|key| key.place);
    let ways = [
        ("username", username.as_ref().map(|key| key.place)),
        ("api_key", place(&api_key)),
        ("bearer_token", place(&bearer_token)),
    ];
    let mut ways = ways.into_iter().filter_map(|(key, place)| Some((key, place?)));
    if let (Some((first, first_place)), Some((second, second_place))) = (ways.next(), ways.next()) {
        decoder.report(
            Diagnostic::error(format!("both `{first}` and `{second}` say who this is"))
                .at(second_place, "expected one of the two")
                .at(first_place, "the other"),
        );
        return None;
    }
    match (username, password, api_key, bearer_token) {
        (Some(user), Some(password), ..) => {
            Some(Auth::Basic { user: user.value, password: password.value.expose().to_owned() })
        }
        (Some(user), None, ..) => without("username", user.place, "password", decoder),
        (None, Some(password), ..) => without("password", password.place, "username", decoder),
        (None, None, Some(key), _) => Some(Auth::ApiKey(key.value.expose().to_owned())),
        (None, None, None, Some(token)) => Some(Auth::Bearer(token.value.expose().to_owned())),
        (None, None, None, None) => Some(Auth::None),
    }
}

fn tls(keys: TlsKeys, decoder: &mut Decoder<'_>) -> Option<Tls> {
    let identity = match (keys.client_certificate, keys.client_key) {
        (Some(certificate), Some(key)) => Some([certificate.value.0, key.value.0].join(&b'\n')),
        (None, None) => None,
        (Some(one), None) => return without("client_certificate", one.place, "client_key", decoder),
        (None, Some(one)) => return without("client_key", one.place, "client_certificate", decoder),
    };
    Some(Tls { authorities: keys.ca_file.map(|content| content.0), identity })
}

/// Says that a key lacks the other with which it belongs.
fn without<T>(key: &str, place: Place, missing: &str, decoder: &mut Decoder<'_>) -> Option<T> {
    decoder.report(
        Diagnostic::error(format!("`{key}` without `{missing}`"))
            .at(place, format!("expected `{missing}` beside it")),
    );
    None
}
