//! Bodies as the encoder writes them, and the client against a real HTTP server that answers as the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use logweir_parsers::format::Format;
use logweir_pipeline::event::Writer;
use logweir_pipeline::transform::Template;
use serde_json::{Value, json};

use super::encode::Part;
use super::*;
use crate::client::Client;
use crate::encode::Encode;
use crate::http::{Auth, Tls};
use crate::payload::{ContentEncoding, Contents, Item, Payload, Run};
use crate::rate::RateConfig;
use crate::testing::Source;
use crate::verdict::{Cause, Refusal, Verdict};

/// A path of a URL that is a secret, as that of Slack is.
const TOKEN: &str = "T0000-c0ffee";

fn source() -> Source {
    Source::new(Format::Json, 7)
}

fn text(source: &Source, text: &str) -> Body {
    Body::Text(Template::new(text, |name| source.keys.intern(name)).unwrap())
}

/// The items of these lines, each as bytes.
fn items(source: &mut Source, body: Option<Body>, lines: &[&str]) -> Vec<Vec<u8>> {
    let batch = source.batch(lines);
    let mut encoder = WebhookEncoder::new(Arc::clone(&source.keys), body, "webhook");
    encoder.begin(&batch);
    let write = |index: usize| {
        let mut out = Writer::default();
        encoder.target(&batch, index);
        encoder.encode(&batch, &batch.events[index], None, &mut out);
        out.as_slice().to_vec()
    };
    (0..lines.len()).map(write).collect()
}

/// What is sent of a line, and its document.
fn sent(source: &mut Source, body: Option<Body>, line: &str) -> (Value, Value) {
    let item = items(source, body, &[line]).remove(0);
    let part = Part::of(&item);
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap();
    (json(&item[part.body]), json(&item[part.document]))
}

fn payload(items: &[Vec<u8>]) -> Payload {
    let mut contents = Contents::default();
    let mut body = Vec::new();
    for (event, item) in items.iter().enumerate() {
        body.extend_from_slice(item);
        contents.items.push(Item { end: body.len() as u32, event: event as u32 });
    }
    contents.runs.push(Run { target: "webhook".into(), end: items.len() as u32 });
    Payload::new(body.into(), ContentEncoding::Identity, contents, None)
}

fn config(url: String) -> WebhookConfig {
    WebhookConfig {
        url,
        method: Method::Post,
        headers: Vec::new(),
        auth: Auth::None,
        tls: Tls::default(),
        body: None,
        secrets: Vec::new(),
        per_request: PerRequest::Event,
        rate: None,
        request_timeout: Duration::from_secs(10),
        use_proxy: false,
    }
}

/// What the server was asked: method and path, headers, body.
type Asked = Arc<Mutex<Vec<(String, axum::http::HeaderMap, String)>>>;

