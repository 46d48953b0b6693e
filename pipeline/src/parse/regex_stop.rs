//! Where a line stops to match a regular expression.
//!
//! Owns: [`StopFinder`]: an expression of which each part behind the first may be missing, so that it matches as much of
//! a line as it can.
//! Promises: one more pass over a line that was refused, in time linear in its length.
//! Never: changes what is matched.

use regex::bytes::Regex;
use regex_syntax::ast::{AssertionKind, Ast, parse::Parser};

/// What a line lacks when it is not known which part.
const EXPECTED: &str = "a line that the regular expression matches";

/// Finds the part of an expression that a line does not match.
#[derive(Debug, Default)]
pub(super) struct StopFinder {
    /// Absent for an expression that may match anywhere, or has no parts.
    nested: Option<Regex>,
    /// For each part what a line lacks that stops before it.
    expected: Vec<Box<str>>,
}

impl StopFinder {
    /// The finder for an expression that begins with `^`.
    pub(super) fn new(regex: &str) -> Self {
        let parsed = Parser::new().parse(regex);
        let Ok(Ast::Concat(concat)) = &parsed else { return Self::default() };
        let Some((Ast::Assertion(first), rest)) = concat.asts.split_first() else { return Self::default() };
        let begins = matches!(first.kind, AssertionKind::StartLine | AssertionKind::StartText);
        let parts = parts(rest, regex);
        let (mut nested, mut ends) = (String::from("^"), String::new());
        for (number, part) in parts.iter().enumerate() {
            // The mark is behind the part and not around it, because a part may be flags for those behind it.
            nested.push_str(&format!("(?:{part}(?<{}>)", group(number)));
            ends.push_str(")?");
        }
        let expected = parts.iter().map(|part| format!("what `{part}` matches").into()).collect();
        let nested = begins.then(|| Regex::new(&(nested + &ends)).ok()).flatten();
        Self { nested, expected }
    }

    /// The bytes before the place where a line stops, and what it lacks there.
    #[cold]
    pub(super) fn stop(&self, line: &[u8]) -> (usize, &str) {
        let Some(captures) = self.nested.as_ref().and_then(|nested| nested.captures(line)) else {
            return (0, EXPECTED);
        };
        let taken = (0..self.expected.len()).take_while(|number| captures.name(&group(*number)).is_some());
        let offset = captures.get(0).map_or(0, |taken| taken.end());
        (offset, self.expected.get(taken.count()).map_or(EXPECTED, |expected| expected))
    }
}

/// The texts of the parts of an expression, with letters that follow each other as one.
fn parts<'r>(asts: &[Ast], regex: &'r str) -> Vec<&'r str> {
    let mut parts = Vec::new();
    let mut letters: Option<(usize, usize)> = None;
    for ast in asts {
        let (start, end) = (ast.span().start.offset, ast.span().end.offset);
        letters = match (ast, letters) {
            (Ast::Literal(_), Some((first, _))) => Some((first, end)),
            (Ast::Literal(_), None) => Some((start, end)),
            (_, before) => {
                parts.extend(before.map(|(first, last)| &regex[first..last]));
                parts.push(&regex[start..end]);
                None
            }
        };
    }
    parts.extend(letters.map(|(first, last)| &regex[first..last]));
    parts
}

/// A name that no group of a config has.
fn group(number: usize) -> String {
    format!("_logweir_{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_does_not_match_is_found() {
        let regex = r"^order (?<id>\d+) for (?<user>[a-z]+)(?: \((?<ms>\d+)ms\))?$";
        for (line, offset, expected) in [
            ("ordr 5", 0, "what `order ` matches"),
            ("order x", 6, r"what `(?<id>\d+)` matches"),
            ("order 5 to bob", 7, "what ` for ` matches"),
            ("order 5 for 7", 12, "what `(?<user>[a-z]+)` matches"),
            ("order 5 for bob (7s)", 15, "what `$` matches"),
        ] {
            assert!(!Regex::new(regex).unwrap().is_match(line.as_bytes()));
            assert_eq!(StopFinder::new(regex).stop(line.as_bytes()), (offset, expected), "{line}");
        }
    }

    #[test]
    fn flags_hold_for_the_parts_behind_them() {
        let finder = StopFinder::new("^(?i)a(?-u)b(?<c>c)$");
        assert_eq!(finder.stop(b"ABx"), (2, "what `(?<c>c)` matches"));
        let verbose = StopFinder::new("^(?x) a  # first\n b $");
        assert!(verbose.stop(b"ax").0 <= 2);
    }

    #[test]
    fn an_expression_that_may_match_anywhere_stops_nowhere() {
        for regex in ["a(?<b>b)", "^", "", "^a|b", r"\bx(?<y>y)"] {
            assert_eq!(StopFinder::new(regex).stop("zzz".as_bytes()), (0, EXPECTED), "{regex}");
        }
    }
}
