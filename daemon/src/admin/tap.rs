//! Live events over HTTP: `/api/points` and `/api/tap`.
//!
//! Owns: who may see events, what a request may ask for, and the stream of its answer.
//! Promises: an answer is NDJSON: `{"points":[…]}` first, then `{"point":NAME,"event":{…}}`, and about once a second
//! `{"skipped":N}` while there is more than can be shown. A client that does not read makes nobody wait.
//! Never: shows the config; changes anything, but that a field which a condition names gets a number.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_core::Stream;
use globset::Glob;
use logweir_pipeline::matcher::Condition;
use logweir_pipeline::tap::{EVENTS_PER_SECOND_MAX, Heard, TAPS_MAX, Tap};
use rustix::process::geteuid;
use serde_json::{Map, Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Overview, peer};
use crate::config::settings::TapAccess;
use crate::config::{nearest, parse_condition};

/// How often a tap is asked what it heard.
const VISIT_EVERY: Duration = Duration::from_millis(100);
/// How often an answer says what it could not show.
const TELL_SKIPPED_EVERY: Duration = Duration::from_secs(1);
/// Events a second unless the request says otherwise.
const EVENTS_PER_SECOND: u32 = 100;
/// Longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 4096;
/// What a request may say.
const PARAMETERS: &[&str] = &["points", "fields", "where", "rate"];

/// A refusal: status and reason.
type Refusal = (StatusCode, String);

/// The paths, for an interface at this address.
pub(super) fn router(overview: &Overview, address: SocketAddr) -> Router<Arc<Overview>> {
    let (access, port) = (overview.tap_access, address.port());
    let guard = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next| async move {
        match authorize(access, peer, port).await {
            Ok(()) => next.run(request).await,
            Err(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        }
    };
    let router = Router::new().route("/api/points", get(points)).route("/api/tap", get(tap));
    router.layer(middleware::from_fn(guard))
}

/// Says why a peer may not see events, if so. Files that hold logs are often closed to other users of a host, so their
/// lines are as well.
async fn authorize(access: TapAccess, peer: SocketAddr, our_port: u16) -> Result<(), String> {
    match access {
        TapAccess::Anyone => return Ok(()),
        TapAccess::Off => return Err("taps are off, by `[admin] tap`".to_owned()),
        TapAccess::Owner => {}
    }
    let user = tokio::task::spawn_blocking(move || peer::user_of(peer, our_port)).await;
    match user {
        Ok(Ok(Some(user))) if user == 0 || user == geteuid().as_raw() => Ok(()),
        Ok(Ok(_)) => Err("only root, and the user that logweir runs as, may see events, from this host; \
                          `[admin] tap = \"anyone\"` allows it to everyone who reaches this interface"
            .to_owned()),
        Ok(Err(error)) => Err(format!("cannot tell which user asks: {error}")),
        Err(error) => Err(format!("cannot tell which user asks: {error}")),
    }
}

async fn points(State(overview): State<Arc<Overview>>) -> Json<Value> {
    let points = overview.taps.points().iter();
    let points = points.map(|point| json!({ "name": point.name, "kind": point.kind.name() }));
    Json(json!({ "points": points.collect::<Vec<_>>() }))
}

async fn tap(State(overview): State<Arc<Overview>>, Query(query): Query<Vec<(String, String)>>) -> Response {
    // A large expression takes its time to compile, and outputs need this thread.
    let answer = tokio::task::spawn_blocking(move || Answer::new(&query, &overview)).await;
    match answer {
        Ok(Ok(answer)) => {
            let body = Body::from_stream(answer);
            ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
        }
        Ok(Err((status, reason))) => (status, format!("{}\n", reason.trim_end())).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The answer to one request, as it comes.
struct Answer {
    tap: Tap,
    fields: Option<Vec<String>>,
    visits: Interval,
    /// What stands first.
    first: Option<String>,
    /// What was skipped and not told, and when that was told last.
    skipped: u64,
    told: Instant,
}

impl Answer {
    fn new(query: &[(String, String)], overview: &Overview) -> Result<Self, Refusal> {
        let bad = |reason: String| (StatusCode::BAD_REQUEST, reason);
        if let Some((name, _)) = query.iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
            return Err(bad(format!("unknown parameter `{name}`; there are {}", PARAMETERS.join(", "))));
        }
        let given = |wanted| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let points = matching(given("points").unwrap_or("*"), overview).map_err(bad)?;
        let condition = given("where").map(|text| condition(text, overview)).transpose().map_err(bad)?;
        let rate = rate(given("rate")).map_err(bad)?;
        let fields =
            given("fields").map(|names| names.split(',').map(|name| name.trim().to_owned()).collect());
        let first = format!("{}\n", json!({ "points": points }));
        let tap = overview.taps.listen(points, condition, rate).ok_or_else(|| {
            let reason = format!("there are {TAPS_MAX} taps already; close one first");
            (StatusCode::SERVICE_UNAVAILABLE, reason)
        })?;
        let mut visits = interval(VISIT_EVERY);
        visits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { tap, fields, visits, first: Some(first), skipped: 0, told: Instant::now() })
    }

    /// What there is to say now.
    fn next_part(&mut self) -> Vec<u8> {
        let mut part = self.first.take().unwrap_or_default().into_bytes();
        let Heard { lines, skipped } = self.tap.hear();
        match &self.fields {
            None => part.extend_from_slice(&lines),
            Some(fields) => {
                let lines = lines.split_inclusive(|byte| *byte == b'\n');
                lines.for_each(|line| part.extend_from_slice(reduced(line, fields).as_bytes()));
            }
        }
        self.skipped += skipped;
        if self.skipped > 0 && self.told.elapsed() >= TELL_SKIPPED_EVERY {
            part.extend_from_slice(format!("{}\n", json!({ "skipped": self.skipped })).as_bytes());
            (self.skipped, self.told) = (0, Instant::now());
        }
        part
    }
}

impl Stream for Answer {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            ready!(self.visits.poll_tick(context));
            let part = self.next_part();
            if !part.is_empty() {
                return Poll::Ready(Some(Ok(part.into())));
            }
        }
    }
}