/// A server that gives this answer to everything.
async fn serve(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: String,
) -> (String, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let answer = move |request: Request| async move {
        let (head, content) = request.into_parts();
        let content = axum::body::to_bytes(content, usize::MAX).await.unwrap();
        let content = String::from_utf8(content.to_vec()).unwrap();
        seen.lock().unwrap().push((format!("{} {}", head.method, head.uri), head.headers, content));
        let response = Response::builder().status(status);
        let response =
            headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        response.body(axum::body::Body::from(body)).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/{TOKEN}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (url, asked)
}

#[test]
fn texts_are_filled_in_and_escaped() {
    let mut source = source();
    let body = Body::Table(vec![
        ("text".to_owned(), text(&source, "{rule.name} from {source.ip}: {{{logweir.alert.count}}}")),
        ("a \"name\"".to_owned(), Body::List(vec![Body::Fixed(json!(1.5)), text(&source, "plain")])),
    ]);
    let line = r#"{"rule.name":"say \"no\"\n\\","logweir.alert.count":5}"#;
    let (body, document) = sent(&mut source, Some(body), line);
    assert_eq!(body, json!({ "text": "say \"no\"\n\\ from unknown: {5}", "a \"name\"": [1.5, "plain"] }));
    assert_eq!(document["logweir.alert.count"], 5);
    assert_eq!(document["event.id"].as_str().unwrap().len(), 22);
}

#[test]
fn a_lone_reference_keeps_its_type_and_is_left_out_when_there_is_nothing() {
    let mut source = source();
    let names = ["number", "float", "truth", "text", "list", "absent", "event.id"];
    let members = names.map(|name| (name.to_owned(), text(&source, &format!("{{{name}}}"))));
    let list =
        Body::List(vec![text(&source, "{absent}"), text(&source, "{number}"), text(&source, "{absent}")]);
    let body = Body::Table(members.into_iter().chain([("items".to_owned(), list)]).collect());
    let line = r#"{"number":5,"float":0.25,"truth":true,"text":"a\"b","list":[1,{"a":null}],"event.id":"x"}"#;
    let (body, document) = sent(&mut source, Some(body), line);
    let expected = json!({
        "number": 5, "float": 0.25, "truth": true, "text": "a\"b", "list": [1, { "a": null }],
        "event.id": document["event.id"], "items": [5],
    });
    assert_eq!(body, expected);
    assert_ne!(document["event.id"], "x");
}

#[test]
fn without_a_body_the_document_is_sent_once() {
    let mut source = source();
    let item = items(&mut source, None, &[r#"{"a":1}"#]).remove(0);
    let part = Part::of(&item);
    assert_eq!(part.body, part.document);
    assert_eq!(part.body.end + 4, item.len());
    assert_eq!(Part::of(b""), Part::default());
}

#[tokio::test]
async fn a_request_has_the_identity_and_the_headers() {
    let (url, asked) = serve(202, &[], String::new()).await;
    let mut source = source();
    let items = items(&mut source, None, &[r#"{"a":1}"#]);
    let auth = Auth::Basic { user: "me".to_owned(), password: "hunter2".to_owned() };
    let headers = vec![("X-Key".to_owned(), "abc".to_owned())];
    let config = WebhookConfig { method: Method::Put, auth, headers, ..config(url) };
    let client = WebhookClient::new(&config).unwrap();
    assert_eq!(client.send(&payload(&items)).await, Verdict::Delivered { soft_failures: 0 });
    let (request, headers, body) = asked.lock().unwrap().remove(0);
    let body = serde_json::from_str::<Value>(&body).unwrap();
    assert_eq!(request, format!("PUT /{TOKEN}"));
    assert_eq!(headers["idempotency-key"], body["event.id"].as_str().unwrap());
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(
        (&headers["x-key"], &headers["authorization"]),
        (&"abc".parse().unwrap(), &"Basic bWU6aHVudGVyMg==".parse().unwrap())
    );
    let document = client.document(&items[0]);
    assert_eq!(document.id, body["event.id"]);
    let debug = format!("{client:?} {config:?}");
    for secret in [TOKEN, "hunter2", "abc", "bWU6"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[tokio::test]
async fn a_list_holds_all_events_of_a_payload() {
    let (url, asked) = serve(200, &[], "ok".to_owned()).await;
    let mut source = source();
    let body = Body::Table(vec![("n".to_owned(), text(&source, "{n}"))]);
    let items = items(&mut source, Some(body), &[r#"{"n":1}"#, r#"{"m":2}"#, r#"{"n":"3"}"#]);
    let client =
        WebhookClient::new(&WebhookConfig { per_request: PerRequest::Array, ..config(url) }).unwrap();
    assert_eq!(client.send(&payload(&items)).await, Verdict::Delivered { soft_failures: 0 });
    let (_, headers, body) = asked.lock().unwrap().remove(0);
    assert_eq!(body, r#"[{"n":1},{},{"n":"3"}]"#);
    assert!(!headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn statuses_decide() {
    let mut source = source();
    let items = items(&mut source, None, &["{}"]);
    for (status, expected) in [
        (200, None),
        (204, None),
        (301, Some(Cause::Unexpected)),
        (401, Some(Cause::Unauthorized)),
        (403, Some(Cause::Unauthorized)),
        (408, Some(Cause::Overload)),
        (429, Some(Cause::Overload)),
        (500, Some(Cause::Unexpected)),
        (503, Some(Cause::Overload)),
    ] {
        let (url, _) =
            serve(status, &[("retry-after", "7"), ("location", "/elsewhere")], String::new()).await;
        let client = WebhookClient::new(&config(url)).unwrap();
        match (client.send(&payload(&items)).await, expected) {
            (Verdict::Delivered { .. }, None) => {}
            (Verdict::Retry(trouble), Some(cause)) => {
                assert_eq!((trouble.cause, trouble.after), (cause, Some(Duration::from_secs(7))), "{status}");
                assert!(trouble.reason.contains(&status.to_string()), "{}", trouble.reason);
            }
            (verdict, _) => panic!("{status}: {verdict:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_quotes_the_answer_without_secrets() {
    let said = format!("no_text\n{TOKEN} Bearer s3cr3t-token key=r0uting-key{}", "x".repeat(20_000));
    let (url, _) = serve(400, &[], said).await;
    let mut source = source();
    let items = items(&mut source, None, &["{}"]);
    let auth = Auth::Bearer("s3cr3t-token".to_owned());
    let config = WebhookConfig { auth, secrets: vec!["r0uting-key".to_owned()], ..config(url) };
    let client = WebhookClient::new(&config).unwrap();
    let Verdict::Refused(Refusal { status: 400, label, reason }) = client.send(&payload(&items)).await else {
        panic!("not refused")
    };
    assert_eq!(label, "status 400");
    assert!(reason.contains("answered with status 400: no_text *** *** *** key=***xxx"), "{reason}");
    assert!(reason.len() < 400, "{reason}");
}

#[tokio::test]
async fn an_address_that_is_away_is_named_without_its_token() {
    let url = format!("http://127.0.0.1:1/{TOKEN}?key={TOKEN}");
    let mut source = source();
    let items = items(&mut source, None, &["{}"]);
    let client = WebhookClient::new(&config(url)).unwrap();
    let Verdict::Retry(trouble) = client.send(&payload(&items)).await else { panic!("not to be sent again") };
    assert_eq!(trouble.cause, Cause::Unreachable);
    assert!(trouble.reason.starts_with("http://127.0.0.1:1: "), "{}", trouble.reason);
    assert!(!trouble.reason.contains(TOKEN), "{}", trouble.reason);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_rate_wait() {
    let rate = Some(RateConfig { requests: 2, per: Duration::from_secs(60) });
    let mut source = source();
    let items = items(&mut source, None, &["{}"]);
    // Nobody listens there, which takes no time.
    let client =
        WebhookClient::new(&WebhookConfig { rate, ..config("http://127.0.0.1:1/".to_owned()) }).unwrap();
    let begin = tokio::time::Instant::now();
    for expected in [0, 0, 60, 60, 120] {
        client.send(&payload(&items)).await;
        assert_eq!(begin.elapsed().as_secs(), expected);
    }
}
