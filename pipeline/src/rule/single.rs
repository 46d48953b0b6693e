//! `match`: each hit.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::{Fired, Hit};
use crate::snapshot::{Decoder, Encoder};

/// Fires at each hit, or at one in `suppress`. Only the latter needs a state.
#[derive(Debug)]
pub(super) struct SingleKind {
    alarms: Alarms,
    is_suppressed: bool,
}

impl SingleKind {
    pub(super) fn new(suppress: Option<i64>) -> Self {
        Self { alarms: Alarms::new(0, suppress), is_suppressed: suppress.is_some() }
    }
}

impl Kind for SingleKind {
    type State = Alarm;

    fn hit(&self, state: &mut Alarm, hit: &Hit, emit: Emit<'_>) {
        if self.alarms.judge(state, hit.time, true) {
            emit(Fired::at(hit, 0, Anchor::at(hit)));
        }
    }

    fn forget_at(&self, state: &Alarm, now: i64) -> i64 {
        self.alarms.until(*state, now, i64::MIN)
    }

    fn standing(&self, state: &Alarm) -> Standing {
        if state.is_set() { Standing::Kept } else { Standing::Far }
    }

    fn is_stateless(&self) -> bool {
        !self.is_suppressed
    }

    fn write(&self, state: &Alarm, out: &mut Encoder<'_>) {
        out.bytes(&state.bytes());
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Alarm> {
        bytes.array().map(Alarm::from_bytes)
    }
}
