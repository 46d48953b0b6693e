//! Lines through both parses, as documents.

mod again;

use bytes::Bytes;
use logweir_parsers::pattern::Leaf;
use logweir_parsers::{Pattern, Zone};
use proptest::prelude::*;
use regex::bytes::Regex;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::event::{ConstantSet, ConstantValue, Constants, JsonEncoder, Span, Writer};
use crate::stream::{Position, Stream};
use crate::testing;

/// Lines that sshd, sudo, su, runuser and the tools of shadow wrote to `/dev/log`, with their names changed.
const HOST_LOG: &str = include_str!("../../testdata/host.log");

struct Parsed {
    documents: Vec<Map<String, Json>>,
    unparsed: u64,
}

/// Parses lines by this format.
fn parse(format: Format, parse_message: Option<Grammars>, fields: ConstantSet, lines: &[&str]) -> Parsed {
    parse_with(Keys::new(100), format.into(), parse_message, fields, lines)
}

/// The same with a table of keys.
fn parse_with(
    keys: Arc<Keys>,
    format: Grammar,
    parse_message: Option<Grammars>,
    fields: ConstantSet,
    lines: &[&str],
) -> Parsed {
    let mut source = testing::source(fields.clone());
    source.constants = Constants::new(fields, None, "default").of_formats(std::slice::from_ref(&format));
    (source.formats, source.parse_message) = (vec![format], parse_message);
    parse_as(source, keys, lines)
}

/// Parses the lines of a source as one batch.
fn parse_as(source: SourceMeta, keys: Arc<Keys>, lines: &[&str]) -> Parsed {
    let stream: Arc<Stream> = testing::stream(source, ConstantSet::default());
    let (mut chunk, mut events) = (Vec::new(), Vec::new());
    for line in lines {
        let [start, len] = [chunk.len(), line.len()].map(|number| u32::try_from(number).unwrap());
        events.push(Batch::line(Span { start, len }, 0, 0, EventFlags::default()));
        chunk.extend_from_slice(line.as_bytes());
    }
    let ack = stream.begin(Position::default(), events.len() as u64, 0);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&stream), 0, ack);
    let mut parser = Parser::new(Arc::clone(&keys));
    parser.parse(&mut batch);
    let mut encoder = JsonEncoder::new(keys);
    let documents = batch.events.iter().map(|event| {
        let mut out = Writer::default();
        encoder.write(&batch, event, &mut out);
        let text = std::str::from_utf8(out.as_slice()).unwrap();
        let document: Map<String, Json> = serde_json::from_str(text).unwrap();
        for name in document.keys() {
            assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{name} stands twice in {text}");
        }
        document
    });
    let documents = documents.collect();
    parser.recycle(batch).done();
    Parsed { documents, unparsed: stream.source().ledger.counts().unparsed }
}

fn by_program(format: Format, line: &str) -> Map<String, Json> {
    let mut parsed = parse(format, Some(Grammars::ByProgram), ConstantSet::default(), &[line]);
    assert_eq!(parsed.unparsed, 0);
    parsed.documents.remove(0)
}

fn assert_has(document: &Map<String, Json>, expected: &Json) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(document.get(name), Some(value), "{name} of {document:#?}");
    }
}

#[test]
fn the_grammar_of_the_program_reads_the_message() {
    let message = "Failed password for invalid user admin from 192.0.2.7 port 51234 ssh2";
    let document = by_program(Format::Syslog, &format!("<38>Nov 14 22:13:20 web1 sshd[4711]: {message}"));
    let expected = json!({
        "message": message, "process.name": "sshd", "process.pid": 4711, "host.hostname": "web1",
        "log.syslog.facility.name": "auth", "log.level": "info", "event.kind": "event", "event.dataset": "syslog",
        "event.category": ["authentication"], "event.type": ["start"], "event.outcome": "failure",
        "event.action": "ssh_login", "user.name": "admin", "source.ip": "192.0.2.7", "source.port": 51234,
        "related.ip": "192.0.2.7", "related.user": "admin",
    });
    assert_has(&document, &expected);
}

