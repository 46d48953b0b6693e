//! Lines through the real parse, transforms and ways of a config, into no output.
//!
//! Owns: [`Rehearsal`], and what it tells of a line.
//! Promises: a line becomes what a running daemon would make of it, in the same code.
//! Never: opens a file, a socket or a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_pipeline::event::{ConstantSet, EventFlags, JsonEncoder, KeyTable, Snapshot, Span, Writer};
use logweir_pipeline::matcher::Condition;
use logweir_pipeline::parse::Parser;
use logweir_pipeline::router::{Route, Router, Way};
use logweir_pipeline::tap::{EVENTS_PER_SECOND_MAX, PointKind, Tap, Taps};
use logweir_pipeline::transform::{Bench, PlacedStep};
use logweir_pipeline::worker::{Lane, Unreached};
use logweir_pipeline::{Batch, Keys, Ledger, Position, SourceMeta, Stream};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::topology::{lane_names, source_meta, ways};

/// One source of a config, ready to take lines.
pub(crate) struct Rehearsal {
    meta: Arc<SourceMeta>,
    keys: Arc<Keys>,
    parser: Parser,
    router: Router,
    /// Hears what leaves by the ports of routes.
    ports: Option<Tap>,
    bench: Bench,
    way: Way,
    lanes: Vec<Box<dyn Lane>>,
    documents: Documents,
    json: JsonEncoder,
}

/// The documents of a line, by the number of their output: one each, unless a step split it.
type Documents = Arc<Mutex<BTreeMap<usize, Vec<Document>>>>;

/// A document as an output would get it.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// Its JSON.
    pub(crate) text: String,
    /// Its fields.
    pub(crate) fields: Map<String, Value>,
}

/// What became of a line.
#[derive(Debug)]
pub(crate) struct Rehearsed {
    /// The documents for each output that it reached, by the output's place in the config: one, unless a step split it.
    pub(crate) documents: BTreeMap<usize, Vec<Document>>,
    /// The step that dropped it, if no output took it.
    pub(crate) dropped_by: Option<String>,
    /// The ports of routes, `ROUTE.PORT`, by which it left.
    pub(crate) ports: BTreeSet<String>,
}

impl Rehearsal {
    /// The source of this name; `None` when there is none, or when nothing takes its events.
    pub(crate) fn new(config: &Config, source: &str) -> Option<Self> {
        let (index, source) = config.used_sources().enumerate().find(|(_, used)| used.name == source)?;
        let meta = Arc::new(source_meta(index, source, &mut Ledger::default()));
        let documents = Documents::default();
        let lane = |output| {
            let json = JsonEncoder::new(Arc::clone(&config.keys));
            Box::new(Recorder { output, json, documents: Arc::clone(&documents) }) as Box<dyn Lane>
        };
        let outputs = (0..config.outputs.len()).map(lane);
        let made = lane_names(config).len() - config.outputs.len();
        let made = (0..made).map(|_| Box::new(Unreached) as Box<dyn Lane>);
        let lanes = outputs.chain(made).collect();
        let parser = Parser::new(Arc::clone(&config.keys));
        let json = JsonEncoder::new(Arc::clone(&config.keys));
        let way = ways(config).swap_remove(index);
        let outputs = config.outputs.iter().map(|output| output.name.clone()).collect();
        let taps = Taps::new([(source.name.as_str(), &way)].into_iter(), outputs);
        let ports = taps.points().iter().filter(|point| point.kind == PointKind::Port);
        let ports = ports.map(|point| point.name.clone()).collect();
        Some(Self {
            meta,
            keys: Arc::clone(&config.keys),
            parser,
            ports: taps.listen(ports, None, EVENTS_PER_SECOND_MAX).map(Tap::unbounded),
            router: Router::new(Arc::clone(&config.keys)).tapped(taps),
            bench: Bench::new(Arc::clone(&config.keys)),
            way,
            lanes,
            documents,
            json,
        })
    }

    /// The way of the source's events.
    pub(crate) fn way(&self) -> &Way {
        &self.way
    }

    /// Takes a line, read at this time, along its way.
    pub(crate) fn run(&mut self, line: &[u8], read_at: i64) -> Rehearsed {
        let dropped_before = self.meta.ledger.counts().dropped;
        let mut batch = self.parsed(line, read_at);
        self.router.route(&self.way, &mut batch, &mut self.lanes);
        self.parser.recycle(batch).done();
        let mut dropped = self.meta.ledger.counts().dropped.into_iter();
        let dropped_by = dropped.find(|(name, count)| dropped_before.get(name) != Some(count));
        let ports = self.ports_heard();
        Rehearsed {
            documents: std::mem::take(&mut *self.documents.lock().unwrap_or_else(PoisonError::into_inner)),
            dropped_by: dropped_by.map(|(name, _)| name.to_string()),
            ports,
        }
    }

