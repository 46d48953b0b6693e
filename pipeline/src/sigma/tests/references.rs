//! Documents that name others: correlations and filters.

use super::*;
use crate::rule::{
    self, Closing, Combination, Combined, Count, CountWindow, Distinct, Measure, RuleKind, Sequence, Sum,
};

pub(super) const LOGIN: &str = "title: Login\nname: login\nid: l-1\nlogsource: {service: sshd}\n\
                     detection: {s: {what: login}, condition: s}\n---\n";
pub(super) const FAILURE: &str = "title: Failure\nname: failure\nlogsource: {category: webserver}\n\
                       detection: {s: {what: failure}, condition: s}\n---\n";

fn correlation(name: &str, body: &str) -> String {
    format!("title: C {name}\nname: {name}\ncorrelation: {{{body}}}\n---\n")
}

#[test]
fn correlations_are_in_the_order_of_their_needs() {
    let outer = correlation(
        "outer",
        "type: temporal, rules: [inner, login], group-by: [who], timespan: 1h, \
         aliases: {who: {inner: src_ip, login: c-ip}}",
    );
    let inner = correlation(
        "inner",
        "type: value_count, rules: failure, group-by: src_ip, timespan: 5m, condition: {gte: 3, field: [User, c-uri]}",
    );
    let (set, refused) = load_one(&(outer + &inner + LOGIN + FAILURE));
    assert_eq!(refused, [""; 0]);
    let [inner, outer] = set.correlations.as_slice() else { panic!("{set:?}") };
    assert_eq!((inner.metadata.title.as_str(), inner.timespan), ("C inner", 300_000_000_000));
    assert_eq!((inner.alerts, outer.alerts), (false, true));
    assert_eq!(set.rules.iter().map(|rule| rule.alerts).collect::<Vec<_>>(), [false, false]);
    let [member] = inner.members.as_slice() else { panic!("{inner:?}") };
    assert_eq!(member.source, Source::Rule(1));
    assert!(matches!(&member.group[..], [FieldSource::Event(keys)] if keys.len() == 1));
    assert!(matches!(&member.values[..], [_, FieldSource::Event(keys)] if keys.len() == 2));
    assert_eq!(inner.detector, RuleKind::Distinct(Distinct { span: inner.timespan, at_least: 3 }));
    assert_eq!(
        (&inner.group_by[..], &inner.shown[..]),
        (&["src_ip".to_owned()][..], &["source.ip".to_owned()][..])
    );
    assert_eq!(outer.members[0].source, Source::Correlation(0));
    assert_eq!(outer.members[0].group, [FieldSource::Group(0)]);
    assert!(matches!(outer.members[1].group[..], [FieldSource::Event(_)]));
    assert_eq!(outer.detector, RuleKind::Distinct(Distinct { span: outer.timespan, at_least: 2 }));
}

#[test]
fn rules_of_a_correlation_alert_when_it_says_so() {
    let count = |generate: &str| {
        let body = format!("type: event_count, rules: [l-1], timespan: 1m, condition: {{gt: 2}}{generate}");
        let (set, refused) = load_one(&(LOGIN.to_owned() + FAILURE + &correlation("count", &body)));
        assert_eq!(refused, [""; 0]);
        set.rules.iter().map(|rule| rule.alerts).collect::<Vec<_>>()
    };
    assert_eq!(count(""), [false, true]);
    assert_eq!(count(", generate: false"), [false, true]);
    assert_eq!(count(", generate: true"), [true, true]);
    let at_root = "title: C\ngenerate: true\ncorrelation: {type: event_count, rules: [l-1], timespan: 1m, condition: {gt: 2}}";
    assert!(load_one(&(LOGIN.to_owned() + at_root)).0.rules[0].alerts);
    let refused =
        correlation("count", "type: event_count, rules: [l-1, gone], timespan: 1m, condition: {gt: 2}");
    assert!(load_one(&(LOGIN.to_owned() + &refused)).0.rules[0].alerts);
}

