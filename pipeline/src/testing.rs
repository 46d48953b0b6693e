//! What unit tests of this crate share: a source without a file, and a record of nothing yet.

use std::path::Path;
use std::sync::Arc;

use logweir_parsers::Zone;

use crate::checkpoint::{FileId, Head, Record};
use crate::event::{ConstantSet, Constants};
use crate::ledger::SourceLedger;
use crate::stream::{Position, SourceMeta, Stream};

/// A source with these constant fields and no formats: its lines are `raw`.
pub(crate) fn source(fields: ConstantSet) -> SourceMeta {
    SourceMeta {
        index: 0,
        name: "test".to_owned(),
        formats: Vec::new(),
        parse_message: None,
        constants: Constants::new(fields, None, "default"),
        zone: Zone::UTC,
        keep_original: false,
        ledger: Arc::new(SourceLedger::default()),
        listeners: Vec::new(),
    }
}

/// A stream of [`source`], with the number 1, at offset 0.
pub(crate) fn stream(source: SourceMeta, own: ConstantSet) -> Arc<Stream> {
    Stream::new(1, Arc::new(source), own, Position::default())
}

/// The record of a stream that has just begun.
pub(crate) fn record(stream: u64, file: FileId) -> Record {
    Record {
        stream,
        source: "test".into(),
        file,
        birth: 0,
        generation: 0,
        head: Head::default(),
        path: Path::new("/test.log").into(),
        position: Position::default(),
        cuts: Vec::new(),
        last_seen: 0,
    }
}
