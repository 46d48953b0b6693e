//! Bounds, floods and garbage.

use logweir_benchmarks::Random;

use super::*;
use crate::rule::{
    Absence, Average, Bounds, BurnRate, BurnWindows, Closing, Combination, Combined, Count, CountWindow,
    Distinct, Leaky, Measure, NewValue, Percentile, Ratio, Sequence, SnapshotError, Spike, Sum, Usage,
};

const SECOND: i64 = 1000 * MILLISECOND;

fn count(at_least: u64) -> RuleKind {
    let window = CountWindow::Sliding { span: 120 * SECOND };
    RuleKind::Count(Count { window, at_least: Some(at_least), at_most: None })
}

fn limited(kind: &RuleKind, max_keys: u32) -> Box<dyn Detector> {
    kind.detector(Limits { max_keys, suppress: None }).unwrap()
}

/// One of each kind.
fn kinds() -> Vec<RuleKind> {
    let bounds = Bounds { above: Some(30.0), ..Bounds::default() };
    let (span, at_least) = (10 * SECOND, 2);
    let closing = |measure| RuleKind::Closing(Closing { span, measure, bounds });
    let window = |window, at_most| RuleKind::Count(Count { window, at_least: Some(2), at_most });
    vec![
        RuleKind::Absence(Absence { span }),
        RuleKind::Average(Average { span, bounds, at_least }),
        RuleKind::BurnRate(BurnRate {
            objective: 0.9,
            windows: vec![BurnWindows { long: span, short: SECOND, factor: 2.0 }],
            at_least,
        }),
        count(3),
        count(30),
        window(CountWindow::Hopping { size: span, every: SECOND, offset: 0 }, None),
        window(CountWindow::Hopping { size: span, every: SECOND, offset: 0 }, Some(3)),
        window(CountWindow::Session { gap: SECOND, max: span }, Some(3)),
        closing(Measure::Count),
        closing(Measure::Sum),
        closing(Measure::Distinct),
        closing(Measure::Median),
        RuleKind::Combined(Combined { span, members: 2, formula: Combination::Member(1) }),
        RuleKind::Distinct(Distinct { span, at_least: 3 }),
        RuleKind::Leaky(Leaky { capacity: 3, leak: SECOND }),
        RuleKind::Match,
        RuleKind::NewValue(NewValue { span, learn: 0, values_max: 3 }),
        RuleKind::Percentile(Percentile { span, percentile: 90.0, bounds, at_least }),
        RuleKind::Ratio(Ratio { span, above: 0.5, at_least }),
        RuleKind::Sequence(Sequence { steps: 3, within: span, in_order: true }),
        RuleKind::Spike(Spike { size: SECOND, windows: 5, history: 2, times: 2.0, at_least }),
        RuleKind::Sum(Sum { span, bounds }),
    ]
}

/// A random hit of a few keys, a little later than the last one.
fn random_hit(random: &mut Random, time: &mut i64) -> (u128, Hit) {
    *time += random.below(2000) as i64 * MILLISECOND;
    let steps = random.below(16) as u32;
    let hit = Hit { value: random.below(9), number: random.below(90) as f64, steps, ..hit(*time, 1) };
    (u128::from(random.below(20)) << 90, hit)
}

fn saved(rule: &dyn Detector) -> Vec<u8> {
    let mut bytes = Vec::new();
    rule.save(&mut bytes);
    bytes
}

#[test]
fn garbage_is_refused_and_a_forged_checksum_does_no_harm() {
    let mut random = Random::new(1);
    for kind in kinds() {
        let (mut rule, mut fired, mut time) = (detector(&kind, Some(SECOND)), Vec::new(), DAY);
        for _ in 0..200 {
            let (key, hit) = random_hit(&mut random, &mut time);
            rule.hit(key, &hit, &mut fired);
        }
        let good = saved(&*rule);
        assert_eq!(detector(&kind, None).load(&good), Err(SnapshotError::Settings), "{kind:?}");
        for _ in 0..200 {
            let mut bytes = good.clone();
            let place = random.below(bytes.len() as u64) as usize;
            if random.below(4) == 0 {
                bytes.truncate(place);
            } else {
                bytes[place] ^= 1 + random.below(255) as u8;
            }
            assert_eq!(rule.load(&bytes), Err(SnapshotError::Damaged), "{kind:?}");
            let body = bytes.len().saturating_sub(8);
            let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..body]);
            bytes.truncate(body);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            let mut forged = detector(&kind, Some(SECOND));
            if forged.load(&bytes).is_ok() {
                for _ in 0..20 {
                    let (key, hit) = random_hit(&mut random, &mut time);
                    forged.hit(key, &hit, &mut fired);
                }
                forged.advance(time + 3600 * SECOND, &mut fired);
            }
        }
        assert_eq!(saved(&*rule), good, "{kind:?}: what was refused changed nothing");
    }
}

