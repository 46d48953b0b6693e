//! `sequence`: one hit of each step, in order or in any.
//!
//! Owns: for each step the hit with which a chain that has come so far could have begun at the latest (in order), or the
//! last hit of it (in any order).
//! Promises: finds a chain if there is one, in a time a hit that depends on the number of steps alone: the latest beginning is
//! as good as any other. Hits of the same time are in the order of their origins, and in order each step is an event
//! of its own, while in any order one event may be several. A chain that fires is used up.
//! Never: keeps the hits of a chain but its first.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `sequence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// How many steps.
    pub steps: u8,
    /// The longest time from the first hit of a chain to the last, both in.
    pub within: i64,
    /// Whether step i must not come before step i − 1.
    pub in_order: bool,
}

impl Sequence {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<SequenceKind, RuleError> {
        RuleError::unless_span(self.within, "sequence.within")?;
        RuleError::unless((2..=31).contains(&self.steps), "sequence.steps", "2 to 31 steps")?;
        let alarms = Alarms::new(self.within, suppress);
        Ok(SequenceKind {
            steps: usize::from(self.steps),
            within: self.within,
            in_order: self.in_order,
            alarms,
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Chains {
    /// One a step; empty when nothing has come.
    starts: Vec<Anchor>,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct SequenceKind {
    steps: usize,
    within: i64,
    in_order: bool,
    alarms: Alarms,
}

impl SequenceKind {
    /// Takes the steps of the hit into the chains. Where the chain begins that is complete with it.
    fn follow(&self, starts: &mut [Anchor], hit: &Hit) -> Option<Anchor> {
        let oldest = hit.time - self.within;
        // The last step first: a step goes on from an event before this one.
        for step in (0..self.steps).rev().filter(|step| hit.steps >> step & 1 == 1) {
            if step == 0 || !self.in_order {
                starts[step] = Anchor::at(hit);
            } else if starts[step - 1].is_set() && starts[step - 1].time >= oldest {
                // It does not begin before what was here: that came from an earlier one of the step before.
                starts[step] = starts[step - 1];
            }
        }
        let is_last = hit.steps >> (self.steps - 1) & 1 == 1;
        let first = if self.in_order {
            starts.last().copied().filter(|_| is_last)
        } else {
            starts.iter().copied().min_by_key(|start| start.time)
        };
        first.filter(|start| start.is_set() && start.time >= oldest)
    }
}

impl Kind for SequenceKind {
    type State = Chains;

    fn hit(&self, state: &mut Chains, hit: &Hit, emit: Emit<'_>) {
        self.alarms.age(&mut state.alarm, hit.time);
        if hit.steps >> self.steps & 1 == 1 {
            state.starts.clear();
        }
        state.starts.resize(self.steps, Anchor::default());
        if let Some(first) = self.follow(&mut state.starts, hit) {
            state.starts.clear();
            self.alarms.end(&mut state.alarm);
            if self.alarms.judge(&mut state.alarm, hit.time, true) {
                let (count, number) = (self.steps as u64, self.steps as f64);
                emit(Fired { count, value: number, threshold: number, ..Fired::at(hit, self.within, first) });
            }
            self.alarms.end(&mut state.alarm);
        }
    }

    fn forget_at(&self, state: &Chains, now: i64) -> i64 {
        let last = state.starts.iter().filter(|start| start.is_set()).map(|start| start.time).max();
        let last = last.map_or(i64::MIN, |time| time.saturating_add(self.within + 1));
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &Chains) -> Standing {
        match state.starts.iter().filter(|start| start.is_set()).count() {
            _ if state.alarm.is_set() => Standing::Kept,
            steps if 2 * steps < self.steps => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &Chains) -> usize {
        state.starts.capacity() * size_of::<Anchor>()
    }

    fn write(&self, state: &Chains, out: &mut Encoder<'_>) {
        out.length(state.starts.len());
        state.starts.iter().for_each(|start| start.write(out));
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Chains> {
        let steps = bytes.length(self.steps)?;
        let starts = (0..steps).map(|_| Anchor::read(bytes)).collect::<Option<_>>()?;
        Some(Chains { starts, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
