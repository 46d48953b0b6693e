//! `count`: so many hits in a window.
//!
//! Owns: the settings for all windows, and what a sliding window remembers: the times of the last hits.
//! Promises: exact in the [`Unit`] of the window (a microsecond for up to half an hour, a millisecond for up to 24 days);
//! with `at_least` up to 16 no allocation a key, and 80 bytes a slot for up to 11.
//! Never: keeps more than `at_least` − 1 hits.

use std::collections::VecDeque;
use std::fmt;

use super::alarm::{Alarm, Alarms, Unit};
use super::anchor::Anchor;
use super::key_table::Standing;
use super::keyed::{Emit, Kind, Room};
use super::session_count::SessionKind;
use super::window_count::WindowKind;
use super::{Detector, Fired, Hit, RuleError};
use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder};

/// The largest `at_least` of a sliding window.
const SLIDING_MAX: u64 = 65_536;

/// Over which time hits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountWindow {
    /// The span before each hit, both ends in.
    Sliding {
        /// Its length.
        span: i64,
    },
    /// Half-open windows of `size` that begin at each multiple of `every`, and `offset`.
    Hopping {
        /// Their length.
        size: i64,
        /// Between two beginnings; `size` makes them tumbling.
        every: i64,
        /// From multiples of `every` on.
        offset: i64,
    },
    /// Hits that follow one another after `gap` at most.
    Session {
        /// The longest time between two hits.
        gap: i64,
        /// The longest time between the first and the last hit.
        max: i64,
    },
}

/// Settings of `count`: at least one of both limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Over which time.
    pub window: CountWindow,
    /// Fires at the hit that reaches it.
    pub at_least: Option<u64>,
    /// Fires when a window ends that has had a hit, and not more than these; with `at_least` too, and not fewer than those.
    pub at_most: Option<u64>,
}

impl Count {
    pub(super) fn detector(
        &self,
        room: &Room,
        suppress: Option<i64>,
    ) -> Result<Box<dyn Detector>, RuleError> {
        let least = self.at_least.unwrap_or(1);
        RuleError::unless(self.at_least.or(self.at_most).is_some(), "at_least or at_most", "given")?;
        RuleError::unless(least > 0, "at_least", "above 0")?;
        RuleError::unless(
            self.at_most.is_none_or(|most| most >= least),
            "at_most",
            "at_least or more, and above 0",
        )?;
        let span = match self.window {
            CountWindow::Sliding { span } => span,
            CountWindow::Hopping { size, every, offset } => {
                let kind = WindowKind::new([size, every, offset], self, suppress)?;
                return Ok(room.boxed(kind));
            }
            CountWindow::Session { gap, max } => {
                return Ok(room.boxed(SessionKind::new(gap, max, self, suppress)?));
            }
        };
        RuleError::unless_span(span, "window.sliding")?;
        RuleError::unless(
            self.at_most.is_none(),
            "window",
            "tumbling, hopping or a session, because of at_most",
        )?;
        RuleError::unless(least <= SLIDING_MAX, "at_least", "at most 65,536 with a sliding window")?;
        let least = least as usize;
        Ok(match least {
            ..=5 => room.boxed(SlidingKind::<Inline<4>>::new(span, least, suppress)),
            6..=11 => room.boxed(SlidingKind::<Inline<10>>::new(span, least, suppress)),
            12..=16 => room.boxed(SlidingKind::<Inline<15>>::new(span, least, suppress)),
            _ => room.boxed(SlidingKind::<Long>::new(span, least, suppress)),
        })
    }
}

/// The codes of the last times, eldest first, and which of them is the anchor's.
pub(super) trait Times: Default + fmt::Debug + Send + 'static {
    fn len(&self) -> usize;
    fn get(&self, place: usize) -> u32;
    /// How many times, from the first on, are more than a span before `now`.
    fn expired(&self, now: u32, span: u32) -> usize;
    /// Takes the first ones away and appends one. Without `keeps_anchor` that is the anchor's.
    fn push(&mut self, time: u32, dropped: usize, keeps_anchor: bool);
    fn anchor(&self) -> usize;
    fn heap_bytes(&self) -> usize;
}

