//! Aggregates against a slow and obvious model, on random events in random orders.

mod model;
mod vectors;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::KeyId;
use proptest::prelude::*;
use serde_json::Value as Json;

use self::model::{Model, Reading};
use super::*;
use crate::event::{ConstantSet, EventFlags, Keys, OwnOrigin, Span, Value};
use crate::operator::Emitted;
use crate::stream::{Position, Stream};
use crate::testing;
use crate::window::Grid;

/// The field of the group, and of the number.
fn fields(keys: &Arc<Keys>) -> (KeyId, KeyId) {
    (keys.intern("sensor").unwrap(), keys.intern("temperature").unwrap())
}

fn aggregate(keys: &Arc<Keys>, windows: Windows, limits: TimeLimits, groups_max: usize) -> Box<dyn Operator> {
    let (sensor, temperature) = fields(keys);
    let compute = [
        ("count", Function::Count(None)),
        ("readings", Function::Count(Some(exists(keys)))),
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
    Aggregate::operator(config)
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
    /// Where the next reading of each stream stands.
    offsets: Vec<u64>,
    /// How long each document was.
    lens: RefCell<Vec<usize>>,
    scratch: Scratch,
    make: Box<dyn Fn() -> Box<dyn Operator>>,
}

impl Lab {
    fn new(windows: Windows, limits: TimeLimits, streams: u64) -> Self {
        let keys = Keys::new(100);
        let known = Arc::clone(&keys);
        let make = Box::new(move || aggregate(&known, windows, limits, 1_000));
        let meta = Arc::new(testing::source(ConstantSet::default()));
        let stream = |id| Stream::new(id, Arc::clone(&meta), ConstantSet::default(), Position::default());
        let streams = (0..streams).map(stream).collect::<Vec<_>>();
        let offsets = vec![0; streams.len()];
        let (lens, scratch) = (RefCell::default(), Scratch::default());
        let lab = Self { aggregate: make(), keys, streams, offsets, lens, scratch, make };
        lab.announce();
        lab
    }

    /// All streams are known before the first of them brings something.
    fn announce(&self) {
        self.streams.iter().for_each(|stream| self.aggregate.announce(stream.id(), 0));
    }

    /// Another process takes over what was saved. Gives what it sends again.
    fn restore(&mut self, saved: &[u8]) -> Vec<(Origin, Json)> {
        self.aggregate = (self.make)();
        let again = self.aggregate.restore(saved, true, 0).unwrap();
        self.aggregate.keep(10);
        self.announce();
        again.iter().flat_map(|emitted| self.results_of(emitted)).collect()
    }

    /// One stream brings a batch, at a time of the wall clock.
    fn bring(&mut self, stream: usize, readings: &[Reading], now: i64) {
        let (sensor, temperature) = fields(&self.keys);
        let stream = &self.streams[stream];
        let ack = stream.begin(Position::default(), readings.len() as u64, 0);
        let first = self.offsets[stream.id() as usize];
        self.offsets[stream.id() as usize] += readings.len() as u64;
        let event = |(offset, reading): (u64, &Reading)| {
            Batch::line(Span::default(), offset, reading.time, EventFlags::default())
        };
        let events = (first..).zip(readings).map(event).collect();
        let origin = |(at, reading): (u64, &Reading)| {
            let origin = Origin { stream: stream.id(), offset: reading.number };
            OwnOrigin { at, room: 1, origin }
        };
        let batch = Batch::new(Bytes::new(), events, Arc::clone(stream), i64::MAX / 2, ack);
        let mut batch = batch.with_origins((first..).zip(readings).map(origin).collect());
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
        self.results().into_iter().map(|(_, document)| document).collect()
    }

    /// The documents that are ready, each with its identity.
    fn results(&self) -> Vec<(Origin, Json)> {
        self.results_of(&self.aggregate.take_ready())
    }

    fn results_of(&self, ready: &Emitted) -> Vec<(Origin, Json)> {
        let lines = ready.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        self.lens.borrow_mut().extend(lines.clone().map(|line| line.len() + 1));
        let documents = lines.map(|line| serde_json::from_slice(line).unwrap()).collect::<Vec<Json>>();
        assert_eq!(documents.len(), ready.ids.len());
        ready.ids.iter().copied().zip(documents).collect()
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
    fn a_process_that_is_killed_anywhere_is_followed_by_one_that_tells_the_same(
        windows in windows(),
        readings in readings(),
        shifts in prop::collection::vec(0..=25_i64, 1..20),
        split in prop::collection::vec(1..9_usize, 1..20),
        (saved_after, killed_after, read_again) in (0..20_usize, 0..10_usize, 0..9_usize),
        arrived in 0.0..1.0_f64,
    ) {
        let expected = Model::of(&windows, &readings);
        let shuffled = shuffled(&readings, &shifts);
        let queue = |stream| shuffled.iter().filter(|reading| reading.stream == stream).cloned().collect::<Vec<_>>();
        let queues = [queue(0), queue(1), queue(2)];
        let mut lab = Lab::new(windows, NEVER_IDLE, 3);
        lab.aggregate.keep(9);
        let bring_next = |lab: &mut Lab, turn: usize| {
            let (stream, size) = (turn % 3, split[turn % split.len()]);
            let from = (lab.offsets[stream] as usize).min(queues[stream].len());
            let to = (from + size).min(queues[stream].len());
            lab.bring(stream, &queues[stream][from..to], 0);
            lab.results()
        };
        let mut told =
            (0..saved_after).flat_map(|turn| bring_next(&mut lab, turn)).collect::<Vec<_>>();
        // Not all that was sent has arrived when the state is saved; the rest never does.
        let there = (told.len() as f64 * arrived) as usize;
        let bytes = lab.lens.borrow()[..there].iter().sum::<usize>();
        let (offsets, mut saved) = (lab.offsets.clone(), Vec::new());
        lab.aggregate.mark();
        lab.aggregate.save(&[(9, bytes as u64)], &mut saved);
        told.truncate(there);
        let between = (0..killed_after).flat_map(|turn| bring_next(&mut lab, saved_after + turn)).collect::<Vec<_>>();
        told.extend(between);
        // Another process reads on from what was settled when the state was saved, which is before what was taken.
        told.extend(lab.restore(&saved));
        lab.offsets = offsets.iter().map(|offset| offset.saturating_sub(read_again as u64)).collect();
        for turn in 0..400 {
            told.extend(bring_next(&mut lab, turn));
        }
        lab.aggregate.end();
        told.extend(lab.results());
        let mut documents = BTreeMap::new();
        for (id, document) in told {
            let known = documents.entry(id).or_insert_with(|| document.clone());
            prop_assert_eq!(&*known, &document, "the same identity for two results");
        }
        let in_order = |documents: Vec<Json>| {
            let mut texts = documents.iter().map(Json::to_string).collect::<Vec<_>>();
            texts.sort();
            texts
        };
        prop_assert_eq!(in_order(documents.into_values().collect()), in_order(expected));
        prop_assert_eq!(lab.aggregate.status().counts.late, 0);
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
