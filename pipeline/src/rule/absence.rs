//! `absence`: a key falls silent.
//!
//! Owns: when a key was heard of last, and whether somebody waits for it.
//! Promises: fires once a silence, when it is longer than allowed: a hit exactly at the end of `span` is in time. A key that
//! was registered is waited for from then on, whether it ever had a hit or not; one that was learned by its first hit is
//! forgotten when it has fired.
//! Never: knows what time it is: a silent key fires when the watermark passes.

use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind, NO_EVENT};
use super::{Fired, Hit, RuleError, SECOND};
use crate::snapshot::{Decoder, Encoder};

/// Settings of `absence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The longest silence.
    pub span: i64,
}

impl Absence {
    pub(super) fn kind(&self, suppress: Option<i64>) -> Result<AbsenceKind, RuleError> {
        RuleError::unless_span(self.span, "absence.for")?;
        Ok(AbsenceKind { span: self.span, suppress })
    }
}

#[derive(Debug, Default)]
pub(super) struct Heard {
    last: Anchor,
    /// Since then it has not fired.
    waits: bool,
    is_registered: bool,
    /// Until when it is silent after an alert. Not an alarm's code: a registered key may be silent for longer than that lasts.
    quiet_until: Option<i64>,
}

#[derive(Debug)]
pub(super) struct AbsenceKind {
    span: i64,
    suppress: Option<i64>,
}

impl Kind for AbsenceKind {
    type State = Heard;

    fn hit(&self, state: &mut Heard, hit: &Hit, _emit: Emit<'_>) {
        (state.last, state.waits) = (Anchor::at(hit), true);
    }

    fn settle(&self, state: &mut Heard, until: i64, emit: Emit<'_>) {
        let end = state.last.time.saturating_add(self.span);
        if state.waits && end < until {
            state.waits = false;
            if state.quiet_until.is_none_or(|until| end >= until) {
                state.quiet_until = self.suppress.map(|suppress| end.saturating_add(suppress));
                let seconds = self.span as f64 / SECOND as f64;
                emit(Fired {
                    key: 0,
                    part: 0,
                    start: state.last.time,
                    end,
                    first: state.last.time,
                    last: end,
                    count: 0,
                    value: seconds,
                    threshold: seconds,
                    first_event: state.last.event,
                    last_event: state.last.event,
                });
            }
        }
    }

    fn forget_at(&self, state: &Heard, _now: i64) -> i64 {
        if state.waits || state.is_registered {
            return i64::MAX;
        }
        state.quiet_until.unwrap_or(i64::MIN)
    }

    fn due(&self, state: &Heard, now: i64) -> i64 {
        match (state.waits, state.is_registered) {
            (true, _) => state.last.time.saturating_add(self.span + 1),
            // Before that it cannot have fallen silent again.
            (false, true) => now.saturating_add(self.span),
            (false, false) => self.forget_at(state, now),
        }
    }

    fn standing(&self, state: &Heard) -> Standing {
        if state.is_registered || !state.waits { Standing::Kept } else { Standing::Far }
    }

    fn register(&self, state: &mut Heard, time: i64) -> bool {
        state.is_registered = true;
        if !state.last.is_set() {
            (state.last, state.waits) = (Anchor { time, event: NO_EVENT }, true);
        }
        true
    }

    fn write(&self, state: &Heard, out: &mut Encoder<'_>) {
        state.last.write(out);
        out.u8(u8::from(state.waits) | u8::from(state.is_registered) << 1);
        out.i64(state.quiet_until.unwrap_or(i64::MIN));
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Heard> {
        let (last, flags) = (Anchor::read(bytes)?, bytes.u8()?);
        let quiet_until = bytes.i64().map(|until| (until > i64::MIN).then_some(until))?;
        Some(Heard { last, waits: flags & 1 == 1, is_registered: flags & 2 == 2, quiet_until })
    }
}
