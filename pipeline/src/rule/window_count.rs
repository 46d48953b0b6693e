//! `count` in tumbling and hopping windows.
//!
//! Owns: the panes of a key that its windows are made of.
//! Promises: with `at_least` alone fires at the hit that reaches it in a window that the hit is in; with `at_most` judges
//! each window once, when it has ended, and the first window without a hit arms the key again. Exact.
//! Never: makes a window of nothing: only a hit makes a key known.

use super::alarm::{Alarm, Alarms};
use super::anchor::Anchor;
use super::count::Count;
use super::key_table::Standing;
use super::keyed::{Emit, Kind};
use super::panes::{Panes, read_count};
use super::{Fired, Hit, RuleError};
use crate::snapshot::{Decoder, Encoder};

/// The most panes of a window.
const PANES_MAX: i64 = 4096;

#[derive(Debug, Default)]
pub(super) struct Windows {
    panes: Panes<u64>,
    count: u64,
    /// The number of the first window that is not judged yet.
    next: i64,
    alarm: Alarm,
    anchor: Anchor,
    last: Anchor,
}

#[derive(Debug)]
pub(super) struct WindowKind {
    size: i64,
    every: i64,
    offset: i64,
    /// What both `size` and `every` are multiples of.
    pane: i64,
    least: u64,
    most: Option<u64>,
    alarms: Alarms,
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl WindowKind {
    pub(super) fn new(
        [size, every, offset]: [i64; 3],
        settings: &Count,
        suppress: Option<i64>,
    ) -> Result<Self, RuleError> {
        RuleError::unless_span(size, "window.hopping")?;
        RuleError::unless_span(every, "window.every")?;
        RuleError::unless(every <= size, "window.every", "at most the size of the window")?;
        RuleError::unless(
            (0..every).contains(&offset),
            "window.offset",
            "less than what lies between windows",
        )?;
        let pane = common_divisor(size, every);
        RuleError::unless(
            size / pane <= PANES_MAX,
            "window.every",
            "such that a window has at most 4,096 panes",
        )?;
        let alarms = Alarms::new(size + every, suppress);
        let (least, most) = (settings.at_least.unwrap_or(1), settings.at_most);
        Ok(Self { size, every, offset, pane, least, most, alarms })
    }

    fn start(&self, window: i64) -> i64 {
        window.saturating_mul(self.every).saturating_add(self.offset)
    }

    fn end(&self, window: i64) -> i64 {
        self.start(window).saturating_add(self.size)
    }

    /// The first window that a time is in.
    fn first_with(&self, time: i64) -> i64 {
        (time - self.size - self.offset).div_euclid(self.every) + 1
    }

    /// The last window that a time is in.
    fn last_with(&self, time: i64) -> i64 {
        time.saturating_sub(self.offset).div_euclid(self.every)
    }

    fn pane(&self, time: i64) -> i64 {
        time.saturating_sub(self.offset).div_euclid(self.pane)
    }

    fn drop_before(&self, state: &mut Windows, window: i64) {
        let Windows { panes, count, .. } = state;
        panes.expire(self.pane(self.start(window)), |hits| *count = count.saturating_sub(hits));
    }

    fn fired(&self, state: &Windows, window: i64, last: Anchor, threshold: u64) -> Fired {
        let first = if state.anchor.time < self.start(window) { last } else { state.anchor };
        Fired {
            key: 0,
            part: 0,
            start: self.start(window),
            end: self.end(window),
            first: first.time,
            last: last.time,
            count: state.count,
            value: state.count as f64,
            threshold: threshold as f64,
            first_event: first.event,
            last_event: last.event,
        }
    }
}

impl Kind for WindowKind {
    type State = Windows;

    fn hit(&self, state: &mut Windows, hit: &Hit, emit: Emit<'_>) {
        let window = self.first_with(hit.time);
        if state.panes.is_empty() {
            state.next = window;
        }
        if self.most.is_none() {
            self.drop_before(state, window);
        }
        let count = state.panes.newest(self.pane(hit.time));
        *count = count.saturating_add(1);
        state.count = state.count.saturating_add(1);
        // Windows that are still to be judged begin with `next`.
        let oldest = if self.most.is_none() { window } else { state.next };
        state.anchor.keep(self.start(oldest), hit);
        state.last = Anchor::at(hit);
        let holds = state.count >= self.least;
        if self.most.is_none() && self.alarms.judge(&mut state.alarm, hit.time, holds) {
            emit(self.fired(state, window, state.last, self.least));
        }
    }

    fn settle(&self, state: &mut Windows, until: i64, emit: Emit<'_>) {
        let Some(most) = self.most else { return };
        while !state.panes.is_empty() && self.end(state.next) <= until {
            let window = state.next;
            self.drop_before(state, window);
            let holds = state.count > 0 && (self.least..=most).contains(&state.count);
            if self.alarms.judge(&mut state.alarm, self.end(window), holds) {
                emit(self.fired(state, window, state.last, most));
            }
            state.next = window.saturating_add(1);
        }
    }

    fn forget_at(&self, state: &Windows, now: i64) -> i64 {
        let last = self.last_with(state.last.time);
        // The first window without a hit is judged too.
        let last = if self.most.is_some() { last.saturating_add(1) } else { last };
        self.alarms.until(state.alarm, now, if state.panes.is_empty() { i64::MIN } else { self.end(last) })
    }

    fn due(&self, state: &Windows, now: i64) -> i64 {
        let forget = self.forget_at(state, now);
        if self.most.is_some() && !state.panes.is_empty() { self.end(state.next).min(forget) } else { forget }
    }

    fn standing(&self, state: &Windows) -> Standing {
        match state.count {
            _ if state.alarm.is_set() || self.most.is_some() => Standing::Kept,
            count if count < self.least.div_ceil(2) => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &Windows) -> usize {
        state.panes.heap_bytes()
    }

    fn write(&self, state: &Windows, out: &mut Encoder<'_>) {
        state.panes.write(out, |hits, out| out.u64(*hits));
        out.i64(state.next);
        out.bytes(&state.alarm.bytes());
        state.anchor.write(out);
        state.last.write(out);
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Windows> {
        let panes = Panes::read(bytes, PANES_MAX as usize * 2, read_count)?;
        let count = panes.iter().fold(0_u64, |sum, hits| sum.saturating_add(*hits));
        let next = bytes.i64()?;
        let alarm = Alarm::from_bytes(bytes.array()?);
        let (anchor, last) = (Anchor::read(bytes)?, Anchor::read(bytes)?);
        // So many windows at most are open at a time.
        let is_near = self.last_with(last.time).saturating_sub(next) <= PANES_MAX * 2;
        (panes.is_empty() || is_near).then_some(Windows { panes, count, next, alarm, anchor, last })
    }
}
