//! A rule of the config at work.
//!
//! Owns: [`Rule`]: which events it is about, the order in which its kind gets them, and the alerts that are ready to leave.
//! Promises: the same alerts, each once, for any order of the events within the lateness, any split into batches and any number
//! of workers: events wait until the watermark has passed them and are then taken in the order of their times.
//! Never: reads a clock, or waits.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use logweir_parsers::KeyId;
use xxhash_rust::xxh3::Xxh3;

use super::document::{Documents, RuleText};
use super::matches::{Match, Matches, Reader, Reads};
use super::{Detector, Fired, Limits, RuleError, RuleKind};
use crate::event::{Batch, Origin};
use crate::matcher::Condition;
use crate::operator::{Emitted, Operator, OperatorCounts, OperatorStatus, Scratch};
use crate::reorder::Reorder;
use crate::watermark::{TimeLimits, Watermarks};

/// Events that wait for the watermark. Beyond that the first of them waits no longer.
const WAITING_MAX: usize = 200_000;

/// Events that a kind gets at once: enough to look their groups up ahead, few enough to remember their lines.
const TOGETHER: usize = 64;

/// What the config says of a rule.
#[derive(Clone, Debug)]
pub struct RuleConfig {
    /// Its name.
    pub name: String,
    /// What it says of itself to people.
    pub text: RuleText,
    /// Which events it is about; all when there is none.
    pub condition: Option<Condition>,
    /// The fields by whose values events are put into groups.
    pub by: Vec<(String, KeyId)>,
    /// What it asks of the events of a group.
    pub kind: RuleKind,
    /// What it reads of them for that.
    pub reads: Reads,
    /// What is asked of event times.
    pub times: TimeLimits,
    /// Most groups, and how often one fires.
    pub limits: Limits,
}

/// A rule at work.
#[derive(Debug)]
pub struct Rule {
    name: Arc<str>,
    id: String,
    fires_between_hits: bool,
    reader: Reader,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watermarks: Watermarks,
    waiting: Reorder<Match>,
    detector: Box<dyn Detector>,
    groups: Groups,
    documents: Documents,
    fired: Vec<Fired>,
    ready: Emitted,
    counts: OperatorCounts,
}

/// What one worker needs to read events for a rule.
#[derive(Debug, Default)]
pub struct RuleScratch(Matches);

