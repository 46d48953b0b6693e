//! What the tests of several files share: batches of real lines whose settlement can be seen.
//!
//! Owns: [`Source`], a source with a stream.
//! Promises: batches are made the way sources make them, and parsed by the pipeline's parser.
//! Never: stands in for an output.

use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::format::Format;
use logweir_pipeline::event::{ConstantSet, Constants, EventFlags, Span};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::parse::Parser;
use logweir_pipeline::{Batch, Keys, Position, SourceMeta, Stream};

/// 2026-01-01T00:00:00Z.
pub(crate) const READ_AT: i64 = 1_767_225_600_000_000_000;

pub(crate) struct Source {
    pub(crate) keys: Arc<Keys>,
    pub(crate) stream: Arc<Stream>,
    parser: Parser,
    offset: u64,
}

impl Source {
    /// A source of lines in this format, with one stream.
    pub(crate) fn new(format: Format, stream: u64) -> Self {
        Self::with_fields(format, stream, ConstantSet::default())
    }

    pub(crate) fn with_fields(format: Format, stream: u64, fields: ConstantSet) -> Self {
        let keys = Keys::new(100);
        let meta = SourceMeta {
            index: 0,
            name: "test".to_owned(),
            formats: vec![format.into()],
            parse_message: None,
            constants: Constants::new(fields, None, "default"),
            zone: logweir_parsers::Zone::UTC,
            keep_original: false,
            ledger: Arc::new(SourceLedger::default()),
            listeners: Vec::new(),
        };
        let stream = Stream::new(stream, Arc::new(meta), ConstantSet::default(), Position::default());
        Self { parser: Parser::new(Arc::clone(&keys)), keys, stream, offset: 0 }
    }

    /// The same source after a restart, from its acknowledged position.
    pub(crate) fn restarted(&self) -> Self {
        let start = self.stream.acknowledged();
        let stream =
            Stream::new(self.stream.id(), Arc::clone(self.stream.source()), ConstantSet::default(), start);
        let keys = Arc::clone(&self.keys);
        Self { parser: Parser::new(Arc::clone(&keys)), keys, stream, offset: start.offset }
    }

    /// The next batch: these lines, parsed.
    pub(crate) fn batch<L: AsRef<[u8]>>(&mut self, lines: &[L]) -> Batch {
        let (mut chunk, mut events, mut offset) = (Vec::new(), Vec::new(), self.offset);
        for line in lines {
            let line = line.as_ref();
            let span = Span { start: chunk.len() as u32, len: line.len() as u32 };
            events.push(Batch::line(span, offset, READ_AT, EventFlags::default()));
            chunk.extend_from_slice(line);
            chunk.push(b'\n');
            offset += line.len() as u64 + 1;
        }
        self.offset = offset;
        let end = Position { offset, marker: 0 };
        let ack = self.stream.begin(end, lines.len() as u64, chunk.len() as u64);
        let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&self.stream), READ_AT, ack);
        self.parser.parse(&mut batch);
        batch
    }

    /// Where the stream is acknowledged when everything is.
    pub(crate) fn end(&self) -> u64 {
        self.offset
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.stream.acknowledged().offset
    }
}

/// The indexes of all events.
pub(crate) fn all(batch: &Batch) -> Vec<u32> {
    (0..batch.events.len() as u32).collect()
}