/// Times in the slot itself.
#[derive(Debug)]
pub(super) struct Inline<const N: usize> {
    /// Little-endian: aligned to a byte, nothing of a slot is lost to padding.
    times: [[u8; 4]; N],
    /// The number of times, and the anchor's place in the upper half.
    places: u8,
}

impl<const N: usize> Default for Inline<N> {
    fn default() -> Self {
        const { assert!(N < 16, "a place has four bits") };
        Self { times: [[0; 4]; N], places: 0 }
    }
}

impl<const N: usize> Times for Inline<N> {
    fn len(&self) -> usize {
        usize::from(self.places & 15)
    }

    fn get(&self, place: usize) -> u32 {
        u32::from_le_bytes(self.times[place])
    }

    /// Without a branch that depends on the times: to wait for memory in order to find out that another way was to be gone
    /// costs more than all the rest.
    fn expired(&self, now: u32, span: u32) -> usize {
        let is_old = |(place, time): (usize, &[u8; 4])| {
            place < self.len() && now.wrapping_sub(u32::from_le_bytes(*time)) > span
        };
        self.times.iter().enumerate().map(|time| usize::from(is_old(time))).sum()
    }

    fn push(&mut self, time: u32, dropped: usize, keeps_anchor: bool) {
        let (len, before) = (self.len() - dropped, self.times);
        for (place, kept) in self.times.iter_mut().enumerate() {
            *kept = before[(place + dropped).min(N - 1)];
        }
        self.times[len] = time.to_le_bytes();
        let anchor = if keeps_anchor { self.anchor().saturating_sub(dropped) } else { len };
        self.places = (anchor << 4 | (len + 1)) as u8;
    }