impl Rule {
    /// A rule that has seen nothing.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn new(config: RuleConfig) -> Result<Self, RuleError> {
        let detector = config.kind.detector(config.limits)?;
        let (names, by): (Vec<_>, Vec<_>) = config.by.into_iter().unzip();
        let documents = Documents::new(&config.name, config.kind.name(), &config.text, &names);
        let seed = RandomState::new().build_hasher().finish();
        let reader =
            Reader { condition: config.condition, by, reads: config.reads, limits: config.times, seed };
        let state = State {
            watermarks: Watermarks::new(config.times),
            waiting: Reorder::default(),
            detector,
            groups: Groups::new(config.limits.max_keys),
            documents,
            fired: Vec::new(),
            ready: Emitted::default(),
            counts: OperatorCounts::default(),
        };
        let fires_between_hits = config.kind.fires_between_hits();
        let (name, id) = (config.name.into(), config.text.id);
        Ok(Self { name, id, fires_between_hits, reader, state: Mutex::new(state) })
    }

    /// Takes the events that the watermark has passed, and makes documents of what they come to.
    fn catch_up(&self, state: &mut State) -> usize {
        let watermark = state.watermarks.reached();
        let mut together = Vec::new();
        while let Some((_, found)) = state.waiting.pop_before(watermark) {
            together.push(found);
            if together.len() == TOGETHER {
                self.take(state, &together);
                together.clear();
            }
        }
        self.take(state, &together);
        if watermark > i64::MIN {
            state.detector.advance(watermark, &mut state.fired);
            self.tell(state, &[]);
        }
        state.ready.lines.len()
    }

    fn take(&self, state: &mut State, together: &[Match]) {
        for found in together {
            state.documents.remember(found);
            if self.fires_between_hits {
                state.groups.note(found.key, found.hit.time, &found.group);
            }
        }
        let hits = together.iter().map(|found| (found.key, found.hit)).collect::<Vec<_>>();
        state.detector.hits(&hits, &mut state.fired);
        self.tell(state, together);
    }

    /// Makes documents of what has fired.
    fn tell(&self, state: &mut State, together: &[Match]) {
        let State { fired, groups, documents, ready, counts, .. } = state;
        for fired in fired.drain(..) {
            let own = together.iter().find(|found| found.key == fired.key).map(|found| &*found.group);
            let group = own.or_else(|| groups.get(fired.key)).unwrap_or_default();
            documents.write(&fired, group, &mut ready.lines);
            ready.lines.push(b'\n');
            ready.ids.push(self.identity(&fired, group));
            counts.documents += 1;
        }
    }

    /// The identity of an alert.
    fn identity(&self, fired: &Fired, group: &[u8]) -> Origin {
        let mut hash = Xxh3::new();
        hash.update(self.id.as_bytes());
        hash.update(&[0, fired.part]);
        hash.update(&fired.end.to_be_bytes());
        hash.update(&fired.last_event.stream.to_be_bytes());
        hash.update(&fired.last_event.offset.to_be_bytes());
        hash.update(group);
        let hash = hash.digest128();
        #[allow(clippy::cast_possible_truncation)] // its two halves
        let (stream, offset) = ((hash >> 64) as u64, hash as u64);
        Origin { stream, offset }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operator for Rule {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "rule"
    }

    fn announce(&self, stream: u64, now: i64) {
        self.state().watermarks.announce(stream, now);
    }

    fn forget(&self, stream: u64, now: i64) -> usize {
        let mut state = self.state();
        state.watermarks.forget(stream);
        state.watermarks.advance(now);
        self.catch_up(&mut state)
    }

    fn observe(&self, batch: &Batch, selected: &[u32], now: i64, scratch: &mut Scratch) -> usize {
        let (stream, matches) = (batch.stream.id(), &mut scratch.rule.0);
        let mut arrival = {
            let mut state = self.state();
            state.watermarks.announce(stream, now);
            state.watermarks.arrival(stream)
        };
        self.reader.read(batch, selected, &mut arrival, matches);
        let mut state = self.state();
        let reached = state.watermarks.reached();
        for found in matches.found.drain(..) {
            // Only for an input that was idle can the watermark have gone on beyond what its events were judged by.
            if found.hit.time < reached {
                state.counts.late += 1;
                continue;
            }
            if state.waiting.waiting() >= WAITING_MAX
                && let Some((_, first)) = state.waiting.pop_before(i64::MAX)
            {
                self.take(&mut state, &[first]);
            }
            state.waiting.push(found.hit.time, found.hit.event, found);
        }
        state.counts.late += matches.late;
        state.counts.without_field += matches.without_field;
        state.counts.future += matches.future;
        state.watermarks.arrived(stream, arrival, now);
        self.catch_up(&mut state)
    }

    fn advance(&self, now: i64) -> usize {
        let mut state = self.state();
        state.watermarks.advance(now);
        self.catch_up(&mut state)
    }

    fn end(&self) {
        let mut state = self.state();
        state.watermarks.end();
        self.catch_up(&mut state);
    }

    fn take_ready(&self) -> Emitted {
        std::mem::take(&mut self.state().ready)
    }

    fn status(&self) -> OperatorStatus {
        let state = self.state();
        let usage = state.detector.usage();
        let counts = OperatorCounts { refused: usage.refused, evicted: usage.evicted, ..state.counts };
        let bytes = usage.bytes + state.waiting.waiting() * size_of::<Match>() + state.groups.bytes;
        let watermark = Some(state.watermarks.reached()).filter(|reached| *reached > i64::MIN);
        OperatorStatus { counts, groups: usage.keys, bytes, watermark }
    }
}

/// The values that keys stand for, for alerts that no event of their own brings about.
#[derive(Debug)]
struct Groups {
    most: usize,
    values: HashMap<u128, (i64, Box<[u8]>), FixedState>,
    bytes: usize,
}

impl Groups {
    fn new(most: u32) -> Self {
        Self { most: usize::try_from(most).unwrap_or(usize::MAX), values: HashMap::default(), bytes: 0 }
    }

    fn note(&mut self, key: u128, time: i64, group: &[u8]) {
        if let Some((last, _)) = self.values.get_mut(&key) {
            *last = time;
            return;
        }
        if self.values.len() >= self.most {
            self.forget_half();
        }
        self.bytes += group.len() + size_of::<(u128, i64, Box<[u8]>)>();
        self.values.insert(key, (time, group.into()));
    }

    fn get(&self, key: u128) -> Option<&[u8]> {
        self.values.get(&key).map(|(_, group)| &**group)
    }

    /// Forgets the half that was heard of least lately.
    fn forget_half(&mut self) {
        let mut times = self.values.values().map(|(last, _)| *last).collect::<Vec<_>>();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        let middle = *middle;
        self.values.retain(|_, (last, _)| *last > middle);
        self.bytes =
            self.values.values().map(|(_, group)| group.len() + size_of::<(u128, i64, Box<[u8]>)>()).sum();
    }
}
