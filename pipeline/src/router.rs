//! The router: where the events of a batch go.
//!
//! Owns: [`Way`], the tree of what happens to one source's events, and [`Router`], the walk of a batch along it.
//! Promises: a batch is never copied: a branch gets the indexes of its events, and finds them as they were where the
//! way branched; a line that no output took is in the ledger under the name of the step that dropped it, or of the
//! port of a route that nothing reads; one that an output took is not, whatever became of it elsewhere.
//! Never: waits.

mod route;

use std::sync::Arc;

pub use route::{Route, RouteMode};

use crate::event::{Batch, Keys, Snapshot};
use crate::matcher::Matcher;
use crate::tap::{TapEnd, Taps};
use crate::transform::{Bench, Transform};
use crate::worker::Lane;

/// A point on the way of events: who takes them as they are here, and where they go on from here.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The outputs that take the events, as indexes of the worker's lanes.
    pub lanes: Vec<usize>,
    /// What else takes the events, and the ways behind it.
    pub branches: Vec<Branch>,
}

/// A part of a way.
#[derive(Clone, Debug)]
pub enum Branch {
    /// A transform and the way behind it.
    Transform(Arc<Transform>, Way),
    /// A route and the way behind each of its ports.
    Route(Arc<Route>, Vec<Way>),
}

impl Branch {
    fn ways(&self) -> &[Way] {
        match self {
            Self::Transform(_, way) => std::slice::from_ref(way),
            Self::Route(_, ways) => ways,
        }
    }

    /// Whether events may be other behind it, or anywhere behind that, than they were.
    #[must_use]
    pub fn changes_events(&self) -> bool {
        let changes = matches!(self, Self::Transform(transform, _) if transform.changes_events());
        changes || self.ways().iter().any(Way::changes_events)
    }
}

impl Way {
    /// Every lane of the way, each once.
    #[must_use]
    pub fn all_lanes(&self) -> Vec<usize> {
        let mut lanes = self.lanes.clone();
        lanes.extend(self.branches.iter().flat_map(Branch::ways).flat_map(Self::all_lanes));
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }

    fn changes_events(&self) -> bool {
        self.branches.iter().any(Branch::changes_events)
    }

    /// Whether nothing takes the events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.branches.is_empty()
    }
}

/// Takes batches along their ways. One a worker; it keeps its memory from batch to batch.
#[derive(Debug)]
pub struct Router {
    /// What became of each line so far, by the event that the source made of it.
    fates: Vec<Fate>,
    /// The names that [`Fate::Dropped`] counts on.
    droppers: Vec<Arc<str>>,
    selections: Vec<Vec<u32>>,
    snapshots: Vec<Snapshot>,
    /// By the number of the route.
    matchers: Vec<Option<Matcher>>,
    tap: TapEnd,
    bench: Bench,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing yet.
    Open,
    /// An output took it.
    Taken,
    /// No output took it, and this one of the droppers dropped it.
    Dropped(u16),
}

