//! Time per event of parsing and of writing documents, one core, without I/O.
//!
//! Run with `cargo bench -p logweir-pipeline --bench events [FORMAT]`. Figures are for one machine and one moment: compare
//! two builds in turn, in one sitting.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // a benchmark talks to the terminal

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_parsers::pattern::Leaf;
use logweir_parsers::timestamp::TimeLayout;
use logweir_parsers::{Format, Pattern, Zone};
use logweir_pipeline::event::{ConstantSet, ConstantValue, Constants, EventFlags, JsonEncoder, Span, Writer};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::parse::{Body, Grammar, Grammars, OwnFormat, Parser, RegexFormat};
use logweir_pipeline::{Batch, Keys, Position, SourceMeta, Stream};
use regex::bytes::Regex;

const CHUNK: usize = 256 * 1024;
const NGINX: &str = "203.0.113.7 - alice [23/Nov/2026:08:30:00 +0000] \"GET /api/v1/products/1234?page=7&sort=price \
HTTP/1.1\" 200 5123 \"https://shop.example/catalogue\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"";
const JSON: &str = "{\"timestamp\":\"2026-11-23T08:30:00.123Z\",\"level\":\"info\",\"logger\":\"shop.checkout\",\"msg\":\"order \
placed \\\"fast\\\"\",\"order_id\":1234567,\"user\":\"alice\",\"amount\":12.50,\"items\":[1,2,3],\"ok\":true,\"trace_id\":\
\"4bf92f3577b34da6a3ce929d0e0e4736\"}";
const SYSLOG: &str = "<134>1 2026-11-23T08:30:00.123456Z web-1 checkout 4711 ORDER [meta@32473 sequenceId=\"29\" zone=\"eu\"] \
order 1234567 placed by alice for 12.50 EUR in 37 ms";
const LOGFMT: &str = "time=2026-11-23T08:30:00.123Z level=info logger=checkout msg=\"order placed\" order=1234567 user=alice \
amount=12.50 ok=true duration=37ms";

const APPLICATION: &str = "2026-11-23 08:30:00,250 [INFO] shop.orders.checkout <4bf92f3577b34da6> - order 1234567 placed by alice for \
12.50 EUR (37 ms)";
const PATTERN: &str = "{@timestamp:%Y-%m-%d %H:%M:%S,%3f} [{log.level}] {log.logger}{? <{trace.id}>} - {message} ({event.duration:int} ms)";
const REGEX: &str = r"^(?<timestamp>[-0-9]+ [:,0-9]+) \[(?<log.level>[A-Z]+)\] (?<log.logger>[a-z.]+)(?: <(?<trace.id>[0-9a-f]+)>)? - (?<message>.*) \((?<event.duration>[0-9]+) ms\)$";
const SSHD: &str = "<38>Nov 23 08:30:00 web-1 sshd[4711]: Failed password for invalid user admin from 203.0.113.7 port 51234 ssh2";

/// What is measured: its name, the format of the lines, a line, and the grammars of the message.
const CASES: &[(&str, Format, &str, Option<Grammars>)] = &[
    ("raw", Format::Raw, NGINX, None),
    ("nginx_access", Format::NginxAccess, NGINX, None),
    ("apache_access", Format::ApacheAccess, NGINX, None),
    ("json", Format::Json, JSON, None),
    ("logfmt", Format::Logfmt, LOGFMT, None),
    ("syslog", Format::Syslog, SYSLOG, None),
    ("syslog_sshd", Format::Syslog, SSHD, None),
    ("syslog_auto", Format::Syslog, SSHD, Some(Grammars::ByProgram)),
];

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!(
        "{:14} {:>6} {:>12} {:>16} {:>14} {:>10}",
        "format", "bytes", "parse ns", "parse+write ns", "MB/s of input", "document"
    );
    let known = CASES.iter().map(|(name, format, line, parse_message)| {
        let stream = stream((*format).into(), parse_message.clone());
        (*name, *line, Keys::new(1000), stream)
    });
    let own = [("own_pattern", own_pattern as fn(&Arc<Keys>) -> Body), ("own_regex", own_regex)];
    let own = own.into_iter().map(|(name, make)| {
        let keys = Keys::new(1000);
        let body = make(&keys);
        let format =
            OwnFormat { name: name.to_owned(), dataset: None, constants: Vec::new(), zone: None, body };
        let stream = stream(Grammar::Own(Arc::new(format)), None);
        (name, APPLICATION, keys, stream)
    });
    for (name, line, keys, stream) in known.chain(own) {
        if only.as_deref().is_none_or(|only| only == name) {
            measure(name, line, keys, &stream);
        }
    }
}

