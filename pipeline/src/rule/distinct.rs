//! `distinct`: so many different values in a sliding window.
//!
//! Owns: the values that were seen most recently, at most `at_least` of them: if they all are in the window there are
//! enough, and if not there are not.
//! Promises: exact, but for two values with the same hash of 64 bits, which count as one.
//! Never: counts a hit twice.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::combination::Combination;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::recent::Recent;
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `distinct`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// The length of the sliding window, both ends in.
    pub span: i64,
    /// How many values.
    pub at_least: u32,
}

impl Distinct {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<DistinctKind, RuleError> {
        RuleError::unless_span(self.span, "window.sliding")?;
        Recent::check(self.at_least, "distinct.at_least")?;
        let alarms = Alarms::new(self.span, suppress);
        Ok(DistinctKind { span: self.span, least: self.at_least, formula: None, alarms })
    }
}

#[derive(Debug, Default)]
pub(super) struct Values {
    recent: Recent,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct DistinctKind {
    span: i64,
    least: u32,
    /// Which values there must be, if their number is not enough.
    formula: Option<Combination>,
    alarms: Alarms,
}

impl DistinctKind {
    /// One that asks which of `at_least` values, numbers from 0 on, there are.
    pub(super) fn with_formula(self, formula: Combination) -> Self {
        Self { formula: Some(formula), ..self }
    }
}

impl Kind for DistinctKind {
    type State = Values;

    fn hit(&self, state: &mut Values, hit: &Hit, emit: Emit<'_>) {
        state.recent.expire(hit.time - self.span);
        state.recent.see(hit, self.least);
        let values = state.recent.len();
        let holds = match &self.formula {
            None => values >= self.least as usize,
            Some(formula) => formula.is_true(&|value| state.recent.has(value as u64)),
        };
        if self.alarms.judge(&mut state.alarm, hit.time, holds) {
            let first = state.recent.first().unwrap_or(Anchor::at(hit));
            let (count, value, threshold) = (values as u64, values as f64, f64::from(self.least));
            emit(Fired { count, value, threshold, ..Fired::at(hit, self.span, first) });
        }
    }

    fn forget_at(&self, state: &Values, now: i64) -> i64 {
        let last = state.recent.last().map_or(i64::MIN, |seen| seen.time.saturating_add(self.span + 1));
        self.alarms.until(state.alarm, now, last)
    }

    fn standing(&self, state: &Values) -> Standing {
        match state.recent.len() {
            _ if state.alarm.is_set() => Standing::Kept,
            values if 2 * values < self.least as usize => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &Values) -> usize {
        state.recent.heap_bytes()
    }

    fn write(&self, state: &Values, out: &mut Encoder<'_>) {
        state.recent.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Values> {
        let recent = Recent::read(bytes, self.least)?;
        Some(Values { recent, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