/// The names of the points that a pattern is of.
fn matching(pattern: &str, overview: &Overview) -> Result<Vec<String>, String> {
    let glob = Glob::new(pattern).map_err(|error| format!("`{pattern}` is no pattern: {}", error.kind()))?;
    let glob = glob.compile_matcher();
    let points = overview.taps.points();
    let names = points.iter().map(|point| point.name.as_str());
    let wanted = names.clone().filter(|name| glob.is_match(name)).map(str::to_owned).collect::<Vec<_>>();
    if wanted.is_empty() {
        let near = nearest(pattern, names).map(|name| format!("; did you mean `{name}`?"));
        let known = points.iter().map(|point| format!("\n  {} ({})", point.name, point.kind.name()));
        let (near, known) = (near.unwrap_or_default(), known.collect::<String>());
        return Err(format!("no point is called `{pattern}`{near} There are{known}"));
    }
    Ok(wanted)
}

fn condition(text: &str, overview: &Overview) -> Result<Condition, String> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(format!("the condition is longer than {CONDITION_BYTES_MAX} bytes"));
    }
    parse_condition(text, &overview.keys)
}

fn rate(given: Option<&str>) -> Result<u32, String> {
    let rate = given.map_or(Ok(EVENTS_PER_SECOND), str::parse);
    let rate = rate.ok().filter(|rate| (1..=EVENTS_PER_SECOND_MAX).contains(rate));
    rate.ok_or_else(|| {
        format!("the rate is a whole number of events a second, from 1 to {EVENTS_PER_SECOND_MAX}")
    })
}

/// A line with only these fields of its event, in this order.
fn reduced(line: &[u8], fields: &[String]) -> String {
    let line = serde_json::from_slice::<Map<String, Value>>(line).unwrap_or_default();
    let (point, event) = (&line["point"], &line["event"]);
    let members = fields.iter().filter_map(|name| Some(format!("{}:{}", json!(name), event.get(name)?)));
    format!("{{\"point\":{point},\"event\":{{{}}}}}\n", members.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_that_are_wanted_are_shown_in_their_order() {
        let line = br#"{"point":"web","event":{"@timestamp":"t","a":1,"b.c":{"d":[true]},"a":2}}"#;
        let fields = ["b.c", "x", "@timestamp"].map(str::to_owned);
        let expected = "{\"point\":\"web\",\"event\":{\"b.c\":{\"d\":[true]},\"@timestamp\":\"t\"}}\n";
        assert_eq!(reduced(line, &fields), expected);
    }

    #[test]
    fn a_rate_has_bounds() {
        assert_eq!(rate(None), Ok(EVENTS_PER_SECOND));
        assert_eq!(rate(Some("10000")), Ok(10_000));
        for wrong in ["0", "10001", "-1", "many", "99999999999999"] {
            assert!(rate(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
