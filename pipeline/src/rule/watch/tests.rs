//! Rules on batches of several streams in any order, against the same events in one batch in the order of their times.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::{
    Absence, Count, CountWindow, Distinct, Leaky, Level, Ratio, RuleKind, SECOND, Sequence, SigmaConfig,
    SigmaRules, sigma,
};
use super::*;
use crate::event::{ConstantSet, EventFlags, Keys, Origin, OwnOrigin, Span, Value};
use crate::matcher::{Item, Literal};
use crate::operator::Emitted;
use crate::snapshot::SnapshotError;
use crate::stream::{Position, Stream};
use crate::testing;

const LATENESS: i64 = 25;
const TIMES: TimeLimits = TimeLimits { lateness: LATENESS, idle_after: i64::MAX, future_limit: i64::MAX / 4 };

/// Correlations of Sigma of every kind of detector, some of them about others.
const SIGMA: &str = "
title: Failure
name: failed
logsource: {product: linux}
detection: {s: {outcome: failure}, condition: s}
---
title: Success
name: succeeded
logsource: {product: linux}
detection: {s: {outcome: success}, condition: s}
---
title: Many
name: many
correlation: {type: event_count, rules: [failed], group-by: [ip], timespan: 40s, condition: {gte: 3}, generate: true}
---
title: Few
name: few
correlation: {type: event_count, rules: [failed, succeeded], group-by: [ip], timespan: 12s, condition: {lt: 3}}
---
title: Users
correlation: {type: value_count, rules: [failed], group-by: [ip], timespan: 50s, condition: {gte: 3, field: who}}
---
title: In order
correlation: {type: temporal_ordered, rules: [failed, succeeded], group-by: [ip], timespan: 30s}
---
title: Only failures
correlation: {type: temporal, rules: [failed, succeeded], group-by: [ip], timespan: 20s, condition: failed and not succeeded}
---
title: One or the other
correlation: {type: temporal, rules: [failed, succeeded, few], group-by: [ip], timespan: 9s, condition: failed and (succeeded or few)}
---
title: Sum
correlation: {type: value_sum, rules: [succeeded], group-by: [who], timespan: 60s, condition: {gt: 4, field: number}}
---
title: Median
correlation: {type: value_median, rules: [succeeded, failed], group-by: [who], timespan: 15s, condition: {lte: 2, field: number}}
---
title: Few and many
correlation: {type: temporal_ordered, rules: [few, many], group-by: [ip], timespan: 60s, generate: true}
";

/// Sigma knows no time shorter than a second; windows that end between seconds are judged later.
const SIGMA_TICK: i64 = SECOND * 7 / 10;

/// The number of the kinds; the last is Sigma.
const KINDS: usize = 10;

/// One event.
#[derive(Clone, Debug)]
struct Login {
    number: u64,
    time: i64,
    source: u8,
    user: u8,
    failed: bool,
}

fn condition(keys: &Arc<Keys>, field: &str, value: &str) -> Condition {
    let key = keys.intern(field).unwrap();
    let literals = [Literal::Text(value.to_owned())];
    Item::parse(field).unwrap().condition(key, &literals, keys, &Default::default()).unwrap()
}

/// Rules of several kinds; some fire at hits, some between.
fn rules(keys: &Arc<Keys>) -> Vec<(RuleKind, Reads, bool)> {
    let user = Reads::Value(vec![keys.intern("user").unwrap()]);
    let steps = ["failure", "success"].map(|outcome| condition(keys, "outcome", outcome)).to_vec();
    let failed = || Reads::Part(condition(keys, "outcome", "failure"));
    let count = |window, at_least, at_most| RuleKind::Count(Count { window, at_least, at_most });
    vec![
        (count(CountWindow::Sliding { span: 40 }, Some(3), None), Reads::Nothing, true),
        (count(CountWindow::Hopping { size: 30, every: 10, offset: 3 }, None, Some(2)), Reads::Nothing, true),
        (count(CountWindow::Session { gap: 12, max: 200 }, None, Some(1)), Reads::Nothing, true),
        (RuleKind::Distinct(Distinct { span: 50, at_least: 3 }), user, true),
        (RuleKind::Ratio(Ratio { span: 60, above: 0.6, at_least: 4 }), failed(), false),
        (RuleKind::Sequence(Sequence { steps: 2, within: 30, in_order: true }), Reads::Steps(steps), false),
        (RuleKind::Leaky(Leaky { capacity: 2, leak: 15 }), Reads::Nothing, true),
        (RuleKind::Absence(Absence { span: 35 }), Reads::Nothing, true),
        (RuleKind::Match, Reads::Nothing, true),
    ]
}

