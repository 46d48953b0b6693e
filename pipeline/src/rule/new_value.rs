//! `new_value`: a value that a key has not had for so long.
//!
//! Owns: the values that a key had most recently.
//! Promises: fires at each new value, though not while a key is learned: for `learn` from its first hit on. A value is
//! seen again at each hit that has it.
//! Never: remembers more than `values_max`: the stalest goes first, and would be new again.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::recent::Recent;
use super::{Fired, Hit, RuleError, SPAN_MAX};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `new_value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewValue {
    /// How long a value is remembered.
    pub span: i64,
    /// How long from its first hit on a key does not fire.
    pub learn: i64,
    /// The most values of a key.
    pub values_max: u32,
}

impl NewValue {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<NewValueKind, RuleError> {
        RuleError::unless_span(self.span, "new_value.within")?;
        RuleError::unless((0..=SPAN_MAX).contains(&self.learn), "new_value.learn", "at most 400 days")?;
        Recent::check(self.values_max, "new_value.values_max")?;
        let alarms = Alarms::new(self.span, suppress);
        Ok(NewValueKind { span: self.span, learn: self.learn, most: self.values_max, alarms })
    }
}

#[derive(Debug, Default)]
pub(super) struct Known {
    recent: Recent,
    since: Anchor,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct NewValueKind {
    span: i64,
    learn: i64,
    most: u32,
    alarms: Alarms,
}

impl Kind for NewValueKind {
    type State = Known;

    fn hit(&self, state: &mut Known, hit: &Hit, emit: Emit<'_>) {
        self.alarms.age(&mut state.alarm, hit.time);
        state.recent.expire(hit.time - self.span);
        if state.recent.len() == 0 {
            state.since = Anchor::at(hit);
        }
        let is_new = !state.recent.see(hit, self.most);
        // Each new value is a reason of its own.
        self.alarms.end(&mut state.alarm);
        let is_learned = hit.time.saturating_sub(state.since.time) >= self.learn;
        if is_new && is_learned && self.alarms.judge(&mut state.alarm, hit.time, true) {
            emit(Fired {
                count: 1,
                value: 1.0,
                threshold: 1.0,
                ..Fired::at(hit, self.span, Anchor::at(hit))
            });
        }
    }

    fn forget_at(&self, state: &Known, now: i64) -> i64 {
        let last = state.recent.last().map_or(i64::MIN, |seen| seen.time.saturating_add(self.span + 1));
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &Known) -> Standing {
        match state.recent.len() {
            // What is forgotten of a key that is known well would be alerts.
            0 | 1 => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &Known) -> usize {
        state.recent.heap_bytes()
    }

    fn write(&self, state: &Known, out: &mut Encoder<'_>) {
        state.recent.write(out);
        state.since.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Known> {
        let (recent, since) = (Recent::read(bytes, self.most)?, Anchor::read(bytes)?);
        Some(Known { recent, since, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