#[test]
fn what_the_line_says_and_what_the_config_says_stay() {
    let line = r#"{"timestamp":"2023-11-14T22:13:20Z","user":{"name":"kept"},"process":{"name":"sshd"},"message":"Accepted password for alice from 192.0.2.7 port 1 ssh2"}"#;
    let mut fields = ConstantSet::default();
    fields.add(key::EVENT_ACTION, "event.action", ConstantValue::Text("mine".to_owned()));
    let parsed = parse(Format::Json, Some(Grammars::ByProgram), fields, &[line]);
    let expected = json!({
        "@timestamp": "2023-11-14T22:13:20.000Z", "user.name": "kept", "source.ip": "192.0.2.7",
        "event.action": "mine", "event.outcome": "success", "event.dataset": "generic",
    });
    assert_has(&parsed.documents[0], &expected);
}

#[test]
fn a_message_that_is_not_in_the_chunk_is_read_from_the_side_buffer() {
    let escaped =
        r#"{"process":{"name":"sudo"},"message":"alice : PWD=/ ; USER=b\u00f6b ; COMMAND=/bin/echo \"a\""}"#;
    let expected = json!({
        "message": "alice : PWD=/ ; USER=böb ; COMMAND=/bin/echo \"a\"", "user.name": "alice",
        "user.effective.name": "böb", "related.user": ["alice", "böb"], "process.command_line": "/bin/echo \"a\"",
    });
    assert_has(&by_program(Format::Json, escaped), &expected);
    let made = r#"process.name=su msg="\x28to root) alice on pts/0" x=\x"#;
    let expected =
        json!({ "message": "(to root) alice on pts/0", "user.name": "alice", "event.action": "su" });
    assert_has(&by_program(Format::Logfmt, made), &expected);
}

#[test]
fn a_text_in_the_side_buffer_can_hold_json() {
    let line = r#"{"message":"{\"a\":\"x \\\"y\\\"\",\"n\":1,\"list\":[1],\"level\":\"warn\"}"}"#;
    let listed = Some(Grammars::Listed(vec![Format::Json.into()]));
    let parsed = parse(Format::Json, listed, ConstantSet::default(), &[line]);
    assert_has(&parsed.documents[0], &json!({ "a": "x \"y\"", "n": 1, "list": [1], "log.level": "warn" }));
    assert_eq!(parsed.unparsed, 0);
}

#[test]
fn a_message_that_no_grammar_takes_leaves_no_trace() {
    let lines = [
        "<38>Nov 14 22:13:20 web1 sshd[1]: something new",
        "<38>Nov 14 22:13:20 web1 sudo: alice : USER=root ; PWD=/",
        "<38>Nov 14 22:13:20 web1 nginx: Accepted password for alice from 192.0.2.7 port 1 ssh2",
        "<38>Nov 14 22:13:20 web1 kernel: usb 1-1: new device",
        "<38>",
    ];
    let plain = parse(Format::Syslog, None, ConstantSet::default(), &lines);
    let auto = parse(Format::Syslog, Some(Grammars::ByProgram), ConstantSet::default(), &lines);
    assert_eq!(auto.documents, plain.documents);
    assert_eq!(auto.unparsed, 0);
    let listed = Some(Grammars::Listed(vec![Format::Sudo.into(), Format::Netfilter.into()]));
    let listed = parse(Format::Syslog, listed, ConstantSet::default(), &lines);
    assert_eq!(listed.documents, plain.documents);
    assert_eq!(listed.unparsed, 4, "the last line has no message");
}

#[test]
fn a_list_is_tried_in_order_whatever_the_program() {
    let line = "<38>Nov 14 22:13:20 web1 my-login: (to root) alice on pts/0";
    let listed = Some(Grammars::Listed(vec![Format::Sshd.into(), Format::Su.into()]));
    let parsed = parse(Format::Syslog, listed, ConstantSet::default(), &[line]);
    assert_has(&parsed.documents[0], &json!({ "event.action": "su", "user.name": "alice" }));
    assert_eq!(parsed.unparsed, 0);
}

#[test]
fn a_line_that_no_format_takes_is_not_read_again() {
    let parsed =
        parse(Format::Json, Some(Grammars::ByProgram), ConstantSet::default(), &["pam_unix(a:b): c"]);
    assert_has(&parsed.documents[0], &json!({ "event.kind": "pipeline_error" }));
    assert!(!parsed.documents[0].contains_key("event.category"));
    assert_eq!(parsed.unparsed, 1);
}

