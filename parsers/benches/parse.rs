//! Nanoseconds a line and megabytes a second, for each format and for a pattern of one's own, on one core.
//!
//! `cargo bench -p logweir-parsers [NAME…]` parses a megabyte of varied lines again and again into a sink that does
//! what the pipeline's does: 16-byte fields appended to a vector, made texts appended to a buffer, keys looked up in
//! a hash table. The best of many rounds is printed, so that a busy machine disturbs little.
#![allow(clippy::print_stdout, clippy::expect_used)] // a program that prints, for developers

mod lines;
mod sink;

use std::{hint::black_box, time::Instant};

use logweir_parsers::{Context, FORMATS, Pattern, Sink, Zone};
use sink::FieldSink;

const LINES: usize = 5_000;
const ROUNDS: usize = 200;

/// A format as a config describes it.
const PATTERN: &str = "{@timestamp:%Y-%m-%d %H:%M:%S,%3f} [{log.level}] {log.logger}{? <{trace.id}>} - {message} ({event.duration:int} ms)";

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    println!("{:<16}{:>10}{:>10}{:>10}{:>12}", "format", "ns/line", "MB/s", "B/line", "fields/line");
    let context = Context::new(1_700_000_000_000_000_000, Zone::UTC);
    for format in FORMATS.iter().filter(|format| is_wanted(format.name())) {
        let lines: Vec<String> = (0..LINES).map(|number| lines::line(*format, number as u64)).collect();
        measure(format.name(), &lines, |line, sink| format.parse(line, &context, sink).is_ok());
    }
    if is_wanted("own_pattern") {
        let lines: Vec<String> = (0..LINES).map(|number| lines::application(number as u64)).collect();
        let mut names = FieldSink::default();
        let pattern = Pattern::new(PATTERN, &[], &mut |name| names.key(name.as_bytes())).expect("a pattern");
        measure("own_pattern", &lines, |line, sink| pattern.parse(line, &context, sink).is_ok());
    }
}

fn measure(name: &str, lines: &[String], parse: impl Fn(&[u8], &mut FieldSink) -> bool) {
    let bytes: usize = lines.iter().map(String::len).sum();
    let mut sink = FieldSink::default();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        sink.clear();
        let start = Instant::now();
        for line in lines {
            sink.begin(line.as_bytes());
            assert!(parse(black_box(line.as_bytes()), &mut sink), "the sample lines are valid");
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let count = LINES as f64;
    println!(
        "{:<16}{:>10.1}{:>10.0}{:>10.0}{:>12.1}",
        name,
        best * 1e9 / count,
        bytes as f64 / best / 1e6,
        bytes as f64 / count,
        sink.len() as f64 / count,
    );
}
