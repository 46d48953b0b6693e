//! What other engines got wrong, and settings that make no sense.

use super::*;
use crate::rule::{
    Absence, Bounds, Closing, Combination, Combined, Count, CountWindow, Distinct, Leaky, Measure,
    Percentile, SPAN_MAX, Sequence,
};

const SECOND: i64 = 1000 * MILLISECOND;

/// The seconds at which a trace of one key fires.
fn seconds(kind: &RuleKind, suppress: Option<i64>, hits: &[(i64, u64, u32)]) -> Vec<i64> {
    let hits = hits.iter().enumerate().map(|(number, (time, value, steps))| {
        (1, Hit { value: *value, steps: *steps, number: *value as f64, ..hit(DAY + time * SECOND, number) })
    });
    let fired = run(kind, suppress, &Trace { tick: SECOND, hits: hits.collect() });
    fired.iter().map(|fired| (fired.last - DAY) / SECOND).collect()
}

fn at(times: &[i64]) -> Vec<(i64, u64, u32)> {
    times.iter().map(|time| (*time, 0, 0)).collect()
}

fn count(seconds: i64, at_least: u64) -> RuleKind {
    let window = CountWindow::Sliding { span: seconds * SECOND };
    RuleKind::Count(Count { window, at_least: Some(at_least), at_most: None })
}

