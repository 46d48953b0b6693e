//! The client against a real HTTP server that answers as the test says.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use flate2::write::GzEncoder;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::config::{Auth, Compression};
use super::*;
use crate::payload::{Contents, Item, Run};

/// A request as the server saw it.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    headers: String,
    body: Vec<u8>,
}

/// What the server does with a request.
#[derive(Clone, Debug)]
enum Reply {
    Status(u16, &'static str),
    RetryAfter(u16, u32),
    /// Announces more than it sends, and closes.
    Cut(&'static str),
    /// Closes without an answer.
    Close,
    Hang,
}

/// Serves the replies in order; the last one again and again. Returns its address and what it was asked.
async fn serve(replies: Vec<Reply>) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, requests) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&seen), replies.clone()));
        }
    });
    (address, requests)
}

async fn connection(stream: TcpStream, seen: Arc<Mutex<Vec<Request>>>, replies: Vec<Reply>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let reply = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            replies[(seen.len() - 1).min(replies.len() - 1)].clone()
        };
        let text = match reply {
            Reply::Status(status, body) => {
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            }
            Reply::RetryAfter(status, seconds) => {
                format!("HTTP/1.1 {status} X\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n")
            }
            Reply::Cut(body) => {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 10)
            }
            Reply::Close => return,
            Reply::Hang => return std::future::pending().await,
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        if matches!(reply, Reply::Cut(_)) {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut line, mut headers, mut length) = (String::new(), String::new(), 0);
    stream.read_line(&mut line).await.ok().filter(|&read| read > 0)?;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        headers.push_str(&header);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line: line.trim().to_owned(), headers, body })
}

fn client(addresses: &[SocketAddr], change: impl FnOnce(&mut ElasticsearchConfig)) -> ElasticsearchClient {
    let urls = addresses.iter().map(|address| format!("http://{address}")).collect();
    let mut config =
        ElasticsearchConfig { urls, request_timeout: Duration::from_secs(5), ..Default::default() };
    change(&mut config);
    ElasticsearchClient::new(&config).unwrap()
}

fn payload(lines: &[&str], gzip: bool) -> Payload {
    let (mut body, mut contents) = (Vec::new(), Contents::default());
    for (index, line) in lines.iter().enumerate() {
        body.extend_from_slice(line.as_bytes());
        contents.items.push(Item { end: body.len() as u32, event: index as u32 });
    }
    contents.runs.push(Run { target: "logs-generic-default".into(), end: lines.len() as u32 });
    if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&body).unwrap();
        return Payload::new(encoder.finish().unwrap().into(), ContentEncoding::Gzip, contents, None);
    }
    Payload::new(body.into(), ContentEncoding::Identity, contents, None)
}