#[test]
fn bytes_are_given_back_with_the_keys() {
    let mut random = Random::new(2);
    for kind in kinds() {
        let (mut rule, mut fired, mut time) = (detector(&kind, Some(SECOND)), Vec::new(), DAY);
        let mut bytes = 0;
        for _ in 0..1000 {
            let (key, hit) = random_hit(&mut random, &mut time);
            rule.hit(key, &hit, &mut fired);
            bytes = rule.usage().bytes.max(bytes);
        }
        rule.advance(time + 1_000_000 * SECOND, &mut fired);
        let Usage { keys, bytes: left, .. } = rule.usage();
        assert_eq!(keys, 0, "{kind:?}");
        // The table stays, and what a key of it holds elsewhere goes.
        let mut small = detector(&kind, Some(SECOND));
        small.hit(1, &hit(DAY, 1), &mut fired);
        let one = small.usage().bytes;
        small.advance(DAY + 1_000_000 * SECOND, &mut fired);
        assert!(left <= bytes && small.usage().bytes <= one, "{kind:?}: {left} of {bytes}");
    }
}

#[test]
fn a_flood_of_fake_keys_is_bounded_and_hides_nothing() {
    const KEYS: u32 = 100_000;
    let (mut rule, mut fired, mut random) = (limited(&count(10), KEYS), Vec::new(), Random::new(3));
    let planted = 77_u128 << 64 | 77;
    for number in 0..10_000_000_i64 {
        // A hundred seconds, and one try a second in the midst of a hundred thousand keys.
        let time = DAY + number * 10_000;
        let fake = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
        rule.hit(fake, &hit(time, number as usize), &mut fired);
        if number % 100_000 == 0 {
            rule.hit(planted, &hit(time, number as usize), &mut fired);
        }
        assert!(number % 1000 > 0 || rule.usage().keys <= KEYS as usize);
    }
    let usage = rule.usage();
    assert_eq!(fired.iter().map(|fired| fired.key).collect::<Vec<_>>(), [planted]);
    assert!(usage.bytes < KEYS as usize * 100 + (1 << 20), "{usage:?}");
    assert_eq!(
        usage.refused + usage.evicted + u64::from(KEYS),
        10_000_000 + 1,
        "each fake key, and the planted one once"
    );
}

#[test]
fn keys_that_have_fired_are_not_evicted_and_near_ones_last() {
    let (mut rule, mut fired) = (limited(&count(4), 3), Vec::new());
    let mut hits = |rule: &mut Box<dyn Detector>, key: u128, times: usize| {
        for number in 0..times {
            rule.hit(key << 64 | key, &hit(DAY, number), &mut fired);
        }
        fired.len()
    };
    hits(&mut rule, 1, 4);
    hits(&mut rule, 2, 3);
    hits(&mut rule, 3, 1);
    // The first hit of a key is refused, and with the second it takes the place of the one that is far from firing.
    hits(&mut rule, 4, 1);
    assert_eq!(rule.usage(), Usage { refused: 1, evicted: 0, ..rule.usage() });
    hits(&mut rule, 4, 4);
    assert_eq!(rule.usage(), Usage { refused: 1, evicted: 1, ..rule.usage() });
    // That one has fired now, as has the first: the second is next.
    hits(&mut rule, 5, 5);
    assert_eq!(rule.usage(), Usage { refused: 2, evicted: 2, ..rule.usage() });
    assert_eq!(hits(&mut rule, 6, 5), 3, "all places are taken by keys that have fired");
    assert_eq!(rule.usage(), Usage { refused: 7, evicted: 2, ..rule.usage() });
}

#[test]
fn keys_are_forgotten_over_seconds_minutes_hours_and_days() {
    for span in [1, 63, 64, 65, 3_599, 3_600, 230_400, 1_000_000] {
        let window = CountWindow::Sliding { span: span * SECOND };
        let kind = RuleKind::Count(Count { window, at_least: Some(5), at_most: None });
        let (mut rule, mut fired) = (limited(&kind, 100), Vec::new());
        for key in 0..10 {
            rule.hit(key, &hit(DAY + 500 * MILLISECOND, 1), &mut fired);
        }
        // Half of them come again after half of the span.
        for key in 0..5 {
            rule.hit(key, &hit(DAY + 500 * MILLISECOND + span * SECOND / 2, 1), &mut fired);
        }
        let mut left = Vec::new();
        for time in [span, span + 1, span + span / 2, span + span / 2 + 2] {
            rule.advance(DAY + time * SECOND, &mut fired);
            left.push(rule.usage().keys);
        }
        assert!(left[0] == 10 && left[3] == 0, "span {span}: {left:?}");
        assert!(span == 1 || left[1..3] == [5, 5], "span {span}: {left:?}");
    }
}

#[test]
fn a_hit_behind_the_watermark_counts_at_the_watermark() {
    let (mut rule, mut fired) = (limited(&count(2), 10), Vec::new());
    rule.hit(1, &hit(DAY + 100 * SECOND, 1), &mut fired);
    rule.hit(1, &hit(DAY, 2), &mut fired);
    assert_eq!(fired.iter().map(|fired| fired.last).collect::<Vec<_>>(), [DAY + 100 * SECOND]);
}
