//! The language as data (`testdata/matcher/*.toml`), and the index held against the plain evaluation.

mod random;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use logweir_parsers::Format;
use logweir_parsers::key;

use super::*;
use crate::event::{Batch, ConstantSet, ConstantValue, EventFlags, KeyTable, Keys, Span};
use crate::parse::Parser;
use crate::stream::{Position, SourceMeta};
use crate::testing;

#[derive(serde::Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    item: String,
    /// Absent for null.
    value: Option<toml::Value>,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    differs: Vec<String>,
    error: Option<String>,
}

/// The events of these lines, parsed as JSON. Their constant `service.name` is "shop", which hides that of the source.
fn batch(keys: &Arc<Keys>, lines: &[&str]) -> Batch {
    let mut own = ConstantSet::default();
    own.add(key::SERVICE_NAME, "service.name", ConstantValue::Text("shop".to_owned()));
    let formats = vec![Format::by_name("json").unwrap().into()];
    let mut of_source = ConstantSet::default();
    of_source.add(key::SERVICE_NAME, "service.name", ConstantValue::Text("hidden".to_owned()));
    of_source.add(key::TAGS, "tags", ConstantValue::List(vec!["a".to_owned(), "b".to_owned()]));
    let stream = testing::stream(SourceMeta { formats, ..testing::source(of_source) }, own);
    let mut chunk = Vec::new();
    let mut events = Vec::new();
    for line in lines {
        let span = Span { start: chunk.len().try_into().unwrap(), len: line.len().try_into().unwrap() };
        events.push(Batch::line(span, span.start.into(), 0, EventFlags::default()));
        chunk.extend_from_slice(line.as_bytes());
        chunk.push(b'\n');
    }
    let ack = stream.begin(Position::default(), lines.len() as u64, chunk.len() as u64);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&stream), 0, ack);
    Parser::new(Arc::clone(keys)).parse(&mut batch);
    for event in &batch.events {
        assert_ne!(event.format, Format::Raw.into(), "a line of a test is not JSON");
    }
    batch
}

fn literals(value: Option<&toml::Value>) -> Vec<Literal> {
    match value {
        None => vec![Literal::Null],
        Some(toml::Value::Array(items)) => items.iter().flat_map(|item| literals(Some(item))).collect(),
        Some(toml::Value::String(text)) => vec![Literal::Text(text.clone())],
        Some(toml::Value::Integer(number)) => vec![Literal::Integer(*number)],
        Some(toml::Value::Float(number)) => vec![Literal::Float(*number)],
        Some(toml::Value::Boolean(truth)) => vec![Literal::Bool(*truth)],
        Some(other) => panic!("{other:?}"),
    }
}

fn condition(keys: &Arc<Keys>, item: &str, values: &[Literal]) -> Result<Condition, ItemError> {
    let placeholders = [("admins".to_owned(), vec!["root".to_owned(), "toor".to_owned()])].into();
    let item = Item::parse(item)?;
    let key = if item.field.is_empty() { LINE } else { keys.intern(item.field).unwrap() };
    item.condition(key, values, keys, &placeholders)
}

fn text_of(error: &ItemError) -> String {
    match error {
        ItemError::Value { index, expected, reason } => {
            let reason = reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
            format!("{error}: {index}, expected {expected}{reason}")
        }
        _ => error.to_string(),
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/matcher");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases = files.flat_map(|path| {
        toml::from_str::<Cases>(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{error}"))
            .case
    });
    cases.collect()
}

#[test]
fn every_case_is_as_written() {
    let keys = Keys::new(100);
    let cases = cases();
    assert!(cases.len() > 80);
    let mut conditions = Vec::new();
    let mut events = Vec::new();
    for case in &cases {
        match (condition(&keys, &case.item, &literals(case.value.as_ref())), &case.error) {
            (Err(error), Some(expected)) => assert_eq!(text_of(&error), *expected, "{}", case.title),
            (Err(error), None) => panic!("{}: {}", case.title, text_of(&error)),
            (Ok(condition), Some(error)) => panic!("{}: {condition:?} instead of {error}", case.title),
            (Ok(condition), None) => {
                assert!(!case.matches.is_empty() && !case.differs.is_empty(), "{}", case.title);
                let lines = case.matches.iter().chain(&case.differs).map(String::as_str).collect::<Vec<_>>();
                let batch = batch(&keys, &lines);
                let alone = Arc::new(Index::new(std::slice::from_ref(&condition)).unwrap());
                let mut matcher = Matcher::new(alone);
                for (index, line) in lines.iter().enumerate() {
                    let expected = index < case.matches.len();
                    assert_eq!(condition.is_true(&batch, index), expected, "{}: {line}", case.title);
                    assert_eq!(
                        matcher.matches(&batch, index) == [0],
                        expected,
                        "{}: {line} (index)",
                        case.title
                    );
                }
                conditions.push(condition);
                events.extend(lines);
            }
        }
    }
    let batch = batch(&keys, &events);
    assert_same(&conditions, &batch);
}

/// Asserts that the index of these conditions says of each event what each condition says.
fn assert_same(conditions: &[Condition], batch: &Batch) {
    let mut matcher = Matcher::new(Arc::new(Index::new(conditions).unwrap()));
    let mut compact = Matcher::new(Arc::new(Index::compact(conditions).unwrap()));
    for index in 0..batch.events.len() {
        let all = (0_u32..).zip(conditions);
        let expected = all.filter(|(_, condition)| condition.is_true(batch, index)).map(|(number, _)| number);
        let expected = expected.collect::<Vec<_>>();
        let line = String::from_utf8_lossy(batch.events[index].line.of(&batch.chunk));
        assert_eq!(matcher.matches(batch, index), expected, "{line}: {conditions:#?}");
        assert_eq!(compact.matches(batch, index), expected, "{line}: {conditions:#?}");
    }
}