const FINE: Reply = Reply::Status(200, r#"{"errors":false}"#);
const DELIVERED: Verdict = Verdict::Delivered { soft_failures: 0 };

fn cause(verdict: &Verdict) -> Option<Cause> {
    match verdict {
        Verdict::Retry(trouble) => Some(trouble.cause),
        _ => None,
    }
}

#[tokio::test]
async fn sends_the_body_to_the_data_stream() {
    let (address, requests) = serve(vec![FINE]).await;
    let client = client(&[address], |_| {});
    assert_eq!(client.send(&payload(&["a\n", "b\n"], false)).await, DELIVERED);
    let request = requests.lock().unwrap()[0].clone();
    let line = "POST /logs-generic-default/_bulk?filter_path=errors%2Citems.*.failure_store HTTP/1.1";
    assert_eq!(request.line, line);
    assert_eq!(request.body, b"a\nb\n");
    assert!(request.headers.contains("content-type: application/x-ndjson"), "{}", request.headers);
    assert!(!request.headers.contains("content-encoding") && !request.headers.contains("authorization"));
}

#[tokio::test]
async fn a_compressed_body_says_so_and_a_path_before_bulk_is_kept() {
    let (address, requests) = serve(vec![FINE]).await;
    let client = client(&[], |config| config.urls = vec![format!("http://{address}/proxy/es")]);
    let sent = payload(&["a\n"], true);
    assert_eq!(client.send(&sent).await, DELIVERED);
    let request = requests.lock().unwrap()[0].clone();
    assert!(request.line.starts_with("POST /proxy/es/logs-generic-default/_bulk?"), "{}", request.line);
    assert!(request.headers.contains("content-encoding: gzip"));
    assert_eq!(&request.body, sent.body());
    assert_eq!(&*sent.plain().unwrap(), b"a\n");
}

#[tokio::test]
async fn says_who_we_are() {
    let basic = Auth::Basic { user: "ship".to_owned(), password: "pässword".to_owned() };
    for (auth, expected) in [
        (basic, "authorization: Basic c2hpcDpww6Rzc3dvcmQ="),
        (Auth::Bearer("tok".to_owned()), "authorization: Bearer tok"),
        (Auth::ApiKey("aWQ6a2V5".to_owned()), "authorization: ApiKey aWQ6a2V5"),
    ] {
        let (address, requests) = serve(vec![FINE]).await;
        assert!(!format!("{auth:?}").contains("tok") && !format!("{auth:?}").contains("ssword"));
        let client = client(&[address], |config| config.auth = auth);
        client.send(&payload(&["a\n"], false)).await;
        let headers = requests.lock().unwrap()[0].headers.clone();
        assert!(headers.contains(expected), "{headers}");
        assert_eq!(headers.matches("uthorization").count(), 1);
    }
}

#[tokio::test]
async fn errors_are_asked_for_in_full_and_then_at_once() {
    let items = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400}}]}"#;
    let (address, requests) =
        serve(vec![Reply::Status(200, r#"{"errors":true}"#), Reply::Status(200, items)]).await;
    let client = client(&[address], |_| {});
    for expected in [2, 3] {
        let Verdict::Mixed(mixed) = client.send(&payload(&["a\n", "b\n"], false)).await else {
            panic!("not mixed")
        };
        assert_eq!((mixed.rejected.len(), mixed.rejected[0].0), (1, 1));
        assert_eq!(requests.lock().unwrap().len(), expected);
    }
    assert!(requests.lock().unwrap()[1].line.contains("items.*.status"));
}

#[tokio::test]
async fn an_answer_that_is_cut_or_does_not_come_is_sent_again() {
    for reply in [Reply::Cut(r#"{"errors":false}"#), Reply::Close] {
        let (address, _) = serve(vec![reply.clone(), FINE]).await;
        let client = client(&[address], |_| {});
        assert_eq!(
            cause(&client.send(&payload(&["a\n"], false)).await),
            Some(Cause::Unreachable),
            "{reply:?}"
        );
        assert!(cause(&client.send(&payload(&["a\n"], false)).await).is_some_and(|c| c == Cause::Unexpected));
    }
}

#[tokio::test]
async fn a_node_that_hangs_is_overloaded() {
    let (address, _) = serve(vec![Reply::Hang]).await;
    let client = client(&[address], |config| config.request_timeout = Duration::from_millis(200));
    assert_eq!(cause(&client.send(&payload(&["a\n"], false)).await), Some(Cause::Overload));
}

#[tokio::test]
async fn the_wish_to_wait_is_read() {
    let (address, _) = serve(vec![Reply::RetryAfter(429, 13)]).await;
    let verdict = client(&[address], |_| {}).send(&payload(&["a\n"], false)).await;
    let Verdict::Retry(trouble) = verdict else { panic!("not to be sent again") };
    assert_eq!((trouble.cause, trouble.after), (Cause::Overload, Some(Duration::from_secs(13))));
}

#[tokio::test]
async fn another_node_takes_over_at_once_and_the_dead_one_rests() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (alive, requests) = serve(vec![FINE]).await;
    let client = client(&[dead, alive], |_| {});
    for sent in 1..=6 {
        assert_eq!(client.send(&payload(&["a\n"], false)).await, DELIVERED);
        assert_eq!(requests.lock().unwrap().len(), sent);
    }
}

#[tokio::test]
async fn healthy_nodes_take_turns() {
    let (one, first) = serve(vec![FINE]).await;
    let (two, second) = serve(vec![FINE]).await;
    let client = client(&[one, two], |_| {});
    for _ in 0..10 {
        assert_eq!(client.send(&payload(&["a\n"], false)).await, DELIVERED);
    }
    assert_eq!((first.lock().unwrap().len(), second.lock().unwrap().len()), (5, 5));
}

#[tokio::test]
async fn a_store_that_is_away_is_found_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(&[address], |_| {});
    let verdict = client.send(&payload(&["a\n"], false)).await;
    let Verdict::Retry(trouble) = verdict else { panic!("not to be sent again") };
    assert_eq!(trouble.cause, Cause::Unreachable);
    assert!(trouble.reason.starts_with(&address.to_string()), "{}", trouble.reason);
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let items = Reply::Status(200, r#"{"errors":false,"items":[{"create":{"status":201}}]}"#);
        connection(stream, Arc::default(), vec![items]).await;
    });
    assert_eq!(client.send(&payload(&["a\n"], false)).await, DELIVERED);
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let with = |urls: &[&str]| ElasticsearchConfig {
        urls: urls.iter().map(|&url| url.to_owned()).collect(),
        ..Default::default()
    };
    for (config, expected) in [
        (with(&[]), "urls is empty"),
        (with(&["http://a", "ftp://b"]), "url 2 is not an http or https address"),
        (with(&["localhost:9200"]), "url 1 is not an http or https address"),
        (with(&["http://u:secret@a"]), "url 1 holds a user or password"),
        (ElasticsearchConfig { auth: Auth::Bearer("a\nb".to_owned()), ..with(&["http://a"]) }, "credentials"),
    ] {
        let error = ElasticsearchClient::new(&config).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{error}");
    }
    let tls = |authorities: &[u8], identity: Option<&[u8]>| ElasticsearchConfig {
        tls: super::super::config::Tls {
            authorities: Some(authorities.to_vec()),
            identity: identity.map(<[u8]>::to_vec),
        },
        ..with(&["https://a"])
    };
    for config in [
        tls(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None),
        tls(b"", Some(b"no key")),
        tls(b"no certificate", None),
    ] {
        let error = ElasticsearchClient::new(&config).unwrap_err().to_string();
        assert!(error.contains("PEM"), "{error}");
    }
}

#[test]
fn bodies_are_plain_on_loopback_only() {
    for (urls, compression, expected) in [
        (vec!["http://127.0.0.1:9200", "http://localhost:9201", "http://[::1]:1"], Compression::Auto, false),
        (vec!["http://127.0.0.1:9200", "http://store:9200"], Compression::Auto, true),
        (vec!["http://127.0.0.1:9200"], Compression::Gzip, true),
        (vec!["http://store:9200"], Compression::None, false),
    ] {
        let urls = urls.into_iter().map(str::to_owned).collect();
        assert_eq!(ElasticsearchConfig { urls, compression, ..Default::default() }.gzip(), expected);
    }
}
