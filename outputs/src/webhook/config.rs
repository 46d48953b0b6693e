//! The configuration of the output `webhook`.
//!
//! Owns: [`WebhookConfig`] and what can be wrong with it.
//! Promises: its debug form and its errors hold no secret, and of the address the scheme and the host alone.
//! Never: reads an environment or a secret's file; the caller gives values.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::body::Body;
use crate::http::{Auth, Tls};
use crate::lane::LaneConfig;
use crate::rate::RateConfig;

/// Headers that follow from the request itself.
const RESERVED: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// The configuration of the output `webhook`.
#[derive(Clone)]
pub struct WebhookConfig {
    /// Where requests go. It may hold a secret, as those of Slack do.
    pub url: String,
    /// How they are made.
    pub method: Method,
    /// Headers of each request, which may hold secrets.
    pub headers: Vec<(String, String)>,
    /// How to say who we are.
    pub auth: Auth,
    /// Certificates.
    pub tls: Tls,
    /// What is sent of an event. Without it, its whole document.
    pub body: Option<Body>,
    /// Texts of the body that are secrets: an answer that repeats them is not quoted with them.
    pub secrets: Vec<String>,
    /// How many events a request holds.
    pub per_request: PerRequest,
    /// How many requests there may be.
    pub rate: Option<RateConfig>,
    /// The time for one request, answer included.
    pub request_timeout: Duration,
    /// Whether proxies named in the environment are used.
    pub use_proxy: bool,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
}

/// How many events a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PerRequest {
    /// One.
    #[default]
    Event,
    /// A JSON list of as many as a payload has.
    Array,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum WebhookConfigError {
    /// Not an address.
    #[error("`url` is not an http or https address: {0}")]
    BadUrl(String),
    /// An address with a user or a password.
    #[error("`url` holds a user or password; put them under `username` and `password`")]
    CredentialsInUrl,
    /// Not a name of a header.
    #[error("{0:?} is no name of a header")]
    BadHeaderName(String),
    /// A value that no header may have.
    #[error("the value of the header {0:?} holds characters that an HTTP header cannot hold")]
    BadHeaderValue(String),
    /// A header that follows from the request itself.
    #[error("the header {0:?} follows from the request itself and cannot be set")]
    ReservedHeader(String),
    /// A certificate or key cannot be read.
    #[error("the certificates under tls are not PEM that can be used: {0}")]
    BadPem(String),
    /// A secret has characters that no header may have.
    #[error("the credentials hold characters that an HTTP header cannot hold")]
    BadCredentials,
    /// The HTTP client cannot be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

impl WebhookConfig {
    /// Scheme, host and port, which are no secret.
    #[must_use]
    pub fn address(&self) -> String {
        self.parsed_url().map_or_else(|_| "an address".to_owned(), |url| url.origin().ascii_serialization())
    }

    /// When a request is complete.
    pub(crate) fn lane(&self, lane: LaneConfig) -> LaneConfig {
        match self.per_request {
            PerRequest::Event => lane.one_event(),
            PerRequest::Array => lane,
        }
    }

    pub(super) fn parsed_url(&self) -> Result<Url, WebhookConfigError> {
        let url = Url::parse(&self.url).map_err(|error| WebhookConfigError::BadUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookConfigError::BadUrl("it does not begin with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookConfigError::CredentialsInUrl);
        }
        Ok(url)
    }

    pub(super) fn header_map(&self) -> Result<HeaderMap, WebhookConfigError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let bad_name = |_| WebhookConfigError::BadHeaderName(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(bad_name)?;
            if RESERVED.contains(&header) {
                return Err(WebhookConfigError::ReservedHeader(name.clone()));
            }
            let bad_value = |_| WebhookConfigError::BadHeaderValue(name.clone());
            let mut value = HeaderValue::from_str(value).map_err(bad_value)?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebhookConfig")
            .field("address", &self.address())
            .field("method", &self.method)
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .field("per_request", &self.per_request)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}
