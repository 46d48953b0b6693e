//! Correlations as data (`sigma/tests/correlations.toml`), in every order and with their state saved and loaded.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value as Json;

use super::*;
use crate::event::{ConstantSet, EventFlags, Keys, Origin, OwnOrigin, Span, Value};
use crate::matcher::Placeholders;
use crate::sigma::{FILE_BYTES_MAX, Options};
use crate::stream::{Position, Stream};
use crate::testing;
use crate::time::SECOND;

const LATENESS: i64 = 10;
const TIMES: TimeLimits =
    TimeLimits { lateness: LATENESS * SECOND, idle_after: i64::MAX, future_limit: i64::MAX / 4 };
const LIMITS: Limits = Limits { max_keys: 1_000, suppress: None };

/// The rules that every case has, by what their events are.
fn common_rules() -> String {
    let rule = |(what, id): &(&str, &str)| {
        let title = what[..1].to_uppercase() + &what[1..];
        let product = if *what == "admin" { "windows" } else { "linux" };
        format!(
            "title: {title}\nname: {what}\nid: {id}\nlogsource: {{product: {product}}}\n\
             detection: {{s: {{what: {what}}}, condition: s}}\n---\n"
        )
    };
    [("login", "l-1"), ("failure", "f-1"), ("scan", "s-1"), ("transfer", "t-1"), ("admin", "a-1")]
        .iter()
        .map(rule)
        .collect()
}

#[derive(serde::Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    rules: String,
    /// Whether the alerts of the common rules are meant too.
    #[serde(default)]
    singles: bool,
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    alerts: Vec<String>,
}

fn field_names(field: &str, _: &LogSource) -> Vec<String> {
    match field {
        "ip" => vec!["source.ip".to_owned()],
        "user" => vec!["user.name".to_owned()],
        _ => Vec::new(),
    }
}

/// The section of a case, and what is refused of it.
pub(in crate::rule) fn section(
    keys: &Arc<Keys>,
    text: &str,
    times: TimeLimits,
) -> (SigmaConfig, Vec<String>) {
    let options = Options {
        file_bytes_max: FILE_BYTES_MAX,
        field_names: &field_names,
        keys,
        placeholders: &Placeholders::new(),
    };
    let files = [("common".to_owned(), common_rules()), ("t".to_owned(), text.to_owned())];
    let (set, mut refused) = RuleSet::load(files, &options);
    let linux = LogSource { product: Some("linux".to_owned()), ..LogSource::default() };
    let (config, others) = SigmaConfig::new("test".to_owned(), None, (times, LIMITS), set, &linux).unwrap();
    refused.extend(others);
    (config, refused.iter().map(ToString::to_string).collect())
}

/// An event of a case.
#[derive(Clone, Debug)]
struct Written {
    number: usize,
    time: i64,
    fields: Vec<(String, String)>,
}

impl Written {
    fn all(lines: &[String]) -> Vec<Self> {
        let event = |(number, line): (usize, &String)| {
            let mut words = line.split(' ');
            let time = words.next().unwrap().parse::<i64>().unwrap();
            let what = ("what".to_owned(), words.next().unwrap().to_owned());
            let field = |word: &str| {
                let (name, value) = word.split_once('=').unwrap();
                let name = field_names(name, &LogSource::default()).pop().unwrap_or(name.to_owned());
                (name, value.to_owned())
            };
            Self { number, time, fields: std::iter::once(what).chain(words.map(field)).collect() }
        };
        let mut all = lines.iter().enumerate().map(event).collect::<Vec<_>>();
        all.sort_by_key(|event| event.time);
        all
    }
}

/// An operator and the streams that bring it events, those of odd numbers in the second.
struct Lab {
    keys: Arc<Keys>,
    config: SigmaConfig,
    operator: Box<dyn Operator>,
    streams: Vec<Arc<Stream>>,
    scratch: Scratch,
    alerts: BTreeMap<Origin, Json>,
}

impl Lab {
    fn new(keys: Arc<Keys>, config: SigmaConfig) -> Self {
        let meta = Arc::new(testing::source(ConstantSet::default()));
        let stream = |id| Stream::new(id, Arc::clone(&meta), ConstantSet::default(), Position::default());
        let operator = SigmaRules::operator(config.clone()).unwrap();
        let streams = (0..2).map(stream).collect::<Vec<_>>();
        streams.iter().for_each(|stream| operator.announce(stream.id(), 0));
        Self { keys, config, operator, streams, scratch: Scratch::default(), alerts: BTreeMap::new() }
    }

