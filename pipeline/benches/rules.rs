//! Time per hit and memory per key of what rules remember, one core.
//!
//! Run with `cargo bench -p logweir-pipeline --bench rules`. A hit is of a random key, so that a large table is out of the
//! caches; event time passes such that no key is forgotten meanwhile. Figures are for one machine and one moment: compare
//! two builds in turn, in one sitting.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // a benchmark talks to the terminal

use std::time::{Duration, Instant};

use logweir_benchmarks::Random;
use logweir_pipeline::event::Origin;
use logweir_pipeline::rule::{
    Bounds, Count, CountWindow, Detector, Distinct, Fired, Hit, Leaky, Limits, Percentile, Ratio, RuleKind,
    Sequence,
};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;
/// Hits that a reorder stage sets free at a time.
const BATCH: u64 = 1000;
const SPAN: i64 = 120 * SECOND;

fn main() {
    println!(
        "{:14} {:>9} {:>10} {:>12} {:>9} {:>9}",
        "kind", "keys", "ns per hit", "bytes a key", "MB", "fired"
    );
    for keys in [10_000, 1_000_000] {
        for at_least in [5, 10, 16, 100] {
            live_keys(&format!("count {at_least}"), &count(at_least), keys);
        }
        live_keys("leaky 10", &RuleKind::Leaky(Leaky { capacity: 10, leak: 2 * SPAN }), keys);
        live_keys("distinct 10", &RuleKind::Distinct(Distinct { span: SPAN, at_least: 10 }), keys);
        live_keys("ratio", &RuleKind::Ratio(Ratio { span: SPAN, above: 0.9, at_least: 100 }), keys);
        let bounds = Bounds { above: Some(1e6), ..Bounds::default() };
        let percentile = Percentile { span: SPAN, percentile: 95.0, bounds, at_least: 100 };
        live_keys("percentile", &RuleKind::Percentile(percentile), keys.min(10_000));
    }
    for hits in [1_000, 10_000, 100_000, 1_000_000] {
        hostile_sequence(hits);
    }
    for keys in [100_000, 1_000_000] {
        expiry(keys);
    }
    flood();
    snapshot();
}

fn count(at_least: u64) -> RuleKind {
    let window = CountWindow::Sliding { span: SPAN };
    RuleKind::Count(Count { window, at_least: Some(at_least), at_most: None })
}

fn detector(kind: &RuleKind, max_keys: u32) -> Box<dyn Detector> {
    kind.detector(Limits { max_keys, suppress: Some(SPAN) }).unwrap()
}

fn hit(time: i64, random: &mut Random) -> Hit {
    let bits = random.next_u64();
    let event = Origin { stream: 1, offset: bits };
    Hit {
        number: (bits % 1000) as f64,
        value: bits % 64,
        steps: (bits >> 32) as u32 & 1,
        ..Hit::new(time, event)
    }
}

/// Keys are hashes: all their bits are random.
fn key(number: u64) -> u128 {
    let mut random = Random::new(number);
    u128::from(random.next_u64()) << 64 | u128::from(random.next_u64())
}

/// Time that this thread was on a core: others on the machine do not count, but for what they take of its caches.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn nanos(time: Duration, hits: u64) -> f64 {
    time.as_nanos() as f64 / hits as f64
}

/// A few hits for each of many keys within one window, so that all of them stay; many for each of a few, so that they fire.
fn live_keys(name: &str, kind: &RuleKind, keys: u64) {
    let (mut rule, mut fired, mut random) = (detector(kind, 2_000_000), Vec::new(), Random::new(1));
    for number in 0..keys {
        rule.hit(key(number), &hit(START, &mut random), &mut fired);
    }
    let hits = (keys * 4).max(1_000_000);
    let (step, mut time, mut alerts, mut batch) = (SPAN / hits as i64, START, 0, Vec::new());
    let mut busy = Duration::ZERO;
    for _ in 0..hits / BATCH {
        batch.clear();
        batch.extend((0..BATCH).map(|_| {
            time += step;
            (key(random.below(keys)), hit(time, &mut random))
        }));
        let start = cpu_time();
        rule.hits(&batch, &mut fired);
        busy += cpu_time() - start;
        alerts += fired.len();
        fired.clear();
    }
    let usage = rule.usage();
    assert_eq!(usage.keys as u64, keys);
    println!(
        "{name:14} {keys:9} {:10.1} {:12.1} {:9.1} {:9}",
        nanos(busy, hits),
        usage.bytes as f64 / keys as f64,
        usage.bytes as f64 / 1e6,
        alerts
    );
}

