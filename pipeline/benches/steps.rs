//! Time per event of steps, on access lines of nginx, one core, without I/O.
//!
//! Run with `cargo bench -p logweir-pipeline --bench steps`. Each figure is what the steps add to parsing, and what they add
//! to parsing and writing the document. Figures are for one machine and one moment.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // a benchmark talks to the terminal

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_parsers::{Format, KeyId, key};
use logweir_pipeline::event::{ConstantSet, ConstantValue, Constants, EventFlags, JsonEncoder, Span, Writer};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::matcher::{Condition, Pattern, Predicate, Test, literal};
use logweir_pipeline::parse::Parser;
use logweir_pipeline::transform::{
    Bench, ConvertFields, CopyFields, Dedupe, DropEvents, FieldType, KeepFields, KeepPattern,
    NormalizeSeverity, Redact, RedactAction, RedactKind, RemoveFields, RenameFields, Sample, SetFields,
    SetValue, Step, Template, Throttle, Transform, TruncateFields,
};
use logweir_pipeline::{Batch, Keys, Position, SourceMeta, Stream};

const CHUNK: usize = 256 * 1024;
const LINE: &str = "203.0.113.7 - alice [23/Nov/2026:08:30:00 +0000] \"GET /api/v1/products/1234?page=7&sort=price HTTP/1.1\" \
200 5123 \"https://shop.example/catalogue\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"";

