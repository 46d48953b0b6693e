//! Time per event of answering many conditions, one core, over events that are parsed already.
//!
//! Run with `cargo bench -p logweir-pipeline --bench matcher`. The conditions look like those of detection rules: most
//! ask for a rare text, some also for a common value. "one by one" is the plain evaluation. Figures are for one machine
//! and one moment: compare two builds in turn, in one sitting.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // a benchmark talks to the terminal

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_parsers::Format;
use logweir_pipeline::event::{ConstantSet, ConstantValue, Constants, EventFlags, Span};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::matcher::{Condition, Index, Item, Literal, Matcher, Placeholders};
use logweir_pipeline::parse::Parser;
use logweir_pipeline::{Batch, Keys, Position, SourceMeta, Stream};

const CHUNK: usize = 256 * 1024;
const SYLLABLES: [&str; 16] = [
    "ad", "mi", "shell", "con", "fig", "up", "load", "test", "ba", "ck", "set", "ro", "ot", "ex", "vu", "ln",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "curl/8.5.0",
];

fn main() {
    println!(
        "{:8} {:>6} {:>11} {:>14} {:>14} {:>9} {:>9}",
        "lines", "bytes", "conditions", "ns per event", "one by one", "true", "build ms"
    );
    for (name, format, lines) in [("nginx", "nginx_access", nginx as Line), ("sshd", "syslog", sshd)] {
        for count in [1, 10, 100, 1_000, 3_000, 10_000] {
            measure(name, Format::by_name(format).unwrap(), lines, count);
        }
    }
}

fn measure(name: &str, format: Format, line: Line, count: usize) {
    let keys = Keys::new(1000);
    let stream = stream(format);
    let batch = batch(&keys, &stream, line);
    let conditions = (0..count).map(|number| condition(number, format, &keys)).collect::<Vec<_>>();
    let start = Instant::now();
    let mut matcher = Matcher::new(Arc::new(Index::new(&conditions).unwrap()));
    let built = start.elapsed();
    let all = 0..batch.events.len();
    let (mut found, mut plain) = (0, 0);
    let together = best_of(|| {
        found = all.clone().map(|index| black_box(matcher.matches(&batch, index)).len()).sum();
    });
    let single = best_of(|| {
        let is_true = |index| conditions.iter().filter(|condition| condition.is_true(&batch, index)).count();
        plain = all.clone().map(is_true).sum();
    });
    assert_eq!(found, plain);
    let events = batch.events.len();
    let nanos = |time: Duration| time.as_nanos() as f64 / events as f64;
    println!(
        "{name:8} {:6} {count:11} {:14.1} {:14.1} {:9.4} {:9}",
        batch.chunk.len() / events,
        nanos(together),
        nanos(single),
        found as f64 / events as f64,
        built.as_millis()
    );
    batch.ack.done();
}

/// A condition such as rules have: ten kinds in turn, each with texts of its own.
fn condition(number: usize, format: Format, keys: &Arc<Keys>) -> Condition {
    let word = word(number);
    let text = |text: String| vec![Literal::Text(text)];
    let web = format.name() == "nginx_access";
    let (subject, address) = if web { ("url.path", "source.ip") } else { ("message", "log.syslog.hostname") };
    let (agent, common) = if web {
        ("user_agent.original", ("http.request.method", text("GET".to_owned())))
    } else {
        ("message", ("process.name", text("sshd".to_owned())))
    };
    let item = |key: &str, values: &[Literal]| {
        let item = Item::parse(key).unwrap();
        item.condition(keys.intern(item.field).unwrap(), values, keys, &Placeholders::new()).unwrap()
    };
    let of = |field: &str, modifiers: &str, values: &[Literal]| item(&format!("{field}{modifiers}"), values);
    match number % 10 {
        // Short enough to stand in a line now and then.
        0 if number.is_multiple_of(310) => of(subject, "|contains", &text(word[..4].to_owned())),
        0 | 1 => {
            of(subject, "|contains", &[text(format!("/{word}.php")), text(format!("{word}=../"))].concat())
        }
        2 => Condition::All(vec![
            item(common.0, &common.1),
            of(subject, "|startswith", &text(format!("/{word}/"))),
        ]),
        3 => of(subject, "|endswith", &text(format!("{word}.jsp"))),
        4 => of(agent, "|contains|all", &[text(word.clone()), text("scanner".to_owned())].concat()),
        5 => of(subject, "", &text(format!("/wp-content/{word}"))),
        6 => of(agent, "|re", &text(format!("(?:{word}|x{word})/[0-9]+\\.[0-9]+"))),
        7 => of(
            address,
            "|cidr",
            &text(format!("{}.{}.{}.0/24", 11 + number / 65_536, number / 256 % 256, number % 256)),
        ),
        8 => Condition::All(vec![
            of(subject, "|contains", &text(format!("{word}.cgi"))),
            Condition::Not(Box::new(of(agent, "|contains", &text("monitor".to_owned())))),
        ]),
        _ => Condition::All(vec![
            item(
                "http.response.status_code|gte",
                &[Literal::Integer(400 + i64::try_from(number % 100).unwrap())],
            ),
            of("user.name", "", &text(word.clone())),
        ]),
    }
}

