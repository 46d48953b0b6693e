//! Mails as they are sent, to a server that speaks as the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use logweir_parsers::format::Format;
use logweir_pipeline::event::Writer;
use logweir_pipeline::transform::Template;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::client::Client;
use crate::encode::Encode;
use crate::http::{Auth, Tls};
use crate::lane::LaneConfig;
use crate::payload::{ContentEncoding, Contents, Item, Payload, Run};
use crate::testing::Source;
use crate::verdict::{Cause, Verdict};
use crate::webhook::WebhookEncoder;

fn template(source: &Source, text: &str) -> Template {
    Template::new(text, |name| source.keys.intern(name)).unwrap()
}

fn config(source: &Source, server: String) -> EmailConfig {
    EmailConfig {
        server,
        auth: Auth::None,
        tls: Tls::default(),
        from: "logweir <logweir@example.com>".to_owned(),
        to: vec!["ops@example.com".to_owned(), "On Call <oncall@example.com>".to_owned()],
        subject: template(source, "{rule.name}"),
        text: None,
        gather: None,
        events_max: 2,
        rate: None,
        request_timeout: Duration::from_secs(10),
    }
}

fn payload(source: &mut Source, config: &EmailConfig, lines: &[&str]) -> Payload {
    let batch = source.batch(lines);
    let mut encoder = WebhookEncoder::new(Arc::clone(&source.keys), Some(config.letter()), "email");
    let mut out = Writer::default();
    let mut contents = Contents::default();
    for index in 0..lines.len() {
        encoder.target(&batch, index);
        encoder.encode(&batch, &batch.events[index], None, &mut out);
        contents.items.push(Item { end: out.len() as u32, event: index as u32 });
    }
    contents.runs.push(Run { target: "email".into(), end: lines.len() as u32 });
    Payload::new(out.as_slice().to_vec().into(), ContentEncoding::Identity, contents, None)
}

/// A server that gives `answer` to the command that begins with `to`, and takes everything else. Returns its address and what it
/// was told, a line each.
async fn serve(to: &'static str, answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, told) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(session(stream, to, answer, Arc::clone(&seen)));
        }
    });
    (format!("smtp://{address}"), told)
}

async fn session(stream: TcpStream, to: &str, answer: &str, told: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await.ok()?;
    let mut is_mail = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        told.lock().unwrap().push(line.clone());
        let reply = match line.split(' ').next().unwrap() {
            "." => {
                is_mail = false;
                "250 kept"
            }
            _ if is_mail => continue,
            command if command == to => answer,
            "EHLO" => "250-test\r\n250 AUTH PLAIN",
            "DATA" => {
                is_mail = true;
                "354 go on"
            }
            "AUTH" => "235 welcome",
            "QUIT" => "221 bye",
            _ => "250 well",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    }
}

fn sent(told: &Mutex<Vec<String>>) -> String {
    told.lock().unwrap().join("\n")
}

#[tokio::test]
async fn an_event_becomes_a_mail_that_a_person_can_read() {
    let mut source = Source::new(Format::Json, 7);
    let (server, told) = serve("", "").await;
    let config = config(&source, server);
    let line = r#"{"rule.name":"Two\r\nBcc: x@example.com","source.ip":"203.0.113.9","logweir.alert.count":5,"tags":["a"]}"#;
    let payload = payload(&mut source, &config, &[line]);
    let client = EmailClient::new(&config).unwrap();
    assert_eq!(client.send(&payload).await, Verdict::Delivered { soft_failures: 0 });
    let id = client.document(&payload.body()[payload.range(0)]).id.to_owned();
    let sent = sent(&told);
    for line in [
        "MAIL FROM:<logweir@example.com>",
        "RCPT TO:<ops@example.com>",
        "RCPT TO:<oncall@example.com>",
        "Subject: Two  Bcc: x@example.com",
        "Auto-Submitted: auto-generated",
        "logweir.alert.count: 5",
        "source.ip: 203.0.113.9",
    ] {
        assert!(sent.lines().any(|sent| sent.starts_with(line)), "{line} is not in\n{sent}");
    }
    assert!(sent.contains(&format!("Message-ID: <{id}.1@example.com>")), "{sent}");
    assert!(sent.contains("From: ") && sent.contains("To: ") && sent.contains("Date: "), "{sent}");
}

#[tokio::test]
async fn gathered_events_are_one_mail() {
    let mut source = Source::new(Format::Json, 7);
    let (server, told) = serve("", "").await;
    let text = Some(template(&source, "{source.ip} is bad, says {observer.name}"));
    let config = EmailConfig { text, gather: Some(Duration::from_secs(60)), ..config(&source, server) };
    let lines = [
        r#"{"rule.name":"one","source.ip":"203.0.113.1"}"#,
        r#"{"rule.name":"two","source.ip":"203.0.113.2"}"#,
    ];
    let payload = payload(&mut source, &config, &lines);
    let client = EmailClient::new(&config).unwrap();
    assert_eq!(client.send(&payload).await, Verdict::Delivered { soft_failures: 0 });
    let sent = sent(&told);
    assert!(sent.contains("Subject: one (and 1 more)"), "{sent}");
    let first = sent.find("203.0.113.1 is bad, says unknown").unwrap();
    assert!(first < sent.find("203.0.113.2 is bad").unwrap(), "{sent}");
    let lane = config.lane(LaneConfig::default());
    assert_eq!((lane.batch_events, lane.flush_after), (2, Duration::from_secs(60)));
}

#[tokio::test]
async fn answers_decide() {
    let mut source = Source::new(Format::Json, 7);
    for (to, answer, expected) in [
        ("EHLO", "421 too busy", Some(Cause::Overload)),
        ("RCPT", "451 later", Some(Cause::Overload)),
        ("AUTH", "535 wrong: hunter2", Some(Cause::Unauthorized)),
        ("MAIL", "530 who are you?", Some(Cause::Unauthorized)),
        ("RCPT", "550 nobody here is called hunter2", None),
        ("DATA", "552 too large", None),
    ] {
        let (server, _) = serve(to, answer).await;
        let auth = Auth::Basic { user: "me".to_owned(), password: "hunter2".to_owned() };
        let config = EmailConfig { auth, ..config(&source, server) };
        let payload = payload(&mut source, &config, &[r#"{"rule.name":"one"}"#]);
        let reason = match (EmailClient::new(&config).unwrap().send(&payload).await, expected) {
            (Verdict::Retry(trouble), Some(cause)) if trouble.cause == cause => trouble.reason,
            (Verdict::Refused(refusal), None) => {
                assert!(answer.starts_with(&refusal.status.to_string()), "{refusal:?}");
                refusal.reason
            }
            (verdict, _) => panic!("{answer}: {verdict:?}"),
        };
        let said = answer[4..].replace("hunter2", "***");
        assert!(reason.starts_with("127.0.0.1:") && reason.contains(&said), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let mut source = Source::new(Format::Json, 7);
    let config = config(&source, "smtp://127.0.0.1:1".to_owned());
    let payload = payload(&mut source, &config, &["{}"]);
    let Verdict::Retry(trouble) = EmailClient::new(&config).unwrap().send(&payload).await else {
        panic!("sent")
    };
    assert_eq!(trouble.cause, Cause::Unreachable);
    assert!(trouble.reason.starts_with("127.0.0.1:1: "), "{}", trouble.reason);
}
