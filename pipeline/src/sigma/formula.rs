//! The text of a condition: names joined by `and`, `or`, `not` and `1 of`.
//!
//! Owns: [`Formula`] and its grammar: `or` binds least, then `and`, then `not`, then `of`.
//! Promises: keywords are in lower case, names as they are written; no text makes it deeper than
//! [`FORMULA_DEPTH_MAX`]; an error says what was expected and what stood there.
//! Never: knows what a name means.

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::{char, multispace0};
use nom::combinator::{cut, map, opt, verify};
use nom::error::{ErrorKind, ParseError};
use nom::multi::separated_list1;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::error::SigmaError;

/// Levels of parentheses and `not` in each other.
pub const FORMULA_DEPTH_MAX: usize = 64;

/// What `of` counts when it counts all selections.
const THEM: &str = "them";

/// Characters of a message's word.
const SHOWN_CHARACTERS: usize = 40;

/// A condition as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// That of this name.
    Name(String),
    /// `1 of` or `any of` this pattern or `them`.
    OneOf(String),
    /// `all of` this pattern or `them`.
    AllOf(String),
    /// Not this.
    Not(Box<Formula>),
    /// All of these.
    And(Vec<Formula>),
    /// One of these.
    Or(Vec<Formula>),
}

impl Formula {
    /// Reads a condition.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, SigmaError> {
        match terminated(|input| or(input, 0), end).parse(text) {
            Ok((_, formula)) => Ok(formula),
            Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => Err(failure.error),
            Err(nom::Err::Incomplete(_)) => Err(syntax("a selection", "")),
        }
    }

    /// The answer when those names are true; what `of` counts is none of them.
    pub(super) fn is_true(&self, is_true: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Name(name) => is_true(name),
            Self::OneOf(_) | Self::AllOf(_) => false,
            Self::Not(member) => !member.is_true(is_true),
            Self::And(members) => members.iter().all(|member| member.is_true(is_true)),
            Self::Or(members) => members.iter().any(|member| member.is_true(is_true)),
        }
    }

    /// Whether there is an `of` in it.
    pub(super) fn quantifies(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::OneOf(_) | Self::AllOf(_) => true,
            Self::Not(member) => member.quantifies(),
            Self::And(members) | Self::Or(members) => members.iter().any(Self::quantifies),
        }
    }
}

/// Whether a selection is one of those that a pattern of `of` stands for. A name that begins with `_` is only for patterns that do.
pub(super) fn is_of(pattern: &str, name: &str) -> bool {
    if name.starts_with('_') && !pattern.starts_with('_') {
        return false;
    }
    pattern == THEM || fits(pattern, name)
}

/// Whether a name is of a pattern, in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, later)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(start) else { return false };
    let (middle, last) = later.rsplit_once('*').unwrap_or(("", later));
    for part in middle.split('*') {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

type Parsed<'a, T> = IResult<&'a str, T, Failure>;

/// Why a text is no condition.
#[derive(Debug)]
struct Failure {
    error: SigmaError,
}

impl ParseError<&str> for Failure {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { error: syntax("a selection", input) }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// An error after which nothing else is tried.
fn fail<T>(error: SigmaError) -> Parsed<'static, T> {
    Err(nom::Err::Failure(Failure { error }))
}

fn or(input: &str, depth: usize) -> Parsed<'_, Formula> {
    let members = separated_list1(keyword("or"), |input| and(input, depth));
    map(members, |members| joined(members, Formula::Or)).parse(input)
}

fn and(input: &str, depth: usize) -> Parsed<'_, Formula> {
    let members = separated_list1(keyword("and"), |input| not(input, depth));
    map(members, |members| joined(members, Formula::And)).parse(input)
}

fn not(input: &str, depth: usize) -> Parsed<'_, Formula> {
    if depth > FORMULA_DEPTH_MAX {
        return fail(SigmaError::Depth(FORMULA_DEPTH_MAX));
    }
    match opt(keyword("not")).parse(input)? {
        (rest, Some(_)) => {
            map(|rest| not(rest, depth + 1), |member| Formula::Not(Box::new(member))).parse(rest)
        }
        (rest, None) => operand(rest, depth),
    }
}

/// What is neither joined nor turned round. Nothing else can stand where this fails.
fn operand(input: &str, depth: usize) -> Parsed<'_, Formula> {
    let inside = preceded((multispace0, char('(')), |rest| or(rest, depth + 1));
    let parenthesis = terminated(inside, cut(closing));
    cut(alt((parenthesis, quantified, name))).parse(input)
}

