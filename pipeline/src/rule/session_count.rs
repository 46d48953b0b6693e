//! `count` in sessions.
//!
//! Owns: the session of a key.
//! Promises: a hit exactly `gap` after the last one belongs to its session, one exactly `max` after the first too; a
//! session fires at most once.
//! Never: joins two sessions.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::count::Count;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

#[derive(Debug, Default)]
pub(super) struct Session {
    /// Nothing between sessions.
    count: u64,
    first: Anchor,
    last: Anchor,
    alarm: Alarm,
}

#[derive(Debug)]
pub(super) struct SessionKind {
    gap: i64,
    max: i64,
    least: u64,
    most: Option<u64>,
    alarms: Alarms,
}

impl SessionKind {
    pub(super) fn new(
        gap: i64,
        max: i64,
        settings: &Count,
        suppress: Option<i64>,
    ) -> Result<Self, RuleError> {
        RuleError::unless_span(gap, "window.session")?;
        RuleError::unless_span(max, "window.max")?;
        RuleError::unless(max >= gap, "window.max", "at least the gap of a session")?;
        let (least, most) = (settings.at_least.unwrap_or(1), settings.at_most);
        Ok(Self { gap, max, least, most, alarms: Alarms::new(gap, suppress) })
    }

    /// The first time at which a hit is not of the session.
    fn end(&self, state: &Session) -> i64 {
        let (gap, max) =
            (state.last.time.saturating_add(self.gap), state.first.time.saturating_add(self.max));
        gap.min(max).saturating_add(1)
    }

    fn fired(&self, state: &Session, threshold: u64) -> Fired {
        Fired {
            key: 0,
            part: 0,
            start: state.first.time,
            end: state.last.time,
            first: state.first.time,
            last: state.last.time,
            count: state.count,
            value: state.count as f64,
            threshold: threshold as f64,
            first_event: state.first.event,
            last_event: state.last.event,
        }
    }
}

impl Kind for SessionKind {
    type State = Session;

    fn hit(&self, state: &mut Session, hit: &Hit, emit: Emit<'_>) {
        if state.count == 0 {
            state.first = Anchor::at(hit);
        }
        state.last = Anchor::at(hit);
        state.count = state.count.saturating_add(1);
        let holds = state.count >= self.least;
        if self.most.is_none() && self.alarms.judge(&mut state.alarm, hit.time, holds) {
            emit(self.fired(state, self.least));
        }
    }

    fn settle(&self, state: &mut Session, until: i64, emit: Emit<'_>) {
        let end = self.end(state);
        if state.count == 0 || end > until {
            return;
        }
        if let Some(most) = self.most {
            let holds = (self.least..=most).contains(&state.count);
            if self.alarms.judge(&mut state.alarm, end, holds) {
                emit(self.fired(state, most));
            }
        }
        state.count = 0;
        self.alarms.end(&mut state.alarm);
    }

    fn forget_at(&self, state: &Session, now: i64) -> i64 {
        self.alarms.until(state.alarm, now, if state.count == 0 { i64::MIN } else { self.end(state) })
    }

    fn due(&self, state: &Session, now: i64) -> i64 {
        if state.count == 0 { self.forget_at(state, now) } else { self.end(state) }
    }

    fn standing(&self, state: &Session) -> Standing {
        match state.count {
            _ if state.alarm.is_set() || self.most.is_some() => Standing::Kept,
            count if count < self.least.div_ceil(2) => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn write(&self, state: &Session, out: &mut Encoder<'_>) {
        out.u64(state.count);
        state.first.write(out);
        state.last.write(out);
        out.bytes(&state.alarm.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Session> {
        let (count, first, last) = (bytes.u64()?, Anchor::read(bytes)?, Anchor::read(bytes)?);
        Some(Session { count, first, last, alarm: Alarm::from_bytes(bytes.array()?) })
    }
}
