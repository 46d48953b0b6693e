//! Whether a key may fire.
//!
//! Owns: [`Alarm`], three bytes a key; [`Alarms`], what they mean for a rule; [`Unit`], short codes of times.
//! Promises: fires once while the condition holds, or once in `suppress`, to a four-millionth of the longer of
//! `suppress` and the rule's span.
//! Never: judges the condition.

use super::SECOND;

/// How much later than it is due the wheel may look at a key, and some.
pub(super) const SLACK: i64 = 2 * SECOND;
/// Times are coded by their remainder; 0 is for an alarm that is armed.
const ROUND: i64 = (1 << 24) - 1;

/// Nanoseconds of which a short code of a time is a multiple: a power of ten, so that times that were written with
/// that many digits lose nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit(i64);

impl Unit {
    /// The smallest one with which ages up to twice the span can be told apart in so many bits.
    pub(super) fn new(span: i64, bits: u32) -> Self {
        let range = 2 * span + SLACK;
        let mut unit = 1;
        while range / unit >= (1 << bits) - 1 {
            unit *= 10;
        }
        Self(unit)
    }

    /// The time in whole units.
    pub(super) fn floor(self, time: i64) -> i64 {
        time.div_euclid(self.0)
    }

    /// The shortest number of units that is not less.
    pub(super) fn ceil(self, span: i64) -> i64 {
        span.div_euclid(self.0) + i64::from(span.rem_euclid(self.0) > 0)
    }

    /// So many units.
    pub(super) fn time(self, units: i64) -> i64 {
        units.saturating_mul(self.0)
    }
}

/// Whether a key has fired, and when if that matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alarm([u8; 3]);

impl Alarm {
    fn code(self) -> i64 {
        let [low, middle, high] = self.0;
        i64::from(u32::from_le_bytes([low, middle, high, 0]))
    }

    fn set(&mut self, code: i64) {
        let bytes = code.to_le_bytes();
        self.0 = [bytes[0], bytes[1], bytes[2]];
    }

    /// Whether the key has fired and is not armed again.
    pub(super) fn is_set(self) -> bool {
        self != Self::default()
    }

    /// Its bytes.
    pub(super) fn bytes(self) -> [u8; 3] {
        self.0
    }

    /// What [`Alarm::bytes`] gave.
    pub(super) fn from_bytes(bytes: [u8; 3]) -> Self {
        Self(bytes)
    }
}

/// When alarms of a rule go off.
#[derive(Debug)]
pub(super) struct Alarms {
    /// In units.
    suppress: Option<i64>,
    unit: Unit,
}

impl Alarms {
    /// For a rule that remembers a key for `span` after a hit.
    pub(super) fn new(span: i64, suppress: Option<i64>) -> Self {
        let unit = Unit::new(span.max(suppress.unwrap_or(0)), 24);
        Self { suppress: suppress.map(|suppress| unit.ceil(suppress)), unit }
    }

    /// Whether the key fires now, given whether its condition holds.
    pub(super) fn judge(&self, alarm: &mut Alarm, now: i64, holds: bool) -> bool {
        self.age(alarm, now);
        let fires = holds && !alarm.is_set();
        if fires {
            alarm.set(match self.suppress {
                Some(_) => 1 + self.unit.floor(now).rem_euclid(ROUND),
                None => 1,
            });
        } else if self.suppress.is_none() && !holds {
            alarm.set(0);
        }
        fires
    }

    /// Arms an alarm whose time is over. To be called at each hit of a key: codes of times come round.
    pub(super) fn age(&self, alarm: &mut Alarm, now: i64) {
        if self.quiet_until(*alarm, now).is_some_and(|until| now >= until) {
            alarm.set(0);
        }
    }

    /// Arms an alarm, unless it is to be silent for a time: what was judged is over.
    pub(super) fn end(&self, alarm: &mut Alarm) {
        if self.suppress.is_none() {
            alarm.set(0);
        }
    }

    /// Until when the key is silent because it is suppressed.
    pub(super) fn quiet_until(&self, alarm: Alarm, now: i64) -> Option<i64> {
        let suppress = self.suppress?;
        if !alarm.is_set() {
            return None;
        }
        let now = self.unit.floor(now);
        let age = (now - (alarm.code() - 1)).rem_euclid(ROUND);
        Some(self.unit.time(now - age + suppress))
    }

    /// The later of `time` and the end of the alarm's silence.
    pub(super) fn until(&self, alarm: Alarm, now: i64, time: i64) -> i64 {
        self.quiet_until(alarm, now).map_or(time, |quiet| quiet.max(time))
    }
}
