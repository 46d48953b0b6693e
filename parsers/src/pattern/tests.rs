//! Patterns that do not compile; those that do are cases as data.

use super::*;
use crate::key;

fn fault(pattern: &str) -> Fault {
    let mut any = |name: &str| (name != "no.room").then_some(key::MESSAGE);
    Pattern::new(pattern, &[], &mut any).expect_err(pattern)
}

#[test]
fn faults_have_their_places() {
    for (pattern, place, problem) in [
        ("a {b", "{", "without its `}`"),
        ("a {b {c}}", "{", "without its `}`"),
        ("a} {b}", "}", "without its `{`"),
        ("{} x", "{}", "without a name"),
        ("{a b}", "{a b}", "without a name"),
        ("{a}{b}", "{a}", "where `a` ends"),
        ("{a}{? x}{b}", "{a}", "where `a` ends"),
        ("{a:innt} x", "{a:innt}", "unknown type `innt` of `a`"),
        ("{a:rest} x", "{a:rest}", "more follows"),
        ("{a:%Y} x", "{a:%Y}", "not the time"),
        ("{a} {a}", "{a}", "`a` stands twice"),
        ("{@timestamp:%Y-%m-%Ö} {a}", "%Ö", "no directive"),
        ("{@timestamp:%Y-%m} {a}", "%Y-%m", "not whole"),
        ("x {no.room}", "{no.room}", "cannot be a field name"),
        ("{? a {b}", "{?", "does not end"),
        ("{?{b}} {c}", "{?", "begin with a text"),
        ("{? a{? b}}", "{?", "within an optional part"),
        ("{a}{ } {b}", " ", "takes every blank"),
        ("{a}{ }{? b}", "{?", "before an optional part"),
        ("only text", "only text", "without a field"),
        ("{a}{?1}{?2}{?3}{?4}{?5}{?6}{?7}{?8}{?9}", "{a}{?1}", "too many optional"),
    ] {
        let fault = fault(pattern);
        assert!(fault.problem.contains(problem), "{pattern}: {}", fault.problem);
        assert!(pattern[fault.span.clone()].starts_with(place), "{pattern}: {:?}", fault.span);
        assert!(fault.expected.starts_with("expected "), "{pattern}: {}", fault.expected);
    }
}
