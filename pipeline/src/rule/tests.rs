//! Every kind against a slow and obvious one, and what a table of keys promises.
//!
//! A trace is run through a detector in several ways that must not matter: with the watermark close behind, with the state
//! saved and loaded between hits, and all hits at once.

mod cases;
mod closing;
mod models;
mod table;
mod windows;

use proptest::prelude::*;
use proptest::sample::select;

use super::{Detector, Fired, Hit, Limits, RuleKind};
use crate::event::Origin;

const MILLISECOND: i64 = 1_000_000;
/// Some day, at midnight.
const DAY: i64 = 20_000 * 86_400_000 * MILLISECOND;

/// What is compared of an alert: the end of its window, its last event's time, its key, its part, its value.
type Seen = (i64, i64, u128, u8, String);

fn seen(fired: &Fired) -> Seen {
    (fired.end, fired.last, fired.key, fired.part, format!("{:.6}", fired.value))
}

/// The `number`-th event of a trace.
fn hit(time: i64, number: usize) -> Hit {
    Hit::new(time, Origin { stream: 7, offset: number as u64 })
}

/// Hits of a few keys, one after another, and the tick that their times are multiples of.
#[derive(Clone, Debug)]
struct Trace {
    tick: i64,
    hits: Vec<(u128, Hit)>,
}

impl Trace {
    fn of_key(&self, key: u128) -> Vec<Hit> {
        self.hits.iter().filter(|(other, _)| *other == key).map(|(_, hit)| *hit).collect()
    }

    fn keys() -> std::ops::Range<u128> {
        0..3
    }
}

prop_compose! {
    fn trace()(
        tick in select(vec![MILLISECOND, 300 * MILLISECOND, 1000 * MILLISECOND, 3_600_000 * MILLISECOND]),
        steps in prop::collection::vec(
            (select(vec![0, 0, 1, 1, 2, 3, 5, 9, 10, 11, 40]), Trace::keys(), 0_u64..5, 1_u32..16, 0_i32..6),
            1..80,
        ),
    ) -> Trace {
        let mut time = DAY;
        let hits = steps.into_iter().enumerate().map(|(number, (ticks, key, value, steps, power))| {
            time += ticks * tick;
            (key, Hit { value, steps, number: f64::from(5 << power), ..hit(time, number) })
        });
        Trace { tick, hits: hits.collect() }
    }
}

fn detector(kind: &RuleKind, suppress: Option<i64>) -> Box<dyn Detector> {
    kind.detector(Limits { max_keys: 1000, suppress }).unwrap()
}

/// All that a trace makes fire, in every way to run it.
fn run(kind: &RuleKind, suppress: Option<i64>, trace: &Trace) -> Vec<Fired> {
    let end = DAY + 1000 * 86_400_000 * MILLISECOND;
    let mut ways = (0..4).map(|way| {
        let (mut rule, mut fired, mut watermark) = (detector(kind, suppress), Vec::new(), DAY);
        if way == 3 {
            rule.hits(&trace.hits, &mut fired);
        }
        for (number, (key, hit)) in trace.hits.iter().enumerate().filter(|_| way < 3) {
            if way == 1 {
                // Halfway to the hit, and up to it.
                rule.advance(watermark.midpoint(hit.time), &mut fired);
                rule.advance(hit.time, &mut fired);
                watermark = hit.time;
            }
            rule.hit(*key, hit, &mut fired);
            if way == 2 && number % 3 == 0 {
                let mut bytes = Vec::new();
                rule.save(&mut bytes);
                rule = detector(kind, suppress);
                rule.load(&bytes).unwrap();
            }
        }
        rule.advance(end, &mut fired);
        assert_eq!(rule.usage().keys, 0, "way {way}: keys are forgotten");
        fired.sort_by_key(seen);
        fired
    });
    let plain = ways.next().unwrap();
    for (way, fired) in ways.enumerate() {
        assert_eq!(fired, plain, "way {}", way + 1);
    }
    plain
}

/// Whether a key fires, as the header of `rule.rs` says it.
#[derive(Default)]
struct ModelAlarm {
    fired: Option<i64>,
}

impl ModelAlarm {
    fn judge(&mut self, suppress: Option<i64>, now: i64, holds: bool) -> bool {
        let quiet = self.fired.is_some_and(|time| suppress.is_none_or(|suppress| now - time < suppress));
        if holds && !quiet {
            self.fired = Some(now);
            return true;
        }
        if !holds && suppress.is_none() {
            self.fired = None;
        }
        false
    }

    /// What was judged is over.
    fn end(&mut self, suppress: Option<i64>) {
        if suppress.is_none() {
            self.fired = None;
        }
    }
}

/// What a kind that is judged at each hit should fire. `judge` is given all hits of a key so far and says whether the
/// condition holds, and the value; `is_gone`, whether nothing is left at a time of what was at another.
fn expected(
    trace: &Trace,
    suppress: Option<i64>,
    judge: impl Fn(&[Hit]) -> (bool, f64),
    is_gone: impl Fn(i64, i64) -> bool,
) -> Vec<Seen> {
    let mut all = Vec::new();
    for key in Trace::keys() {
        let (hits, mut alarm) = (trace.of_key(key), ModelAlarm::default());
        for (place, hit) in hits.iter().enumerate() {
            if place > 0 && is_gone(hits[place - 1].time, hit.time) {
                alarm.end(suppress);
            }
            let (holds, value) = judge(&hits[..=place]);
            if alarm.judge(suppress, hit.time, holds) {
                all.push((hit.time, hit.time, key, 0, format!("{value:.6}")));
            }
        }
    }
    all.sort();
    all
}

fn all_seen(fired: &[Fired]) -> Vec<Seen> {
    let mut all = fired.iter().map(seen).collect::<Vec<_>>();
    all.sort();
    all
}
