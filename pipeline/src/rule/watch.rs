//! A rule of the config at work.
//!
//! Owns: [`Rule`]: which events it is about, and the order in which its kind gets them.
//! Promises: the same alerts, each once, for any order of the events within the lateness, any split into batches and any number
//! of workers: events wait until the watermark has passed them and are then taken in the order of their times.
//! Never: reads a clock, or waits.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use foldhash::fast::FixedState;
use logweir_parsers::KeyId;

use super::document::{Documents, RuleText};
use super::matches::{Match, Matches, Reader, Reads};
use super::{Detector, Fired, Limits, RuleError, RuleKind};
use crate::event::Batch;
use crate::matcher::Condition;
use crate::operator::{Operator, OperatorStatus, Scratch, Told, Watch, Watching};
use crate::reorder::Reorder;
use crate::snapshot::{Decoder, Encoder};
use crate::watermark::{Arrival, TimeLimits};

/// Events that wait for the watermark. Beyond that the first of them waits no longer.
const WAITING_MAX: usize = 200_000;

/// Events that a kind gets at once: enough to look their groups up ahead, few enough to remember their lines.
const TOGETHER: usize = 64;

/// Events whose lines are remembered, for alerts that they are the first of.
const RECENT_MAX: usize = 256;

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

/// A rule: what stays the same while it is at work.
#[derive(Debug)]
pub struct Rule {
    name: Arc<str>,
    fires_between_hits: bool,
    reader: Reader,
}

/// What a rule remembers of events.
#[derive(Debug)]
pub(crate) struct State {
    waiting: Reorder<Match>,
    detector: Box<dyn Detector>,
    groups: Groups,
    recent: VecDeque<Match>,
    documents: Documents,
    fired: Vec<Fired>,
}

/// What one worker needs to read events for a rule.
#[derive(Debug, Default)]
pub struct RuleScratch(Matches);

impl Rule {
    /// The operator of a rule, which has seen nothing.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn operator(config: RuleConfig) -> Result<Box<dyn Operator>, RuleError> {
        let detector = config.kind.detector(config.limits)?;
        let (names, by): (Vec<_>, Vec<_>) = config.by.into_iter().unzip();
        let documents = Documents::new(&config.name, config.kind.name(), &config.text, &names);
        let seed = RandomState::new().build_hasher().finish();
        let reader =
            Reader { condition: config.condition, by, reads: config.reads, limits: config.times, seed };
        let state = State {
            waiting: Reorder::default(),
            detector,
            groups: Groups::new(config.limits.max_keys),
            recent: VecDeque::new(),
            documents,
            fired: Vec::new(),
        };
        let fires_between_hits = config.kind.fires_between_hits();
        let rule = Self { name: config.name.into(), fires_between_hits, reader };
        Ok(Box::new(Watching::new(rule, config.times, state)))
    }

    /// Gives events, which are the next in the order of their times, to the kind.
    fn hits(&self, together: &mut Vec<Match>, state: &mut State, told: &mut Told) {
        if self.fires_between_hits {
            together.iter().for_each(|found| state.groups.note(found.key, found.hit.time, found.group()));
        }
        let hits = together.iter().map(|found| (found.key, found.hit)).collect::<Vec<_>>();
        state.detector.hits(&hits, &mut state.fired);
        state.tell(together, told);
        state.remember(together);
    }
}

impl Watch for Rule {
    type State = State;

    const KIND: &'static str = "rule";

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, scratch: &mut Scratch) {
        self.reader.read(batch, selected, arrival, &mut scratch.rule.0);
    }

    fn take(&self, scratch: &mut Scratch, passed: Option<i64>, state: &mut State, told: &mut Told) {
        let matches = &mut scratch.rule.0;
        for found in matches.found.drain(..) {
            if passed.is_some_and(|passed| found.hit.time < passed) {
                told.counts.late += 1;
                continue;
            }
            if state.waiting.waiting() >= WAITING_MAX
                && let Some((_, first)) = state.waiting.pop_before(i64::MAX)
            {
                self.hits(&mut vec![first], state, told);
            }
            state.waiting.push(found.hit.time, found.hit.event, found);
        }
        told.counts.late += matches.late;
        told.counts.without_field += matches.without_field;
        told.counts.future += matches.future;
    }

    /// Takes the events that the watermark has passed, then lets windows end that have none.
    fn catch_up(&self, watermark: i64, state: &mut State, told: &mut Told) {
        let mut together = Vec::new();
        while let Some((_, found)) = state.waiting.pop_before(watermark) {
            together.push(found);
            if together.len() == TOGETHER {
                self.hits(&mut together, state, told);
            }
        }
        if !together.is_empty() {
            self.hits(&mut together, state, told);
        }
        if watermark > i64::MIN {
            state.detector.advance(watermark, &mut state.fired);
            state.tell(&[], told);
        }
    }

    fn save(&self, state: &State, out: &mut Encoder<'_>) {
        out.u64(self.reader.seed);
        state.waiting.save(out);
        out.list(state.recent.iter());
        state.groups.save(out);
        out.nested(|bytes| state.detector.save(bytes));
    }

    fn load(&mut self, state: &mut State, from: &mut Decoder<'_>) -> Option<()> {
        self.reader.seed = from.u64()?;
        state.waiting = Reorder::load(from, Match::place)?;
        state.recent = from.list()?.into();
        state.groups.load(from)?;
        state.detector.load(from.text()?).ok()
    }

    fn show(&self, state: &State, status: &mut OperatorStatus) {
        let usage = state.detector.usage();
        (status.counts.refused, status.counts.evicted) = (usage.refused, usage.evicted);
        status.groups = usage.keys;
        status.bytes = usage.bytes + state.waiting.waiting() * size_of::<Match>() + state.groups.bytes;
        status.bytes += state.recent.iter().map(Match::bytes).sum::<usize>();
    }
}

impl State {
    /// Makes documents of what has fired.
    fn tell(&mut self, together: &[Match], told: &mut Told) {
        let Self { fired, groups, recent, documents, .. } = self;
        for fired in fired.drain(..) {
            let own = together.iter().find(|found| found.key == fired.key).map(Match::group);
            let group = own.or_else(|| groups.get(fired.key)).unwrap_or_default();
            let known = together.iter().rev().chain(recent.iter().rev());
            let mut events = vec![fired.first_event, fired.last_event];
            events.dedup();
            let evidence =
                events.iter().filter_map(|event| known.clone().find(|found| found.hit.event == *event));
            let evidence = evidence.collect::<Vec<_>>();
            told.document(documents.id(&fired, group), |out| {
                documents.write(&fired, group, &evidence, out);
            });
        }
    }

    /// Keeps the lines of events for the alerts that they may be the first of.
    fn remember(&mut self, together: &mut Vec<Match>) {
        let too_many = (self.recent.len() + together.len()).saturating_sub(RECENT_MAX);
        self.recent.drain(..too_many.min(self.recent.len()));
        self.recent.extend(together.drain(..));
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

    fn save(&self, out: &mut Encoder<'_>) {
        out.u64(self.values.len() as u64);
        for (key, (last, group)) in &self.values {
            out.u128(*key);
            out.i64(*last);
            out.text(group);
        }
    }

    fn load(&mut self, from: &mut Decoder<'_>) -> Option<()> {
        for _ in 0..from.u64()? {
            let (key, last) = (from.u128()?, from.i64()?);
            self.note(key, last, from.text()?);
        }
        Some(())
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
