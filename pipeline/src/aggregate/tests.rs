//! Aggregates against a slow and obvious model, on random events in random orders.

mod model;
mod vectors;

use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::KeyId;
use proptest::prelude::*;
use serde_json::Value as Json;

use self::model::{Model, Reading};
use super::*;
use crate::event::{ConstantSet, EventFlags, Keys, Span, Value};
use crate::stream::{Position, Stream};
use crate::testing;
use crate::window::Grid;

/// The field of the group, and of the number.
fn fields(keys: &Arc<Keys>) -> (KeyId, KeyId) {
    (keys.intern("sensor").unwrap(), keys.intern("temperature").unwrap())
}

fn aggregate(windows: Windows, limits: TimeLimits, groups_max: usize) -> (Box<dyn Operator>, Arc<Keys>) {
    let keys = Keys::new(100);
    let (sensor, temperature) = fields(&keys);
    let compute = [
        ("count", Function::Count(None)),
        ("readings", Function::Count(Some(exists(&keys)))),
        ("sum", Function::Sum(temperature)),
        ("mean", Function::Average(temperature)),
        ("min", Function::Min(temperature)),
        ("max", Function::Max(temperature)),
        ("first", Function::First(temperature)),
        ("last", Function::Last(temperature)),
        ("different", Function::Distinct(vec![temperature])),
        ("median", Function::Percentile { of: temperature, percent: 50.0 }),
        ("share", Function::Ratio { of: 1, to: 0 }),
    ];
    let config = AggregateConfig {
        name: "test".to_owned(),
        condition: None,
        by: vec![("sensor".to_owned(), sensor)],
        windows,
        time: WindowTime::Event,
        limits,
        compute: compute.map(|(name, function)| (name.to_owned(), function)).to_vec(),
        groups_max,
    };
    (Aggregate::operator(config), keys)
}

/// The condition that there is a temperature.
fn exists(keys: &Arc<Keys>) -> Condition {
    let item = crate::matcher::Item::parse("temperature|exists").unwrap();
    let (_, temperature) = fields(keys);
    item.condition(temperature, &[crate::matcher::Literal::Bool(true)], keys, &Default::default()).unwrap()
}

/// Streams that bring readings.
struct Lab {
    aggregate: Box<dyn Operator>,
    keys: Arc<Keys>,
    streams: Vec<Arc<Stream>>,
    scratch: Scratch,
}

impl Lab {
    fn new(windows: Windows, limits: TimeLimits, streams: u64) -> Self {
        let (aggregate, keys) = aggregate(windows, limits, 1_000);
        let meta = Arc::new(testing::source(ConstantSet::default()));
        let stream = |id| Stream::new(id, Arc::clone(&meta), ConstantSet::default(), Position::default());
        let streams = (0..streams).map(stream).collect();
        let lab = Self { aggregate, keys, streams, scratch: Scratch::default() };
        // All are known before the first of them brings something.
        lab.streams.iter().for_each(|stream| lab.aggregate.announce(stream.id(), 0));
        lab
    }

    /// One stream brings a batch, at a time of the wall clock.
    fn bring(&mut self, stream: usize, readings: &[Reading], now: i64) {
        let (sensor, temperature) = fields(&self.keys);
        let stream = &self.streams[stream];
        let ack = stream.begin(Position::default(), readings.len() as u64, 0);
        let event = |reading: &Reading| {
            Batch::line(Span::default(), reading.number, reading.time, EventFlags::default())
        };
        let events = readings.iter().map(event).collect();
        let mut batch = Batch::new(Bytes::new(), events, Arc::clone(stream), i64::MAX / 2, ack);
        for (index, reading) in readings.iter().enumerate() {
            if let Some(name) = &reading.sensor {
                let name = batch.make_text(name.as_bytes());
                batch.set(index, sensor, name);
            }
            if let Some(number) = reading.temperature {
                batch.set(index, temperature, Value::Float(number));
            }
        }
        let selected = (0..readings.len()).map(|index| u32::try_from(index).unwrap()).collect::<Vec<_>>();
        self.aggregate.observe(&batch, &selected, now, &mut self.scratch);
        batch.ack.done();
    }

    fn documents(&self) -> Vec<Json> {
        let ready = self.aggregate.take_ready();
        let lines = ready.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let documents = lines.map(|line| serde_json::from_slice(line).unwrap()).collect::<Vec<Json>>();
        assert_eq!(documents.len(), ready.ids.len());
        documents
    }
}