fn closing(input: &str) -> Parsed<'_, ()> {
    let (rest, _) = multispace0(input)?;
    match rest.strip_prefix(')') {
        Some(rest) => Ok((rest, ())),
        None => fail(unexpected("`and`, `or` or `)`", rest)),
    }
}

fn quantified(input: &str) -> Parsed<'_, Formula> {
    let quantifier = verify(word, |word: &str| matches!(word, "1" | "any" | "all"));
    let (rest, quantifier) = terminated(quantifier, keyword("of")).parse(input)?;
    let (rest, pattern) = cut(pattern).parse(rest)?;
    let formula = if quantifier == "all" { Formula::AllOf } else { Formula::OneOf };
    Ok((rest, formula(pattern.to_owned())))
}

fn pattern(input: &str) -> Parsed<'_, &str> {
    let (rest, _) = multispace0(input)?;
    let len = rest.find(|letter| !is_of_name(letter) && letter != '*').unwrap_or(rest.len());
    match rest.split_at(len) {
        ("", _) => fail(syntax("a pattern such as `selection_*`, or `them`,", rest)),
        (pattern, rest) => Ok((rest, pattern)),
    }
}

fn name(input: &str) -> Parsed<'_, Formula> {
    let (rest, name) = word(input)?;
    if keyword("of")(rest).is_ok() {
        return fail(SigmaError::Quantifier(shown(name)));
    }
    match name {
        "and" | "or" | "not" => fail(syntax("a selection", input)),
        "AND" | "OR" | "NOT" => fail(SigmaError::UpperCase(name.to_owned())),
        name => Ok((rest, Formula::Name(name.to_owned()))),
    }
}

/// Nothing but space.
fn end(input: &str) -> Parsed<'_, ()> {
    let (rest, _) = multispace0(input)?;
    match rest {
        "" => Ok((rest, ())),
        rest => fail(unexpected("`and`, `or` or its end", rest)),
    }
}

fn word(input: &str) -> Parsed<'_, &str> {
    preceded(multispace0, take_while1(is_of_name)).parse(input)
}

fn keyword(wanted: &'static str) -> impl FnMut(&str) -> Parsed<'_, &str> {
    move |input| verify(word, |word: &str| word == wanted).parse(input)
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

fn joined(mut members: Vec<Formula>, join: fn(Vec<Formula>) -> Formula) -> Formula {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        last => {
            members.extend(last);
            join(members)
        }
    }
}

/// What is wrong with what follows an operand.
fn unexpected(expected: &'static str, rest: &str) -> SigmaError {
    if let Some(rest) = rest.strip_prefix('|') {
        return pipe(rest);
    }
    match word(rest) {
        Ok((_, word @ ("AND" | "OR" | "NOT" | "OF"))) => SigmaError::UpperCase(word.to_owned()),
        _ => syntax(expected, rest),
    }
}

/// What to write instead of an aggregation of old Sigma.
fn pipe(rest: &str) -> SigmaError {
    let (after, function) = word(rest).unwrap_or(("", rest.trim()));
    let instead = match function {
        "count"
            if after
                .trim_start()
                .strip_prefix('(')
                .is_some_and(|inside| !inside.trim_start().starts_with(')')) =>
        {
            "write a correlation of type `value_count`"
        }
        "count" => "write a correlation of type `event_count`",
        "sum" => "write a correlation of type `value_sum`",
        "avg" => "write a correlation of type `value_avg`",
        "near" => "write a correlation of type `temporal`",
        _ => "write a correlation",
    };
    SigmaError::Pipe(shown(function), instead)
}

fn syntax(expected: &'static str, rest: &str) -> SigmaError {
    let rest = rest.trim_start();
    let word = &rest[..rest.find(|letter| !is_of_name(letter)).unwrap_or(rest.len())];
    let place = match (word, rest.chars().next()) {
        (_, None) => "at its end".to_owned(),
        ("", Some(letter)) => format!("instead of `{}`", letter.escape_debug()),
        (word, _) => format!("instead of `{}`", shown(word)),
    };
    SigmaError::Syntax { expected, place }
}

fn shown(word: &str) -> String {
    word.chars().take(SHOWN_CHARACTERS).collect()
}
