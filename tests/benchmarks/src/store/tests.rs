//! The judge is judged: semantics of `create`, each fault of the plan, death and return on the same port.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::*;

fn body(ids: Range<u64>) -> String {
    ids.map(|number| {
        format!(
            "{{\"create\":{{\"_id\":\"id-{number}\"}}}}\n{{\"@timestamp\":1,\"message\":\"item/{number:09} x\"}}\n"
        )
    })
    .collect()
}

/// Status line and body, or nothing when the connection was refused or cut.
fn send(store: &Store, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(store.address).ok()?;
    let head = format!("POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, text) = answer.split_once("\r\n\r\n")?;
    Some((status, serde_json::from_str(text).unwrap_or(Value::Null)))
}

fn statuses(answer: &Value) -> Vec<u64> {
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["create"]["status"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_known_id_is_a_conflict_and_changes_nothing() {
    let store = Store::start(Faults::default()).unwrap();
    let (_, first) = send(&store, "/logs-x-default/_bulk", &body(0..3)).unwrap();
    assert_eq!(statuses(&first), [201, 201, 201]);
    assert_eq!(first["errors"], false);
    let (_, second) = send(&store, "/logs-x-default/_bulk", &body(2..4)).unwrap();
    assert_eq!(statuses(&second), [409, 201]);
    assert_eq!(second["items"][0]["create"]["error"]["type"], "version_conflict_engine_exception");
    assert_eq!(store.verdict(0..5), Verdict { lost: vec![4], ..Verdict::default() });
    assert_eq!(store.stored()[0].index, "logs-x-default");
}

#[test]
fn a_line_under_two_ids_is_doubled() {
    let store = Store::start(Faults::default()).unwrap();
    send(&store, "/_bulk", &body(0..2)).unwrap();
    send(&store, "/_bulk", &body(1..2).replace("id-1", "other")).unwrap();
    assert_eq!(store.verdict(0..2), Verdict { doubled: vec![1], ..Verdict::default() });
}

#[test]
fn wrong_documents_and_wrong_framing_are_refused() {
    let store = Store::start(Faults::default()).unwrap();
    let cases = [
        ("{\"message\":\"x\"}", "@timestamp"),
        ("{\"@timestamp\":1,\"a\":1,\"a\":2}", "Duplicate field 'a'"),
        ("{\"@timestamp\":1,\"a\":\"\u{1}\"}", "control character"),
        ("[1]", "JSON object"),
    ];
    for (document, reason) in cases {
        let (status, answer) = send(&store, "/_bulk", &format!("{{\"create\":{{}}}}\n{document}\n")).unwrap();
        assert_eq!(status, 200);
        assert_eq!(statuses(&answer), [400], "{document}");
        let told = answer["items"][0]["create"]["error"]["reason"].as_str().unwrap();
        assert!(told.contains(reason), "{document}: {told}");
    }
    assert_eq!(store.counts().malformed, 4);
    assert_eq!(send(&store, "/_bulk", "{\"create\":{}}\n{\"@timestamp\":1}").unwrap().0, 400);
    assert_eq!(send(&store, "/_bulk", "{\"index\":{}}\n{\"@timestamp\":1}\n").unwrap().0, 400);
}

#[test]
fn the_torture_plan_hits_as_planned_and_ends_in_all_but_the_rejected() {
    let store = Store::start(Faults::torture(11)).unwrap();
    let mut cut = 0;
    for start in (0..10_000).step_by(100) {
        // A client that repeats the whole request until no item asks for it.
        for _ in 0..6 {
            match send(&store, "/_bulk?filter_path=items.*.status", &body(start..start + 100)) {
                None => cut += 1,
                Some((200, answer))
                    if !statuses(&answer).iter().any(|status| matches!(status, 429 | 503)) =>
                {
                    break;
                }
                Some(_) => {}
            }
        }
    }
    let (counts, verdict) = (store.counts(), store.verdict(0..10_000));
    assert_eq!((verdict.lost.len(), verdict.doubled.len(), verdict.strangers), (0, 0, 0));
    assert!((60..140).contains(&verdict.rejected.len()), "{}", verdict.rejected.len());
    assert_eq!(store.len() + verdict.rejected.len(), 10_000);
    assert!((200..400).contains(&counts.too_many_requests), "{counts:?}");
    assert!((50..150).contains(&counts.unavailable), "{counts:?}");
    assert!(counts.whole_unavailable > 0 && cut > 0 && counts.cut == cut, "{counts:?}");
}

#[test]
fn a_stopped_store_refuses_and_comes_back_with_its_documents() {
    let mut store = Store::start(Faults::default()).unwrap();
    send(&store, "/_bulk", &body(0..1)).unwrap();
    store.stop();
    assert!(TcpStream::connect(store.address).is_err());
    store.start_again().unwrap();
    assert_eq!(statuses(&send(&store, "/_bulk", &body(0..2)).unwrap().1), [409, 201]);
}

#[test]
fn the_other_modes_and_limits_answer_as_asked() {
    let store = Store::start(Faults { max_body_bytes: Some(100), ..Faults::default() }).unwrap();
    assert_eq!(send(&store, "/_bulk", &body(0..10)).unwrap().0, 413);
    store.set_mode(Mode::Unauthorized);
    assert_eq!(send(&store, "/_bulk", &body(0..1)).unwrap().0, 401);
    store.set_mode(Mode::Hanging);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&store, "/_bulk", &body(0..1)));
        pause_until(Instant::now() + Duration::from_millis(100));
        assert!(!waiting.is_finished());
        store.set_mode(Mode::Serving);
        assert!(waiting.join().unwrap().is_none());
    });
    assert!(store.is_empty());
}