/// A word of its own for each number, of syllables that the lines have too.
fn word(number: usize) -> String {
    let digits = [number, number / 16, number / 256, number / 4096];
    digits.map(|digit| SYLLABLES[(digit * 7 + number / 31) % SYLLABLES.len()]).concat()
}

/// Writes a line from a source of numbers.
type Line = fn(&mut dyn FnMut(usize) -> usize) -> String;

fn nginx(below: &mut dyn FnMut(usize) -> usize) -> String {
    let address = format!("{}.{}.{}.{}", 11 + below(200), below(256), below(256), below(256));
    let method = ["GET", "GET", "GET", "POST"][below(4)];
    let path = format!("/{}/{}{}/{}", parts(1, below), parts(2, below), parts(1, below), below(10_000));
    let extension = ["", ".php", ".js", ".html"][below(4)];
    let status = [200, 200, 200, 304, 404, 500][below(6)];
    let (page, bytes, agent) = (below(100), below(90_000), AGENTS[below(AGENTS.len())]);
    format!(
        "{address} - - [23/Nov/2026:08:30:00 +0000] \"{method} {path}{extension}?page={page} HTTP/1.1\" {status} {bytes} \
\"https://shop.example/{}\" \"{agent}\"",
        parts(2, below)
    )
}

fn sshd(below: &mut dyn FnMut(usize) -> usize) -> String {
    let (pid, port, user) = (below(30_000), below(60_000), parts(2, below));
    let address = format!("{}.{}.{}.{}", 11 + below(200), below(256), below(256), below(256));
    let message = match below(3) {
        0 => format!("Failed password for invalid user {user} from {address} port {port} ssh2"),
        1 => format!(
            "Accepted publickey for {user} from {address} port {port} ssh2: RSA SHA256:Zm9vYmFyYmF6cXV4"
        ),
        _ => format!("pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)"),
    };
    format!("Nov 23 08:30:00 web-1 sshd[{pid}]: {message}")
}

fn parts(count: usize, below: &mut dyn FnMut(usize) -> usize) -> String {
    (0..count).map(|_| SYLLABLES[below(SYLLABLES.len())]).collect()
}

fn best_of(mut work: impl FnMut()) -> Duration {
    let deadline = Instant::now() + Duration::from_millis(500);
    (0..300)
        .take_while(|round| *round < 5 || Instant::now() < deadline)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn stream(format: Format) -> Arc<Stream> {
    let mut fields = ConstantSet::default();
    fields.add(logweir_parsers::key::HOST_NAME, "host.name", ConstantValue::Text("web-1".to_owned()));
    let source = SourceMeta {
        index: 0,
        name: "web".to_owned(),
        formats: vec![format.into()],
        constants: Constants::new(fields, None, "default"),
        zone: logweir_parsers::Zone::UTC,
        parse_message: None,
        keep_original: false,
        ledger: Arc::new(SourceLedger::default()),
        listeners: Vec::new(),
    };
    let mut own = ConstantSet::default();
    let path = ConstantValue::Text("/var/log/nginx/access.log".to_owned());
    own.add(logweir_parsers::key::LOG_FILE_PATH, "log.file.path", path);
    Stream::new(1, Arc::new(source), own, Position::default())
}

/// A chunk of lines, no two alike, parsed.
fn batch(keys: &Arc<Keys>, stream: &Arc<Stream>, line: Line) -> Batch {
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut events = Vec::new();
    let mut random = 1_u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % limit
    };
    while chunk.len() < CHUNK - 1024 {
        let line = line(&mut below);
        let span =
            Span { start: u32::try_from(chunk.len()).unwrap(), len: u32::try_from(line.len()).unwrap() };
        events.push(Batch::line(span, span.start.into(), 0, EventFlags::default()));
        chunk.extend_from_slice(line.as_bytes());
        chunk.push(b'\n');
    }
    let ack = stream.begin(Position::default(), events.len() as u64, chunk.len() as u64);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(stream), 0, ack);
    Parser::new(Arc::clone(keys)).parse(&mut batch);
    batch
}