type Steps = Vec<(&'static str, Box<dyn Step>)>;

fn is(key: KeyId, text: &str) -> Condition {
    Condition::Field(Predicate { key, tests: vec![Test::Text(Pattern::new(literal(text), false))] })
}

fn main() {
    let keys = Keys::new(1000);
    let mut stand = Stand::new(Arc::clone(&keys));
    let mut cases: Vec<(&str, Steps)> =
        vec![("five steps", five(&keys)), ("five that touch nothing", untouched(&keys))];
    cases.extend(single(&keys).into_iter().map(|(name, step)| (name, vec![(name, step)])));
    println!("{:26} {:>14} {:>22}", "steps", "steps ns/event", "with the document ns");
    for (name, steps) in cases {
        let transform = Transform::new("bench", steps);
        let [steps, written] = stand.cost(&transform);
        println!("{name:26} {steps:14.1} {written:22.1}");
    }
}

/// What a config usually does: drop, set, rename, remove, truncate.
fn five(keys: &Arc<Keys>) -> Steps {
    vec![
        ("drop", Box::new(DropEvents(is(key::URL_PATH, "/healthz")))),
        ("set", Box::new(SetFields(vec![(key::SERVICE_NAME, template("{host.name}-shop", keys))]))),
        ("rename", Box::new(RenameFields(vec![(key::USER_NAME, keys.intern("client.user.name").unwrap())]))),
        ("remove", Box::new(RemoveFields(vec![key::USER_AGENT_ORIGINAL]))),
        ("truncate", Box::new(TruncateFields(vec![(key::URL_ORIGINAL, 32)]))),
    ]
}

/// Five steps on fields that no event has.
fn untouched(keys: &Arc<Keys>) -> Steps {
    let other = |name: &str| keys.intern(name).unwrap();
    vec![
        ("rename", Box::new(RenameFields(vec![(other("a"), other("b"))]))),
        ("remove", Box::new(RemoveFields(vec![other("c")]))),
        ("convert", Box::new(ConvertFields(vec![(other("d"), FieldType::Integer)]))),
        ("truncate", Box::new(TruncateFields(vec![(other("e"), 32)]))),
        ("severity", Box::new(NormalizeSeverity(other("f")))),
    ]
}

fn single(keys: &Arc<Keys>) -> Vec<(&'static str, Box<dyn Step>)> {
    let minute = Duration::from_secs(60);
    let redact = |kinds: &[RedactKind]| {
        Redact::new(vec![key::URL_ORIGINAL], kinds, Vec::new(), RedactAction::Mask).unwrap()
    };
    vec![
        ("drop", Box::new(DropEvents(is(key::URL_PATH, "/healthz")))),
        ("set a constant", Box::new(SetFields(vec![(key::SERVICE_NAME, SetValue::Constant(text("shop")))]))),
        ("set a template", Box::new(SetFields(vec![(key::SERVICE_NAME, template("{url.path}-x", keys))]))),
        ("rename", Box::new(RenameFields(vec![(key::USER_NAME, key::USER_ID)]))),
        ("copy", Box::new(CopyFields(vec![(key::SOURCE_IP, key::LABELS_IDENTITY)]))),
        ("remove", Box::new(RemoveFields(vec![key::USER_AGENT_ORIGINAL]))),
        ("keep", Box::new(KeepFields::new(vec![KeepPattern::Prefix("http.".to_owned())]))),
        ("convert to text", Box::new(ConvertFields(vec![(key::HTTP_RESPONSE_STATUS_CODE, FieldType::Text)]))),
        ("convert to ip", Box::new(ConvertFields(vec![(key::SOURCE_IP, FieldType::Ip)]))),
        ("truncate", Box::new(TruncateFields(vec![(key::URL_ORIGINAL, 32)]))),
        ("redact, all kinds", Box::new(redact(&RedactKind::ALL))),
        ("redact e-mail", Box::new(redact(&[RedactKind::Email]))),
        ("sample", Box::new(Sample::new(0.999_999, vec![key::SOURCE_IP]))),
        ("throttle", Box::new(Throttle::new(1_000_000_000, minute, vec![key::SOURCE_IP], 1000))),
        ("dedupe", Box::new(Dedupe::new(vec![key::SOURCE_IP, key::URL_PATH], minute, 1000))),
    ]
}

fn text(text: &str) -> ConstantValue {
    ConstantValue::Text(text.to_owned())
}

fn template(text: &str, keys: &Arc<Keys>) -> SetValue {
    let name = |name: &str| -> Option<KeyId> { keys.intern(name) };
    SetValue::Template(Template::new(text, name).unwrap())
}

/// What a batch is measured with.
struct Stand {
    chunk: Bytes,
    stream: Arc<Stream>,
    parser: Parser,
    encoder: JsonEncoder,
    bench: Bench,
    out: Writer,
}

impl Stand {
    fn new(keys: Arc<Keys>) -> Self {
        let line = format!("{LINE}\n");
        Self {
            chunk: Bytes::from(line.repeat(CHUNK / line.len())),
            stream: stream(),
            parser: Parser::new(Arc::clone(&keys)),
            encoder: JsonEncoder::new(Arc::clone(&keys)),
            bench: Bench::new(keys),
            out: Writer::default(),
        }
    }

    /// Nanoseconds an event that the steps take, and that they and the documents behind them take.
    fn cost(&mut self, transform: &Transform) -> [f64; 2] {
        let mut best = [Duration::MAX; 2];
        let mut events = 0;
        for _ in 0..300 {
            let mut batch = self.batch();
            events = batch.events.len();
            self.parser.parse(&mut batch);
            let mut selected = (0..u32::try_from(events).unwrap()).collect::<Vec<_>>();
            let start = Instant::now();
            transform.steps.iter().for_each(|step| step.apply(&mut batch, &mut selected, &mut self.bench));
            best[0] = best[0].min(start.elapsed());
            self.out.truncate(0);
            for &index in &selected {
                self.encoder.write(&batch, &batch.events[index as usize], &mut self.out);
            }
            best[1] = best[1].min(start.elapsed());
            self.parser.recycle(batch).done();
        }
        best.map(|time| time.as_nanos() as f64 / events as f64)
    }

    fn batch(&self) -> Batch {
        let len = u32::try_from(LINE.len()).unwrap();
        let starts = (0..self.chunk.len()).step_by(LINE.len() + 1);
        let span = |start: usize| Span { start: u32::try_from(start).unwrap(), len };
        let events = starts.map(|start| Batch::line(span(start), start as u64, 0, EventFlags::default()));
        let events = events.collect::<Vec<_>>();
        let ack = self.stream.begin(Position::default(), events.len() as u64, self.chunk.len() as u64);
        Batch::new(self.chunk.clone(), events, Arc::clone(&self.stream), 0, ack)
    }
}

fn stream() -> Arc<Stream> {
    let mut fields = ConstantSet::default();
    fields.add(key::HOST_NAME, "host.name", text("web-1"));
    let source = SourceMeta {
        index: 0,
        name: "web".to_owned(),
        formats: vec![Format::NginxAccess.into()],
        constants: Constants::new(fields, None, "default"),
        zone: logweir_parsers::Zone::UTC,
        parse_message: None,
        keep_original: false,
        ledger: Arc::new(SourceLedger::default()),
        listeners: Vec::new(),
    };
    Stream::new(1, Arc::new(source), ConstantSet::default(), Position::default())
}