    fn bring(&mut self, stream: usize, events: &[Written], first: u64) {
        let stream = Arc::clone(&self.streams[stream]);
        let id = stream.id();
        let ack = stream.begin(Position::default(), events.len() as u64, 0);
        let line = |(offset, event): (u64, &Written)| {
            Batch::line(Span::default(), offset, event.time * SECOND, EventFlags::default())
        };
        let lines = (first..).zip(events).map(line).collect();
        let batch = Batch::new(Bytes::new(), lines, stream, i64::MAX / 2, ack);
        let origin = |(at, event): (u64, &Written)| OwnOrigin {
            at,
            room: 1,
            origin: Origin { stream: id, offset: event.number as u64 },
        };
        let mut batch = batch.with_origins((first..).zip(events).map(origin).collect());
        for (index, event) in events.iter().enumerate() {
            for (name, value) in &event.fields {
                let key = self.keys.intern(name).unwrap();
                let value = match value.parse::<f64>() {
                    Ok(number) => Value::Float(number),
                    Err(_) => batch.make_text(value.trim_matches('\'').as_bytes()),
                };
                batch.set(index, key, value);
            }
        }
        let selected = (0..events.len()).map(|index| u32::try_from(index).unwrap()).collect::<Vec<_>>();
        self.operator.observe(&batch, &selected, 0, &mut self.scratch);
        batch.ack.done();
        self.collect();
    }

    fn collect(&mut self) {
        let ready = self.operator.take_ready();
        let lines = ready.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for (id, line) in ready.ids.iter().zip(lines) {
            let known = self.alerts.insert(*id, serde_json::from_slice(line).unwrap());
            assert!(known.is_none(), "an alert came twice: {known:?}");
        }
    }

    /// What another process goes on with.
    fn restart(&mut self) {
        let mut saved = Vec::new();
        self.operator.save(&[], &mut saved);
        self.operator = SigmaRules::operator(self.config.clone()).unwrap();
        self.operator.restore(&saved, true, 0).unwrap();
        self.streams.iter().for_each(|stream| self.operator.announce(stream.id(), 0));
        self.scratch = Scratch::default();
    }

    /// The alerts once all is over, in the words of a case.
    fn told(mut self) -> (Vec<String>, BTreeMap<Origin, Json>) {
        self.operator.end();
        self.collect();
        assert_eq!(self.operator.status().counts.late, 0);
        (self.alerts.values().map(words).collect(), self.alerts)
    }
}

fn words(alert: &Json) -> String {
    let second = alert["@timestamp"].as_str().unwrap();
    let (minutes, seconds) = (&second[14..16], &second[17..19]);
    let seconds = minutes.parse::<i64>().unwrap() * 60 + seconds.parse::<i64>().unwrap();
    let own = ["event.", "rule.", "logweir.", "related.", "@timestamp", "message"];
    let group =
        alert.as_object().unwrap().iter().filter(|(name, _)| !own.iter().any(|own| name.starts_with(own)));
    let group = group.map(|(name, value)| format!(" {name}={}", value.as_str().unwrap())).collect::<String>();
    let value = alert["logweir.alert.value"].as_f64().unwrap();
    format!("{seconds} {}{group} = {value}", alert["rule.name"].as_str().unwrap())
}

/// What a case tells when its events come in some way.
fn run(case: &Case, way: usize) -> (Vec<String>, BTreeMap<Origin, Json>) {
    let keys = Keys::new(100);
    let (config, _) = section(&keys, &case.rules, TIMES);
    let mut lab = Lab::new(keys, config);
    let mut events = Written::all(&case.events);
    if way > 0 {
        let shift = |event: &Written| (event.number * (way + 6)) as i64 % (LATENESS + 1);
        events.sort_by_key(|event| (event.time + shift(event), event.number));
    }
    let of_stream =
        |stream: usize| events.iter().filter(|event| event.number % 2 == stream).cloned().collect::<Vec<_>>();
    match way {
        0 | 1 => (0..2).for_each(|stream| lab.bring(stream, &of_stream(stream), 0)),
        _ => {
            for (place, event) in events.iter().enumerate() {
                lab.bring(event.number % 2, std::slice::from_ref(event), place as u64);
                if way == 3 {
                    lab.restart();
                }
            }
        }
    }
    lab.told()
}

#[test]
fn every_case_is_as_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sigma/tests/correlations.toml");
    let cases = toml::from_str::<Cases>(&std::fs::read_to_string(path).unwrap()).unwrap().case;
    let mut wrong = Vec::new();
    for case in &cases {
        let (_, refused) = section(&Keys::new(100), &case.rules, TIMES);
        if refused != case.refused {
            wrong.push(format!("{}: refused {refused:#?}", case.title));
        }
        let mut expected = case.alerts.clone();
        expected.sort();
        let (_, plain) = run(case, 0);
        for way in 0..4 {
            let (mut told, alerts) = run(case, way);
            let is_single = |alert: &String| {
                ["Login", "Failure", "Scan", "Transfer"]
                    .iter()
                    .any(|title| alert.contains(&format!(" {title} ")))
            };
            told.retain(|alert| case.singles || !is_single(alert));
            told.sort();
            if told != expected {
                wrong.push(format!("{}, way {way}: {told:#?}", case.title));
            }
            assert_eq!(alerts, plain, "{}, way {way}", case.title);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
