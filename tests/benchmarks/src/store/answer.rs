//! The bodies of the store's answers, in the words of Elasticsearch 9.
//!
//! Promises: one item per document, in the order of the request; with `filter_path` only status and error are
//! left, as a real server would leave them. Never: decides; it renders an [`Outcome`].

use serde_json::{Value, json};

pub(super) const UNAUTHORIZED: &[u8] = br#"{"error":{"root_cause":[{"type":"security_exception","reason":"unable to authenticate user [shipper] for REST request [/_bulk]"}],"type":"security_exception","reason":"unable to authenticate user [shipper] for REST request [/_bulk]"},"status":401}"#;
pub(super) const METHOD_NOT_ALLOWED: &[u8] =
    br#"{"error":"Incorrect HTTP method for uri and method, allowed: [POST, PUT]","status":405}"#;
pub(super) const NO_MASTER: &[u8] = br#"{"error":{"root_cause":[{"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/2/no master];"}],"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/2/no master];"},"status":503}"#;
pub(super) const TOO_LARGE: &[u8] = b"";

/// How one document fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Conflict,
    TooManyRequests,
    Unavailable,
    Rejected(String),
}

/// One item to be answered.
#[derive(Debug)]
pub(super) struct ItemAnswer {
    pub(super) index: String,
    pub(super) id: String,
    pub(super) outcome: Outcome,
}

/// The answer to a bulk request.
pub(super) fn bulk(items: &[ItemAnswer], short: bool) -> Vec<u8> {
    let errors = items.iter().any(|item| item.outcome != Outcome::Created);
    let items: Vec<Value> = items.iter().map(|item| item.render(short)).collect();
    json!({"took": 3, "errors": errors, "items": items}).to_string().into_bytes()
}

/// The answer to a request whose framing is wrong.
pub(super) fn bad_request(reason: &str) -> String {
    let cause = json!({"type": "illegal_argument_exception", "reason": reason});
    json!({"error": {"root_cause": [cause], "type": "illegal_argument_exception", "reason": reason}, "status": 400})
        .to_string()
}

impl ItemAnswer {
    fn render(&self, short: bool) -> Value {
        let backing = format!(".ds-{}-2026.11.23-000001", self.index);
        let (status, error) = self.outcome.status_and_error(&backing, &self.id);
        let mut item = match error {
            None => json!({"status": status}),
            Some((kind, reason)) => json!({"status": status, "error": {"type": kind, "reason": reason}}),
        };
        if !short {
            item["_index"] = backing.into();
            item["_id"] = self.id.clone().into();
            if self.outcome == Outcome::Created {
                item["_version"] = 1.into();
                item["result"] = "created".into();
                item["_shards"] = json!({"total": 2, "successful": 1, "failed": 0});
                item["_seq_no"] = 0.into();
                item["_primary_term"] = 1.into();
            }
        }
        json!({"create": item})
    }
}

impl Outcome {
    fn status_and_error(&self, backing: &str, id: &str) -> (u16, Option<(&'static str, String)>) {
        match self {
            Self::Created => (201, None),
            Self::Conflict => (
                409,
                Some((
                    "version_conflict_engine_exception",
                    format!("[{id}]: version conflict, document already exists (current version [1])"),
                )),
            ),
            Self::TooManyRequests => (
                429,
                Some((
                    "es_rejected_execution_exception",
                    "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, \
                     replica_bytes=0, all_bytes=0, coordinating_operation_bytes=4096, \
                     max_coordinating_and_primary_bytes=1024]"
                        .into(),
                )),
            ),
            Self::Unavailable => (
                503,
                Some((
                    "unavailable_shards_exception",
                    format!("[{backing}][0] primary shard is not active Timeout: [1m]"),
                )),
            ),
            Self::Rejected(reason) => (
                400,
                Some(("document_parsing_exception", format!("[1:15] {reason} in document with id '{id}'"))),
            ),
        }
    }
}