    fn anchor(&self) -> usize {
        usize::from(self.places >> 4)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Times in a ring of their own, which grows as hits come.
#[derive(Debug, Default)]
pub(super) struct Long {
    times: VecDeque<u32>,
    anchor: u32,
}

impl Times for Long {
    fn len(&self) -> usize {
        self.times.len()
    }

    fn get(&self, place: usize) -> u32 {
        self.times[place]
    }

    fn expired(&self, now: u32, span: u32) -> usize {
        self.times.iter().take_while(|time| now.wrapping_sub(**time) > span).count()
    }

    fn push(&mut self, time: u32, dropped: usize, keeps_anchor: bool) {
        self.times.drain(..dropped);
        let anchor = if keeps_anchor { self.anchor().saturating_sub(dropped) } else { self.times.len() };
        self.anchor = anchor as u32;
        self.times.push_back(time);
    }

    fn anchor(&self) -> usize {
        self.anchor as usize
    }

    fn heap_bytes(&self) -> usize {
        self.times.capacity() * size_of::<u32>()
    }
}

#[derive(Debug, Default)]
pub(super) struct Sliding<T> {
    times: T,
    alarm: Alarm,
    /// The origin of the event at the anchor's place, in halves: an [`Origin`] would be aligned to 8 bytes.
    anchor: [u32; 4],
}

fn halves(origin: Origin) -> [u32; 4] {
    let Origin { stream, offset } = origin;
    [(stream >> 32) as u32, stream as u32, (offset >> 32) as u32, offset as u32]
}

fn origin(halves: [u32; 4]) -> Origin {
    let [a, b, c, d] = halves.map(u64::from);
    Origin { stream: a << 32 | b, offset: c << 32 | d }
}

#[derive(Debug)]
pub(super) struct SlidingKind<T> {
    least: usize,
    span: i64,
    /// In units.
    units: i64,
    unit: Unit,
    alarms: Alarms,
    times: std::marker::PhantomData<fn() -> T>,
}

impl<T: Times> SlidingKind<T> {
    fn new(span: i64, least: usize, suppress: Option<i64>) -> Self {
        let unit = Unit::new(span, 32);
        let alarms = Alarms::new(span, suppress);
        Self { least, span, units: unit.floor(span), unit, alarms, times: std::marker::PhantomData }
    }

    /// How long before `now` a time of the state is, in units. Times come round after twice the span and more, and the key
    /// is forgotten long before.
    fn age(&self, state: &Sliding<T>, place: usize, now: i64) -> i64 {
        i64::from((now as u32).wrapping_sub(state.times.get(place)))
    }

    /// As many times as another hit would make it fire with; the last one in any case.
    fn most(&self) -> usize {
        (self.least - 1).max(1)
    }
}

impl<T: Times> Kind for SlidingKind<T> {
    type State = Sliding<T>;

    fn hit(&self, state: &mut Sliding<T>, hit: &Hit, emit: Emit<'_>) {
        let now = self.unit.floor(hit.time);
        let (len, anchor) = (state.times.len(), state.times.anchor());
        let old = state.times.expired(now as u32, self.units as u32);
        if self.alarms.judge(&mut state.alarm, hit.time, len - old + 1 >= self.least) {
            // Of the times there are, `least` = 1 needs none.
            let first = match self.least {
                1 => Anchor::at(hit),
                _ => Anchor {
                    time: self.unit.time(now - self.age(state, old, now)),
                    event: if anchor >= old { origin(state.anchor) } else { hit.event },
                },
            };
            let (count, number) = (self.least as u64, self.least as f64);
            emit(Fired { count, value: number, threshold: number, ..Fired::at(hit, self.span, first) });
        }
        let dropped = old + usize::from(len - old == self.most());
        let keeps_anchor = anchor >= dropped && len > dropped;
        // Chosen number by number, which takes no branch either.
        for (kept, new) in state.anchor.iter_mut().zip(halves(hit.event)) {
            *kept = if keeps_anchor { *kept } else { new };
        }
        state.times.push(now as u32, dropped, keeps_anchor);
    }

    fn forget_at(&self, state: &Sliding<T>, now: i64) -> i64 {
        let units = self.unit.floor(now);
        let last = match state.times.len() {
            0 => i64::MIN,
            len => self.unit.time(units - self.age(state, len - 1, units) + self.units + 1),
        };
        self.alarms.until(state.alarm, now, last)
    }

    /// A key that is suppressed may be kept for so long that codes of times come round: the times go before.
    fn settle(&self, state: &mut Sliding<T>, until: i64, _emit: Emit<'_>) {
        let len = state.times.len();
        if len > 0 && self.age(state, len - 1, self.unit.floor(until)) > self.units {
            state.times = T::default();
        }
    }

    fn due(&self, state: &Sliding<T>, now: i64) -> i64 {
        // Times that come later are not due before this.
        self.forget_at(state, now).min(now.saturating_add(self.unit.time(self.units + 1)))
    }

    fn standing(&self, state: &Sliding<T>) -> Standing {
        match state.times.len() {
            _ if state.alarm.is_set() => Standing::Kept,
            len if 2 * len < self.least => Standing::Far,
            _ => Standing::Near,
        }
    }

    fn heap_bytes(&self, state: &Sliding<T>) -> usize {
        state.times.heap_bytes()
    }

    fn write(&self, state: &Sliding<T>, out: &mut Encoder<'_>) {
        out.length(state.times.len());
        out.length(state.times.anchor());
        for place in 0..state.times.len() {
            out.u32(state.times.get(place));
        }
        out.bytes(&state.alarm.bytes());
        out.origin(origin(state.anchor));
    }

    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Sliding<T>> {
        let len = bytes.length(self.most())?;
        let anchor = bytes.length(len)?;
        let mut times = T::default();
        for place in 0..len {
            times.push(bytes.u32()?, 0, place != anchor);
        }
        let alarm = Alarm::from_bytes(bytes.array()?);
        Some(Sliding { times, alarm, anchor: halves(bytes.origin()?) })
    }
}