/// A rule, and streams that bring logins.
struct Lab {
    rule: Box<dyn Operator>,
    keys: Arc<Keys>,
    streams: Vec<Arc<Stream>>,
    /// Where the next login of each stream stands.
    offsets: Vec<u64>,
    scratch: Scratch,
    made: Made,
}

/// How an operator is made.
enum Made {
    Rule(Box<RuleConfig>),
    Sigma(SigmaConfig),
}

impl Made {
    fn of(number: usize, keys: &Arc<Keys>) -> Self {
        if number == KINDS - 1 {
            let times = TimeLimits { lateness: LATENESS * SIGMA_TICK, ..TIMES };
            let (config, refused) = sigma::tests::section(keys, SIGMA, times);
            assert_eq!(refused, [""; 0]);
            return Self::Sigma(config);
        }
        let (kind, reads, only_failures) = rules(keys).swap_remove(number);
        Self::Rule(Box::new(RuleConfig {
            name: "test".to_owned(),
            text: RuleText { title: "A test".to_owned(), id: "t".to_owned(), ..RuleText::default() },
            condition: only_failures.then(|| condition(keys, "outcome", "failure")),
            by: vec![("source.ip".to_owned(), keys.intern("source.ip").unwrap())],
            kind,
            reads,
            times: TIMES,
            limits: Limits { max_keys: 1_000, suppress: None },
        }))
    }

    fn operator(&self) -> Box<dyn Operator> {
        match self {
            Self::Rule(config) => Rule::operator((**config).clone()).unwrap(),
            Self::Sigma(config) => SigmaRules::operator(config.clone()).unwrap(),
        }
    }

    /// Nanoseconds of a time of a login.
    fn tick(&self) -> i64 {
        if matches!(self, Self::Sigma(_)) { SIGMA_TICK } else { 1 }
    }
}

impl Lab {
    fn new(number: usize) -> Self {
        let keys = Keys::new(100);
        let made = Made::of(number, &keys);
        let meta = Arc::new(testing::source(ConstantSet::default()));
        let stream = |id| Stream::new(id, Arc::clone(&meta), ConstantSet::default(), Position::default());
        let lab = Self {
            rule: made.operator(),
            offsets: vec![0; 3],
            made,
            keys,
            streams: (0..3).map(stream).collect(),
            scratch: Scratch::default(),
        };
        lab.streams.iter().for_each(|stream| lab.rule.announce(stream.id(), 0));
        lab
    }

    fn bring(&mut self, stream: usize, logins: &[Login]) {
        let stream = Arc::clone(&self.streams[stream]);
        let ack = stream.begin(Position::default(), logins.len() as u64, 0);
        let (number, id) = (stream.id() as usize, stream.id());
        let first = self.offsets[number];
        self.offsets[number] += logins.len() as u64;
        let tick = self.made.tick();
        let event = |(offset, login): (u64, &Login)| {
            Batch::line(Span::default(), offset, login.time * tick, EventFlags::default())
        };
        let events = (first..).zip(logins).map(event).collect();
        let origin = |(at, login): (u64, &Login)| OwnOrigin {
            at,
            room: 1,
            origin: Origin { stream: id, offset: login.number },
        };
        let batch = Batch::new(Bytes::new(), events, stream, i64::MAX / 2, ack);
        let mut batch = batch.with_origins((first..).zip(logins).map(origin).collect());
        for (index, login) in logins.iter().enumerate() {
            let outcome = if login.failed { "failure" } else { "success" };
            let (source, user) = (format!("10.0.0.{}", login.source), format!("user-{}", login.user));
            for (name, text) in
                [("outcome", outcome), ("source.ip", &source), ("user", &user), ("who", &user)]
            {
                let (key, value) = (self.keys.intern(name).unwrap(), batch.make_text(text.as_bytes()));
                batch.set(index, key, value);
            }
            batch.set(index, self.keys.intern("number").unwrap(), Value::Integer(login.user.into()));
        }
        let selected = (0..logins.len()).map(|index| u32::try_from(index).unwrap()).collect::<Vec<_>>();
        self.rule.observe(&batch, &selected, 0, &mut self.scratch);
        batch.ack.done();
    }