fn readings() -> impl Strategy<Value = Vec<Reading>> {
    let reading = (0..400_i64, 0..4_u8, prop::option::weighted(0.9, -50..50_i32));
    prop::collection::vec(reading, 1..80).prop_map(|readings| {
        let reading = |(number, (time, sensor, temperature)): (usize, (i64, u8, Option<i32>))| Reading {
            stream: number % 3,
            number: number as u64,
            time,
            sensor: (sensor < 3).then(|| format!("s\"{sensor}")),
            temperature: temperature.map(|tenths| f64::from(tenths) / 10.0),
        };
        readings.into_iter().enumerate().map(reading).collect()
    })
}

fn windows() -> impl Strategy<Value = Windows> {
    let grid = (1..60_i64, 1..60_i64, 0..50_i64).prop_map(|(size, every, offset)| {
        Windows::Grid(Grid::new(size.max(every), every.min(size), offset).unwrap())
    });
    let tumbling = (1..80_i64).prop_map(|size| Windows::Grid(Grid::new(size, size, 3).unwrap()));
    let session = (0..30_i64, 1..120_i64).prop_map(|(gap, max)| Windows::Session { gap, max });
    prop_oneof![grid, tumbling, session]
}

const NEVER_IDLE: TimeLimits = TimeLimits { lateness: 25, idle_after: i64::MAX, future_limit: i64::MAX / 4 };

/// Puts readings out of order by no more than the lateness.
fn shuffled(readings: &[Reading], shifts: &[i64]) -> Vec<Reading> {
    let mut shuffled = readings.iter().cloned().zip(shifts.iter().cycle()).collect::<Vec<_>>();
    shuffled.sort_by_key(|(reading, shift)| reading.time + *shift);
    shuffled.into_iter().map(|(reading, _)| reading).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_within_the_lateness_and_any_split_gives_what_the_model_gives(
        windows in windows(),
        readings in readings(),
        shifts in prop::collection::vec(0..=25_i64, 1..20),
        split in prop::collection::vec(1..9_usize, 1..20),
        turns in prop::collection::vec(0..3_usize, 1..20),
    ) {
        let expected = Model::of(&windows, &readings);
        let mut lab = Lab::new(windows, NEVER_IDLE, 3);
        let shuffled = shuffled(&readings, &shifts);
        // Each stream gets every third reading, in its own order; they take turns as the dice fall.
        let mut queues = (0..3).map(|stream| {
            shuffled.iter().filter(|reading| reading.stream == stream).cloned().collect::<Vec<_>>()
        }).collect::<Vec<_>>();
        let mut documents = Vec::new();
        for (turn, size) in turns.iter().cycle().zip(split.iter().cycle()) {
            if queues.iter().all(Vec::is_empty) {
                break;
            }
            let stream = if queues[*turn].is_empty() {
                queues.iter().position(|queue| !queue.is_empty()).unwrap()
            } else {
                *turn
            };
            let size = (*size).min(queues[stream].len());
            let batch = queues[stream].drain(..size).collect::<Vec<_>>();
            lab.bring(stream, &batch, 0);
            documents.extend(lab.documents());
        }
        lab.aggregate.end();
        documents.extend(lab.documents());
        prop_assert_eq!(lab.aggregate.status().counts.late, 0);
        prop_assert_eq!(documents, expected);
        prop_assert_eq!(lab.aggregate.status().counts.without_field, Model::without_group(&readings));
    }

    #[test]
    fn late_events_are_counted_to_the_event_however_batches_are_cut(
        windows in windows(),
        readings in readings(),
        split in prop::collection::vec(1..9_usize, 1..20),
    ) {
        let readings = readings.into_iter().map(|reading| Reading { stream: 0, ..reading }).collect::<Vec<_>>();
        let (kept, late) = Model::in_time(&windows, &readings, NEVER_IDLE.lateness);
        let mut lab = Lab::new(windows, NEVER_IDLE, 1);
        let mut rest = &readings[..];
        for size in split.iter().cycle() {
            let (batch, after) = rest.split_at((*size).min(rest.len()));
            if batch.is_empty() {
                break;
            }
            lab.bring(0, batch, 0);
            rest = after;
        }
        lab.aggregate.end();
        prop_assert_eq!(lab.documents(), Model::of(&windows, &kept));
        prop_assert_eq!(lab.aggregate.status().counts.late, late);
    }
}
