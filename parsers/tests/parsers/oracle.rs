//! Our reading of syslog held against that of `syslog_loose`, which nobody here wrote.
//!
//! Promises: where the two differ stands in `oracle.toml`, each difference judged; another one fails the test, and so
//! does one that is gone.

use std::collections::BTreeMap;

use chrono::Utc;
use logweir_parsers::{Context, Format, Zone, preset};
use serde::Deserialize;
use serde_json::{Value, json};
use syslog_loose::{IncompleteDate, Message, Protocol, Variant, parse_message_with_year_tz};

use crate::cases::{READ_AT, named_lines};
use crate::recorder::{Recorded, parse};

/// Lines that real programs of a host wrote.
const HOST_LOG: &str = include_str!("../../../pipeline/testdata/host.log");
const DIFFERENCES: &str = include_str!("oracle.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    difference: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The case of `testdata/syslog.toml`.
    case: String,
    /// Who is right, and why.
    judged: String,
    /// What we read, and what the other does, where that differs; absent parts are left out.
    #[serde(default)]
    ours: Parts,
    #[serde(default)]
    theirs: Parts,
}

/// What a line says, part by part.
type Parts = BTreeMap<String, String>;

/// What we read. A line that we do not take is delivered as its message.
fn ours(line: &[u8]) -> Parts {
    let context = Context::new(READ_AT, Zone::UTC);
    let Ok(recorder) = parse(Format::Syslog, line, &context, true) else {
        return text(&String::from_utf8_lossy(line))
            .map(|text| ("message".to_owned(), text))
            .into_iter()
            .collect();
    };
    let names = [
        ("@timestamp", "time"),
        ("log.syslog.version", "version"),
        ("log.syslog.hostname", "host"),
        ("log.syslog.appname", "program"),
        ("process.pid", "process"),
        ("log.syslog.procid", "process"),
        ("log.syslog.msgid", "message id"),
        ("log.syslog.structured_data", "data"),
        ("message", "message"),
    ];
    let part = |(name, part): (&str, &str)| {
        let value = match recorder.fields.get(name)? {
            Recorded::Text(value) => text(value)?,
            Recorded::Integer(number) => number.to_string(),
            Recorded::Json(json) => with_lists(json),
            Recorded::Float(number) => number.to_string(),
            Recorded::Bool(truth) => truth.to_string(),
        };
        Some((part.to_owned(), value))
    };
    let mut parts = names.into_iter().filter_map(part).collect::<Parts>();
    let priority = (0..192).find(|priority| recorder.preset == Some(preset::syslog(*priority)));
    parts.extend(priority.map(|priority| ("priority".to_owned(), priority.to_string())));
    parts
}

/// A text as it is compared: without white space around it, which the other leaves out.
fn text(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Structured data in which every parameter is a list.
fn with_lists(json: &str) -> String {
    let mut data = serde_json::from_str::<Value>(json).unwrap();
    for element in data.as_object_mut().unwrap().values_mut() {
        for value in element.as_object_mut().unwrap().values_mut().filter(|value| !value.is_array()) {
            *value = json!([value.take()]);
        }
    }
    data.to_string()
}

/// What `syslog_loose` reads.
fn theirs(line: &[u8]) -> Parts {
    let line = String::from_utf8_lossy(line);
    let message = parse_message_with_year_tz(&line, year, Some(Utc), Variant::Either);
    let priority = message.facility.zip(message.severity);
    let version = match message.protocol {
        Protocol::RFC5424(version) => Some(version.to_string()),
        Protocol::RFC3164 => None,
    };
    let parts = [
        ("priority", priority.map(|(facility, severity)| (facility as u8 * 8 + severity as u8).to_string())),
        ("version", version),
        (
            "time",
            message.timestamp.and_then(|time| time.timestamp_nanos_opt()).map(|nanos| nanos.to_string()),
        ),
        ("host", message.hostname.map(str::to_owned)),
        ("program", message.appname.map(str::to_owned)),
        ("process", message.procid.as_ref().map(ToString::to_string)),
        ("message id", message.msgid.map(str::to_owned)),
        ("data", data(&message)),
        ("message", text(message.msg)),
    ];
    parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn data(message: &Message<&str>) -> Option<String> {
    let mut data = BTreeMap::<&str, BTreeMap<String, Vec<String>>>::new();
    for element in &message.structured_data {
        let parameters = data.entry(element.id).or_default();
        for (name, value) in element.params() {
            parameters.entry(name.to_string()).or_default().push(value);
        }
    }
    (!data.is_empty()).then(|| json!(data).to_string())
}

/// The year that is nearest to [`READ_AT`], 2023-11-14.
fn year((month, day, ..): IncompleteDate) -> i32 {
    if (month, day) < (5, 16) { 2024 } else { 2023 }
}

/// The parts that the other has not, or has otherwise.
fn without(parts: &Parts, others: &Parts) -> Parts {
    let differs = parts.iter().filter(|(name, value)| others.get(*name) != Some(value));
    differs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What the lines of one program in the log of a host go by: its tag, up to the colon or bracket.
fn name_in_host_log(line: &str) -> String {
    let tag = line.split_whitespace().nth(3).unwrap();
    let end = tag.find([':', '[']).unwrap();
    format!("host.log {}", &tag[..=end])
}

#[test]
fn each_difference_to_another_reader_is_judged() {
    let judged = toml::from_str::<Differences>(DIFFERENCES).unwrap().difference;
    let host_log = HOST_LOG.lines().map(|line| (name_in_host_log(line), line.as_bytes().to_vec()));
    let lines = named_lines(Format::Syslog).into_iter().chain(host_log).collect::<Vec<_>>();
    assert!(lines.len() > 100, "{} lines", lines.len());
    let mut failures = Vec::new();
    for (name, line) in &lines {
        let (ours, theirs) = (ours(line), theirs(line));
        let (ours, theirs) = (without(&ours, &theirs), without(&theirs, &ours));
        let is_known = match judged.iter().find(|known| known.case == *name) {
            Some(known) => known.ours == ours && known.theirs == theirs && !known.judged.is_empty(),
            None => ours.is_empty() && theirs.is_empty(),
        };
        if !is_known {
            failures.push(format!("{name}\n  ours: {ours:?}\n  theirs: {theirs:?}"));
        }
    }
    let gone = judged.iter().filter(|known| !lines.iter().any(|(name, _)| *name == known.case));
    failures.extend(gone.map(|known| format!("{}: there is no such case", known.case)));
    assert!(failures.is_empty(), "differences that nobody judged:\n{}", failures.join("\n"));
}
