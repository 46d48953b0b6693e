//! The paths of the admin interface.
//!
//! Owns: `/health`, `/ready`, `/metrics`, `/api/ledger`, `/api/sources`, `/api/aggregates`, `/api/rules`, `/api/outputs`; `/api/points` and `/api/tap`
//! are in [`tap`](super::tap).
//! Promises: the figures of one source are of one moment; JSON is one object with named members.
//! Never: takes anything but GET.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use logweir_pipeline::ledger::Counts;
use logweir_pipeline::operator::{Operator, OperatorStatus};
use logweir_pipeline::source::file::FileStatus;
#[cfg(feature = "kafka")]
use logweir_pipeline::source::kafka::{KafkaSourceStatus, PartitionStatus};
use logweir_pipeline::source::syslog::ListenerStatus;
use logweir_pipeline::time::TimeText;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Overview, metrics, tap};

/// The router of the interface at this address. On a loopback address it takes only requests for a loopback host.
pub(super) fn router(overview: Arc<Overview>, address: SocketAddr) -> Router {
    let router = Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(openmetrics))
        .route("/api/ledger", get(ledger))
        .route("/api/sources", get(sources))
        .route("/api/aggregates", get(aggregates))
        .route("/api/rules", get(rules))
        .route("/api/outputs", get(outputs))
        .merge(tap::router(&overview, address))
        .with_state(overview);
    if address.ip().is_loopback() {
        router.layer(middleware::from_fn(only_for_loopback_hosts))
    } else {
        router
    }
}

/// Refuses requests for a name that is not this host's own: a page in a browser could have pointed it here.
async fn only_for_loopback_hosts(request: Request, next: Next) -> Response {
    if is_for_loopback(request.headers()) {
        return next.run(request).await;
    }
    let reason = "this interface answers requests for localhost only; `[admin] listen` opens it to others\n";
    (StatusCode::FORBIDDEN, reason).into_response()
}

