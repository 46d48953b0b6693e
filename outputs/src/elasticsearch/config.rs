//! The configuration of the output `elasticsearch`.
//!
//! Owns: [`ElasticsearchConfig`] and what can be wrong with it.
//! Promises: the debug form of a configuration holds no secret.
//! Never: reads an environment or a secret's file; the caller gives values.

use std::net::IpAddr;
use std::time::Duration;

use elasticsearch::http::Url;

pub use crate::http::{Auth, Tls};

/// The configuration of the output `elasticsearch`.
#[derive(Clone, Debug)]
pub struct ElasticsearchConfig {
    /// The nodes, such as `http://127.0.0.1:9200`; a path is kept in front of `_bulk`.
    pub urls: Vec<String>,
    /// How to say who we are.
    pub auth: Auth,
    /// Certificates.
    pub tls: Tls,
    /// How bodies are sent.
    pub compression: Compression,
    /// The time for one request, answer included.
    pub request_timeout: Duration,
    /// Whether proxies named in the environment are used.
    pub use_proxy: bool,
}

impl Default for ElasticsearchConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            auth: Auth::None,
            tls: Tls::default(),
            compression: Compression::Auto,
            request_timeout: Duration::from_secs(60),
            use_proxy: false,
        }
    }
}

/// How bodies are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Plain on the loopback interface, gzip otherwise.
    #[default]
    Auto,
    /// Plain.
    None,
    /// Gzip, level 1.
    Gzip,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ElasticsearchConfigError {
    /// There is no node.
    #[error("urls is empty; name at least one node, such as http://127.0.0.1:9200")]
    NoUrl,
    /// Not the address of a node.
    #[error("url {place} is not an http or https address: {reason}")]
    BadUrl {
        /// Its place in the list, from 1; the address may hold a password.
        place: usize,
        /// The cause.
        reason: String,
    },
    /// An address with a user or a password.
    #[error("url {place} holds a user or password; addresses are shown in logs, so put them under auth")]
    CredentialsInUrl {
        /// Its place in the list, from 1.
        place: usize,
    },
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

impl ElasticsearchConfig {
    /// The addresses of the nodes.
    ///
    /// # Errors
    /// When there is none, or one is no address.
    pub fn parsed_urls(&self) -> Result<Vec<Url>, ElasticsearchConfigError> {
        let parse = |(index, url): (usize, &String)| {
            let bad = |reason: String| ElasticsearchConfigError::BadUrl { place: index + 1, reason };
            let url = Url::parse(url).map_err(|error| bad(error.to_string()))?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(ElasticsearchConfigError::CredentialsInUrl { place: index + 1 });
            }
            match url.scheme() {
                "http" | "https" if url.has_host() => Ok(url),
                scheme => Err(bad(format!("its scheme is {scheme}"))),
            }
        };
        let urls = self.urls.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() { Err(ElasticsearchConfigError::NoUrl) } else { Ok(urls) }
    }

    /// Whether bodies are compressed.
    #[must_use]
    pub fn gzip(&self) -> bool {
        match self.compression {
            Compression::None => false,
            Compression::Gzip => true,
            Compression::Auto => self.parsed_urls().is_ok_and(|urls| !urls.iter().all(is_loopback)),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