/// n hits of each step but none that completes a chain: the last step comes first.
fn hostile_sequence(hits: u64) {
    let kind = RuleKind::Sequence(Sequence { steps: 4, within: 3600 * SECOND, in_order: true });
    let (mut rule, mut fired) = (detector(&kind, 10), Vec::new());
    let start = Instant::now();
    let mut time = START;
    for steps in [8, 1, 2, 4] {
        for number in 0..hits {
            time += 1;
            rule.hit(
                1,
                &Hit { steps, ..Hit::new(time, Origin { stream: steps.into(), offset: number }) },
                &mut fired,
            );
        }
    }
    println!(
        "sequence of 4, {hits} hits of each step, no match: {:.1} ns per hit",
        nanos(start.elapsed(), 4 * hits)
    );
    assert_eq!(fired, []);
}

/// Keys that come once: each is put in, waits, and is forgotten.
fn expiry(keys: u64) {
    let (mut rule, mut fired) = (detector(&count(10), 2_000_000), Vec::new());
    let hits = keys * 4;
    let (step, mut most) = (SPAN / keys as i64, Duration::ZERO);
    let start = Instant::now();
    for number in 0..hits {
        let time = START + number as i64 * step;
        let event = Origin { stream: 1, offset: number };
        let before = Instant::now();
        rule.hit(key(number), &Hit::new(time, event), &mut fired);
        most = most.max(before.elapsed());
    }
    let (time, usage) = (start.elapsed(), rule.usage());
    println!(
        "{keys} keys in a window, each once: {:.1} ns per hit, the longest {most:.1?}, {} keys at the end",
        nanos(time, hits),
        usage.keys
    );
}

fn flood() {
    let (mut rule, mut fired, mut random) =
        (detector(&count(10), 100_000), Vec::<Fired>::new(), Random::new(5));
    let (hits, planted) = (10_000_000, key(0));
    let start = Instant::now();
    for number in 0..hits {
        let time = START + number * 10_000;
        rule.hit(key(number as u64 + 1), &hit(time, &mut random), &mut fired);
        if number % 100_000 == 0 {
            rule.hit(planted, &hit(time, &mut random), &mut fired);
        }
    }
    let (time, usage) = (start.elapsed(), rule.usage());
    let found = fired.iter().filter(|fired| fired.key == planted).count();
    println!(
        "flood of {hits} fake keys: {:.1} ns per hit, {usage:?}, planted one found {found} times, others {}",
        nanos(time, hits as u64),
        fired.len() - found
    );
}

fn snapshot() {
    let (mut rule, mut fired, mut random) = (detector(&count(10), 2_000_000), Vec::new(), Random::new(1));
    for number in 0..4_000_000 {
        rule.hit(key(number % 1_000_000), &hit(START + number as i64, &mut random), &mut fired);
    }
    let mut bytes = Vec::new();
    for _ in 0..2 {
        bytes.clear();
        let start = Instant::now();
        rule.save(&mut bytes);
        println!("1,000,000 keys saved in {:.1?}, {:.1} MB", start.elapsed(), bytes.len() as f64 / 1e6);
    }
    let mut other = detector(&count(10), 2_000_000);
    let start = Instant::now();
    other.load(&bytes).unwrap();
    println!("and loaded in {:.1?}", start.elapsed());
}
