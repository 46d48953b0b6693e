//! Formats of one's own: the cases of `patterns.toml`, and what holds for any pattern and any line.

use std::collections::BTreeMap;

use logweir_parsers::timestamp::{TimeLayout, rfc3339};
use logweir_parsers::{Context, KeyId, Pattern, Rejection, Zone, key};
use proptest::{collection::vec, prelude::*, sample::select};
use serde::Deserialize;

use crate::cases::READ_AT;
use crate::recorder::{Recorded, Recorder};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    pattern: String,
    #[serde(default)]
    timestamp: Vec<String>,
    line: String,
    fields: Option<BTreeMap<String, toml::Value>>,
    reject: Option<Rejected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    column: usize,
    expected: String,
}

/// A pattern and the names of its fields.
struct Compiled {
    pattern: Pattern,
    names: Vec<String>,
}

fn compile(text: &str, timestamp: &[TimeLayout]) -> Option<Compiled> {
    let mut names: Vec<String> = key::KNOWN.iter().map(ToString::to_string).collect();
    let mut number = |name: &str| {
        let known = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u16::try_from(known).ok().map(KeyId)
    };
    match Pattern::new(text, timestamp, &mut number) {
        Ok(pattern) => Some(Compiled { pattern, names }),
        Err(fault) => {
            assert!(text.get(fault.span.clone()).is_some(), "{text}: {fault:?}");
            None
        }
    }
}

impl Compiled {
    fn parse(&self, line: &[u8]) -> Result<BTreeMap<String, Recorded>, Rejection<'_>> {
        let context = Context::new(READ_AT, Zone::fixed(3_600));
        let mut recorder = Recorder::of_names(line, &self.names);
        let result = self.pattern.parse(line, &context, &mut recorder);
        if let Err(rejection) = result {
            assert!(rejection.offset <= line.len() && !rejection.expected.is_empty(), "{rejection}");
        }
        result.map(|()| recorder.fields)
    }
}

fn recorded(name: &str, value: &toml::Value) -> Recorded {
    match value {
        toml::Value::String(time) if name == "@timestamp" => {
            Recorded::Integer(rfc3339(time.as_bytes(), &Context::new(0, Zone::UTC)).expect("a time"))
        }
        toml::Value::String(text) => Recorded::Text(text.clone()),
        toml::Value::Integer(number) => Recorded::Integer(*number),
        toml::Value::Float(number) => Recorded::Float(*number),
        toml::Value::Boolean(truth) => Recorded::Bool(*truth),
        other => panic!("{name} = {other}"),
    }
}