#[test]
fn constants_count_like_fields_until_the_event_hides_them() {
    let keys = Keys::new(10);
    let shop = condition(&keys, "service.name|startswith", &[Literal::Text("SH".to_owned())]).unwrap();
    let json = condition(&keys, "event.kind", &[Literal::Text("event".to_owned())]).unwrap();
    let absent = condition(&keys, "service.name", &[Literal::Null]).unwrap();
    let hidden = condition(&keys, "service.name", &[Literal::Text("hidden".to_owned())]).unwrap();
    let listed = condition(&keys, "tags", &[Literal::Text("b".to_owned())]).unwrap();
    let mut batch = batch(&keys, &["{}", "{\"service.name\":\"x\"}", "{\"tags\":[]}"]);
    batch.remove(2, key::SERVICE_NAME);
    let conditions = [shop, json, absent, hidden, listed];
    let mut matcher = Matcher::new(Arc::new(Index::new(&conditions).unwrap()));
    assert_eq!(matcher.matches(&batch, 0), [0, 1, 4]);
    assert_eq!(matcher.matches(&batch, 1), [1, 4]);
    assert_eq!(matcher.matches(&batch, 2), [1, 2]);
    assert_same(&conditions, &batch);
}

#[test]
fn what_a_transform_made_is_matched_rather_than_the_line() {
    let keys = Keys::new(10);
    let key = keys.intern("f").unwrap();
    let old = condition(&keys, "f|contains", &[Literal::Text("old".to_owned())]).unwrap();
    let new = condition(&keys, "f|contains", &[Literal::Text("new".to_owned())]).unwrap();
    let mut batch = batch(&keys, &["{\"f\":\"the old one\"}"]);
    let made = batch.make_text(b"the NEW one");
    batch.set(0, key, made);
    assert!(!old.is_true(&batch, 0) && new.is_true(&batch, 0));
    assert_same(&[old, new], &batch);
}

#[test]
fn the_limits_of_an_index_are_told() {
    let pattern = |number: usize, len| {
        let text = format!("{number:0len$}");
        Test::Text(Pattern::new(pieces(&text), false))
    };
    let field = |tests| Condition::Field(Predicate { key: key::MESSAGE, tests });
    let too_long = field((0..200).map(|number| pattern(number, 11_000)).collect());
    assert!(matches!(Index::new(&[too_long]), Err(IndexError::LiteralBytes(2_200_000))));
    let too_many = vec![Condition::All(Vec::new()); 100_001];
    assert!(matches!(Index::new(&too_many), Err(IndexError::Conditions(100_001))));
}

#[test]
fn the_comparisons_that_decided_are_told() {
    let keys = Keys::new(100);
    let line = r#"{"path":"/cart","status":503,"ip":"10.1.2.3","who":"Bob","same":"bob","none":null,"list":["x","y"]}"#;
    let batch = batch(&keys, &[line]);
    let item = |item: &str, values: &[Literal]| condition(&keys, item, values).unwrap();
    let text = |text: &str| Literal::Text(text.to_owned());
    let is_cart = item("path|startswith", &[text("/CART")]);
    let is_probe = item("path", &[text("/healthz"), text("/a*b")]);
    let fails = item("status|gte", &[Literal::Integer(500)]);
    let names = (0..7).map(|number| text(&format!("n{number}"))).collect::<Vec<_>>();
    let cart = "path is \"/cart\", matches \"/cart*\"";
    let no_probe = "path is \"/cart\", does not match \"/healthz\" or \"/a*b\"";
    let failed = "status is 503, matches ≥ 500";
    for (condition, answer, expected) in [
        (is_cart.clone(), true, &[cart][..]),
        (is_probe.clone(), false, &[no_probe]),
        (Condition::All(vec![is_cart.clone(), is_probe.clone(), fails.clone()]), false, &[no_probe]),
        (Condition::All(vec![is_cart.clone(), fails.clone()]), true, &[cart, failed]),
        (Condition::Any(vec![is_probe.clone(), fails.clone(), is_cart]), true, &[failed]),
        (Condition::Not(Box::new(is_probe)), true, &[no_probe]),
        (item("ip|cidr", &[text("10.0.0.0/8")]), true, &["ip is \"10.1.2.3\", matches 10.0.0.0/8"]),
        (item("ip|cidr", &[text("::/0")]), false, &["ip is \"10.1.2.3\", does not match ::/0"]),
        (item("path|re|i", &[text("^/C")]), true, &["path is \"/cart\", matches /^/C/i"]),
        (item("who|fieldref", &[text("same")]), true, &["who is \"Bob\", matches the value of same"]),
        (item("gone|exists", &[Literal::Bool(false)]), true, &["gone is absent, does not match anything"]),
        (item("none", &[Literal::Null]), true, &["none is null, matches nothing"]),
        (item("list", &[text("y")]), true, &["list is \"x\" and \"y\", matches \"y\""]),
        (item("service.name", &[text("SHOP")]), true, &["service.name is \"shop\", matches \"shop\""]),
        (
            item("who", &names),
            false,
            &["who is \"Bob\", does not match \"n0\" or \"n1\" or \"n2\" or \"n3\" or \"n4\" or 2 others"],
        ),
    ] {
        assert_eq!(condition.is_true(&batch, 0), answer, "{expected:?}");
        assert_eq!(condition.reasons(&batch, 0, &KeyTable::new(Arc::clone(&keys))), expected);
    }
}
