//! Steps as data: each case of `testdata/steps/*.toml` is a transform, lines, and the documents that come out.
//!
//! `@timestamp` and the fields that every event of a source shares are left out of a document that is compared, unless the
//! expected one has them; `ids` are their offsets. `{ff}` in a line stands for a byte that is no UTF-8, `{here}` in the steps for the folder of the
//! case's files.

mod mmdb;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_pipeline::event::{ConstantSet, Constants, EventFlags, JsonEncoder, Span, Writer};
use logweir_pipeline::ledger::Counts;
use logweir_pipeline::parse::Parser;
use logweir_pipeline::router::{Branch, Router, Way};
use logweir_pipeline::transform::PlacedStep;
use logweir_pipeline::worker::Lane;
use logweir_pipeline::{Batch, Ledger, Position, SourceMeta, Stream};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;
use toml::{Table, Value};

use super::super::checked::check;
use super::super::error::Report;
use super::super::raw::ConfigFile;
use crate::config::Config;

/// 2026-11-23T08:30:00Z.
const READ_AT: i64 = 1_795_422_600_000_000_000;
/// What is left out of a document unless it is expected.
const USUAL: [&str; 8] = [
    "@timestamp",
    "data_stream.dataset",
    "data_stream.namespace",
    "data_stream.type",
    "ecs.version",
    "event.dataset",
    "event.kind",
    "host.name",
];

/// An output that keeps the documents and their offsets.
struct Documents {
    encoder: JsonEncoder,
    texts: Arc<Mutex<Vec<(String, u64)>>>,
}

impl Lane for Documents {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        for &index in selected {
            let mut out = Writer::default();
            self.encoder.write(batch, &batch.events[index as usize], &mut out);
            let text = String::from_utf8(out.as_slice().to_vec()).unwrap();
            self.texts.lock().unwrap().push((text, batch.events[index as usize].offset));
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}

/// A case's transform, and what its lines come from.
struct Bench {
    config: Config,
    stream: Arc<Stream>,
    folder: TempDir,
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'a>(case: &'a Value, key: &str) -> Vec<&'a str> {
    case.get(key).and_then(Value::as_array).into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

fn load(case: &Value) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in case.get("files").and_then(Value::as_table).into_iter().flatten() {
        std::fs::write(folder.path().join(name), content.as_str().unwrap()).unwrap();
    }
    for (name, records) in case.get("databases").and_then(Value::as_table).into_iter().flatten() {
        std::fs::write(folder.path().join(name), mmdb::database(records.as_table().unwrap())).unwrap();
    }
    let format = case.get("parse").and_then(Value::as_str).unwrap_or("json");
    let steps = text(case, "steps").replace("{here}", &folder.path().display().to_string());
    let config = format!(
        "[sources.in]\ntype = \"stdin\"\nparse = \"{format}\"\n{}\n[transforms.clean]\ninputs = [\"in\"]\nsteps = \
         [{steps}]\n[outputs.out]\ntype = \"console\"\ninputs = [\"clean\"]\n{}",
        text(case, "source"),
        text(case, "config"),
    );
    let files = vec![ConfigFile { path: folder.path().join("logweir.toml"), text: config }];
    let environment = |name: &str| (name == "KEY").then(|| "0123456789abcdef".to_owned());
    let (config, diagnostics) = check(&files, &environment);
    let report = Report { files, diagnostics };
    assert!(report.errors() == 0, "{}: {}", text(case, "name"), report.render(false));
    let config = config.unwrap();
    let source = &config.sources[0];
    let meta = SourceMeta {
        index: 0,
        name: source.name.clone(),
        formats: source.formats.clone(),
        constants: Constants::new(source.fields.clone(), source.dataset.as_deref(), &source.namespace)
            .of_formats(&source.formats),
        zone: source.zone.clone(),
        parse_message: None,
        keep_original: source.keep_original,
        ledger: Ledger::default().source("in"),
        listeners: Vec::new(),
    };
    let stream = Stream::new(7, Arc::new(meta), ConstantSet::default(), Position::default());
    Bench { config, stream, folder }
}

/// Takes lines through the transform: the documents with their offsets, and the ledger after it.
fn run(bench: &Bench, lines: &[&str]) -> (Vec<(String, u64)>, Counts) {
    run_at(READ_AT, bench, lines)
}

/// The same for lines that are read at this time.
fn run_at(read_at: i64, bench: &Bench, lines: &[&str]) -> (Vec<(String, u64)>, Counts) {
    let (mut chunk, mut events) = (Vec::new(), Vec::new());
    for line in lines {
        let start = chunk.len();
        for (number, part) in line.split("{ff}").enumerate() {
            chunk.extend((number > 0).then_some(0xff));
            chunk.extend_from_slice(part.as_bytes());
        }
        let [start, len] = [start, chunk.len() - start].map(|place| u32::try_from(place).unwrap());
        events.push(Batch::line(Span { start, len }, u64::from(start), read_at, EventFlags::default()));
        chunk.push(b'\n');
    }
    let ack = bench.stream.begin(Position::default(), lines.len() as u64, chunk.len() as u64);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&bench.stream), read_at, ack);
    let keys = &bench.config.keys;
    let mut parser = Parser::new(Arc::clone(keys));
    parser.parse(&mut batch);
    let texts = Arc::new(Mutex::new(Vec::new()));
    let lane = Documents { encoder: JsonEncoder::new(Arc::clone(keys)), texts: Arc::clone(&texts) };
    let behind = Way { lanes: vec![0], branches: Vec::new() };
    let branch = Branch::Transform(Arc::clone(&bench.config.transforms[0]), behind);
    let way = Way { lanes: Vec::new(), branches: vec![branch] };
    Router::new(Arc::clone(keys)).route(&way, &mut batch, &mut [Box::new(lane)]);
    parser.recycle(batch).done();
    (std::mem::take(&mut *texts.lock().unwrap()), bench.stream.source().ledger.counts())
}

