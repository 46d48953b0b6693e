//! Watermarks: how far event time has come.
//!
//! Owns: [`TimeLimits`], what is asked of event times, and [`Watermarks`], those of one operator's inputs.
//! Promises: a watermark never goes back; the operator's is the lowest of its active inputs', so that no event of one input
//! is late because another input is ahead; whether an event is late depends on the events before it in its own input only,
//! unless the input was idle, so that it is the same however inputs, batches and threads interleave.
//! Never: reads a clock; callers pass the time in.
//!
//! An input is a stream: a file, a Kafka partition, a connection. Its watermark is the highest event time that it brought, less
//! the lateness. One that brings nothing for `idle_after` is forgotten, and holds nothing back; when it brings something again,
//! its events are judged by the operator's watermark. When all are idle, the watermark goes on from the last one with the
//! wall clock, and not to the wall clock's time: old logs that are read again and come to a halt are not all late behind it.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::snapshot::{Decoder, Encoder};
use crate::time::SECOND;

/// A watermark before any event.
const NEVER: i64 = i64::MIN;

/// What is asked of event times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// How far out of order the events of an input may come.
    pub lateness: i64,
    /// How long an input may bring nothing before it holds the others back no longer.
    pub idle_after: i64,
    /// How far a time may lie ahead of the time of reading.
    pub future_limit: i64,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { lateness: 10 * SECOND, idle_after: 30 * SECOND, future_limit: 600 * SECOND }
    }
}

impl TimeLimits {
    /// The time of an event that counts, and whether it is the one that it has: one too far ahead counts as happening when it
    /// was read.
    #[inline]
    #[must_use]
    pub fn believed(&self, time: i64, read_at: i64) -> (i64, bool) {
        if time > read_at.saturating_add(self.future_limit) { (read_at, false) } else { (time, true) }
    }
}

/// Nanoseconds of a duration; more than 292 years are as many.
#[must_use]
pub fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The watermarks of an operator's inputs.
#[derive(Clone, Debug)]
pub struct Watermarks {
    limits: TimeLimits,
    inputs: HashMap<u64, Input, FixedState>,
    reached: i64,
    /// The last sign of life of any input, and the watermark at that time.
    last: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Input {
    highest: i64,
    /// When it brought something last, by the wall clock.
    seen: i64,
}

/// An input whose events come in one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    lateness: i64,
    highest: i64,
    reached: i64,
}

impl Arrival {
    /// The watermark by which the next event is judged.
    #[inline]
    #[must_use]
    pub fn watermark(&self) -> i64 {
        self.highest.saturating_sub(self.lateness).max(self.reached)
    }

    /// An event of this time came.
    #[inline]
    pub fn observe(&mut self, time: i64) {
        self.highest = self.highest.max(time);
    }
}

impl Watermarks {
    /// Of no input yet.
    #[must_use]
    pub fn new(limits: TimeLimits) -> Self {
        Self { limits, inputs: HashMap::default(), reached: NEVER, last: None }
    }

    /// The operator's watermark, in nanoseconds since 1970; `i64::MIN` before the first event. It is reached: windows that end at
    /// it are over.
    #[must_use]
    pub fn reached(&self) -> i64 {
        self.reached
    }

    /// Makes an input known before its first event, or says that it is alive: it holds the watermark back until it brings one, or is idle. `now` is the
    /// time on the wall clock.
    pub fn announce(&mut self, input: u64, now: i64) {
        let input = self.inputs.entry(input).or_insert(Input { highest: NEVER, seen: now });
        input.seen = input.seen.max(now);
    }

    /// An input is over.
    pub fn forget(&mut self, input: u64) {
        self.inputs.remove(&input);
    }

    /// Where an input stands that brings events now.
    #[must_use]
    pub fn arrival(&self, input: u64) -> Arrival {
        let highest = self.inputs.get(&input).map_or(NEVER, |input| input.highest);
        Arrival { lateness: self.limits.lateness, highest, reached: self.reached }
    }

    /// All of an arrival's events are where they belong: the watermark may move. `now` is the time on the wall clock.
    pub fn arrived(&mut self, input: u64, arrival: Arrival, now: i64) {
        let known = self.inputs.entry(input).or_insert(Input { highest: NEVER, seen: now });
        *known = Input { highest: known.highest.max(arrival.highest), seen: known.seen.max(now) };
        self.advance(now);
    }

