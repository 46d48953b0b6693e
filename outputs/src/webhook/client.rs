//! The request: a body to the address, its answer to the verdict.
//!
//! Owns: [`WebhookClient`].
//! Promises: no more requests than the limit allows, those that are sent again included; of an answer so much is read
//! as is quoted, without the secrets of the configuration.
//! Never: follows a redirect.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Url};

use super::answer::{Answer, judge};
use super::config::{Method, PerRequest, WebhookConfig, WebhookConfigError};
use super::encode::Part;
use crate::client::{Client, Document};
use crate::http::{self, Auth};
use crate::payload::Payload;
use crate::rate::RateLimit;
use crate::secrets::Secrets;
use crate::verdict::{Cause, Trouble, Verdict};

/// The identity of the event, by which a receiver can know a request that it had already.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Most bytes of an answer that are read: more is quoted after what is taken out of it, and a short rest lets the connection
/// be used again.
const ANSWER_MAX: usize = 16 * 1024;

/// Sends requests.
#[derive(Debug)]
pub struct WebhookClient {
    client: reqwest::Client,
    method: reqwest::Method,
    url: SecretUrl,
    headers: HeaderMap,
    label: String,
    per_request: PerRequest,
    secrets: Secrets,
    rate: Option<RateLimit>,
}

struct SecretUrl(Url);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretUrl(…)")
    }
}

impl WebhookClient {
    /// A client for this configuration.
    ///
    /// # Errors
    /// When the address, a header, a certificate or a secret cannot be used.
    pub fn new(config: &WebhookConfig) -> Result<Self, WebhookConfigError> {
        let url = config.parsed_url()?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let authorization = http::authorization(&config.auth);
        if let Some(header) = authorization.map_err(|_| WebhookConfigError::BadCredentials)? {
            headers.insert(AUTHORIZATION, header);
        }
        headers.extend(config.header_map()?);
        Ok(Self {
            client: http_client(config)?,
            method: match config.method {
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
            },
            label: config.address(),
            per_request: config.per_request,
            secrets: secrets(config, &url, &headers),
            rate: config.rate.map(RateLimit::new),
            url: SecretUrl(url),
            headers,
        })
    }

    async fn request(&self, payload: &Payload) -> Result<Answer, Trouble> {
        let trouble = |error: reqwest::Error| {
            let cause = if error.is_timeout() { Cause::Overload } else { Cause::Unreachable };
            Trouble::new(cause, http::reason(&self.label, "url", &error.without_url()))
        };
        let (body, id) = self.body(payload);
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert(IDEMPOTENCY_KEY, id);
        }
        headers.extend(self.headers.clone());
        let request = self.client.request(self.method.clone(), self.url.0.clone()).headers(headers);
        let mut response = request.body(body).send().await.map_err(trouble)?;
        let status = response.status();
        let retry_after = http::retry_after(response.headers());
        let mut text = Vec::new();
        while text.len() < ANSWER_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                // The status says what there is to say.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Answer { status: status.as_u16(), retry_after, quote: self.secrets.quote(&text) })
    }

    /// The body of a payload, and the identity of its event where there is one.
    fn body(&self, payload: &Payload) -> (Bytes, Option<HeaderValue>) {
        let all = payload.body();
        let place = |item: usize| {
            let range = payload.range(item);
            (range.start, Part::of(&all[range]))
        };
        if self.per_request == PerRequest::Event && payload.len() == 1 {
            let (start, part) = place(0);
            let id = HeaderValue::from_bytes(&all[start + part.id.start..start + part.id.end]).ok();
            return (all.slice(start + part.body.start..start + part.body.end), id);
        }
        let mut list = vec![b'['];
        for item in 0..payload.len() {
            let (start, part) = place(item);
            list.extend_from_slice(if item > 0 { b"," } else { b"" });
            list.extend_from_slice(&all[start + part.body.start..start + part.body.end]);
        }
        list.push(b']');
        (list.into(), None)
    }
}

impl Client for WebhookClient {
    const ORDERED: bool = true;

    async fn send(&self, payload: &Payload) -> Verdict {
        if let Some(rate) = &self.rate {
            rate.wait().await;
        }
        match self.request(payload).await {
            Ok(answer) => judge(&self.label, answer),
            Err(trouble) => Verdict::Retry(trouble),
        }
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        let Part { id, document, .. } = Part::of(item);
        Document { id: str::from_utf8(&item[id]).unwrap_or_default(), json: &item[document] }
    }
}

fn http_client(config: &WebhookConfig) -> Result<reqwest::Client, WebhookConfigError> {
    let bad_pem = |error: reqwest::Error| WebhookConfigError::BadPem(error.to_string());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("logweir/", env!("CARGO_PKG_VERSION")))
        .timeout(config.request_timeout)
        .redirect(Policy::none());
    if !config.use_proxy {
        builder = builder.no_proxy();
    }
    if let Some(pem) = &config.tls.authorities {
        let authorities = Certificate::from_pem_bundle(pem).map_err(bad_pem)?;
        if authorities.is_empty() {
            return Err(WebhookConfigError::BadPem("there is no certificate in it".to_owned()));
        }
        builder = authorities.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    if let Some(pem) = &config.tls.identity {
        builder = builder.identity(Identity::from_pem(pem).map_err(bad_pem)?);
    }
    builder.build().map_err(|error| WebhookConfigError::Client(error.to_string()))
}

/// What the receiver may repeat in an answer, and nobody else is to see.
fn secrets(config: &WebhookConfig, url: &Url, headers: &HeaderMap) -> Secrets {
    let sent = headers.iter().filter(|(_, value)| value.is_sensitive());
    let sent = sent.filter_map(|(_, value)| value.to_str().ok());
    let credentials = match &config.auth {
        Auth::None => None,
        Auth::Basic { password: text, .. } | Auth::Bearer(text) | Auth::ApiKey(text) => Some(text.as_str()),
    };
    let parts = url.path().split('/').chain(url.query());
    let of_body = config.secrets.iter().map(String::as_str);
    Secrets::new(sent.flat_map(|value| value.split(' ')).chain(credentials).chain(parts).chain(of_body))
}
