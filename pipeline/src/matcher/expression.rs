//! Regular expressions, and the letters without which one cannot match.
//!
//! Owns: [`Expression`] and the search of its syntax for required literals.
//! Promises: time linear in the text, memory bounded when it is built; a text that the expression matches holds at
//! least one of its required literals, upper and lower case aside.
//! Never: backtracks.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::text::Text;

/// Memory of one compiled expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Most literals that stand for one expression; with more of them the expression is tried on every text.
const LITERALS_MAX: usize = 32;

/// The flags of an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// `i`: upper and lower case are one.
    pub ignore_case: bool,
    /// `m`: `^` and `$` also match at line ends.
    pub multi_line: bool,
    /// `s`: `.` also matches a line end.
    pub dot_all: bool,
}

/// A compiled regular expression; unanchored.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    flags: Flags,
    regex: Regex,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, in words, without the expression itself.
    pub fn new(source: &str, flags: Flags) -> Result<Self, String> {
        let regex = RegexBuilder::new(source)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .size_limit(EXPRESSION_BYTES_MAX)
            .build();
        match regex {
            Ok(regex) => Ok(Self { source: source.to_owned(), flags, regex }),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(format!("it needs more than {limit} bytes of memory"))
            }
            Err(error) => {
                // The lines before the last draw the expression.
                let text = error.to_string();
                Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Whether the expression matches anywhere in the text.
    pub(super) fn is_match(&self, text: Text<'_>) -> bool {
        self.regex.is_match(&text.unescaped())
    }

    /// Lower-case ASCII literals, at least one of which every match holds; none if there are no such.
    pub(super) fn literals(&self) -> Option<Vec<String>> {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .case_insensitive(self.flags.ignore_case)
            .multi_line(self.flags.multi_line)
            .dot_matches_new_line(self.flags.dot_all)
            .build()
            .parse(&self.source)
            .ok()?;
        required(&hir)
    }
}

/// Between slashes, with its flags behind.
impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/", self.source)?;
        let Flags { ignore_case, multi_line, dot_all } = self.flags;
        let flags = [(ignore_case, 'i'), (multi_line, 'm'), (dot_all, 's')];
        flags.into_iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, flag)| write!(formatter, "{flag}"))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.flags == other.flags
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
        self.flags.hash(state);
    }
}

/// Literals one of which stands in every match of this part.
fn required(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => best(runs(std::slice::from_ref(hir))),
        HirKind::Concat(parts) => {
            best(runs(parts).chain(parts.iter().filter(|part| letters(part).is_none()).filter_map(required)))
        }
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Alternation(branches) => {
            let literals = branches.iter().map(required).collect::<Option<Vec<_>>>()?.concat();
            (literals.len() <= LITERALS_MAX).then_some(literals)
        }
        _ => None,
    }
}

/// Of several sets, each of which would do, the one whose shortest literal is longest.
fn best(sets: impl Iterator<Item = Vec<String>>) -> Option<Vec<String>> {
    sets.max_by_key(|set| set.iter().map(String::len).min())
}

/// The longest pieces of ASCII letters that stand side by side.
fn runs(parts: &[Hir]) -> impl Iterator<Item = Vec<String>> {
    let mut runs = vec![String::new()];
    for part in parts {
        match letters(part) {
            Some(bytes) => {
                for byte in bytes {
                    match (byte.is_ascii(), runs.last_mut()) {
                        (true, Some(run)) => run.push(char::from(byte.to_ascii_lowercase())),
                        _ => runs.push(String::new()),
                    }
                }
            }
            None => runs.push(String::new()),
        }
    }
    runs.into_iter().filter(|run| !run.is_empty()).map(|run| vec![run])
}

/// The bytes of a part that matches one text only, cases aside.
fn letters(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Class(class) => one_letter(class).map(|letter| vec![letter]),
        _ => None,
    }
}

/// The ASCII letter of which a class has only cases.
fn one_letter(class: &Class) -> Option<u8> {
    // A character of more bytes is no case of an ASCII letter that folds to it.
    if class.maximum_len() != Some(1) {
        return None;
    }
    let mut bytes = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                bytes.extend((range.start()..=range.end()).map(|character| u8::try_from(character).ok()));
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                bytes.extend((range.start()..=range.end()).map(Some));
            }
        }
    }
    let first = (*bytes.first()?)?.to_ascii_lowercase();
    bytes.iter().all(|byte| byte.is_some_and(|byte| byte.to_ascii_lowercase() == first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_literals_are_found() {
        let i = Flags { ignore_case: true, ..Flags::default() };
        for (source, flags, expected) in [
            ("abc", Flags::default(), &["abc"][..]),
            ("ABC.*longer", Flags::default(), &["longer"]),
            ("^/admin/[0-9]+$", Flags::default(), &["/admin/"]),
            ("(foo|barbar)+x?", Flags::default(), &["barbar", "foo"]),
            ("wget|curl", i, &["curl", "wget"]),
            ("union", i, &["union"]),
            // The letters k and s have cases outside of ASCII.
            ("risky", i, &["ri"]),
            ("(?:union)?", Flags::default(), &[]),
            ("a*", Flags::default(), &[]),
            ("[0-9]{3}", Flags::default(), &[]),
            ("x|.", Flags::default(), &[]),
            ("éa", Flags::default(), &["a"]),
        ] {
            let mut literals = Expression::new(source, flags).unwrap().literals().unwrap_or_default();
            literals.sort();
            assert_eq!(literals, expected, "{source}");
        }
    }

    #[test]
    fn an_impossible_expression_says_why() {
        assert_eq!(Expression::new("(a", Flags::default()).unwrap_err(), "unclosed group");
        assert!(Expression::new(r"(?=a)", Flags::default()).unwrap_err().contains("look-around"));
        assert!(Expression::new(r"(\w{100}){100}", Flags::default()).unwrap_err().contains("memory"));
    }
}