/// A document without what is usual and not expected.
fn shown(document: &str, expected: &Map<String, Json>) -> Map<String, Json> {
    let mut found: Map<String, Json> = serde_json::from_str(document).unwrap();
    found.retain(|key, _| expected.contains_key(key) || !USUAL.contains(&key.as_str()));
    found
}

fn run_case(case: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let bench = load(case);
    let (documents, counts) = run(&bench, &texts(case, "lines"));
    let expected = texts(case, "documents");
    if documents.len() != expected.len() {
        wrong.push(format!("{} documents, not {}: {documents:?}", documents.len(), expected.len()));
    }
    let ids = documents.iter().map(|(_, id)| i64::try_from(*id).unwrap()).collect::<Vec<_>>();
    let expected_ids =
        case.get("ids").and_then(Value::as_array).map(|ids| ids.iter().flat_map(Value::as_integer));
    if expected_ids.is_some_and(|expected| expected.collect::<Vec<_>>() != ids) {
        wrong.push(format!("offsets {ids:?}"));
    }
    for ((document, _), expected) in documents.iter().zip(expected) {
        let expected = serde_json::from_str::<Map<String, Json>>(expected).unwrap();
        let found = shown(document, &expected);
        if found != expected {
            wrong.push(format!("found    {}\nexpected {}", Json::from(found), Json::from(expected)));
        }
    }
    let dropped = counts.dropped.iter().map(|(name, events)| format!("{name} {events}")).collect::<Vec<_>>();
    if dropped != texts(case, "dropped") || !counts.adds_up() {
        wrong.push(format!("dropped by {dropped:?}"));
    }
    let failed = bench.config.transforms[0].steps.iter().map(PlacedStep::failed).sum::<u64>();
    if case.get("failed").map_or(0, |failed| failed.as_integer().unwrap()) != i64::try_from(failed).unwrap() {
        wrong.push(format!("failed on {failed}"));
    }
    wrong
}

#[test]
fn each_step_gives_the_documents_of_its_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/steps");
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data: Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        for case in data["case"].as_array().unwrap() {
            cases += 1;
            let told = run_case(case);
            if !told.is_empty() {
                wrong.push(format!("== {}: {}\n{}", path.display(), text(case, "name"), told.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 40, "only {cases} cases");
}

#[test]
fn what_is_let_through_does_not_depend_on_how_lines_lie_in_batches() {
    let case: Table = r#"steps = '{ throttle = { events = 2, per = "1m", by = ["k"] } }'"#.parse().unwrap();
    let bench = load(&Value::Table(case));
    let line = |second: u32| format!(r#"{{"@timestamp":"2026-11-23T08:00:{second:02}Z","k":"a"}}"#);
    let mut documents = 0;
    for second in 0..5 {
        documents += run(&bench, &[&line(second)]).0.len();
    }
    assert_eq!(documents, 2);
    assert_eq!(run(&bench, &[r#"{"@timestamp":"2026-11-23T08:01:00Z","k":"a"}"#]).0.len(), 1);
}

#[test]
fn a_sample_keeps_its_share_and_the_same_events_each_time() {
    let case: Table = "steps = '{ sample = { rate = 0.25 } }'\nparse = \"raw\"".parse().unwrap();
    let lines = (0..4000).map(|number| format!("line {number}")).collect::<Vec<_>>();
    let lines = lines.iter().map(String::as_str).collect::<Vec<_>>();
    let first = run(&load(&Value::Table(case.clone())), &lines).0;
    assert!((800..1200).contains(&first.len()), "{}", first.len());
    assert_eq!(run(&load(&Value::Table(case)), &lines).0, first);
}

#[test]
fn a_database_that_changed_is_read_again_and_what_was_found_before_is_forgotten() {
    let database = |country: &str| -> Table {
        format!("[\"10.0.0.0/8\"]\ncountry = {{ iso_code = \"{country}\" }}").parse().unwrap()
    };
    let mut case: Table =
        r#"steps = '{ geoip = { fields = ["a"], file = "{here}/geo.mmdb" } }'"#.parse().unwrap();
    let first = Table::from_iter([("geo.mmdb".to_owned(), Value::Table(database("DE")))]);
    case.insert("databases".to_owned(), Value::Table(first));
    let bench = load(&Value::Table(case));
    let country_at = |second: i64| {
        let (documents, _) = run_at(READ_AT + second * 1_000_000_000, &bench, &[r#"{"a":"10.0.0.1"}"#]);
        let document: Json = serde_json::from_str(&documents[0].0).unwrap();
        document["a.geo.country_iso_code"].as_str().map(str::to_owned)
    };
    let file = bench.folder.path().join("geo.mmdb");
    assert_eq!(country_at(0).as_deref(), Some("DE"));
    std::fs::write(&file, mmdb::database(&database("FRA"))).unwrap();
    assert_eq!(country_at(9).as_deref(), Some("DE"));
    assert_eq!(country_at(10).as_deref(), Some("FRA"));
    std::fs::write(&file, "no database").unwrap();
    assert_eq!(country_at(20).as_deref(), Some("FRA"));
}