fn own_pattern(keys: &Arc<Keys>) -> Body {
    Body::Pattern(Pattern::new(PATTERN, &[], &mut |name| keys.intern(name)).unwrap())
}

fn own_regex(keys: &Arc<Keys>) -> Body {
    let types = [("event.duration".to_owned(), Leaf::by_name("int").unwrap())];
    let layouts = [TimeLayout::new("%Y-%m-%d %H:%M:%S,%3f").unwrap()];
    let regex = Regex::new(REGEX).unwrap();
    Body::Regex(RegexFormat::new(regex, &types, &layouts, &mut |name| keys.intern(name)).unwrap())
}

fn measure(name: &str, line: &str, keys: Arc<Keys>, stream: &Arc<Stream>) {
    let chunk = Bytes::from((0..CHUNK / (line.len() + 1)).map(|_| format!("{line}\n")).collect::<String>());
    let mut parser = Parser::new(Arc::clone(&keys));
    let mut encoder = JsonEncoder::new(keys);
    let mut out = Writer::default();
    let mut document = 0;
    let events = chunk.len() / (line.len() + 1);
    let parse = best_of(|| {
        let mut batch = batch(&chunk, line.len(), stream);
        parser.parse(&mut batch);
        parser.recycle(black_box(batch)).done();
    });
    let both = best_of(|| {
        let mut batch = batch(&chunk, line.len(), stream);
        parser.parse(&mut batch);
        out.truncate(0);
        for event in &batch.events {
            encoder.write(&batch, event, &mut out);
            out.push(b"\n");
        }
        document = out.len() / events;
        parser.recycle(batch).done();
    });
    let nanos = |time: Duration| time.as_nanos() as f64 / events as f64;
    let rate = chunk.len() as f64 / both.as_secs_f64() / 1e6;
    println!(
        "{:14} {:6} {:12.1} {:16.1} {rate:14.0} {document:10}",
        name,
        line.len(),
        nanos(parse),
        nanos(both)
    );
}

fn best_of(mut work: impl FnMut()) -> Duration {
    (0..300)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn stream(format: Grammar, parse_message: Option<Grammars>) -> Arc<Stream> {
    let mut fields = ConstantSet::default();
    fields.add(logweir_parsers::key::HOST_NAME, "host.name", ConstantValue::Text("web-1".to_owned()));
    let formats = vec![format];
    let source = SourceMeta {
        index: 0,
        name: "web".to_owned(),
        constants: Constants::new(fields, None, "default").of_formats(&formats),
        formats,
        parse_message,
        zone: Zone::UTC,
        keep_original: false,
        ledger: Arc::new(SourceLedger::default()),
        listeners: Vec::new(),
    };
    let mut own = ConstantSet::default();
    let path = ConstantValue::Text("/var/log/nginx/access.log".to_owned());
    own.add(logweir_parsers::key::LOG_FILE_PATH, "log.file.path", path);
    Stream::new(1, Arc::new(source), own, Position::default())
}

fn batch(chunk: &Bytes, line: usize, stream: &Arc<Stream>) -> Batch {
    let span =
        |start: usize| Span { start: u32::try_from(start).unwrap(), len: u32::try_from(line).unwrap() };
    let starts = (0..chunk.len()).step_by(line + 1);
    let events = starts.map(|start| Batch::line(span(start), start as u64, 0, EventFlags::default()));
    let events = events.collect::<Vec<_>>();
    let ack = stream.begin(Position::default(), events.len() as u64, chunk.len() as u64);
    Batch::new(chunk.clone(), events, Arc::clone(stream), 0, ack)
}
