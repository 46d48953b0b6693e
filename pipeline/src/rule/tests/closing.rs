//! The kinds that only correlations of Sigma are made of.

use std::collections::BTreeSet;

use super::*;
use crate::rule::{Bounds, Closing, Combination, Combined, Measure};

/// The windows of a key: each begins with the first hit behind the one before.
fn windows(hits: &[Hit], span: i64) -> Vec<Vec<Hit>> {
    let mut all = Vec::<Vec<Hit>>::new();
    for hit in hits {
        match all.last_mut() {
            Some(window) if hit.time - window[0].time <= span => window.push(*hit),
            _ => all.push(vec![*hit]),
        }
    }
    all
}

fn value(measure: &Measure, window: &[Hit]) -> f64 {
    let values = window.iter().map(|hit| hit.value).collect::<BTreeSet<_>>();
    let mut numbers = window.iter().map(|hit| hit.number).collect::<Vec<_>>();
    let sum = numbers.iter().sum::<f64>();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match measure {
        Measure::Count => window.len() as f64,
        Measure::Distinct => values.len() as f64,
        Measure::Combination(formula) => {
            f64::from(u8::from(formula.is_true(&|value| values.contains(&(value as u64)))))
        }
        Measure::Sum => sum,
        Measure::Average => sum / numbers.len() as f64,
        Measure::Percentile(percent) => {
            let not_above = |number: &&f64| {
                let share = numbers.iter().filter(|other| other <= number).count() as f64;
                share >= percent / 100.0 * numbers.len() as f64
            };
            *numbers.iter().find(not_above).unwrap()
        }
        Measure::Median if numbers.len() % 2 == 0 => (numbers[middle - 1] + numbers[middle]) / 2.0,
        Measure::Median => numbers[middle],
    }
}

fn measure() -> impl Strategy<Value = Measure> {
    let one_without_another = Combination::All(vec![
        Combination::Member(1),
        Combination::Not(Box::new(Combination::Any(vec![Combination::Member(2), Combination::Member(3)]))),
    ]);
    prop_oneof![
        Just(Measure::Count),
        Just(Measure::Distinct),
        Just(Measure::Combination(one_without_another)),
        Just(Measure::Sum),
        Just(Measure::Average),
        (0_u32..=100).prop_map(|percent| Measure::Percentile(f64::from(percent))),
        Just(Measure::Median),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whole_windows(trace in trace(), measure in measure(), limit in 0_i32..40, span in 1_i64..25, quiet in prop::option::of(1_i64..30), way in 0..4) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let limit = Some(f64::from(if matches!(measure, Measure::Combination(_)) { limit % 2 } else { limit }));
        let bounds = match way {
            0 => Bounds { at_least: limit, ..Bounds::default() },
            1 => Bounds { above: Some(1.0), at_most: limit, ..Bounds::default() },
            2 => Bounds { at_least: limit, at_most: limit, ..Bounds::default() },
            _ => Bounds { other_than: limit, ..Bounds::default() },
        };
        let mut model = Vec::new();
        for key in Trace::keys() {
            let mut alarm = ModelAlarm::default();
            for window in windows(&trace.of_key(key), span) {
                let (first, last) = (window[0], window[window.len() - 1]);
                let value = value(&measure, &window);
                if alarm.judge(quiet, first.time + span + 1, bounds.hold(value)) {
                    // Of different values no more are counted than the bounds ask for.
                    let most = bounds.highest().max(0.0) + 1.0;
                    let shown = if measure == Measure::Distinct { value.min(most) } else { value };
                    model.push((first.time + span, last.time, key, 0, format!("{shown:.6}")));
                }
                alarm.end(quiet);
            }
        }
        model.sort();
        let kind = RuleKind::Closing(Closing { span, measure, bounds });
        prop_assert_eq!(all_seen(&run(&kind, quiet, &trace)), model);
    }

    #[test]
    fn combinations(trace in trace(), span in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let any = Combination::Any(vec![Combination::Member(1), Combination::Member(2)]);
        let formula = Combination::All(vec![Combination::Member(0), any]);
        let judge = |hits: &[Hit]| {
            let now = hits[hits.len() - 1].time;
            let inside = hits.iter().filter(|hit| hit.time >= now - span).map(|hit| hit.value).collect::<BTreeSet<_>>();
            let holds = inside.contains(&0) && (inside.contains(&1) || inside.contains(&2));
            (holds, inside.len() as f64)
        };
        let model = expected(&trace, quiet, judge, |before, now| now - before > span);
        let kind = RuleKind::Combined(Combined { span, members: 5, formula });
        prop_assert_eq!(all_seen(&run(&kind, quiet, &trace)), model);
    }
}

#[test]
fn percentiles_of_many_numbers_are_within_a_hundredth() {
    let hits =
        (0..20_000).map(|number| (1, Hit { number: number as f64, ..hit(DAY + number, number as usize) }));
    let trace = Trace { tick: 1, hits: hits.collect() };
    for (measure, exact) in [(Measure::Median, 10_000.0), (Measure::Percentile(95.0), 19_000.0)] {
        let bounds = Bounds { above: Some(0.0), ..Bounds::default() };
        let kind = RuleKind::Closing(Closing { span: MILLISECOND, measure, bounds });
        let fired = run(&kind, None, &trace);
        assert!(fired.len() == 1 && (fired[0].value - exact).abs() <= exact * 0.0101, "{fired:?}");
    }
}