#[test]
fn every_line_of_a_real_host_is_understood() {
    let lines: Vec<&str> = HOST_LOG.lines().collect();
    let parsed = parse(Format::Syslog, Some(Grammars::ByProgram), ConstantSet::default(), &lines);
    assert_eq!(parsed.unparsed, 0);
    for (document, line) in parsed.documents.iter().zip(&lines) {
        assert!(document.contains_key("event.action"), "{line}");
        assert_ne!(
            document.get("source.ip"),
            Some(&json!("9.9.9.9")),
            "a stranger's word was believed: {line}"
        );
    }
    let failures =
        parsed.documents.iter().filter(|document| document.get("event.outcome") == Some(&json!("failure")));
    assert!(failures.count() > 10);
}

/// A format of the config, as its `[formats.NAME]` would make it.
fn own(keys: &Arc<Keys>, body: Body, zone: Option<Zone>) -> Grammar {
    let constant = |name: &str, value| OwnConstant::new(keys.intern(name).unwrap(), name.to_owned(), value);
    let constants = vec![
        constant("labels.tier", ConstantValue::Integer(2)),
        constant("event.category", ConstantValue::List(vec!["web".to_owned()])),
        constant("user.name", ConstantValue::Text("nobody".to_owned())),
    ];
    Grammar::Own(Arc::new(OwnFormat { name: "own".to_owned(), dataset: None, constants, zone, body }))
}

#[test]
fn a_format_of_the_config_reads_a_message_wherever_it_stands() {
    let keys = Keys::new(100);
    let regex = Regex::new(r"^order (?<labels.order>\d+)(?: by (?<user.name>\w+))?$").unwrap();
    let types = [("labels.order".to_owned(), Leaf::by_name("int").unwrap())];
    let body = Body::Regex(RegexFormat::new(regex, &types, &[], &mut |name| keys.intern(name)).unwrap());
    let listed = Some(Grammars::Listed(vec![own(&keys, body, None)]));
    let lines = [
        r#"{"message":"order 5 by alice"}"#,
        r#"{"message":"order 6 by al\u0069ce"}"#,
        r#"{"message":"order 7","labels.tier":1}"#,
        r#"{"message":"order x"}"#,
    ];
    let parsed = parse_with(keys, Format::Json.into(), listed, ConstantSet::default(), &lines);
    let category = json!(["web"]);
    for (document, order, user, tier) in [(0, 5, "alice", 2), (1, 6, "alice", 2), (2, 7, "nobody", 1)] {
        let expected = json!({
            "labels.order": order, "user.name": user, "labels.tier": tier, "event.category": category,
            "event.dataset": "generic",
        });
        assert_has(&parsed.documents[document], &expected);
    }
    assert!(!parsed.documents[3].contains_key("labels.tier"), "{:?}", parsed.documents[3]);
    assert_eq!(parsed.unparsed, 1);
}

#[test]
fn a_format_of_the_config_has_its_own_zone_and_constants() {
    let keys = Keys::new(100);
    let pattern = Pattern::new("{@timestamp:%F %T} {message}", &[], &mut |name| keys.intern(name)).unwrap();
    let grammar = own(&keys, Body::Pattern(pattern), crate::zone::zone("Europe/Berlin"));
    let lines = ["2026-07-23 09:30:00 summer", "2026-11-23 09:30:00 winter", "2026-11-23 broken"];
    let parsed = parse_with(keys, grammar, None, ConstantSet::default(), &lines);
    for (document, time) in [(0, "2026-07-23T07:30:00.000Z"), (1, "2026-11-23T08:30:00.000Z")] {
        let expected = json!({
            "@timestamp": time, "labels.tier": 2, "event.category": ["web"], "user.name": "nobody",
            "event.kind": "event",
        });
        assert_has(&parsed.documents[document], &expected);
    }
    let expected = json!({
        "event.kind": "pipeline_error", "error.message": "own: expected a time by `%F %T` at column 12",
    });
    assert_has(&parsed.documents[2], &expected);
    assert!(!parsed.documents[2].contains_key("event.category"), "a broken line is called what it is not");
}

#[test]
fn a_zone_by_name_is_for_all_formats_of_its_source() {
    let mut source = testing::source(ConstantSet::default());
    source.formats = vec![Format::Syslog.into()];
    source.zone = crate::zone::zone("Europe/Berlin").unwrap();
    let lines = ["<13>2026-07-23T09:30:00 web1 app: summer", "<13>2026-11-23T09:30:00 web1 app: winter"];
    let parsed = parse_as(source, Keys::new(100), &lines);
    for (document, time) in [(0, "2026-07-23T07:30:00.000Z"), (1, "2026-11-23T08:30:00.000Z")] {
        assert_has(&parsed.documents[document], &json!({ "@timestamp": time, "process.name": "app" }));
    }
}

