//! Taps: a look at live events at any point of their ways.
//!
//! Owns: [`Taps`], the points where events can be seen and who listens, [`Tap`], one who does, and [`TapEnd`], a
//! worker's end.
//! Promises: while nobody listens a batch costs one relaxed load. A listener gets so many events a second and takes a
//! bounded share of a worker's time; it is never waited for: what it cannot have is passed over and counted.
//! Never: changes an event, or keeps one beyond its text.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Keys;
use crate::event::{Batch, JsonEncoder, Writer};
use crate::matcher::Condition;
use crate::router::{Branch, Way};

/// Most taps at a time.
pub const TAPS_MAX: usize = 8;
/// Most events a second that a tap may ask for.
pub const EVENTS_PER_SECOND_MAX: u32 = 10_000;
/// Text that waits for a listener, in bytes.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// A longer line is passed over: its document would leave no room for others.
const LINE_BYTES_MAX: u32 = 256 * 1024;
/// A tap takes at most one in so many seconds of a processor, over all workers.
const TIME_SHARE: i64 = 32;
/// What one look costs at most, in nanoseconds. A longer one was spent waiting for a processor.
const LOOK_NANOS_MAX: i64 = 4_000_000;
/// What may be saved up while there is little to see: this much time's worth.
const SAVED_NANOS_MAX: i64 = 1_000_000_000;

/// What stands at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// A source: its events, parsed.
    Source,
    /// A transform: what comes out of it.
    Transform,
    /// A port of a route: what leaves by it.
    Port,
    /// An output: what it takes.
    Output,
}

impl PointKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Port => "port",
            Self::Output => "output",
        }
    }
}

/// A place where events can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name, as inputs call it; of an output, the output's.
    pub name: String,
    /// What stands there.
    pub kind: PointKind,
}

/// The points of a running pipeline, and who listens there.
#[derive(Debug, Default)]
pub struct Taps {
    points: Vec<Point>,
    /// The names of the workers' lanes.
    outputs: Vec<String>,
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// Grows whenever somebody comes or goes.
    version: AtomicU64,
}

