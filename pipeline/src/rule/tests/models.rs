//! The kinds that are judged at each hit.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::rule::{
    Average, Bounds, BurnRate, BurnWindows, Count, CountWindow, Distinct, Leaky, NewValue, Percentile, Ratio,
    Sequence, Spike, Sum,
};

/// A sliding window of panes, written down once more: the hits in it.
fn in_panes(hits: &[Hit], span: i64) -> Vec<Hit> {
    let now = hits[hits.len() - 1].time;
    let width = (span + 61) / 62;
    let oldest = (now - span).div_euclid(width);
    let inside = hits.iter().filter(|hit| hit.time.div_euclid(width) >= oldest).copied().collect::<Vec<_>>();
    // No hit of the window is missing, and none is older than by a 62nd and the rounding of it.
    assert_eq!(
        inside.iter().filter(|hit| hit.time >= now - span).count(),
        hits.iter().filter(|hit| hit.time >= now - span).count()
    );
    assert!(inside.iter().all(|hit| hit.time > now - span - width));
    inside
}

fn panes_gone(span: i64) -> impl Fn(i64, i64) -> bool {
    move |before, now| {
        let width = (span + 61) / 62;
        before.div_euclid(width) < (now - span).div_euclid(width)
    }
}

fn ratio(hits: &[Hit]) -> f64 {
    hits.iter().filter(|hit| hit.steps & 1 == 1).count() as f64 / hits.len() as f64
}

/// Where a chain that ends with the last hit begins at the latest: every way is tried.
fn chain(hits: &[Hit], steps: u8, within: i64) -> Option<i64> {
    let last = hits[hits.len() - 1];
    fn back(hits: &[Hit], step: u8) -> Option<i64> {
        let (hit, before) = hits.split_last()?;
        let is_step = hit.steps >> step & 1 == 1;
        let here = match step {
            _ if !is_step => None,
            0 => Some(hit.time),
            _ => back(before, step - 1),
        };
        here.max(back(before, step))
    }
    let is_last = last.steps >> (steps - 1) & 1 == 1;
    let start = if is_last { back_from(hits, steps - 1, back) } else { None };
    start.filter(|start| *start >= last.time - within)
}

