//! `type = "webhook"`.
//!
//! Owns: the keys of a webhook output and their checked values.
//! Promises: a client can be made of what is decoded; each text of the body is a template that can be filled in.
//! Never: connects.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::output::OutputKind;
use logweir_outputs::webhook::{Method, PerRequest, WebhookClient, WebhookConfig, WebhookConfigError};
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::schema::{Key, Table, table};
use super::super::secret::Secret;
use super::super::value::{At, Words};
use super::rate::{Rate, rate};
use super::{Target, http};

mod body;
mod headers;

use body::Members;
use headers::Headers;

pub(super) const KEYS: &[&[Key]] = &[RequestKeys::KEYS, http::KEYS[0], http::KEYS[1]];

table! {
    /// What is sent where.
    struct RequestKeys {
        /// Address to send to; it is kept secret, as it may hold a token.
        url: At<Secret>,
        /// Method of the requests.
        method: Method = "POST",
        /// Headers of each request; their values are kept secret.
        headers: Option<At<Headers>>,
        /// What is sent of an event: a table that becomes JSON. Its texts are templates: `{source.ip}` stands for a field,
        /// `{event.id}` for the identity of the event. A text that is one `{field}` and nothing else becomes the field's value, a
        /// number for a number, and is left out where the event has no such field. Absent: the whole document.
        body: Option<Members>,
        /// "event": a request for each event, with its identity as the header `Idempotency-Key`. "array": a list of as many events as
        /// `batch_events`, `batch_bytes` and `flush_after` allow.
        per_request: PerRequest = "event",
        /// Most requests in a time, such as { requests = 30, per = "1m" }; what is too early waits. Absent: no limit.
        rate: Rate,
        /// Time for one request and its answer.
        request_timeout: Duration = "30s",
        /// Whether to use the proxies that the environment names.
        use_proxy: bool = false,
    }
}

impl Words for Method {
    const WORDS: &'static [(&'static str, Self)] = &[("POST", Self::Post), ("PUT", Self::Put)];
}

impl Words for PerRequest {
    const WORDS: &'static [(&'static str, Self)] = &[("event", Self::Event), ("array", Self::Array)];
}

pub(super) fn target(found: &Found<'_>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let request = RequestKeys::decode(found, decoder);
    let (auth, tls) = (http::auth(found, decoder), http::tls(found, decoder));
    let request = request?;
    let (body, secrets) = match request.body {
        Some(members) => {
            let (body, secrets) = members.body(keys, decoder)?;
            (Some(body), secrets)
        }
        None => (None, Vec::new()),
    };
    let rate = rate(request.rate, decoder)?;
    let complete = auth.is_some() && tls.is_some();
    let headers_place = request.headers.as_ref().map_or(found.name.place, |headers| headers.place);
    let headers = request.headers.map(|headers| headers.value.0).unwrap_or_default();
    let named = |name: &str| {
        let header = headers.iter().find(|header| header.value.0 == name);
        header.map_or(headers_place, |header| header.place)
    };
    let config = WebhookConfig {
        url: request.url.value.expose().to_owned(),
        method: request.method,
        headers: headers
            .iter()
            .map(|At { value: (name, secret), .. }| (name.clone(), secret.expose().to_owned()))
            .collect(),
        auth: auth.unwrap_or_default(),
        tls: tls.unwrap_or_default(),
        body,
        secrets,
        per_request: request.per_request,
        rate,
        request_timeout: request.request_timeout,
        use_proxy: request.use_proxy,
    };
    if let Err(error) = WebhookClient::new(&config) {
        let place = match &error {
            WebhookConfigError::BadUrl(_) | WebhookConfigError::CredentialsInUrl => request.url.place,
            WebhookConfigError::BadHeaderName(name)
            | WebhookConfigError::BadHeaderValue(name)
            | WebhookConfigError::ReservedHeader(name) => named(name),
            _ => found.name.place,
        };
        decoder.report(Diagnostic::error(error.to_string()).at(place, "this cannot be used"));
        return None;
    }
    complete.then_some(Target::of(OutputKind::Webhook(config), 1))
}
