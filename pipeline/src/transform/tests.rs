//! What the cases of the daemon's `testdata/steps` cannot show: figures, files that change, a table of keys that is full.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use logweir_parsers::format::Format;
use logweir_parsers::key;
use proptest::prelude::*;

use super::*;
use crate::event::{ConstantSet, EventFlags, JsonEncoder, Span, Value, Writer};
use crate::parse::Parser;
use crate::stream::Position;
use crate::testing;
use crate::time::SECOND;

/// A batch of these lines, JSON or not, read at `read_at`.
pub(super) fn batch(keys: &Arc<Keys>, lines: &[&[u8]], read_at: i64) -> Batch {
    let mut source = testing::source(ConstantSet::default());
    source.formats = vec![Format::Json.into()];
    let stream = testing::stream(source, ConstantSet::default());
    let chunk = lines.join(&b'\n');
    let mut start = 0;
    let mut events = Vec::new();
    for line in lines {
        let len = u32::try_from(line.len()).unwrap();
        events.push(Batch::line(Span { start, len }, u64::from(start), read_at, EventFlags::default()));
        start += len + 1;
    }
    let ack = stream.begin(Position::default(), events.len() as u64, chunk.len() as u64);
    let mut batch = Batch::new(Bytes::from(chunk), events, Arc::clone(&stream), read_at, ack);
    Parser::new(Arc::clone(keys)).parse(&mut batch);
    batch
}

pub(super) fn document(batch: &Batch, index: u32, keys: &Arc<Keys>) -> Vec<u8> {
    let mut out = Writer::default();
    JsonEncoder::new(Arc::clone(keys)).write(batch, &batch.events[index as usize], &mut out);
    out.as_slice().to_vec()
}

/// Takes the lines through the steps: the documents of what is left.
fn apply(transform: &Transform, keys: &Arc<Keys>, lines: &[&str], read_at: i64) -> Vec<String> {
    let lines = lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>();
    let mut batch = batch(keys, &lines, read_at);
    let mut selected = (0..u32::try_from(lines.len()).unwrap()).collect::<Vec<_>>();
    let mut bench = Bench::new(Arc::clone(keys));
    transform.steps.iter().for_each(|step| step.apply(&mut batch, &mut selected, &mut bench));
    selected.iter().map(|&index| String::from_utf8(document(&batch, index, keys)).unwrap()).collect()
}

fn document_after(steps: &[PlacedStep], keys: &Arc<Keys>, line: &[u8]) -> Vec<u8> {
    let mut batch = batch(keys, &[line], 0);
    let mut bench = Bench::new(Arc::clone(keys));
    steps.iter().for_each(|step| step.apply(&mut batch, &mut vec![0], &mut bench));
    document(&batch, 0, keys)
}

fn transform(step: impl Step + 'static) -> Transform {
    Transform::new("clean", vec![("step", Box::new(step))])
}

#[test]
fn keys_beyond_the_bound_are_forgotten_and_counted() {
    let keys = Keys::new(10);
    let key = keys.intern("k").unwrap();
    let transform = transform(Dedupe::new(vec![key], Duration::from_secs(3600), 4));
    let lines = (0..100).map(|number| format!("{{\"k\":{number}}}")).collect::<Vec<_>>();
    let lines = lines.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(apply(&transform, &keys, &lines, 0).len(), 100);
    assert_eq!(transform.steps[0].forgotten(), 96);
    assert_eq!(apply(&transform, &keys, &lines[98..], 0).len(), 0);
    assert_eq!(apply(&transform, &keys, &lines[..1], 0).len(), 1);
}