/// The last hit is the last step.
fn back_from(hits: &[Hit], step: u8, back: fn(&[Hit], u8) -> Option<i64>) -> Option<i64> {
    let (last, before) = hits.split_last()?;
    if step == 0 { Some(last.time) } else { back(before, step - 1) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn count(trace in trace(), least in 1_usize..20, span in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let kind = RuleKind::Count(Count {
            window: CountWindow::Sliding { span },
            at_least: Some(least as u64),
            at_most: None,
        });
        let fired = run(&kind, quiet, &trace);
        let in_window = |hits: &[Hit]| {
            let now = hits[hits.len() - 1].time;
            hits.iter().filter(|hit| hit.time >= now - span).count()
        };
        let model = expected(
            &trace, quiet, |hits| (in_window(hits) >= least, least as f64), |before, now| now - before > span,
        );
        prop_assert_eq!(all_seen(&fired), model);
        for fired in fired {
            let hits = trace.of_key(fired.key);
            let last = hits.iter().position(|hit| hit.event == fired.last_event).unwrap();
            let first = hits.iter().position(|hit| hit.event == fired.first_event).unwrap();
            prop_assert_eq!(fired.first, hits[last + 1 - least].time);
            prop_assert!((last + 1 - least..=last).contains(&first));
        }
    }

    #[test]
    fn distinct(trace in trace(), least in 1_u32..6, span in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let fired = run(&RuleKind::Distinct(Distinct { span, at_least: least }), quiet, &trace);
        let values = |hits: &[Hit]| {
            let now = hits[hits.len() - 1].time;
            hits.iter().filter(|hit| hit.time >= now - span).map(|hit| hit.value).collect::<BTreeSet<_>>().len()
        };
        let model = expected(
            &trace, quiet, |hits| (values(hits) >= least as usize, f64::from(least)), |before, now| now - before > span,
        );
        prop_assert_eq!(all_seen(&fired), model);
        for fired in fired {
            // From its first to its last event there are just so many values.
            let hits = trace.of_key(fired.key);
            let place = |event| hits.iter().position(|hit| hit.event == event).unwrap();
            let between = &hits[place(fired.first_event)..=place(fired.last_event)];
            let values = between.iter().map(|hit| hit.value).collect::<BTreeSet<_>>();
            prop_assert_eq!(values.len(), least as usize);
            prop_assert_eq!(between[0].time, fired.first);
        }
    }

    #[test]
    fn ratios(trace in trace(), tenths in 0_u8..10, least in 1_u64..8, span in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let above = f64::from(tenths) / 10.0;
        let fired = run(&RuleKind::Ratio(Ratio { span, above, at_least: least }), quiet, &trace);
        let judge = |hits: &[Hit]| {
            let hits = in_panes(hits, span);
            (hits.len() as u64 >= least && ratio(&hits) > above, ratio(&hits))
        };
        prop_assert_eq!(all_seen(&fired), expected(&trace, quiet, judge, panes_gone(span)));
    }

    #[test]
    fn sums_and_means(trace in trace(), limit in 1_i32..400, least in 1_u64..5, span in 1_i64..25, quiet in prop::option::of(1_i64..30), way in 0..4) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let limit = Some(f64::from(limit));
        let bounds = match way {
            0 => Bounds { at_least: limit, ..Bounds::default() },
            1 => Bounds { above: limit, ..Bounds::default() },
            2 => Bounds { at_most: limit, ..Bounds::default() },
            _ => Bounds { below: limit, ..Bounds::default() },
        };
        let sum = |hits: &[Hit]| in_panes(hits, span).iter().map(|hit| hit.number).sum::<f64>();
        let fired = run(&RuleKind::Sum(Sum { span, bounds }), quiet, &trace);
        let judge = |hits: &[Hit]| (bounds.hold(sum(hits)), sum(hits));
        prop_assert_eq!(all_seen(&fired), expected(&trace, quiet, judge, panes_gone(span)));

        let fired = run(&RuleKind::Average(Average { span, bounds, at_least: least }), quiet, &trace);
        let judge = |hits: &[Hit]| {
            let count = in_panes(hits, span).len();
            let mean = sum(hits) / count as f64;
            (count as u64 >= least && bounds.hold(mean), mean)
        };
        prop_assert_eq!(all_seen(&fired), expected(&trace, quiet, judge, panes_gone(span)));
    }

    #[test]
    fn percentiles(trace in trace(), hundredth in 1_u32..101, power in 0_u32..6, least in 1_u64..5, span in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        // Far from every number of a trace, so that one in a hundred does not matter.
        let bounds = Bounds { above: Some(f64::from(7 << power)), ..Bounds::default() };
        let kind = Percentile { span, percentile: f64::from(hundredth), bounds, at_least: least };
        let fired = run(&RuleKind::Percentile(kind), quiet, &trace);
        let exact = |hits: &[Hit]| {
            let mut numbers = in_panes(hits, span).iter().map(|hit| hit.number).collect::<Vec<_>>();
            numbers.sort_by(f64::total_cmp);
            let rank = (f64::from(hundredth) / 100.0 * numbers.len() as f64).ceil().max(1.0);
            (numbers.len() as u64, numbers[rank as usize - 1])
        };
        let judge = |hits: &[Hit]| (exact(hits).0 >= least && bounds.hold(exact(hits).1), 0.0);
        let model = expected(&trace, quiet, judge, panes_gone(span));
        let untold = fired.iter().map(|fired| seen(&Fired { value: 0.0, ..*fired })).collect::<Vec<_>>();
        prop_assert_eq!(untold, model);
        for fired in fired {
            let hits = trace.of_key(fired.key);
            let last = hits.iter().position(|hit| hit.event == fired.last_event).unwrap();
            let (_, exact) = exact(&hits[..=last]);
            prop_assert!((fired.value - exact).abs() <= exact * 0.0101, "{} for {}", fired.value, exact);
        }
    }

    #[test]
    fn leaky(trace in trace(), capacity in 1_u32..5, leak in 1_i64..8, quiet in prop::option::of(1_i64..30)) {
        let (leak, quiet) = (leak * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let fired = run(&RuleKind::Leaky(Leaky { capacity, leak }), quiet, &trace);
        let judge = |hits: &[Hit]| {
            let (mut level, mut before, mut overflows) = (0, hits[0].time, false);
            for hit in hits {
                level = (level - (hit.time - before)).max(0) + leak;
                overflows = level > leak * i64::from(capacity);
                level = level.min(leak * i64::from(capacity + 1));
                before = hit.time;
            }
            (overflows, f64::from(capacity + 1))
        };
        prop_assert_eq!(all_seen(&fired), expected(&trace, quiet, judge, |_, _| false));
    }

    #[test]
    fn single(trace in trace(), quiet in prop::option::of(1_i64..30)) {
        let quiet = quiet.map(|ticks| ticks * trace.tick);
        let model = expected(&trace, quiet, |_| (true, 1.0), |_, _| true);
        prop_assert_eq!(all_seen(&run(&RuleKind::Match, quiet, &trace)), model);
    }

    #[test]
    fn sequences(trace in trace(), steps in 2_u8..4, in_order: bool, within in 1_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (within, quiet) = (within * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let fired = run(&RuleKind::Sequence(Sequence { steps, within, in_order }), quiet, &trace);
        let mut model = Vec::new();
        for key in Trace::keys() {
            let (mut since, mut alarm): (Vec<Hit>, _) = (Vec::new(), ModelAlarm::default());
            for hit in trace.of_key(key) {
                if hit.steps >> steps & 1 == 1 {
                    since.clear();
                }
                since.push(hit);
                let last_of = |step: u8| since.iter().filter(|hit| hit.steps >> step & 1 == 1).map(|hit| hit.time).max();
                let start = if in_order {
                    chain(&since, steps, within)
                } else {
                    let all = (0..steps).map(last_of).collect::<Option<Vec<_>>>();
                    all.and_then(|all| all.into_iter().min()).filter(|start| *start >= hit.time - within)
                };
                if let Some(start) = start {
                    since.clear();
                    alarm.end(quiet);
                    if alarm.judge(quiet, hit.time, true) {
                        model.push((hit.time, key, start));
                    }
                }
            }
        }
        model.sort_unstable();
        let mut found = fired.iter().map(|fired| (fired.last, fired.key, fired.first)).collect::<Vec<_>>();
        found.sort_unstable();
        prop_assert_eq!(found, model);
    }

    #[test]
    fn new_values(trace in trace(), span in 1_i64..25, learn in 0_i64..25, quiet in prop::option::of(1_i64..30)) {
        let (span, learn) = (span * trace.tick, learn * trace.tick);
        let quiet = quiet.map(|ticks| ticks * trace.tick);
        let fired = run(&RuleKind::NewValue(NewValue { span, learn, values_max: 10 }), quiet, &trace);
        let mut model = Vec::new();
        for key in Trace::keys() {
            let (mut last, mut since, mut alarm) = (BTreeMap::new(), 0, ModelAlarm::default());
            for hit in trace.of_key(key) {
                last.retain(|_, time| *time >= hit.time - span);
                if last.is_empty() {
                    since = hit.time;
                }
                let is_new = last.insert(hit.value, hit.time).is_none();
                alarm.end(quiet);
                if is_new && hit.time - since >= learn && alarm.judge(quiet, hit.time, true) {
                    model.push((hit.time, hit.time, key, 0, "1.000000".to_owned()));
                }
            }
        }
        model.sort();
        prop_assert_eq!(all_seen(&fired), model);
    }

    #[test]
    fn spikes(trace in trace(), size in 1_i64..12, windows in 1_u32..5, history in 1_u32..5, least in 1_u64..5, quiet in prop::option::of(1_i64..30)) {
        let (size, quiet) = (size * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let history = history.min(windows);
        let kind = Spike { size, windows, history, times: 1.5, at_least: least };
        let fired = run(&RuleKind::Spike(kind), quiet, &trace);
        let window = |time: i64| time.div_euclid(size);
        let judge = |hits: &[Hit]| {
            let now = window(hits[hits.len() - 1].time);
            // Only what came since the key was silent for all windows that count.
            let mut since = hits.len() - 1;
            while since > 0 && window(hits[since].time) - window(hits[since - 1].time) <= i64::from(windows) {
                since -= 1;
            }
            let hits = &hits[since..];
            let known = (now - window(hits[0].time)).min(i64::from(windows));
            let count = |wanted: i64| hits.iter().filter(|hit| window(hit.time) == wanted).count() as f64;
            let mean = (1..=known).map(|back| count(now - back)).sum::<f64>() / known.max(1) as f64;
            let holds = known >= i64::from(history) && count(now) >= least as f64 && count(now) > 1.5 * mean;
            (holds, count(now))
        };
        let gone = |before: i64, now: i64| window(now) - window(before) > i64::from(windows);
        let mut model = expected(&trace, quiet, judge, gone);
        model.iter_mut().for_each(|seen| seen.0 = (window(seen.1) + 1) * size);
        model.sort();
        prop_assert_eq!(all_seen(&fired), model);
    }

    #[test]
    fn burn_rates(trace in trace(), long in 5_i64..25, short in 1_i64..6, least in 1_u64..6, quiet in prop::option::of(1_i64..30)) {
        let (long, short) = (long * trace.tick, short.min(long) * trace.tick);
        let quiet = quiet.map(|ticks| ticks * trace.tick);
        let pairs = [
            BurnWindows { long, short, factor: 1.3 },
            BurnWindows { long: 2 * long, short: long, factor: 1.1 },
        ];
        let kind = BurnRate { objective: 0.5, windows: pairs.to_vec(), at_least: least };
        let fired = run(&RuleKind::BurnRate(kind), quiet, &trace);
        for (part, pair) in pairs.iter().enumerate() {
            let judge = |hits: &[Hit]| {
                let (long, short) = (in_panes(hits, pair.long), in_panes(hits, pair.short));
                let burns = |hits: &[Hit]| ratio(hits) / 0.5 >= pair.factor;
                (burns(&long) && burns(&short) && long.len() as u64 >= least, ratio(&long) / 0.5)
            };
            // A key is forgotten when its longest window is empty.
            let mut model = expected(&trace, quiet, judge, panes_gone(2 * long));
            model.iter_mut().for_each(|seen| seen.3 = part as u8);
            let of_part = fired.iter().filter(|fired| usize::from(fired.part) == part).copied().collect::<Vec<_>>();
            prop_assert_eq!(all_seen(&of_part), model);
        }
    }
}