    /// What has fired, and the identity of each.
    fn alerts(&self) -> Vec<(Origin, Json)> {
        alerts_of(&self.rule.take_ready())
    }
}

fn alerts_of(ready: &Emitted) -> Vec<(Origin, Json)> {
    let lines = ready.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    ready.ids.iter().copied().zip(lines.map(|line| serde_json::from_slice(line).unwrap())).collect()
}

fn logins() -> impl Strategy<Value = Vec<Login>> {
    let login = (0..300_i64, 0..3_u8, 0..5_u8, any::<bool>());
    prop::collection::vec(login, 1..60).prop_map(|logins| {
        let login = |(number, (time, source, user, failed)): (usize, _)| Login {
            number: number as u64,
            time,
            source,
            user,
            failed,
        };
        logins.into_iter().enumerate().map(login).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_order_within_the_lateness_and_any_split_gives_the_same_alerts(
        rule in 0..KINDS,
        logins in logins(),
        shifts in prop::collection::vec(0..=LATENESS, 1..20),
        split in prop::collection::vec(1..9_usize, 1..20),
        turns in prop::collection::vec(0..3_usize, 1..20),
    ) {
        let of_stream = |logins: &[Login], stream| {
            logins.iter().filter(|login| login.number % 3 == stream).cloned().collect::<Vec<_>>()
        };
        let mut sorted = logins.clone();
        sorted.sort_by_key(|login| login.time);
        let mut lab = Lab::new(rule);
        (0..3).for_each(|stream| lab.bring(stream, &of_stream(&sorted, stream as u64)));
        lab.rule.end();
        let expected = lab.alerts();

        let mut shuffled = logins.iter().cloned().zip(shifts.iter().cycle()).collect::<Vec<_>>();
        shuffled.sort_by_key(|(login, shift)| login.time + *shift);
        let shuffled = shuffled.into_iter().map(|(login, _)| login).collect::<Vec<_>>();
        let mut queues = [0, 1, 2].map(|stream| of_stream(&shuffled, stream));
        let (mut lab, mut alerts) = (Lab::new(rule), Vec::new());
        for (turn, size) in turns.iter().cycle().zip(split.iter().cycle()) {
            let Some(any) = queues.iter().position(|queue| !queue.is_empty()) else { break };
            let stream = if queues[*turn].is_empty() { any } else { *turn };
            let size = (*size).min(queues[stream].len());
            let batch = queues[stream].drain(..size).collect::<Vec<_>>();
            lab.bring(stream, &batch);
            alerts.extend(lab.alerts());
        }
        lab.rule.end();
        alerts.extend(lab.alerts());
        prop_assert_eq!(lab.rule.status().counts.late, 0);
        // In what order groups come up whose windows end in the same second is nobody's promise.
        let by_identity = |alerts: &[(Origin, Json)]| alerts.iter().cloned().collect::<BTreeMap<_, _>>();
        prop_assert_eq!(by_identity(&alerts), by_identity(&expected));
        prop_assert_eq!(by_identity(&alerts).len(), alerts.len(), "two alerts have one identity");
        prop_assert_eq!(expected.len(), alerts.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_process_that_is_killed_anywhere_is_followed_by_one_that_tells_the_same(
        rule in 0..KINDS,
        logins in logins(),
        split in prop::collection::vec(1..9_usize, 1..20),
        (saved_after, killed_after, read_again) in (0..20_usize, 0..10_usize, 0..9_usize),
    ) {
        let mut sorted = logins;
        sorted.sort_by_key(|login| login.time);
        let queues = [0, 1, 2].map(|stream| {
            sorted.iter().filter(|login| login.number % 3 == stream).cloned().collect::<Vec<_>>()
        });
        let mut lab = Lab::new(rule);
        (0..3).for_each(|stream| lab.bring(stream, &queues[stream]));
        lab.rule.end();
        let expected = lab.alerts().into_iter().collect::<BTreeMap<_, _>>();

        let bring_next = |lab: &mut Lab, turn: usize| {
            let (stream, size) = (turn % 3, split[turn % split.len()]);
            let from = (lab.offsets[stream] as usize).min(queues[stream].len());
            let to = (from + size).min(queues[stream].len());
            lab.bring(stream, &queues[stream][from..to]);
            lab.alerts()
        };
        let mut lab = Lab::new(rule);
        lab.rule.keep(9);
        // What was sent before the state is saved never arrives, and is sent again.
        (0..saved_after).for_each(|turn| drop(bring_next(&mut lab, turn)));
        let (offsets, mut saved) = (lab.offsets.clone(), Vec::new());
        lab.rule.mark();
        lab.rule.save(&[], &mut saved);
        let mut alerts = (0..killed_after).flat_map(|turn| bring_next(&mut lab, saved_after + turn)).collect::<Vec<_>>();
        lab.rule = lab.made.operator();
        let again = lab.rule.restore(&saved, true, 0).unwrap();
        alerts.extend(again.iter().flat_map(|emitted| alerts_of(emitted)));
        lab.streams.iter().for_each(|stream| lab.rule.announce(stream.id(), 0));
        lab.offsets = offsets.iter().map(|offset| offset.saturating_sub(read_again as u64)).collect();
        (0..300).for_each(|turn| alerts.extend(bring_next(&mut lab, turn)));
        lab.rule.end();
        alerts.extend(lab.alerts());
        for (id, alert) in &alerts {
            prop_assert_eq!(expected.get(id), Some(alert));
        }
        prop_assert_eq!(alerts.into_iter().collect::<BTreeMap<_, _>>(), expected);
    }
}

#[test]
fn a_state_that_is_damaged_or_of_another_version_is_refused() {
    for kind in [0, KINDS - 1] {
        let mut lab = Lab::new(kind);
        let login = |number, time| Login { number, time, source: 7, user: 1, failed: true };
        lab.bring(0, &[login(1, 100), login(2, 130)]);
        let mut saved = Vec::new();
        lab.rule.save(&[], &mut saved);
        let restored = |bytes: &[u8]| lab.made.operator().restore(bytes, true, 0).map(|_| ());
        assert_eq!(restored(&saved), Ok(()));
        for len in 0..saved.len() {
            assert!(restored(&saved[..len]).is_err(), "{len} of {} bytes", saved.len());
        }
        saved[0] += 1;
        assert_eq!(restored(&saved), Err(SnapshotError::Version(2)));
    }
}

#[test]
fn an_alert_names_its_group_window_and_evidence() {
    let mut lab = Lab::new(0);
    let login = |number, time| Login { number, time, source: 7, user: 1, failed: true };
    lab.bring(0, &[login(1, 100), login(2, 130), login(3, 120), login(4, 135)]);
    assert_eq!(lab.alerts(), []);
    lab.rule.end();
    let [(_, alert)] = &lab.alerts()[..] else { panic!("one group fires once") };
    for (name, value) in [
        ("event.kind", Json::from("alert")),
        ("rule.name", "A test".into()),
        ("source.ip", "10.0.0.7".into()),
        ("related.ip", vec!["10.0.0.7"].into()),
        ("logweir.alert.count", 3.into()),
        ("logweir.alert.first", "1970-01-01T00:00:00.000000100Z".into()),
        ("logweir.window.start", "1970-01-01T00:00:00.000000090Z".into()),
        ("@timestamp", "1970-01-01T00:00:00.000000130Z".into()),
        ("event.severity", 47.into()),
    ] {
        assert_eq!(alert[name], value, "{name} of {alert}");
    }
    let evidence = alert["logweir.alert.evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 2, "the first and the last event");
    assert_ne!(Level::Critical, Level::default());
}

#[test]
fn an_event_behind_the_watermark_is_late_and_counted() {
    let mut lab = Lab::new(8);
    let login = |number, time| Login { number, time, source: 1, user: 1, failed: true };
    lab.bring(0, &[login(0, 100), login(1, 100 - LATENESS), login(2, 99 - LATENESS)]);
    lab.rule.end();
    assert_eq!((lab.alerts().len(), lab.rule.status().counts.late), (2, 1));
}