    fn ports_heard(&mut self) -> BTreeSet<String> {
        let heard = self.ports.as_mut().map(Tap::hear).unwrap_or_default();
        let lines = heard.lines.split(|byte| *byte == b'\n');
        let port = |line| Some(serde_json::from_slice::<Value>(line).ok()?["point"].as_str()?.to_owned());
        lines.filter_map(port).collect()
    }

    /// Parses a line, which then stands where its way begins.
    pub(crate) fn begin(&mut self, line: &[u8], read_at: i64) -> Underway {
        Underway { batch: self.parsed(line, read_at), selected: vec![0] }
    }

    /// The document of a line as it is now; `None` when a step dropped it.
    pub(crate) fn document(&mut self, line: &Underway) -> Option<Document> {
        let first = line.first()?;
        Some(document(&mut self.json, &line.batch, first))
    }

    /// Whether each of these conditions is true of a line as it is now, and the comparisons that decided it.
    pub(crate) fn answers(&self, conditions: &[&Condition], line: &Underway) -> Vec<(bool, Vec<String>)> {
        let keys = KeyTable::new(Arc::clone(&self.keys));
        let answer = |condition: &&Condition| {
            let first = line.first()?;
            Some((condition.is_true(&line.batch, first), condition.reasons(&line.batch, first, &keys)))
        };
        conditions.iter().filter_map(answer).collect()
    }

    /// Takes a line through a step.
    pub(crate) fn apply(&mut self, step: &PlacedStep, line: &mut Underway) {
        step.apply(&mut line.batch, &mut line.selected, &mut self.bench);
    }

    /// Ends the way of a line.
    pub(crate) fn end(&mut self, line: Underway) {
        self.parser.recycle(line.batch).done();
    }

    fn parsed(&mut self, line: &[u8], read_at: i64) -> Batch {
        let start = Position::default();
        let stream = Stream::new(0, Arc::clone(&self.meta), ConstantSet::default(), start);
        let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let event = Batch::line(Span { start: 0, len }, 0, read_at, EventFlags::default());
        let ack = stream.begin(Position { offset: u64::from(len), marker: 0 }, 1, u64::from(len));
        let mut batch = Batch::new(Bytes::copy_from_slice(line), vec![event], stream, read_at, ack);
        self.parser.parse(&mut batch);
        batch
    }
}

/// A line on its way, as it is at one point of it. A step has been taken once only: some remember what they saw.
#[derive(Debug)]
pub(crate) struct Underway {
    batch: Batch,
    selected: Vec<u32>,
}

impl Underway {
    /// How many events it is: one, unless a step split or dropped it.
    pub(crate) fn events(&self) -> usize {
        self.selected.len()
    }

    fn first(&self) -> Option<usize> {
        self.selected.first().map(|&first| first as usize)
    }

    /// The ports by which it leaves a route; none when a step dropped it.
    pub(crate) fn ports_of(&self, route: &Route) -> Vec<usize> {
        self.first().map(|first| route.ports_of(&self.batch, first)).unwrap_or_default()
    }

    /// How it is where its way branches.
    pub(crate) fn save(&self) -> Saved {
        let mut snapshot = Snapshot::default();
        self.batch.save(&mut snapshot);
        Saved { snapshot, selected: self.selected.clone() }
    }

    /// Makes it again what it was.
    pub(crate) fn restore(&mut self, mut saved: Saved) {
        self.batch.restore(&mut saved.snapshot);
        self.selected = saved.selected;
    }
}

/// How a line was at a point.
#[derive(Debug)]
pub(crate) struct Saved {
    snapshot: Snapshot,
    selected: Vec<u32>,
}

fn document(json: &mut JsonEncoder, batch: &Batch, index: usize) -> Document {
    let mut document = Writer::default();
    json.write(batch, &batch.events[index], &mut document);
    let fields = serde_json::from_slice(document.as_slice()).unwrap_or_default();
    Document { text: String::from_utf8_lossy(document.as_slice()).into_owned(), fields }
}

/// A lane that keeps documents instead of sending them.
struct Recorder {
    output: usize,
    json: JsonEncoder,
    documents: Documents,
}

impl Lane for Recorder {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        for &index in selected {
            let document = document(&mut self.json, batch, index as usize);
            let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
            documents.entry(self.output).or_default().push(document);
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}