impl Router {
    /// A router of events whose keys are in `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        Self {
            fates: Vec::new(),
            droppers: Vec::new(),
            selections: Vec::new(),
            snapshots: Vec::new(),
            matchers: Vec::new(),
            tap: TapEnd::new(Arc::clone(&keys)),
            bench: Bench::new(keys),
        }
    }

    /// The same, showing events to those who listen at these taps.
    #[must_use]
    pub fn tapped(mut self, taps: Arc<Taps>) -> Self {
        self.tap.connect(taps);
        self
    }

    /// Whether its worker knows of anybody who listens.
    #[cfg(test)]
    pub(crate) fn is_tapped(&self) -> bool {
        self.tap.is_open()
    }

    /// Takes all events of a parsed batch along the way, into the lanes that it names.
    pub fn route(&mut self, way: &Way, batch: &mut Batch, lanes: &mut [Box<dyn Lane>]) {
        let events = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
        self.fates.clear();
        self.fates.resize(batch.events.len(), Fate::Open);
        let mut selected = self.selections.pop().unwrap_or_default();
        selected.clear();
        selected.extend(0..events);
        self.tap.look_up();
        self.tap.show(&batch.stream.source().name, batch, &selected);
        self.walk(way, batch, &selected, lanes);
        self.selections.push(selected);
        self.tell_dropped(batch);
    }

    fn walk(&mut self, way: &Way, batch: &mut Batch, selected: &[u32], lanes: &mut [Box<dyn Lane>]) {
        if selected.is_empty() {
            return;
        }
        for &lane in &way.lanes {
            self.tap.show_output(lane, batch, selected);
            lanes[lane].write(batch, selected);
        }
        if !way.lanes.is_empty() {
            for &index in selected {
                self.fates[batch.line_of(index) as usize] = Fate::Taken;
            }
        }
        for (number, branch) in way.branches.iter().enumerate() {
            let is_last = number + 1 == way.branches.len();
            let snapshot = (!is_last && branch.changes_events()).then(|| self.save(batch));
            match branch {
                Branch::Transform(transform, way) => self.transform(transform, way, batch, selected, lanes),
                Branch::Route(route, ways) => self.split(route, ways, batch, selected, lanes),
            }
            self.restore(snapshot, batch);
        }
    }

    fn save(&mut self, batch: &Batch) -> Snapshot {
        let mut snapshot = self.snapshots.pop().unwrap_or_default();
        batch.save(&mut snapshot);
        snapshot
    }

    fn restore(&mut self, snapshot: Option<Snapshot>, batch: &mut Batch) {
        if let Some(mut snapshot) = snapshot {
            batch.restore(&mut snapshot);
            self.snapshots.push(snapshot);
        }
    }

    fn transform(
        &mut self,
        transform: &Transform,
        way: &Way,
        batch: &mut Batch,
        selected: &[u32],
        lanes: &mut [Box<dyn Lane>],
    ) {
        let mut kept = self.selections.pop().unwrap_or_default();
        let mut before = self.selections.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(selected);
        for step in &transform.steps {
            before.clone_from(&kept);
            step.apply(batch, &mut kept, &mut self.bench);
            if kept.len() < before.len() {
                self.note_dropped(batch, &step.name, &before, &kept);
            }
        }
        self.selections.push(before);
        self.tap.show(&transform.name, batch, &kept);
        self.walk(way, batch, &kept, lanes);
        self.selections.push(kept);
    }

    /// Sends events to the ports of a route. What a port gets is changed by none before it, unless it shares events
    /// with that one, and then it is undone.
    fn split(
        &mut self,
        route: &Route,
        ways: &[Way],
        batch: &mut Batch,
        selected: &[u32],
        lanes: &mut [Box<dyn Lane>],
    ) {
        let mut ports = Vec::with_capacity(ways.len());
        for _ in ways {
            let mut port = self.selections.pop().unwrap_or_default();
            port.clear();
            ports.push(port);
        }
        route.split(&mut self.matchers, batch, selected, &mut ports);
        for (number, (way, port)) in ways.iter().zip(ports).enumerate() {
            self.tap.show(route.port(number), batch, &port);
            if way.is_empty() && !port.is_empty() {
                self.note_dropped(batch, route.port(number), &port, &[]);
            }
            let undo = route.mode() == RouteMode::All && number + 1 < ways.len() && way.changes_events();
            let snapshot = undo.then(|| self.save(batch));
            self.walk(way, batch, &port, lanes);
            self.restore(snapshot, batch);
            self.selections.push(port);
        }
    }

    /// Notes who dropped the events that are selected and not kept. Both are in order. Of a line's pieces the last one
    /// that was dropped tells, if no output took any of them.
    fn note_dropped(&mut self, batch: &Batch, name: &Arc<str>, selected: &[u32], kept: &[u32]) {
        let known = self.droppers.iter().position(|dropper| Arc::ptr_eq(dropper, name));
        let number = known.unwrap_or_else(|| {
            self.droppers.push(Arc::clone(name));
            self.droppers.len() - 1
        });
        let dropped = Fate::Dropped(u16::try_from(number).unwrap_or(u16::MAX));
        let mut kept = kept.iter().peekable();
        for &index in selected {
            if kept.next_if_eq(&&index).is_some() {
                continue;
            }
            let fate = &mut self.fates[batch.line_of(index) as usize];
            if *fate != Fate::Taken {
                *fate = dropped;
            }
        }
    }

    fn tell_dropped(&mut self, batch: &Batch) {
        for (number, name) in self.droppers.drain(..).enumerate() {
            let dropped = Fate::Dropped(u16::try_from(number).unwrap_or(u16::MAX));
            let events = self.fates.iter().filter(|&&fate| fate == dropped).count();
            if events > 0 {
                batch.ack.dropped(&name, events as u64);
            }
        }
    }
}

#[cfg(test)]
mod tests;
