//! Lines through the real parse, transforms and ways of a config, into no output.
//!
//! Owns: [`Rehearsal`], and what it tells of a line.
//! Promises: a line becomes what a running daemon would make of it, in the same code.
//! Never: opens a file, a socket or a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logweir_pipeline::event::{ConstantSet, EventFlags, JsonEncoder, Span, Writer};
use logweir_pipeline::parse::Parser;
use logweir_pipeline::router::{Route, Router, Way};
use logweir_pipeline::transform::{Bench, Transform};
use logweir_pipeline::worker::Lane;
use logweir_pipeline::{Batch, Ledger, Position, SourceMeta, Stream};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::topology::{source_meta, ways};

/// One source of a config, ready to take lines.
pub(crate) struct Rehearsal {
    meta: Arc<SourceMeta>,
    parser: Parser,
    router: Router,
    bench: Bench,
    way: Way,
    lanes: Vec<Box<dyn Lane>>,
    documents: Documents,
    json: JsonEncoder,
}

/// The documents of a line, by the number of their output.
type Documents = Arc<Mutex<BTreeMap<usize, Document>>>;

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
    /// The document for each output that it reached, by the output's place in the config.
    pub(crate) documents: BTreeMap<usize, Document>,
    /// The step that dropped it, if no output took it.
    pub(crate) dropped_by: Option<String>,
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
        let lanes = (0..config.outputs.len()).map(lane).collect();
        let parser = Parser::new(Arc::clone(&config.keys));
        let json = JsonEncoder::new(Arc::clone(&config.keys));
        let way = ways(config).swap_remove(index);
        Some(Self {
            meta,
            parser,
            router: Router::new(Arc::clone(&config.keys)),
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
        Rehearsed {
            documents: std::mem::take(&mut *self.documents.lock().unwrap_or_else(PoisonError::into_inner)),
            dropped_by: dropped_by.map(|(name, _)| name.to_string()),
        }
    }

    /// The document of a line behind so many steps of these transforms; `None` when one of them drops it.
    pub(crate) fn document_after(
        &mut self,
        transforms: &[(Arc<Transform>, usize)],
        line: &[u8],
        read_at: i64,
    ) -> Option<Document> {
        let (batch, selected) = self.batch_after(transforms, line, read_at);
        let document = selected.first().map(|_| document(&mut self.json, &batch, 0));
        self.parser.recycle(batch).done();
        document
    }

    /// The ports by which a line leaves a route behind so many steps of these transforms; none when one drops it.
    pub(crate) fn ports_of(
        &mut self,
        route: &Route,
        transforms: &[(Arc<Transform>, usize)],
        line: &[u8],
        read_at: i64,
    ) -> Vec<usize> {
        let (batch, selected) = self.batch_after(transforms, line, read_at);
        let ports = selected.first().map(|_| route.ports_of(&batch, 0)).unwrap_or_default();
        self.parser.recycle(batch).done();
        ports
    }

    fn batch_after(
        &mut self,
        transforms: &[(Arc<Transform>, usize)],
        line: &[u8],
        read_at: i64,
    ) -> (Batch, Vec<u32>) {
        let mut batch = self.parsed(line, read_at);
        let mut selected = vec![0];
        for step in transforms.iter().flat_map(|(transform, steps)| &transform.steps[..*steps]) {
            step.apply(&mut batch, &mut selected, &mut self.bench);
        }
        (batch, selected)
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
            self.documents.lock().unwrap_or_else(PoisonError::into_inner).insert(self.output, document);
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}