fn is_for_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn ready(State(overview): State<Arc<Overview>>) -> Response {
    if overview.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn openmetrics(State(overview): State<Arc<Overview>>) -> Response {
    match metrics::text(&overview) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ledger(State(overview): State<Arc<Overview>>) -> Json<Value> {
    let sources = overview.ledger.counts().map(|(name, counts)| (name.to_owned(), counts_json(&counts)));
    Json(json!({ "sources": sources.collect::<serde_json::Map<_, _>>() }))
}

fn counts_json(counts: &Counts) -> Value {
    let dropped = counts.dropped.iter().map(|(name, number)| (name.to_string(), json!(number)));
    json!({
        "read": counts.read,
        "delivered": counts.delivered,
        "dropped": dropped.collect::<serde_json::Map<_, _>>(),
        "rejected": counts.rejected,
        "in_flight": counts.in_flight,
        "bytes": counts.bytes,
        "unparsed": counts.unparsed,
        "invalid_utf8": counts.invalid_utf8,
        "adds_up": counts.adds_up(),
    })
}

async fn aggregates(State(overview): State<Arc<Overview>>) -> Json<Value> {
    Json(json!({ "aggregates": operators(&overview, "aggregate") }))
}

async fn rules(State(overview): State<Arc<Overview>>) -> Json<Value> {
    Json(json!({ "rules": operators(&overview, "rule") }))
}

fn operators(overview: &Overview, kind: &str) -> serde_json::Map<String, Value> {
    let view = |operator: &Arc<dyn Operator>| {
        let OperatorStatus { counts, groups, bytes, watermark } = operator.status();
        let watermark =
            watermark.map(|time| String::from_utf8_lossy(TimeText::new().render(time)).into_owned());
        let view = json!({
            "results": counts.documents,
            "late": counts.late,
            "without_field": counts.without_field,
            "future": counts.future,
            "refused": counts.refused,
            "evicted": counts.evicted,
            "groups": groups,
            "bytes": bytes,
            "watermark": watermark,
        });
        (operator.name().to_string(), view)
    };
    overview.operators.iter().filter(|operator| operator.kind() == kind).map(view).collect()
}

/// What there is to see of the sources. Files are not gathered as [`Value`]s: there may be thousands.
#[derive(Serialize)]
struct SourcesView {
    sources: BTreeMap<String, SourceView>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SourceView {
    Files { files: Vec<FileView> },
    Other(Value),
}

#[derive(Serialize)]
struct FileView {
    path: String,
    size: u64,
    offset: u64,
    acknowledged: u64,
    lag: u64,
    state: &'static str,
}

impl From<FileStatus> for FileView {
    fn from(file: FileStatus) -> Self {
        Self {
            path: file.path.to_string_lossy().into_owned(),
            size: file.size,
            offset: file.read,
            acknowledged: file.acknowledged,
            lag: file.lag,
            state: file.state.name(),
        }
    }
}

async fn sources(State(overview): State<Arc<Overview>>) -> Json<SourcesView> {
    let mut sources = BTreeMap::new();
    for (name, status) in &overview.files {
        let files = status.files().into_iter().map(FileView::from).collect();
        sources.insert(name.clone(), SourceView::Files { files });
    }
    for (name, status) in &overview.syslog {
        let listeners = status.listeners.iter().map(|listener| listener_json(listener));
        let skew = status.clock_skew.seconds().into_iter().map(|(host, seconds)| (host, json!(seconds)));
        let skew = skew.collect::<serde_json::Map<_, _>>();
        let listeners = listeners.collect::<Vec<_>>();
        let source = json!({ "listeners": listeners, "clock_skew_seconds": skew });
        sources.insert(name.clone(), SourceView::Other(source));
    }
    #[cfg(feature = "kafka")]
    for (name, status) in &overview.kafka {
        sources.insert(name.clone(), SourceView::Other(kafka_json(status)));
    }
    for (name, counts) in overview.ledger.counts() {
        let source = || SourceView::Other(json!({ "offset": counts.bytes, "files": [] }));
        sources.entry(name.to_owned()).or_insert_with(source);
    }
    Json(SourcesView { sources })
}

#[cfg(feature = "kafka")]
fn kafka_json(status: &KafkaSourceStatus) -> Value {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let partitions = status.partitions();
    let lag = partitions.values().filter_map(PartitionStatus::lag).sum::<u64>();
    let partitions = partitions.into_iter().map(|((topic, number), partition)| {
        json!({
            "topic": topic,
            "partition": number,
            "position": partition.position,
            "end": partition.end,
            "lag": partition.lag(),
        })
    });
    json!({
        "group": status.group(),
        "lag": lag,
        "partitions": partitions.collect::<Vec<_>>(),
        "rebalances": count(&status.rebalances),
        "position_resets": count(&status.position_resets),
        "possibly_lost_records": count(&status.possibly_lost_records),
        "null_values": count(&status.null_values),
        "pauses": count(&status.pauses),
        "commit_failures": count(&status.commit_failures),
    })
}

fn listener_json(listener: &ListenerStatus) -> Value {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({
        "listen": listener.listen.to_string(),
        "messages": count(&listener.messages),
        "bytes": count(&listener.bytes),
        "cut": count(&listener.cut),
        "connections": count(&listener.open),
        "accepted": count(&listener.accepted),
        "refused": count(&listener.refused),
        "failed": count(&listener.failed),
        "kernel_drops": listener.kernel_drops(),
    })
}

async fn outputs(State(overview): State<Arc<Overview>>) -> Json<Value> {
    let outputs = overview.outputs.iter().map(|status| {
        let counts = status.counts();
        let value = json!({
            "kind": status.kind(),
            "state": status.state().name(),
            "delivered": counts.delivered,
            "rejected": counts.rejected,
            "retried": counts.retried,
            "requests": counts.requests,
            "bytes": counts.bytes,
            "in_flight": counts.in_flight,
            "concurrency": counts.concurrency,
            "last_error": status.last_error(),
        });
        (status.name().to_owned(), value)
    });
    Json(json!({ "outputs": outputs.collect::<serde_json::Map<_, _>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        for (host, answered) in [
            ("127.0.0.1:9598", true),
            ("localhost:9598", true),
            ("LocalHost", true),
            ("[::1]:9598", true),
            ("127.8.8.8", true),
            ("evil.example:9598", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(is_for_loopback(&headers), answered, "{host}");
        }
        assert!(is_for_loopback(&HeaderMap::new()));
    }
}