#[test]
fn an_object_of_too_many_names_stays_whole_and_its_members_are_written_all_the_same() {
    let keys = Keys::new(2);
    let key = keys.intern("o").unwrap();
    let flattened = transform(FlattenFields(vec![key]));
    let line = r#"{"o":{"a":1,"b":2,"c":3}}"#;
    let documents = apply(&flattened, &keys, &[line], 0);
    assert!(documents[0].contains(r#""o":{"a":1,"b":2,"c":3}"#), "{documents:?}");
    assert!(documents[0].contains("more members than there is room for names"), "{documents:?}");
    assert_eq!(flattened.steps[0].failed(), 1);
    let parsed = transform(ParseField::json(key));
    let documents = apply(&parsed, &keys, &[line, r#"{"o":"{\"x\":{\"\\n\":1},\"y\":2}"}"#], 0);
    assert!(documents[0].contains(r#""a":1,"b":2,"c":3"#), "{documents:?}");
    assert!(documents[1].contains(r#""x":{"\n":1},"y":2"#), "{documents:?}");
}

#[test]
fn a_lookup_table_is_read_again_when_it_changed_and_kept_when_it_cannot_be_used() {
    let keys = Keys::new(10);
    let (ip, owner) = (keys.intern("ip").unwrap(), keys.intern("owner").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.csv");
    fs::write(&file, "ip,owner\na,Ann\n").unwrap();
    let lookup = Lookup::new(LookupConfig {
        field: ip,
        file: file.clone(),
        column: "ip".to_owned(),
        set: vec![(owner, "owner".to_owned())],
        reload_after: Duration::from_secs(10),
        bytes_max: 100,
    });
    let transform = transform(lookup.unwrap());
    let owner_at = |second: i64| {
        let document = apply(&transform, &keys, &[r#"{"ip":"a"}"#], second * SECOND).remove(0);
        document.split("\"owner\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
    };
    assert_eq!(owner_at(0), "Ann");
    fs::write(&file, "ip,owner\na,Barbara\n").unwrap();
    assert_eq!(owner_at(9), "Ann");
    assert_eq!(owner_at(10), "Barbara");
    fs::write(&file, "address\nx\n").unwrap();
    assert_eq!(owner_at(20), "Barbara");
    fs::remove_file(&file).unwrap();
    assert_eq!(owner_at(30), "Barbara");
    fs::write(&file, format!("ip,owner\na,{}\n", "x".repeat(200))).unwrap();
    assert_eq!(owner_at(40), "Barbara");
    fs::write(&file, "ip,owner\na,Carl\n").unwrap();
    assert_eq!(owner_at(50), "Carl");
}

#[test]
fn a_step_touches_only_the_events_that_are_selected() {
    let keys = Keys::new(10);
    let key = keys.intern("n").unwrap();
    let mut batch = batch(&keys, &[br#"{"n":"1"}"#, br#"{"n":"2"}"#], 0);
    let transform = transform(ConvertFields(vec![(key, FieldType::Integer)]));
    transform.steps[0].apply(&mut batch, &mut vec![1], &mut Bench::new(Arc::clone(&keys)));
    assert_ne!(batch.get(0, key), Some(Value::Integer(1)));
    assert_eq!(batch.get(1, key), Some(Value::Integer(2)));
    assert_eq!(batch.get(0, key::EVENT_KIND), None);
}

/// Every step that writes, on the fields `o` and `message`.
fn all_steps(keys: &Arc<Keys>) -> Transform {
    let [o, made] = ["o", "made"].map(|name| keys.intern(name).unwrap());
    let both = || vec![o, key::MESSAGE];
    let template = Template::new("{o}|{message}", |name| keys.intern(name)).unwrap();
    let redact = Redact::new(both(), &RedactKind::ALL, Vec::new(), RedactAction::hash(b"key")).unwrap();
    let steps: Vec<Box<dyn Step>> = vec![
        Box::new(ConvertFields(vec![(o, FieldType::Integer), (key::MESSAGE, FieldType::Ip)])),
        Box::new(SetFields(vec![(made, SetValue::Template(template))])),
        Box::new(redact),
        Box::new(TruncateFields(vec![(made, 7), (o, 5), (key::MESSAGE, 3)])),
        Box::new(ParseField::json(key::MESSAGE)),
        Box::new(ParseField::json(o)),
        Box::new(FlattenFields(both())),
        Box::new(NormalizeSeverity(made)),
        Box::new(CopyFields(vec![(o, key::USER_ID)])),
        Box::new(RenameFields(vec![(key::MESSAGE, o)])),
        Box::new(KeepFields::new(vec![KeepPattern::Prefix("o".to_owned()), KeepPattern::Name(made)])),
    ];
    Transform::new("all", steps.into_iter().map(|step| ("step", step)).collect())
}

proptest! {
    #[test]
    fn what_comes_out_is_valid_json_whatever_the_line_held(
        raw in proptest::collection::vec(any::<u8>().prop_filter("a line has no line end", |byte| *byte != b'\n'), 0..60),
        pieces in proptest::collection::vec(
            prop_oneof![Just("\\\""), Just("\\u0040"), Just("\\ud83d"), Just("a@b.org "), Just("{\\\"x\\\":1}"),
                Just("4111111111111111"), Just("é"), Just("😀"), Just("\\n"), Just("::1 ")],
            0..6,
        ),
        shape in 0..3,
    ) {
        let text = pieces.concat();
        let object = match shape {
            0 => format!("\"{text}\""),
            1 => format!("{{\"a\":[\"{text}\",4111111111111111],\"b\":{{\"{text}\":null,\"c\":-1.5e3}}}}"),
            _ => format!("[\"{text}\",{{\"d\":\"{text}\"}}]"),
        };
        let json = format!("{{\"o\":{object},\"msg\":\"{text}\"}}");
        for line in [&raw, json.as_bytes()] {
            let keys = Keys::new(20);
            let transform = all_steps(&keys);
            for steps in 1..=transform.steps.len() {
                let document = document_after(&transform.steps[..steps], &keys, line);
                prop_assert!(
                    serde_json::from_slice::<serde_json::Value>(&document).is_ok(),
                    "after {} steps: {}", steps, String::from_utf8_lossy(&document)
                );
            }
        }
    }
}