    /// Leaves idle inputs out, and lets time go on when there are no others.
    pub fn advance(&mut self, now: i64) {
        let is_idle = |input: &Input| now.saturating_sub(input.seen) >= self.limits.idle_after;
        let (mut lowest, mut highest, mut seen, mut idle) = (i64::MAX, NEVER, NEVER, 0);
        for input in self.inputs.values() {
            highest = highest.max(input.highest);
            if input.highest > NEVER {
                seen = seen.max(input.seen);
            }
            if is_idle(input) {
                idle += 1;
            } else {
                lowest = lowest.min(input.highest);
            }
        }
        if highest > NEVER {
            // The one that falls silent last tells from when on time goes on by itself.
            self.last = Some((seen, highest.saturating_sub(self.limits.lateness)));
        }
        let watermark = match self.last {
            _ if idle < self.inputs.len() => lowest.saturating_sub(self.limits.lateness),
            Some((seen, watermark)) => watermark.saturating_add(now.saturating_sub(seen)),
            None => NEVER,
        };
        if idle > 0 {
            self.inputs.retain(|_, input| !is_idle(input));
        }
        self.reached = self.reached.max(watermark);
    }

    /// The input is over, everywhere: nothing more comes before any time.
    pub fn end(&mut self) {
        self.reached = i64::MAX;
    }

    /// Appends how far time has come.
    pub(crate) fn save(&self, out: &mut Encoder<'_>) {
        out.i64(self.reached);
        let (seen, watermark) = self.last.unwrap_or((NEVER, NEVER));
        out.i64(seen);
        out.i64(watermark);
        let inputs = self.inputs.iter().filter(|(_, input)| input.highest > NEVER);
        out.u64(inputs.clone().count() as u64);
        for (number, input) in inputs {
            out.u64(*number);
            out.i64(input.highest);
        }
    }

    /// Takes over what was saved. Its inputs are waited for as if they had brought something now.
    pub(crate) fn load(&mut self, from: &mut Decoder<'_>, now: i64) -> Option<()> {
        self.reached = from.i64()?;
        let (seen, watermark) = (from.i64()?, from.i64()?);
        self.last = (watermark > NEVER).then_some((seen.max(now), watermark));
        for _ in 0..from.u64()? {
            let (number, highest) = (from.u64()?, from.i64()?);
            self.inputs.insert(number, Input { highest, seen: now });
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watermarks() -> Watermarks {
        Watermarks::new(TimeLimits { lateness: 10, idle_after: 30, future_limit: 100 })
    }

    fn bring(watermarks: &mut Watermarks, input: u64, times: &[i64], now: i64) {
        let mut arrival = watermarks.arrival(input);
        times.iter().for_each(|time| arrival.observe(*time));
        watermarks.arrived(input, arrival, now);
    }

    #[test]
    fn it_is_the_lowest_of_the_inputs_and_never_goes_back() {
        let mut watermarks = watermarks();
        watermarks.announce(1, 0);
        watermarks.announce(2, 0);
        bring(&mut watermarks, 1, &[100, 120, 90], 1);
        assert_eq!(watermarks.reached(), NEVER);
        bring(&mut watermarks, 2, &[50], 1);
        assert_eq!(watermarks.reached(), 40);
        bring(&mut watermarks, 2, &[20], 2);
        assert_eq!(watermarks.reached(), 40);
        bring(&mut watermarks, 2, &[200], 2);
        assert_eq!(watermarks.reached(), 110);
    }

    #[test]
    fn an_event_is_judged_by_its_own_input() {
        let mut watermarks = watermarks();
        bring(&mut watermarks, 1, &[100], 0);
        watermarks.announce(2, 0);
        bring(&mut watermarks, 1, &[1000], 0);
        let mut arrival = watermarks.arrival(1);
        assert_eq!(arrival.watermark(), 990);
        arrival.observe(1010);
        assert_eq!(arrival.watermark(), 1000);
        assert_eq!(watermarks.arrival(2).watermark(), 90);
    }

    #[test]
    fn a_silent_input_holds_the_others_back_no_longer_and_is_judged_when_it_wakes() {
        let mut watermarks = watermarks();
        bring(&mut watermarks, 1, &[100], 0);
        bring(&mut watermarks, 2, &[100], 0);
        bring(&mut watermarks, 1, &[500], 29);
        assert_eq!(watermarks.reached(), 90);
        watermarks.advance(30);
        assert_eq!((watermarks.reached(), watermarks.inputs.len()), (490, 1));
        assert_eq!(watermarks.arrival(2).watermark(), 490);
        bring(&mut watermarks, 2, &[200], 31);
        assert_eq!(watermarks.reached(), 490);
    }

    #[test]
    fn with_all_idle_time_goes_on_from_where_it_was() {
        let mut watermarks = watermarks();
        bring(&mut watermarks, 1, &[100], 1_000);
        watermarks.advance(1_029);
        assert_eq!(watermarks.reached(), 90);
        watermarks.advance(1_030);
        assert_eq!(watermarks.reached(), 120);
        watermarks.advance(1_100);
        assert_eq!(watermarks.reached(), 190);
    }

    #[test]
    fn a_clock_that_is_ahead_moves_nothing() {
        let limits = watermarks().limits;
        assert_eq!(limits.believed(600, 500), (600, true));
        assert_eq!(limits.believed(601, 500), (500, false));
        assert_eq!(limits.believed(-5, 500), (-5, true));
    }
}