/// A batch of these lines of a sender of the network, and of this host.
fn from_senders(fields: ConstantSet, lines: [&str; 2]) -> [Map<String, Json>; 2] {
    let text = |text: &str| ConstantValue::Text(text.to_owned());
    let (mut remote, mut local) = (ConstantSet::default(), ConstantSet::default());
    remote.add(key::SOURCE_IP, "source.ip", text("192.0.2.7"));
    local.add(key::HOST_NAME, "host.name", text("relay"));
    let mut source = testing::source(fields);
    source.formats = vec![Format::Syslog.into()];
    let stream = testing::stream(source, ConstantSet::default());
    let chunk = lines.concat();
    let mut start = 0;
    let events = lines.iter().zip(1..).map(|(line, sender)| {
        let span = Span { start, len: u32::try_from(line.len()).unwrap() };
        start += span.len;
        let mut event = Batch::line(span, 0, 0, EventFlags::default());
        event.sender = sender;
        event
    });
    let events = events.collect();
    let ack = stream.begin(Position::default(), 2, 0);
    let keys = Keys::new(100);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&stream), 0, ack);
    batch.senders = vec![Arc::new(remote), Arc::new(local)];
    Parser::new(Arc::clone(&keys)).parse(&mut batch);
    assert_eq!(batch.senders.len(), 2, "the senders are gone");
    let mut encoder = JsonEncoder::new(keys);
    [0, 1].map(|place: usize| {
        let mut out = Writer::default();
        encoder.write(&batch, &batch.events[place], &mut out);
        serde_json::from_slice(out.as_slice()).unwrap()
    })
}

#[test]
fn an_event_of_the_network_is_of_the_host_that_it_names() {
    let named = "<13>1 2026-11-23T12:00:00Z web-7 app - - - x";
    let nameless = "<13>1 2026-11-23T12:00:00Z - app - - - x";
    let host = |document: &Map<String, Json>| document["host.name"].clone();
    let documents = from_senders(ConstantSet::default(), [named, named]);
    assert_eq!(documents.each_ref().map(host), ["web-7", "relay"]);
    let documents = from_senders(ConstantSet::default(), [nameless, nameless]);
    assert_eq!(documents.each_ref().map(host), ["192.0.2.7", "relay"]);
    let documents = from_senders(ConstantSet::default(), ["neither priority nor time", nameless]);
    assert_eq!(
        documents.each_ref().map(host),
        ["192.0.2.7", "relay"],
        "a line that no grammar takes has a sender too"
    );
    let mut configured = ConstantSet::default();
    configured.add(key::HOST_NAME, "host.name", ConstantValue::Text("fleet".to_owned()));
    let [remote, _] = from_senders(configured, [named, nameless]);
    assert_eq!(host(&remote), "fleet");
}

/// Members that are remembered from line to line, and some that look like others.
const MEMBERS: &[&str] = &[
    r#""time":"2023-11-14T22:13:20Z""#,
    r#""level":"info""#,
    r#""level": "warn""#,
    r#""severity":"high""#,
    r#""log.level":"own""#,
    r#""msg":"a \"b\"""#,
    r#""msg":{"a":1}"#,
    r#""message":null"#,
    r#""user":"alice""#,
    r#""user":{"id":7,"na\u006de":"bob"}"#,
    r#""status":200"#,
    r#""status" :  [1, 2]"#,
    r#""stat":true"#,
    r#""st\u0061t":false"#,
    r#""a_name_that_is_longer_than_what_is_remembered":1"#,
    r#""\u00fc":"\u00fc""#,
];

proptest! {
    #[test]
    fn lines_before_change_nothing(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(MEMBERS), 0..12), 1..12),
        cut in 0..100_usize,
    ) {
        let mut lines = lines.iter().map(|members| format!("{{{}}}", members.join(","))).collect::<Vec<_>>();
        if let Some(line) = lines.last_mut() {
            line.truncate(line.len().saturating_sub(cut / 10));
        }
        let lines = lines.iter().map(String::as_str).collect::<Vec<_>>();
        let together = parse(Format::Json, None, ConstantSet::default(), &lines);
        for (line, document) in lines.iter().zip(together.documents) {
            prop_assert_eq!(&parse(Format::Json, None, ConstantSet::default(), &[line]).documents[0], &document);
        }
    }
}