#[test]
fn count_cases() {
    type Case = (i64, u64, &'static [i64], &'static [i64], &'static str);
    let cases: &[Case] = &[
        (10, 3, &[100, 104, 105, 150], &[105], "rsigma: the same hits with 150 before 104 never fired"),
        (10, 3, &[0, 5, 10], &[10], "a difference equal to the span counts"),
        (10, 3, &[0, 5, 11], &[], "a second more does not"),
        (10, 3, &[0, 0, 0], &[0], "equal times"),
        (10, 3, &[0, 1, 2, 3, 4, 5], &[2], "rsigma fires at each hit past the threshold"),
        (10, 3, &[0, 1, 2, 13, 14, 15], &[2, 15], "armed again below it"),
        (10, 3, &[0, 5, 10, 15, 20, 25], &[10], "a steady rate at the threshold fires once"),
        (10, 3, &[0, 5, 10, 16, 17, 18], &[10, 17], "one hit below it is enough to arm"),
        (10, 1, &[0, 5, 10, 21], &[0, 21], "with 1, silence arms"),
    ];
    for (span, least, times, fires, why) in cases {
        assert_eq!(seconds(&count(*span, *least), None, &at(times)), *fires, "{why}");
    }
}

#[test]
fn suppress_is_a_time_of_silence_and_then_a_reminder() {
    let times = (0..30).collect::<Vec<_>>();
    assert_eq!(seconds(&count(10, 3), Some(10 * SECOND), &at(&times)), [2, 12, 22]);
    assert_eq!(seconds(&count(1, 3), Some(10 * SECOND), &at(&[0, 0, 0, 5, 5, 5, 10, 10, 10])), [0, 10]);
}

#[test]
fn times_of_nanoseconds_are_exact_with_short_windows() {
    let kind = |span| {
        let window = CountWindow::Sliding { span };
        RuleKind::Count(Count { window, at_least: Some(2), at_most: None })
    };
    for (span, apart, fires) in [(999, 999, 1), (999, 1000, 0), (SECOND, SECOND, 1), (SECOND, SECOND + 1, 0)]
    {
        let hits = [DAY + 1, DAY + 1 + apart].into_iter().enumerate();
        let trace = Trace { tick: 1, hits: hits.map(|(number, time)| (1, hit(time, number))).collect() };
        assert_eq!(run(&kind(span), None, &trace).len(), fires, "{apart} ns apart in {span} ns");
    }
}

#[test]
fn distinct_leaves_out_what_is_older_than_the_window() {
    let kind = RuleKind::Distinct(Distinct { span: 10 * SECOND, at_least: 3 });
    // Hayabusa #1896.
    assert_eq!(seconds(&kind, None, &[(0, 1, 0), (9, 2, 0), (11, 3, 0)]), Vec::<i64>::new());
    // A value that is seen again is as new as its last hit.
    assert_eq!(seconds(&kind, None, &[(0, 1, 0), (9, 2, 0), (9, 1, 0), (11, 3, 0)]), [11]);
}

#[test]
fn percentiles_depend_on_their_threshold() {
    // rsigma fires whatever the threshold is.
    let hits = (0..10).map(|number| (number, 100, 0)).collect::<Vec<_>>();
    for (above, fires) in [(90.0, vec![4]), (110.0, vec![])] {
        let bounds = Bounds { above: Some(above), ..Bounds::default() };
        let kind = Percentile { span: 60 * SECOND, percentile: 95.0, bounds, at_least: 5 };
        assert_eq!(seconds(&RuleKind::Percentile(kind), None, &hits), fires);
    }
}

#[test]
fn sequences_go_by_all_steps() {
    let kind = |in_order| RuleKind::Sequence(Sequence { steps: 3, within: 10 * SECOND, in_order });
    let (a, b, c, forbidden) = (1, 2, 4, 8);
    type Case<'a> = (&'a [(i64, u32)], &'a [i64], &'a [i64], &'a str);
    let cases: &[Case<'_>] = &[
        (&[(0, a), (1, b), (2, c)], &[2], &[2], "in order"),
        (&[(0, a), (1, c), (2, b)], &[], &[2], "Hayabusa #1841: only the first step was looked at"),
        (&[(0, a), (0, b), (0, c)], &[0], &[0], "equal times are in order"),
        (&[(0, a), (5, b), (10, c)], &[10], &[10], "the whole span"),
        (&[(0, a), (5, b), (11, c)], &[], &[], "a second more"),
        (&[(0, a), (5, a), (6, b), (15, c)], &[15], &[15], "the latest beginning counts"),
        (&[(0, a), (1, b), (2, forbidden), (3, c)], &[], &[], "a forbidden hit ends a chain"),
        (&[(0, a), (1, b), (2, c), (3, c)], &[2], &[2], "a chain is used up"),
        (&[(0, a | b), (1, c)], &[], &[1], "one event for two steps"),
    ];
    for (hits, ordered, unordered, why) in cases {
        let hits = hits.iter().map(|(time, steps)| (*time, 0, *steps)).collect::<Vec<_>>();
        assert_eq!(seconds(&kind(true), None, &hits), *ordered, "in order: {why}");
        assert_eq!(seconds(&kind(false), None, &hits), *unordered, "in any order: {why}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let window = |window, at_least, at_most| RuleKind::Count(Count { window, at_least, at_most });
    let hopping = |size, every, offset| CountWindow::Hopping { size, every, offset };
    let sliding = CountWindow::Sliding { span: 1 };
    let cases = [
        window(CountWindow::Sliding { span: 0 }, Some(1), None),
        window(CountWindow::Sliding { span: SPAN_MAX + 1 }, Some(1), None),
        window(sliding, None, None),
        window(sliding, Some(0), None),
        window(sliding, None, Some(5)),
        window(sliding, Some(100_000), None),
        window(hopping(5, 6, 0), Some(1), None),
        window(hopping(6, 0, 0), Some(1), None),
        window(hopping(6, 2, 2), Some(1), None),
        window(hopping(100_000, 99_999, 0), Some(1), None),
        window(hopping(6, 2, 0), Some(3), Some(2)),
        window(CountWindow::Session { gap: 5, max: 4 }, Some(1), None),
        RuleKind::Closing(Closing { span: 1, measure: Measure::Count, bounds: Bounds::default() }),
        RuleKind::Closing(Closing {
            span: 1,
            measure: Measure::Distinct,
            bounds: Bounds { below: Some(4096.0), ..Bounds::default() },
        }),
        RuleKind::Combined(Combined {
            span: 1,
            members: 1,
            formula: Combination::Not(Box::new(Combination::Member(0))),
        }),
        RuleKind::Absence(Absence { span: -1 }),
        RuleKind::Distinct(Distinct { span: 1, at_least: 0 }),
        RuleKind::Leaky(Leaky { capacity: u32::MAX, leak: SPAN_MAX }),
        RuleKind::Sequence(Sequence { steps: 1, within: 1, in_order: true }),
    ];
    for kind in cases {
        let error = kind.detector(Limits { max_keys: 1, suppress: None }).unwrap_err();
        assert!(error.to_string().contains("must be"), "{kind:?}: {error}");
    }
    assert!(count(1, 1).detector(Limits { max_keys: 0, suppress: None }).is_err());
    assert!(count(1, 1).detector(Limits { max_keys: 1, suppress: Some(0) }).is_err());
}
