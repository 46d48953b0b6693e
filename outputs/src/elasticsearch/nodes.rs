//! The nodes of a store, and which of them to ask.
//!
//! Owns: [`Nodes`], a transport for each address, and their health.
//! Promises: healthy nodes take turns; a node that failed is left alone for a while that doubles, up to half a
//! minute, and is then tried with the next request; when all have failed, the one to be tried first is asked.
//! Never: asks a node for the others (no sniffing).

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use elasticsearch::auth::{ClientCertificate, Credentials};
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::Url;
use elasticsearch::http::headers::AUTHORIZATION;
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use tokio::time::Instant;

use super::config::{ElasticsearchConfig, ElasticsearchConfigError};
use crate::http::authorization;

const REST_FIRST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(30);

/// The nodes of a store.
#[derive(Debug)]
pub(super) struct Nodes {
    /// At least one.
    nodes: Vec<Node>,
    turn: AtomicUsize,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) transport: Transport,
    /// Host and port, for messages.
    pub(super) label: String,
    health: Mutex<Health>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Nodes {
    /// A transport for each address.
    pub(super) fn new(config: &ElasticsearchConfig) -> Result<Self, ElasticsearchConfigError> {
        let nodes = config.parsed_urls()?.into_iter().map(|url| Node::new(url, config));
        Ok(Self { nodes: nodes.collect::<Result<_, _>>()?, turn: AtomicUsize::new(0) })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node whose turn it is, and whether it is healthy as far as we know.
    pub(super) fn next(&self) -> (&Node, bool) {
        let (now, turn) = (Instant::now(), self.turn.fetch_add(1, Relaxed));
        let in_turn = |step: usize| &self.nodes[turn.wrapping_add(step) % self.nodes.len()];
        let rests_until = |step: &usize| in_turn(*step).health().rests_until.filter(|until| *until > now);
        let step = (0..self.nodes.len()).min_by_key(rests_until).unwrap_or(0);
        (in_turn(step), rests_until(&step).is_none())
    }
}

impl Node {
    fn new(url: Url, config: &ElasticsearchConfig) -> Result<Self, ElasticsearchConfigError> {
        let label =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0));
        let mut builder =
            TransportBuilder::new(SingleNodeConnectionPool::new(url)).timeout(config.request_timeout);
        if !config.use_proxy {
            builder = builder.disable_proxy();
        }
        // It stands beside a client certificate, which the transport knows as other credentials.
        let header = authorization(&config.auth).map_err(|_| ElasticsearchConfigError::BadCredentials)?;
        if let Some(header) = header {
            builder = builder.header(AUTHORIZATION, header);
        }
        if let Some(pem) = &config.tls.authorities {
            let authorities = Certificate::from_pem(pem).map_err(|error| bad_pem(&error))?;
            if memchr::memmem::find(pem, b"-----BEGIN CERTIFICATE-----").is_none() {
                return Err(bad_pem(&"there is no certificate in it"));
            }
            builder = builder.cert_validation(CertificateValidation::Full(authorities));
        }
        if let Some(pem) = &config.tls.identity {
            builder = builder.auth(Credentials::Certificate(ClientCertificate::Pem(pem.clone())));
        }
        let has_pem = config.tls.authorities.is_some() || config.tls.identity.is_some();
        let transport = builder.build().map_err(|error| match has_pem {
            true => bad_pem(&error),
            false => ElasticsearchConfigError::Client(error.to_string()),
        })?;
        Ok(Self { transport, label, health: Mutex::default() })
    }

    /// The node answered.
    pub(super) fn answered(&self) {
        *self.health() = Health::default();
    }

    /// The node did not answer.
    pub(super) fn failed(&self) {
        let mut health = self.health();
        let rest = REST_FIRST.saturating_mul(1 << health.failures.min(10)).min(REST_MAX);
        health.failures += 1;
        health.rests_until = Some(Instant::now() + rest);
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bad_pem(reason: &dyn std::fmt::Display) -> ElasticsearchConfigError {
    ElasticsearchConfigError::BadPem(reason.to_string())
}