#[test]
fn every_pattern_gives_what_its_case_says() {
    let mut failures = Vec::new();
    for case in toml::from_str::<Cases>(include_str!("patterns.toml")).unwrap().case {
        let layouts = case.timestamp.iter().map(|layout| TimeLayout::new(layout).unwrap());
        let compiled = compile(&case.pattern, &layouts.collect::<Vec<_>>()).expect(&case.name);
        let found = compiled.parse(case.line.as_bytes());
        let expected = case
            .fields
            .as_ref()
            .map(|fields| fields.iter().map(|(name, value)| (name.clone(), recorded(name, value))).collect());
        let is_right = match (&found, &case.reject) {
            (Ok(found), None) => Some(found) == expected.as_ref(),
            (Err(rejection), Some(rejected)) => {
                (rejection.offset + 1, rejection.expected) == (rejected.column, rejected.expected.as_str())
            }
            _ => false,
        };
        if !is_right {
            failures.push(format!("{}: {found:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Pieces of patterns, in any order.
fn any_pattern() -> impl Strategy<Value = String> {
    let pieces = [
        "{a}",
        "{b:word}",
        "{c:int}",
        "{d:float?}",
        "{e:quoted}",
        "{f:ip}",
        "{g:bool}",
        "{h:rest}",
        "{i?}",
        "{_}",
        "{@timestamp:%Y-%m-%d %H:%M:%S.%f}",
        "{@timestamp}",
        "{@timestamp:%b %e %T}",
        "{@timestamp:unix}",
        "{ }",
        "{? [",
        "{? - ",
        "{?x",
        "}",
        " ",
        " ",
        " - ",
        "[",
        "]",
        "x",
        "{{",
        "}}",
        "ä",
        ": ",
    ];
    vec(select(pieces.to_vec()), 1..14).prop_map(|pieces| pieces.concat())
}

/// Pieces of lines that such patterns may take.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 22] = [
        b"one",
        b"two words",
        b"-",
        b"",
        b"17",
        b"-4.5e3",
        b"\"q \\\" q\"",
        b"\"open",
        b"10.0.0.1",
        b"true",
        b" ",
        b" ",
        b" - ",
        b"[",
        b"]",
        b"x",
        b"{",
        b"}",
        b"\xff",
        b"2026-11-23 09:30:00.5",
        b"Nov 23 09:30:00",
        b"1795422600",
    ];
    vec(select(pieces.to_vec()), 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_is_taken_or_rejected_by_any_pattern(pattern in any_pattern(), line in any_line()) {
        if let Some(compiled) = compile(&pattern, &[]) {
            drop(compiled.parse(&line));
        }
    }

    #[test]
    fn any_text_compiles_or_has_a_fault(pattern in "\\PC{0,40}", line in vec(any::<u8>(), 0..60)) {
        if let Some(compiled) = compile(&pattern, &[]) {
            drop(compiled.parse(&line));
        }
    }

    #[test]
    fn what_is_written_by_a_pattern_is_read_by_it(
        a in "[a-z]{0,9}", b in "[a-z0-9.]{1,9}", c in any::<i64>(), d in proptest::option::of("[a-z]{1,5}"), e in ".*",
    ) {
        let compiled = compile("{a} [{b:word}] {c:int}{? <{d}>} - {e:rest}", &[]).unwrap();
        let optional = d.as_ref().map(|d| format!(" <{d}>")).unwrap_or_default();
        let line = format!("{a} [{b}] {c}{optional} - {e}");
        let mut expected = BTreeMap::from([
            ("a".to_owned(), Recorded::Text(a)),
            ("b".to_owned(), Recorded::Text(b)),
            ("c".to_owned(), Recorded::Integer(c)),
            ("e".to_owned(), Recorded::Text(e)),
        ]);
        expected.extend(d.map(|d| ("d".to_owned(), Recorded::Text(d))));
        prop_assert_eq!(compiled.parse(line.as_bytes()), Ok(expected));
    }

    #[test]
    fn any_layout_reads_any_text_or_none(layout in "(%[YmdHMSfzZsbjeIpTF]|[ :./T-]|%3f|%\\.f){1,8}", text in any_line()) {
        if let Ok(layout) = TimeLayout::new(&layout) {
            let context = Context::new(READ_AT, Zone::UTC);
            let (Ok((_, bytes)) | Err(bytes)) = layout.read(&text, &context);
            prop_assert!(bytes <= text.len());
        }
    }
}

/// A line of 10 MB in which every text that the pattern looks for stands again and again, or nearly so.
#[test]
fn long_lines_are_parsed_in_linear_time() {
    let pattern =
        "{a}{? [{b}]}{? [{c}>}{? [{d:int}]}{? [{e:ip}]}{? [{f:word})}{? [{g:bool}]}{? [x{h}]]]} -- {i}";
    let compiled = compile(pattern, &[]).unwrap();
    for piece in [" [", " [x", " - ", " [5] ", " [a b", " [x]", "-"] {
        let mut line = piece.repeat(10_000_000 / piece.len());
        drop(compiled.parse(line.as_bytes()));
        line.push_str(" -- end");
        drop(compiled.parse(line.as_bytes()));
    }
}