#[test]
fn every_type_and_operator_has_its_detector() {
    let span = 86_400_000_000_000;
    let bounds = rule::Bounds::default;
    let closing = |measure, bounds| RuleKind::Closing(Closing { span, measure, bounds });
    let both = (Combination::Member(0), Combination::Member(1));
    let sliding = |at_least| {
        let window = CountWindow::Sliding { span };
        RuleKind::Count(Count { window, at_least: Some(at_least), at_most: None })
    };
    for (body, expected) in [
        ("event_count, condition: {gt: 2}", sliding(3)),
        ("event_count, condition: {gte: 0}", sliding(1)),
        (
            "event_count, condition: {gte: 2, lte: 4}",
            closing(Measure::Count, rule::Bounds { at_least: Some(2.0), at_most: Some(4.0), ..bounds() }),
        ),
        ("value_count, condition: {gt: 2, field: f}", RuleKind::Distinct(Distinct { span, at_least: 3 })),
        (
            "value_count, condition: {lt: 2, field: f}",
            closing(Measure::Distinct, rule::Bounds { below: Some(2.0), ..bounds() }),
        ),
        (
            "value_sum, condition: {gt: 1.5, field: f}",
            RuleKind::Sum(Sum { span, bounds: rule::Bounds { above: Some(1.5), ..bounds() } }),
        ),
        (
            "value_sum, condition: {lt: -1.5, field: f}",
            closing(Measure::Sum, rule::Bounds { below: Some(-1.5), ..bounds() }),
        ),
        (
            "value_avg, condition: {gte: 10, field: f}",
            closing(Measure::Average, rule::Bounds { at_least: Some(10.0), ..bounds() }),
        ),
        (
            "value_percentile, condition: {eq: 7, percentile: 99.9, field: f}",
            closing(
                Measure::Percentile(99.9),
                rule::Bounds { at_least: Some(7.0), at_most: Some(7.0), ..bounds() },
            ),
        ),
        (
            "value_median, condition: {neq: 7, field: f}",
            closing(Measure::Median, rule::Bounds { other_than: Some(7.0), ..bounds() }),
        ),
        ("temporal, condition: {gte: 1}", RuleKind::Distinct(Distinct { span, at_least: 1 })),
        ("temporal", RuleKind::Distinct(Distinct { span, at_least: 2 })),
        (
            "temporal, condition: failure or l-1",
            RuleKind::Combined(Combined {
                span,
                members: 2,
                formula: Combination::Any(vec![both.1, both.0]),
            }),
        ),
        ("temporal_ordered", RuleKind::Sequence(Sequence { steps: 2, within: span, in_order: true })),
    ] {
        let text = correlation("c", &format!("type: {body}, rules: [login, failure], timespan: 1d"));
        let (set, refused) = load_one(&(LOGIN.to_owned() + FAILURE + &text));
        assert_eq!(refused, [""; 0], "{body}");
        assert!(body.starts_with(set.correlations[0].kind.name()));
        assert_eq!(set.correlations[0].detector, expected, "{body}");
    }
    let text = "type: temporal, rules: [login, failure], timespan: 1d, condition: failure and not l-1";
    let (set, refused) = load_one(&(LOGIN.to_owned() + FAILURE + &correlation("c", text)));
    assert_eq!(refused, [""; 0]);
    let RuleKind::Closing(Closing { measure: Measure::Combination(combination), .. }) =
        &set.correlations[0].detector
    else {
        panic!("{set:?}")
    };
    assert!(combination.is_true(&|place| place == 1) && !combination.is_true(&|_| true));
}

#[test]
fn a_digest_is_of_what_is_asked_for_and_of_nothing_else() {
    let digest = |text: &str| {
        let (set, refused) = load_one(text);
        assert_eq!(refused, [""; 0], "{text}");
        set.correlations[0].digest
    };
    let body = "type: event_count, rules: [login], timespan: 1m, condition: {gt: 2}";
    let plain = LOGIN.to_owned() + &correlation("c", body);
    let filter =
        "title: F\nlogsource: {service: sshd}\nfilter: {rules: [login], own: {a: b}, condition: not own}";
    for (same, text) in [
        (true, format!("# A word.\n\n{plain}")),
        (true, plain.replace("title: Login", "title: Logins\nlevel: high")),
        (false, plain.replace("{what: login}", "{what: logins}")),
        (false, plain.replace("{gt: 2}", "{gt: 3}")),
        (false, plain.clone() + filter),
    ] {
        assert_eq!(digest(&text) == digest(&plain), same, "{text}");
    }
}

