//! Time per event and memory of windows, one core: reading the fields, the group, and the results included.
//!
//! Run with `cargo bench -p logweir-pipeline --bench aggregates`. Events are 0 to 5 seconds out of order, 2,777 a second of event time,
//! as in the job of the stream engines. Figures are for one machine and one moment: compare two builds in turn, in one sitting.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // a benchmark talks to the terminal

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use logweir_benchmarks::Random;
use logweir_parsers::Zone;
use logweir_pipeline::aggregate::{Aggregate, AggregateConfig, Function, WindowTime};
use logweir_pipeline::event::{ConstantSet, Constants, EventFlags, Span, Value};
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::operator::Scratch;
use logweir_pipeline::watermark::TimeLimits;
use logweir_pipeline::window::{Grid, Windows};
use logweir_pipeline::{Batch, Keys, Position, SourceMeta, Stream};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const START: i64 = 1_764_000_000 * SECOND;
const PER_SECOND: i64 = 2_777;
const BATCH: usize = 2_000;

fn main() {
    println!("{:34} {:>9} {:>12} {:>10} {:>9}", "windows", "groups", "ns an event", "results", "MB at most");
    let tumbling = Windows::Grid(Grid::new(MINUTE, MINUTE, 0).unwrap());
    let hopping = Windows::Grid(Grid::new(60 * MINUTE, MINUTE, 0).unwrap());
    let session = Windows::Session { gap: 10 * SECOND, max: 60 * MINUTE };
    for (groups, events) in [(10_000, 20_000_000), (1_000_000, 10_000_000)] {
        run("tumbling 1 min", tumbling, groups, events);
        if groups <= 10_000 {
            run("hopping 1 h every 1 min", hopping, groups, events);
        }
    }
    run("session, pauses of 10 s", session, 10_000, 5_000_000);
}

fn run(name: &str, windows: Windows, groups: u64, events: usize) {
    let keys = Keys::new(100);
    let (sensor, temperature) = (keys.intern("sensor").unwrap(), keys.intern("temperature").unwrap());
    let compute = [("mean", Function::Average(temperature)), ("count", Function::Count(None))];
    let aggregate = Aggregate::operator(AggregateConfig {
        name: "bench".to_owned(),
        condition: None,
        by: vec![("sensor".to_owned(), sensor)],
        windows,
        time: WindowTime::Event,
        limits: TimeLimits { idle_after: i64::MAX, ..TimeLimits::default() },
        compute: compute.map(|(name, function)| (name.to_owned(), function)).to_vec(),
        groups_max: 10_000_000,
    });
    let stream = stream();
    let mut random = Random::new(7);
    // Batches of many sensors, of which the times go on each time.
    let count = usize::try_from(groups).unwrap().div_ceil(BATCH).clamp(20, 500);
    let mut batches =
        (0..count).map(|_| batch(&stream, (sensor, temperature), groups, &mut random)).collect::<Vec<_>>();
    let selected = (0..u32::try_from(BATCH).unwrap()).collect::<Vec<_>>();
    let (mut scratch, mut results, mut bytes) = (Scratch::default(), 0, 0);
    let (mut busy, mut number) = (std::time::Duration::ZERO, 0_i64);
    for turn in 0..events / BATCH {
        let batch = &mut batches[turn % count];
        for event in &mut batch.events {
            let disorder = i64::try_from(random.below(5_000_000_000)).unwrap();
            event.timestamp = START + number * SECOND / PER_SECOND - disorder;
            number += 1;
        }
        let start = Instant::now();
        if aggregate.observe(batch, &selected, 0, &mut scratch) > 0 {
            results += aggregate.take_ready().ids.len();
        }
        busy += start.elapsed();
        if turn % 500 == 0 {
            bytes = aggregate.status().bytes.max(bytes);
        }
    }
    assert_eq!(aggregate.status().counts.late, 0);
    #[allow(clippy::cast_precision_loss)]
    let [nanos, megabytes] = [busy.as_nanos() as f64 / events as f64, bytes as f64 / 1e6];
    println!("{name:34} {groups:>9} {nanos:>12.0} {results:>10} {megabytes:>9.1}");
}

fn batch(
    stream: &Arc<Stream>,
    (sensor, temperature): (logweir_parsers::KeyId, logweir_parsers::KeyId),
    groups: u64,
    random: &mut Random,
) -> Batch {
    let ack = stream.begin(Position::default(), BATCH as u64, 0);
    let event = |offset: usize| Batch::line(Span::default(), offset as u64, 0, EventFlags::default());
    let events = (0..BATCH).map(event).collect();
    let mut batch = Batch::new(Bytes::new(), events, Arc::clone(stream), i64::MAX / 2, ack);
    for index in 0..BATCH {
        let name = batch.make_text(format!("sensor-{:07}", random.below(groups)).as_bytes());
        batch.set(index, sensor, name);
        #[allow(clippy::cast_precision_loss)]
        let degrees = random.below(4_000) as f64 / 100.0;
        batch.set(index, temperature, Value::Float(degrees));
    }
    batch
}

fn stream() -> Arc<Stream> {
    let source = SourceMeta {
        index: 0,
        name: "bench".to_owned(),
        formats: Vec::new(),
        parse_message: None,
        constants: Constants::new(ConstantSet::default(), None, "default"),
        zone: Zone::UTC,
        keep_original: false,
        ledger: Arc::new(SourceLedger::default()),
        listeners: Vec::new(),
    };
    Stream::new(1, Arc::new(source), ConstantSet::default(), Position::default())
}