impl Taps {
    /// The points on these ways, each once. `ways` are those of the sources with these names, `outputs` the names of the
    /// outputs in the order of the workers' lanes.
    #[must_use]
    pub fn new<'a>(ways: impl Iterator<Item = (&'a str, &'a Way)>, outputs: Vec<String>) -> Arc<Self> {
        let mut taps = Self { outputs, ..Self::default() };
        for (source, way) in ways {
            taps.add(source, PointKind::Source);
            taps.add_way(way);
        }
        taps.points.sort_by_key(|point| point.kind as u8);
        Arc::new(taps)
    }

    fn add(&mut self, name: &str, kind: PointKind) {
        if !self.points.iter().any(|point| point.name == name) {
            self.points.push(Point { name: name.to_owned(), kind });
        }
    }

    fn add_way(&mut self, way: &Way) {
        for &lane in &way.lanes {
            // Behind those of outputs stand the lanes of aggregates, whose results are a source.
            if let Some(name) = self.outputs.get(lane).cloned() {
                self.add(&name, PointKind::Output);
            }
        }
        for branch in &way.branches {
            match branch {
                Branch::Transform(transform, way) => {
                    self.add(&transform.name, PointKind::Transform);
                    self.add_way(way);
                }
                Branch::Route(route, ways) => {
                    for (port, way) in ways.iter().enumerate() {
                        self.add(route.port(port), PointKind::Port);
                        self.add_way(way);
                    }
                }
            }
        }
    }

    /// The points, by their kind.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Begins to listen at the points with these names, for events that the condition is true of; so many a second.
    /// `None` when [`TAPS_MAX`] others listen.
    #[must_use]
    pub fn listen(
        self: &Arc<Self>,
        points: Vec<String>,
        condition: Option<Condition>,
        events_per_second: u32,
    ) -> Option<Tap> {
        let mut listeners = self.lock();
        if listeners.len() >= TAPS_MAX {
            return None;
        }
        let listener = Arc::new(Listener::new(points, condition, events_per_second));
        listeners.push(Arc::clone(&listener));
        self.version.fetch_add(1, Relaxed);
        Some(Tap { taps: Arc::clone(self), listener, visited: Instant::now() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who listens; dropped, it hears no more.
#[derive(Debug)]
pub struct Tap {
    taps: Arc<Taps>,
    listener: Arc<Listener>,
    visited: Instant,
}

/// What a tap has heard since it was asked last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// `{"point":"NAME","event":{…}}`, a line each.
    pub lines: Vec<u8>,
    /// Events that it could not have.
    pub skipped: u64,
}

impl Tap {
    /// The same tap without a bound in number and time, for one who sends the events himself.
    #[must_use]
    pub fn unbounded(self) -> Self {
        self.listener.credit.store(i64::MAX / 2, Relaxed);
        self.listener.time.store(i64::MAX / 2, Relaxed);
        self
    }

    /// What was heard. Asking is what pays for more: a tap that nobody asks costs nothing after a second.
    pub fn hear(&mut self) -> Heard {
        let visited = std::mem::replace(&mut self.visited, Instant::now());
        self.listener.grant(self.visited - visited);
        let mut lines = self.listener.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Heard { lines: std::mem::take(&mut *lines), skipped: self.listener.skipped.swap(0, Relaxed) }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut listeners = self.taps.lock();
        listeners.retain(|listener| !Arc::ptr_eq(listener, &self.listener));
        self.taps.version.fetch_add(1, Relaxed);
        // An idle worker keeps the listener until its next batch.
        *self.listener.lines.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }
}

/// What the workers know of a tap.
#[derive(Debug)]
struct Listener {
    points: Vec<String>,
    condition: Option<Condition>,
    /// What one event costs of `credit`.
    event_nanos: i64,
    /// The time whose events it may still get, in nanoseconds.
    credit: AtomicI64,
    /// The time that workers may still spend on it, in nanoseconds; below 0 it is in debt.
    time: AtomicI64,
    skipped: AtomicU64,
    lines: Mutex<Vec<u8>>,
}

impl Listener {
    fn new(points: Vec<String>, condition: Option<Condition>, events_per_second: u32) -> Self {
        Self {
            points,
            condition,
            event_nanos: SAVED_NANOS_MAX / i64::from(events_per_second.clamp(1, EVENTS_PER_SECOND_MAX)),
            credit: AtomicI64::new(SAVED_NANOS_MAX),
            time: AtomicI64::new(SAVED_NANOS_MAX / TIME_SHARE),
            skipped: AtomicU64::new(0),
            lines: Mutex::default(),
        }
    }

    /// Pays for what may be heard after this much time.
    fn grant(&self, time: Duration) {
        let nanos = i64::try_from(time.as_nanos()).unwrap_or(SAVED_NANOS_MAX).min(SAVED_NANOS_MAX);
        for (purse, more, most) in [
            (&self.credit, nanos, SAVED_NANOS_MAX),
            (&self.time, nanos / TIME_SHARE, SAVED_NANOS_MAX / TIME_SHARE),
        ] {
            let held = purse.load(Relaxed);
            purse.fetch_add(more.min(most - held).max(0), Relaxed);
        }
    }

    fn may_have_more(&self) -> bool {
        self.credit.load(Relaxed) >= self.event_nanos && self.time.load(Relaxed) > 0
    }

    /// Looks at the events that stand at a point.
    fn look(&self, point: &str, batch: &Batch, selected: &[u32], encoder: &mut Encoder) {
        let mut began = Instant::now();
        for (seen, &index) in selected.iter().enumerate() {
            if !self.may_have_more() {
                self.skip(selected.len() - seen);
                return;
            }
            if self.condition.as_ref().is_none_or(|condition| condition.is_true(batch, index as usize)) {
                self.take(point, batch, index as usize, encoder);
            }
            let now = Instant::now();
            let look = i64::try_from((now - began).as_nanos()).unwrap_or(LOOK_NANOS_MAX);
            self.time.fetch_sub(look.min(LOOK_NANOS_MAX), Relaxed);
            began = now;
        }
    }

    fn take(&self, point: &str, batch: &Batch, index: usize, encoder: &mut Encoder) {
        let event = &batch.events[index];
        if event.line.len > LINE_BYTES_MAX {
            return self.skip(1);
        }
        let text = &mut encoder.text;
        text.truncate(0);
        // Names are letters, digits, `_`, `-` and `.`: they stand in JSON as they are.
        for part in [&b"{\"point\":\""[..], point.as_bytes(), b"\",\"event\":"] {
            text.push(part);
        }
        encoder.json.write(batch, event, text);
        text.push(b"}\n");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() + text.len() > WAITING_BYTES_MAX {
            return self.skip(1);
        }
        lines.extend_from_slice(text.as_slice());
        self.credit.fetch_sub(self.event_nanos, Relaxed);
    }

    fn skip(&self, events: usize) {
        self.skipped.fetch_add(events as u64, Relaxed);
    }
}

/// A worker's end of the taps.
#[derive(Debug)]
pub(crate) struct TapEnd {
    taps: Arc<Taps>,
    keys: Arc<Keys>,
    /// The version of the taps that these listeners are of.
    version: u64,
    listeners: Vec<Arc<Listener>>,
    /// While somebody listens.
    encoder: Option<Encoder>,
}

#[derive(Debug)]
struct Encoder {
    json: JsonEncoder,
    text: Writer,
}

impl TapEnd {
    /// An end for a worker whose events have their keys in `keys`.
    pub(crate) fn new(keys: Arc<Keys>) -> Self {
        Self { taps: Arc::default(), keys, version: 0, listeners: Vec::new(), encoder: None }
    }

    /// From here on it is an end of these taps.
    pub(crate) fn connect(&mut self, taps: Arc<Taps>) {
        self.taps = taps;
    }

    /// Whether it knows of anybody who listens.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.encoder.is_some()
    }

    /// Sees who listens; to be called once a batch.
    #[inline]
    pub(crate) fn look_up(&mut self) {
        if self.taps.version.load(Relaxed) != self.version {
            self.refresh();
        }
    }

    #[cold]
    fn refresh(&mut self) {
        let listeners = self.taps.lock();
        self.version = self.taps.version.load(Relaxed);
        self.listeners.clone_from(&listeners);
        let keys = &self.keys;
        let make = || Encoder { json: JsonEncoder::new(Arc::clone(keys)), text: Writer::default() };
        self.encoder = (!listeners.is_empty()).then(make);
    }

    /// Shows the selected events to those who listen at this point.
    #[inline]
    pub(crate) fn show(&mut self, point: &str, batch: &Batch, selected: &[u32]) {
        if let Some(encoder) = &mut self.encoder {
            let here =
                self.listeners.iter().filter(|listener| listener.points.iter().any(|name| name == point));
            here.for_each(|listener| listener.look(point, batch, selected, encoder));
        }
    }

    /// The same for what an output takes.
    #[inline]
    pub(crate) fn show_output(&mut self, lane: usize, batch: &Batch, selected: &[u32]) {
        if self.encoder.is_some() {
            let taps = Arc::clone(&self.taps);
            self.show(taps.outputs.get(lane).map_or("", String::as_str), batch, selected);
        }
    }
}

#[cfg(test)]
mod tests;