#[test]
fn lengths_of_time_have_units() {
    let seconds = |text| timespan(text).map(|nanoseconds| nanoseconds / 1_000_000_000);
    for (text, expected) in [
        ("15s", 15),
        ("30m", 1800),
        ("8h", 28_800),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1M", 2_629_746),
        ("1y", 31_556_952),
    ] {
        assert_eq!(seconds(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "5",
        "m",
        "0s",
        "-1s",
        "+1s",
        "1.5h",
        "5 m",
        "5min",
        "1µ",
        "9999999999999999999s",
        "999999999999y",
    ] {
        assert_eq!(seconds(text), None, "{text}");
    }
}

#[test]
fn filters_leave_events_out_of_their_rules() {
    let keys = Keys::new(100);
    let filter = |rules: &str, product: &str, selection: &str| {
        format!(
            "title: F\nlogsource: {{{product}}}\nfilter: {{rules: {rules}, s: {{{selection}}}, condition: not s}}\n---\n"
        )
    };
    let lines = [
        r#"{"what":"login","user.name":"root","client.ip":"::1"}"#,
        r#"{"what":"failure","user.name":"root","client.ip":"::2"}"#,
        r#"{"what":"failure","user.name":"bob","client.ip":"::1"}"#,
        r#"{"what":"login","user.name":"bob","client.ip":"::2"}"#,
    ];
    let batch = batch(&keys, &lines);
    for (text, refusals, expected) in [
        (String::new(), 0, [[0, 3], [1, 2]].map(Vec::from)),
        (filter("[l-1]", "service: sshd", "User: root"), 0, [vec![3], vec![1, 2]]),
        (filter("any", "service: sshd", "User: root"), 0, [vec![3], vec![1, 2]]),
        (filter("any", "category: webserver", "c-ip: '::1'"), 0, [vec![0, 3], vec![1]]),
        (
            filter("login", "service: sshd", "User: root") + &filter("login", "service: sshd", "User: bob"),
            0,
            [vec![], vec![1, 2]],
        ),
        (filter("[login, failure]", "service: sshd", "User: root"), 1, [[0, 3], [1, 2]].map(Vec::from)),
        (filter("[login, gone]", "service: sshd", "User: root"), 1, [[0, 3], [1, 2]].map(Vec::from)),
    ] {
        let (set, refused) = load(&keys, &[("rules", &(LOGIN.to_owned() + FAILURE)), ("filters", &text)]);
        assert_eq!(refused.len(), refusals, "{text}: {refused:?}");
        for (rule, expected) in set.rules.iter().zip(expected) {
            let found = (0..lines.len()).filter(|index| rule.condition.is_true(&batch, *index));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{text}: {}", rule.metadata.title);
        }
    }
}

#[test]
fn what_others_need_takes_them_with_it() {
    let broken = "title: Broken\nname: broken\nlogsource: {product: linux}\ndetection: {s: {f|nope: 1}, condition: s}\n---\n";
    let needs = |name: &str, rule: &str| {
        correlation(name, &format!("type: event_count, rules: [{rule}], timespan: 1m, condition: {{gt: 1}}"))
    };
    let files = [
        ("a", broken.to_owned() + &needs("first", "broken") + &needs("second", "first")),
        ("b", needs("one", "two") + &needs("two", "three") + &needs("three", "one") + &needs("four", "one")),
        (
            "c",
            LOGIN.to_owned() + &needs("good", "login") + &needs("lost", "nowhere") + &needs("self", "self"),
        ),
        ("d", LOGIN.to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let (set, refused) = load(&Keys::new(100), &files);
    assert_eq!(set.rules.len(), 1);
    assert_eq!(set.correlations.len(), 1);
    let mut refused = refused.iter().map(ToString::to_string).collect::<Vec<_>>();
    refused.sort();
    let circle = "it is part of a circle of correlations or needs one:";
    let expected = [
        "a:10: \"C second\": it needs `first`, which was refused".to_owned(),
        "a:4: \"Broken\": `f|nope`: unknown modifier `nope`".to_owned(),
        "a:6: \"C first\": it needs `broken`, which was refused".to_owned(),
        format!("b:13: \"C four\": {circle} `one`"),
        format!("b:1: \"C one\": {circle} `two`"),
        format!("b:5: \"C two\": {circle} `three`"),
        format!("b:9: \"C three\": {circle} `one`"),
        "c:11: \"C lost\": there is no rule with the id or name `nowhere`".to_owned(),
        format!("c:15: \"C self\": {circle} `self`"),
        "d:1: \"Login\" (l-1): `l-1` is also the id or name of a document in c, which is loaded".to_owned(),
    ];
    assert_eq!(refused, expected);
}
