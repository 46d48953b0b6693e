//! Replays `testdata/<format>.toml`.
//!
//! ```toml
//! [[case]]
//! name = "what it shows"
//! line = 'the line'                           # or line_hex, or repeat
//! fields = { "message" = "a text", "n" = 1 }  # all of them; `@timestamp` in nanoseconds
//! json = { "a" = '[1]' }                      # those that are JSON, and were not given as a text or an integer
//! preset = "web_error"                        # "event" if it is not given; "ACTION: TYPES, OUTCOME" of host programs
//! # or, for a line that is not taken
//! reject = { column = 1, expected = "a JSON object" }
//! ```

use std::{collections::BTreeMap, fs, path::PathBuf};

use logweir_parsers::{
    Context, FORMATS, Format, PresetId, Zone, key,
    preset::{self, Constant, PRESETS, Preset},
};
use serde::Deserialize;

use crate::recorder::{Recorded, parse};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    line: Option<String>,
    line_hex: Option<String>,
    repeat: Option<Repeat>,
    /// Seconds east of UTC.
    #[serde(default)]
    utc_offset: i32,
    /// Whether the sink's table of keys is full.
    #[serde(default)]
    keys_full: bool,
    fields: Option<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    json: BTreeMap<String, String>,
    preset: Option<String>,
    reject: Option<Rejected>,
}

/// `before`, then `text` many times, then `after`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    #[serde(default)]
    before: String,
    text: String,
    times: usize,
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    column: usize,
    expected: String,
}

/// 2023-11-14T22:13:20Z.
pub(crate) const READ_AT: i64 = 1_700_000_000_000_000_000;
const CASES_MIN: usize = 20;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn cases(format: Format) -> Vec<Case> {
    let path = folder().join(format!("{}.toml", format.name()));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str::<Cases>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).case
}

/// The lines of all cases that are taken.
pub(crate) fn valid_lines(format: Format) -> Vec<Vec<u8>> {
    cases(format).into_iter().filter(|case| case.fields.is_some()).map(|case| case.line()).collect()
}

/// The names and lines of all cases, those that are not taken too.
pub(crate) fn named_lines(format: Format) -> Vec<(String, Vec<u8>)> {
    cases(format).into_iter().map(|case| (case.name.clone(), case.line())).collect()
}

impl Case {
    fn line(&self) -> Vec<u8> {
        match (&self.line, &self.line_hex, &self.repeat) {
            (Some(line), None, None) => line.clone().into_bytes(),
            (None, Some(hex), None) => {
                let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
                pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
            }
            (None, None, Some(Repeat { before, text, times, after })) => {
                format!("{before}{}{after}", text.repeat(*times)).into_bytes()
            }
            _ => panic!("{}: give one of line, line_hex and repeat", self.name),
        }
    }

    fn expected(&self) -> Option<BTreeMap<String, Recorded>> {
        let plain = self.fields.as_ref()?.iter().map(|(name, value)| {
            let value = match value {
                toml::Value::String(text) => Recorded::Text(text.clone()),
                toml::Value::Integer(number) => Recorded::Integer(*number),
                other => panic!("{}: {name} = {other}", self.name),
            };
            (name.clone(), value)
        });
        let json = self.json.iter().map(|(name, json)| (name.clone(), Recorded::Json(json.clone())));
        Some(plain.chain(json).collect())
    }

    fn preset(&self) -> PresetId {
        match self.preset.as_deref() {
            None => preset::EVENT,
            Some("web_access") => preset::WEB_ACCESS,
            Some("web_error") => preset::WEB_ERROR,
            Some("web_unknown") => preset::WEB_UNKNOWN,
            Some(other) if other.contains(':') => {
                let number = PRESETS.iter().position(|preset| summary(preset) == other);
                PresetId(number.unwrap_or_else(|| panic!("{}: preset {other}", self.name)) as u8)
            }
            Some(other) => {
                let priority = other.strip_prefix("syslog ").and_then(|number| number.parse().ok());
                preset::syslog(priority.unwrap_or_else(|| panic!("{}: preset {other}", self.name)))
            }
        }
    }

    /// What differs from what the case says.
    fn failure(&self, format: Format) -> Option<String> {
        let line = self.line();
        let context = Context::new(READ_AT, Zone::fixed(self.utc_offset));
        let differs = match (parse(format, &line, &context, !self.keys_full), &self.reject, self.expected()) {
            (Ok(recorder), None, Some(expected)) => {
                let is_same = recorder.fields == expected && recorder.preset == Some(self.preset());
                (!is_same).then(|| format!("gives {:#?}, {:?}", recorder.fields, recorder.preset))
            }
            (Err(reject), Some(expected), None) => {
                let is_same =
                    (reject.offset + 1, reject.expected) == (expected.column, expected.expected.as_str());
                (!is_same).then(|| reject.to_string())
            }
            (Ok(recorder), ..) => Some(format!("is taken: {:#?}", recorder.fields)),
            (Err(reject), ..) => Some(format!("is not taken: {reject}")),
        };
        differs.map(|differs| format!("{} / {}: {differs}", format.name(), self.name))
    }
}

/// `ACTION: TYPE+TYPE, OUTCOME`.
fn summary(preset: Preset) -> String {
    let value = |wanted| match preset.iter().find(|(key, _)| *key == wanted)?.1 {
        Constant::Text(text) => Some(text.to_owned()),
        Constant::List(texts) => Some(texts.join("+")),
        Constant::Integer(_) => None,
    };
    let outcome = value(key::EVENT_OUTCOME).map(|outcome| format!(", {outcome}"));
    let [action, types] = [key::EVENT_ACTION, key::EVENT_TYPE].map(|key| value(key).unwrap_or_default());
    format!("{action}: {types}{}", outcome.unwrap_or_default())
}

#[test]
fn every_case_gives_what_it_says() {
    let failures: Vec<String> = FORMATS
        .iter()
        .flat_map(|format| cases(*format).into_iter().filter_map(|case| case.failure(*format)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_format_has_enough_cases_with_different_names() {
    for format in FORMATS {
        let cases = cases(*format);
        let needed = if *format == Format::Raw { 3 } else { CASES_MIN };
        assert!(cases.len() >= needed, "{} has {} cases", format.name(), cases.len());
        for (number, case) in cases.iter().enumerate() {
            let first = cases.iter().position(|other| other.name == case.name);
            assert_eq!(first, Some(number), "{}: two cases {:?}", format.name(), case.name);
        }
        let rejected = cases.iter().filter(|case| case.reject.is_some()).count();
        assert!(*format == Format::Raw || rejected >= 3, "{} has {rejected} rejected lines", format.name());
    }
}

#[test]
fn every_file_of_cases_belongs_to_a_format() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(Format::by_name(&name).is_some(), "no format for {}", path.display());
    }
}

#[test]
fn every_format_has_a_fuzz_target() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for format in FORMATS {
        let file = format!("fuzz_targets/{}.rs", format.name());
        assert!(fuzz.join(&file).try_exists().unwrap(), "no {file}");
        assert!(manifest.contains(&file), "fuzz/Cargo.toml does not name {file}");
    }
}

#[test]
fn names_and_summaries_are_distinct() {
    for (number, format) in FORMATS.iter().enumerate() {
        assert_eq!(FORMATS.iter().position(|other| other.name() == format.name()), Some(number));
        assert_eq!(Format::by_name(format.name()), Some(*format));
        assert!(format.summary().trim_start().ends_with('.'), "{}", format.summary());
        assert!(!format.dataset().contains('-'), "a dataset is a part of a data stream's name");
    }
}
