//! The request: a ready body to a node, its answer to the verdict.
//!
//! Owns: [`ElasticsearchClient`].
//! Promises: the body is sent as it is, without a copy; a node that cannot be reached is passed over for the next at
//! once; the answer is asked for in full only while there are errors.
//! Never: needs `GET /` or any other question than `_bulk`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::http::Method;
use elasticsearch::http::headers::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::bulk::document_of;
use super::config::{ElasticsearchConfig, ElasticsearchConfigError};
use super::nodes::{Node, Nodes};
use super::response::{Answer, Detail, judge, needs_detail};
use crate::client::{Client, Document};
use crate::http;
use crate::payload::{ContentEncoding, Payload};
use crate::verdict::{Cause, Trouble, Verdict};

/// How long answers are asked for in full after an error.
const DETAIL_AFTER_ERROR: Duration = Duration::from_secs(60);

/// Sends `_bulk` requests.
#[derive(Debug)]
pub struct ElasticsearchClient {
    nodes: Nodes,
    timeout: Duration,
    detail_until: Mutex<Option<Instant>>,
}

/// An answer that came whole.
struct Response {
    status: u16,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl ElasticsearchClient {
    /// A client for this configuration.
    ///
    /// # Errors
    /// When an address, a certificate or a secret cannot be used.
    pub fn new(config: &ElasticsearchConfig) -> Result<Self, ElasticsearchConfigError> {
        let nodes = Nodes::new(config)?;
        Ok(Self { nodes, timeout: config.request_timeout, detail_until: Mutex::default() })
    }

    fn detail(&self) -> Detail {
        let until = *self.detail_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) { Detail::Items } else { Detail::Errors }
    }

    fn ask_for_detail(&self) {
        let until = Instant::now() + DETAIL_AFTER_ERROR;
        *self.detail_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Sends to one node after the other until one answers, or none is left that is not known to be away.
    async fn request(&self, payload: &Payload, detail: Detail) -> Result<Response, Trouble> {
        let mut first_trouble = None;
        for _ in 0..self.nodes.len() {
            let (node, healthy) = self.nodes.next();
            if !healthy && let Some(trouble) = first_trouble {
                return Err(trouble);
            }
            match self.request_node(node, payload, detail).await {
                Ok(response) => {
                    node.answered();
                    return Ok(response);
                }
                // A node that is slow may still be at work on it: the next one would double the load.
                Err(trouble) if trouble.cause == Cause::Overload => {
                    node.failed();
                    return Err(trouble);
                }
                Err(trouble) => {
                    node.failed();
                    first_trouble.get_or_insert(trouble);
                }
            }
        }
        Err(first_trouble.unwrap_or_else(|| Trouble::new(Cause::Unreachable, "no node is left to try")))
    }

    async fn request_node(
        &self,
        node: &Node,
        payload: &Payload,
        detail: Detail,
    ) -> Result<Response, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if payload.encoding() == ContentEncoding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let path = format!("{}/_bulk", payload.target());
        let query = [("filter_path", detail.filter_path())];
        let (body, timeout) = (Some(payload.body().clone()), Some(self.timeout));
        let sent = node.transport.send(Method::Post, &path, headers, Some(&query), body, timeout).await;
        let response = sent.map_err(|error| trouble(node, &error))?;
        let retry_after = http::retry_after(response.headers());
        let status = response.status_code().as_u16();
        let body = response.bytes().await.map_err(|error| trouble(node, &error))?;
        Ok(Response { status, retry_after, body })
    }

    async fn send_and_judge(&self, payload: &Payload, detail: Detail) -> Result<Option<Verdict>, Trouble> {
        let Response { status, retry_after, body } = self.request(payload, detail).await?;
        let answer = Answer { status, retry_after, body: &body };
        Ok((!needs_detail(&answer, detail)).then(|| judge(&answer, detail, payload.len())))
    }
}

impl Client for ElasticsearchClient {
    const ORDERED: bool = false;

    async fn send(&self, payload: &Payload) -> Verdict {
        let mut verdict = self.send_and_judge(payload, self.detail()).await;
        if matches!(verdict, Ok(None)) {
            // Items that were created are now answered with 409, which counts as delivered.
            self.ask_for_detail();
            verdict = self.send_and_judge(payload, Detail::Items).await;
        }
        let verdict = match verdict {
            Ok(Some(verdict)) => verdict,
            Ok(None) => Verdict::Retry(Trouble::new(Cause::Unexpected, "the store's answer cannot be read")),
            Err(trouble) => Verdict::Retry(trouble),
        };
        if !matches!(verdict, Verdict::Delivered { .. }) {
            self.ask_for_detail();
        }
        verdict
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        document_of(item)
    }
}

fn trouble(node: &Node, error: &elasticsearch::Error) -> Trouble {
    let cause = if error.is_timeout() { Cause::Overload } else { Cause::Unreachable };
    Trouble::new(cause, http::reason(&node.label, "urls", error))
}

#[cfg(test)]
mod tests;
