//! What windows are, as slowly and plainly as can be: every window is looked for, and every event is looked at for each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::time::TimeText;
use crate::window::{Window, Windows};

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) stream: usize,
    pub(super) number: u64,
    pub(super) time: i64,
    pub(super) sensor: Option<String>,
    pub(super) temperature: Option<f64>,
}

pub(super) struct Model;

impl Model {
    /// The documents of these readings, none of which is late.
    pub(super) fn of(windows: &Windows, readings: &[Reading]) -> Vec<Json> {
        let mut groups = BTreeMap::<String, Vec<&Reading>>::new();
        for reading in readings {
            if let Some(sensor) = &reading.sensor {
                groups.entry(Json::from(sensor.as_str()).to_string()).or_default().push(reading);
            }
        }
        let mut results = Vec::new();
        for (group, mut members) in groups {
            members.sort_by_key(|reading| reading.time);
            for (window, events) in split(windows, &members) {
                results.push((window, group.clone(), document(windows, window, &group, &events)));
            }
        }
        results.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        results.into_iter().map(|(_, _, document)| document).collect()
    }

    pub(super) fn without_group(readings: &[Reading]) -> u64 {
        readings.iter().filter(|reading| reading.sensor.is_none()).count() as u64
    }

    /// The readings that are not late, in a stream of this order, and how many are.
    pub(super) fn in_time(windows: &Windows, readings: &[Reading], lateness: i64) -> (Vec<Reading>, u64) {
        let (mut kept, mut late, mut highest) = (Vec::new(), 0, None::<i64>);
        for reading in readings {
            let watermark = highest.map(|highest| highest - lateness);
            let is_late = watermark.is_some_and(|watermark| match windows {
                Windows::Grid(_) => ends(windows, reading.time).into_iter().any(|end| end <= watermark),
                Windows::Session { .. } => reading.time < watermark,
            });
            if is_late {
                late += 1;
            } else {
                kept.push(reading.clone());
            }
            highest = Some(highest.map_or(reading.time, |highest| highest.max(reading.time)));
        }
        (kept, late)
    }
}

/// The ends of all windows that a time is in.
fn ends(windows: &Windows, time: i64) -> BTreeSet<i64> {
    let Windows::Grid(grid) = windows else { return BTreeSet::new() };
    let first = grid.first_end(time);
    (0..).map(|number| first + number * grid.every()).take_while(|end| end - grid.size() <= time).collect()
}

fn split<'a>(windows: &Windows, members: &[&'a Reading]) -> Vec<(Window, Vec<&'a Reading>)> {
    match *windows {
        Windows::Grid(grid) => {
            let all = members.iter().flat_map(|reading| ends(windows, reading.time)).collect::<BTreeSet<_>>();
            let of = |end: i64| {
                let range = end - grid.size()..end;
                (
                    grid.ending(end),
                    members.iter().copied().filter(|reading| range.contains(&reading.time)).collect(),
                )
            };
            all.into_iter().map(of).collect()
        }
        Windows::Session { gap, max } => {
            let mut sessions = Vec::<(Window, Vec<&Reading>)>::new();
            for reading in members {
                match sessions.last_mut() {
                    Some((window, events))
                        if reading.time - window.end <= gap && reading.time - window.start <= max =>
                    {
                        window.end = reading.time;
                        events.push(reading);
                    }
                    _ => sessions.push((Window { start: reading.time, end: reading.time }, vec![reading])),
                }
            }
            sessions
        }
    }
}

fn document(windows: &Windows, window: Window, group: &str, events: &[&Reading]) -> Json {
    let text = |time| Json::from(String::from_utf8(TimeText::new().render(time).to_vec()).unwrap());
    let kind = match windows {
        Windows::Grid(grid) if grid.size() == grid.every() => "tumbling",
        Windows::Grid(_) => "hopping",
        Windows::Session { .. } => "session",
    };
    let mut document = Map::new();
    let mut add = |name: &str, value: Json| document.insert(name.to_owned(), value);
    add("@timestamp", text(window.end));
    add("event.kind", json!("metric"));
    add("event.dataset", json!("logweir.aggregate"));
    add("logweir.aggregate.name", json!("test"));
    add("logweir.window.type", json!(kind));
    add("logweir.window.start", text(window.start));
    add("logweir.window.end", text(window.end));
    add("sensor", serde_json::from_str(group).unwrap());
    let mut by_age = events.iter().filter(|event| event.temperature.is_some()).collect::<Vec<_>>();
    // Of two streams that bring the same moment the one with the lower number counts as earlier.
    by_age.sort_by_key(|event| (event.time, event.stream, event.number));
    let mut numbers = by_age.iter().filter_map(|event| event.temperature).collect::<Vec<_>>();
    let tenths = numbers.iter().map(|number| (number * 10.0).round() as i64).collect::<Vec<_>>();
    add("logweir.metrics.count", json!(events.len()));
    add("logweir.metrics.readings", json!(numbers.len()));
    add("logweir.metrics.sum", float(exact_sum(&numbers)));
    add("logweir.metrics.different", json!(tenths.iter().collect::<BTreeSet<_>>().len()));
    add("logweir.metrics.share", float(numbers.len() as f64 / events.len() as f64));
    if !numbers.is_empty() {
        add("logweir.metrics.mean", float(exact_sum(&numbers) / numbers.len() as f64));
        add("logweir.metrics.first", float(numbers[0]));
        add("logweir.metrics.last", float(numbers[numbers.len() - 1]));
        numbers.sort_by(f64::total_cmp);
        add("logweir.metrics.min", float(numbers[0]));
        add("logweir.metrics.max", float(numbers[numbers.len() - 1]));
        add("logweir.metrics.median", float(nearest(numbers[numbers.len().div_ceil(2) - 1])));
    }
    Json::Object(document)
}

/// The number that a document reads as: what reads these rounds otherwise than what writes them.
fn float(number: f64) -> Json {
    serde_json::from_str(zmij::Buffer::new().format(number)).unwrap()
}

/// The sum of whole multiples of 2⁻⁶⁴, which all floats here are.
fn exact_sum(numbers: &[f64]) -> f64 {
    let units = numbers.iter().map(|number| (number * 2_f64.powi(64)) as i128).sum::<i128>();
    units as f64 / 2_f64.powi(64)
}

/// The number that stands for the bin of another: within 1 % of it.
fn nearest(number: f64) -> f64 {
    let mut sketch = super::super::percentile::Percentiles::default();
    sketch.add(number);
    sketch.at(50.0).unwrap()
}
