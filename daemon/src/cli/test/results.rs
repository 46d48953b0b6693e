//! What the lines of a test come to in aggregates.
//!
//! Owns: running all lines of a test at once, and the comparison of the results with what the test expects.
//! Promises: every difference is told, at the place in the config that expects otherwise.
//! Never: starts a source or an output.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use logweir_pipeline::event::{ConstantSet, EventFlags, Span};
use logweir_pipeline::{Batch, Ledger, Position, Stream};
use serde_json::{Map, Value};

use super::{is_equal, json};
use crate::backtest::Backtest;
use crate::config::Config;
use crate::config::cases::TestCase;
use crate::config::error::Diagnostic;
use crate::config::value::tables::FieldLists;
use crate::topology::source_meta;

/// A document.
type Document = Map<String, Value>;

/// What is other than the test expects of results.
pub(super) fn differences(test: &TestCase, config: &Config, read_at: i64) -> anyhow::Result<Vec<Diagnostic>> {
    let Some(expected) = &test.results else { return Ok(Vec::new()) };
    let documents = documents(test, config, read_at)?;
    let FieldLists(tables) = &expected.value;
    let error = |what: String| Diagnostic::error(format!("{}: {what}", test.name.value));
    let mut found = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let Some(document) = documents.get(number) else {
            found.push(
                error(format!("there are {} results", documents.len()))
                    .at(table.place, "expected this one too"),
            );
            break;
        };
        for field in &table.value.0 {
            let (name, value) = &field.value;
            let actual = document.get(name);
            if !actual.is_some_and(|actual| is_equal(actual, value)) {
                let actual = actual.map_or("absent".to_owned(), Value::to_string);
                found.push(
                    error(format!("`{name}` is {actual} in result {}", number + 1))
                        .at(field.place, format!("expected {}", json(value)))
                        .help(format!("the result: {}", Value::Object(document.clone()))),
                );
            }
        }
    }
    if let Some(first) = documents.get(tables.len()) {
        found.push(
            error(format!("there are {} results", documents.len()))
                .at(expected.place, format!("expected {}", tables.len()))
                .help(format!("the first that is too many: {}", Value::Object(first.clone()))),
        );
    }
    Ok(found)
}

/// The results that the lines bring about.
fn documents(test: &TestCase, config: &Config, read_at: i64) -> anyhow::Result<Vec<Document>> {
    let mut ledger = Ledger::default();
    let source = config.used_sources().enumerate().find(|(_, source)| source.name == test.source.value);
    let Some((index, source)) = source else { return Ok(Vec::new()) };
    let meta = Arc::new(source_meta(index, source, &mut ledger));
    let mut backtest = Backtest::new(config, &mut ledger, Arc::clone(&meta));
    let stream = Stream::new(0, meta, ConstantSet::default(), Position::default());
    let (mut chunk, mut events) = (Vec::new(), Vec::new());
    for line in &test.lines {
        let (start, len) = (chunk.len(), line.value.len());
        chunk.extend_from_slice(line.value.as_bytes());
        let span = Span { start: u32::try_from(start)?, len: u32::try_from(len)? };
        events.push(Batch::line(span, start as u64, read_at, EventFlags::default()));
    }
    let ack = stream.begin(Position::default(), events.len() as u64, chunk.len() as u64);
    let batch = Batch::new(Bytes::from(chunk), events, stream, read_at, ack);
    let mut lines = Vec::new();
    backtest.take(batch, &(i64::MIN..i64::MAX), &mut lines)?;
    backtest.end(&mut lines)?;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let documents = lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from));
    Ok(documents.collect::<io::Result<_>>()?)
}
