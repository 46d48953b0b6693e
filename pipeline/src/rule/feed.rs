//! A detector and the events that it is fed.
//!
//! Owns: [`Feed`]: the events that wait for the watermark, the detector, and what its alerts need: the values of groups and the
//! last lines.
//! Promises: the detector gets events in the order of their times, whatever order they came in; what is kept is bounded.
//! Never: makes a document.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use super::document::Documents;
use super::matches::Match;
use super::{Detector, Fired, Limits, RuleError, RuleKind};
use crate::operator::{OperatorStatus, Told};
use crate::reorder::Reorder;
use crate::snapshot::{Decoder, Encoder};

/// Events that wait for the watermark. Beyond that the first of them waits no longer.
const WAITING_MAX: usize = 200_000;

/// Events that a kind gets at once: enough to look their groups up ahead, few enough to remember their lines.
const TOGETHER: usize = 64;

/// Events whose lines are remembered, for alerts that they are the first of.
const RECENT_MAX: usize = 256;

/// A detector and what it is fed.
#[derive(Debug)]
pub(super) struct Feed {
    waiting: Reorder<Match>,
    detector: Box<dyn Detector>,
    fires_between_hits: bool,
    groups: Groups,
    recent: VecDeque<Match>,
    fired: Vec<Fired>,
}

/// Something fired.
pub(super) struct Outcome<'a> {
    pub(super) fired: &'a Fired,
    /// The JSON of the group's values.
    pub(super) group: &'a [u8],
    /// The first and the last event, as far as their lines are known.
    pub(super) evidence: &'a [&'a Match],
}

impl Outcome<'_> {
    /// Makes an alert of it.
    pub(super) fn tell(&self, documents: &mut Documents, told: &mut Told) {
        let Self { fired, group, evidence } = self;
        told.document(documents.id(fired, group), |out| documents.write(fired, group, evidence, out));
    }
}

impl Feed {
    pub(super) fn new(kind: &RuleKind, limits: Limits) -> Result<Self, RuleError> {
        Ok(Self {
            waiting: Reorder::default(),
            detector: kind.detector(limits)?,
            fires_between_hits: kind.fires_between_hits(),
            groups: Groups::new(limits.max_keys),
            recent: VecDeque::new(),
            fired: Vec::new(),
        })
    }

    /// Lets an event wait; where there is no room, the first that waits is judged.
    pub(super) fn push(&mut self, found: Match, outcome: &mut dyn FnMut(&Outcome<'_>)) {
        if self.waiting.waiting() >= WAITING_MAX
            && let Some(first) = self.pop_before(i64::MAX)
        {
            self.judge(&mut vec![first], outcome);
        }
        self.waiting.push(found.hit.time, found.hit.event, found);
    }

    /// Gives the detector the events that the watermark is behind, then lets windows end that have none.
    pub(super) fn catch_up(&mut self, watermark: i64, outcome: &mut dyn FnMut(&Outcome<'_>)) {
        let mut together = Vec::<Match>::new();
        while let Some(found) = self.pop_before(watermark) {
            // What stands at one place must come together, as it has an order of its own.
            if together.len() >= TOGETHER && together.last().is_some_and(|last| last.place() != found.place())
            {
                self.judge(&mut together, outcome);
            }
            together.push(found);
        }
        if !together.is_empty() {
            self.judge(&mut together, outcome);
        }
        if watermark > i64::MIN {
            self.detector.advance(watermark, &mut self.fired);
            self.tell(&[], outcome);
        }
    }

    fn pop_before(&mut self, watermark: i64) -> Option<Match> {
        self.waiting.pop_before(watermark).map(|(_, found)| found)
    }

    /// Gives events, which are the next in the order of their times, to the detector.
    fn judge(&mut self, together: &mut Vec<Match>, outcome: &mut dyn FnMut(&Outcome<'_>)) {
        together.sort_by_key(|found| (found.place(), found.rank()));
        if self.fires_between_hits {
            together.iter().for_each(|found| self.groups.note(found.key, found.hit.time, found.group()));
        }
        let hits = together.iter().map(|found| (found.key, found.hit)).collect::<Vec<_>>();
        self.detector.hits(&hits, &mut self.fired);
        self.tell(together, outcome);
        self.remember(together);
    }

    pub(super) fn save(&self, out: &mut Encoder<'_>) {
        self.waiting.save(out);
        out.list(self.recent.iter());
        self.groups.save(out);
        out.nested(|bytes| self.detector.save(bytes));
    }

    pub(super) fn load(&mut self, from: &mut Decoder<'_>) -> Option<()> {
        self.waiting = Reorder::load(from, Match::place)?;
        self.recent = from.list()?.into();
        self.groups.load(from)?;
        self.detector.load(from.text()?).ok()
    }

    /// Adds what it holds.
    pub(super) fn show(&self, status: &mut OperatorStatus) {
        let usage = self.detector.usage();
        status.counts.refused += usage.refused;
        status.counts.evicted += usage.evicted;
        status.groups += usage.keys;
        status.bytes += usage.bytes + self.waiting.waiting() * size_of::<Match>() + self.groups.bytes;
        status.bytes += self.recent.iter().map(Match::bytes).sum::<usize>();
    }

    /// Says what has fired.
    fn tell(&mut self, together: &[Match], outcome: &mut dyn FnMut(&Outcome<'_>)) {
        let Self { fired, groups, recent, .. } = self;
        for fired in fired.drain(..) {
            let own = together.iter().find(|found| found.key == fired.key).map(Match::group);
            let group = own.or_else(|| groups.get(fired.key)).unwrap_or_default();
            let known = together.iter().rev().chain(recent.iter().rev());
            let mut events = vec![fired.first_event, fired.last_event];
            events.dedup();
            let evidence =
                events.iter().filter_map(|event| known.clone().find(|found| found.hit.event == *event));
            let evidence = evidence.collect::<Vec<_>>();
            outcome(&Outcome { fired: &fired, group, evidence: &evidence });
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
