//! The kinds that are judged when a window ends.

use super::*;
use crate::rule::{Absence, Count, CountWindow};

fn count(window: CountWindow, at_least: Option<u64>, at_most: Option<u64>) -> RuleKind {
    RuleKind::Count(Count { window, at_least, at_most })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn hopping_at_least(trace in trace(), every in 1_i64..8, more in 0_i64..15, offset in 0_i64..8, least in 1_u64..6, quiet in prop::option::of(1_i64..30)) {
        let (size, offset) = ((every + more) * trace.tick, offset % every * trace.tick);
        let (every, quiet) = (every * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let kind = count(CountWindow::Hopping { size, every, offset }, Some(least), None);
        // The first and the last of the windows with a time.
        let first = |time: i64| (time - size - offset).div_euclid(every) + 1;
        let last = |time: i64| (time - offset).div_euclid(every);
        let judge = |hits: &[Hit]| {
            let start = first(hits[hits.len() - 1].time) * every + offset;
            let hits = hits.iter().filter(|hit| hit.time >= start).count();
            (hits as u64 >= least, hits as f64)
        };
        let mut model = expected(&trace, quiet, judge, |before, now| last(before) < first(now));
        model.iter_mut().for_each(|seen| seen.0 = first(seen.1) * every + offset + size);
        model.sort();
        prop_assert_eq!(all_seen(&run(&kind, quiet, &trace)), model);
    }

    #[test]
    fn hopping_at_most(trace in trace(), every in 1_i64..8, more in 0_i64..15, least in 1_u64..4, range in 0_u64..4, quiet in prop::option::of(1_i64..30)) {
        let (size, every) = ((every + more) * trace.tick, every * trace.tick);
        let quiet = quiet.map(|ticks| ticks * trace.tick);
        let kind = count(CountWindow::Hopping { size, every, offset: 0 }, Some(least), Some(least + range));
        let mut model = Vec::new();
        for key in Trace::keys() {
            let (hits, mut alarm) = (trace.of_key(key), ModelAlarm::default());
            let Some((from, to)) = hits.first().zip(hits.last()) else { continue };
            for window in (from.time - size).div_euclid(every) + 1..=to.time.div_euclid(every) {
                let (start, end) = (window * every, window * every + size);
                let inside = hits.iter().filter(|hit| (start..end).contains(&hit.time)).collect::<Vec<_>>();
                let holds = (least..=least + range).contains(&(inside.len() as u64));
                if alarm.judge(quiet, end, holds) {
                    model.push((end, inside[inside.len() - 1].time, key, 0, format!("{:.6}", inside.len() as f64)));
                }
            }
        }
        model.sort();
        prop_assert_eq!(all_seen(&run(&kind, quiet, &trace)), model);
    }

    #[test]
    fn sessions(trace in trace(), gap in 1_i64..12, max in 0_i64..20, least in 1_u64..6, range in prop::option::of(0_u64..4), quiet in prop::option::of(1_i64..30)) {
        let (gap, max) = (gap * trace.tick, (gap + max) * trace.tick);
        let most = range.map(|range| least + range);
        // A session is over a nanosecond after its end, and an alarm knows microseconds: not both.
        let quiet = quiet.filter(|_| most.is_none()).map(|ticks| ticks * trace.tick);
        let fired = run(&count(CountWindow::Session { gap, max }, Some(least), most), quiet, &trace);
        let mut model = Vec::new();
        for key in Trace::keys() {
            let mut sessions: Vec<Vec<Hit>> = Vec::new();
            for hit in trace.of_key(key) {
                match sessions.last_mut() {
                    Some(session)
                        if hit.time - session[session.len() - 1].time <= gap && hit.time - session[0].time <= max =>
                    {
                        session.push(hit);
                    }
                    _ => sessions.push(vec![hit]),
                }
            }
            let mut alarm = ModelAlarm::default();
            for session in sessions {
                alarm.end(quiet);
                let last = session[session.len() - 1].time;
                let mut fire = |alarm: &mut ModelAlarm, now: i64, last: i64, hits: usize, holds: bool| {
                    if alarm.judge(quiet, now, holds) {
                        model.push((last, last, key, 0, format!("{:.6}", hits as f64)));
                    }
                };
                match most {
                    Some(most) => {
                        let end = (last + gap).min(session[0].time + max) + 1;
                        let holds = (least..=most).contains(&(session.len() as u64));
                        fire(&mut alarm, end, last, session.len(), holds);
                    }
                    None => {
                        for (place, hit) in session.iter().enumerate() {
                            fire(&mut alarm, hit.time, hit.time, place + 1, place as u64 + 1 >= least);
                        }
                    }
                }
            }
        }
        model.sort();
        prop_assert_eq!(all_seen(&fired), model);
    }

    #[test]
    fn silences(trace in trace(), span in 1_i64..25, quiet in prop::option::of(1_i64..60)) {
        let (span, quiet) = (span * trace.tick, quiet.map(|ticks| ticks * trace.tick));
        let fired = run(&RuleKind::Absence(Absence { span }), quiet, &trace);
        let mut model = Vec::new();
        for key in Trace::keys() {
            let (hits, mut alarm) = (trace.of_key(key), ModelAlarm::default());
            for (place, hit) in hits.iter().enumerate() {
                alarm.end(quiet);
                let is_silent = hits.get(place + 1).is_none_or(|next| next.time > hit.time + span);
                if is_silent && alarm.judge(quiet, hit.time + span, true) {
                    model.push((hit.time + span, key));
                }
            }
        }
        model.sort_unstable();
        prop_assert_eq!(fired.iter().map(|fired| (fired.end, fired.key)).collect::<Vec<_>>(), model);
    }
}

#[test]
fn a_registered_key_is_waited_for_before_its_first_hit_and_again_after_each() {
    let second = 1000 * MILLISECOND;
    let mut rule = detector(&RuleKind::Absence(Absence { span: 10 * second }), None);
    let mut fired = Vec::new();
    rule.register(5, DAY);
    rule.advance(DAY + 10 * second, &mut fired);
    assert_eq!(fired, []);
    rule.advance(DAY + 11 * second, &mut fired);
    assert_eq!(
        fired.iter().map(|fired| (fired.key, fired.end)).collect::<Vec<_>>(),
        [(5, DAY + 10 * second)]
    );
    // It fires once a silence, however long.
    rule.advance(DAY + 500 * second, &mut fired);
    assert_eq!(fired.len(), 1);
    rule.hit(5, &hit(DAY + 501 * second, 1), &mut fired);
    rule.hit(5, &hit(DAY + 511 * second, 2), &mut fired);
    rule.advance(DAY + 521 * second, &mut fired);
    assert_eq!(fired.len(), 1);
    rule.advance(DAY + 522 * second, &mut fired);
    assert_eq!(fired[1].end, DAY + 521 * second);
    assert_eq!(rule.usage().keys, 1);
}
