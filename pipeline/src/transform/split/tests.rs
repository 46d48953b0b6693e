//! What holds of the pieces of any line.

use proptest::prelude::*;

use super::super::tests::{batch, document};
use super::super::{DropEvents, Step, Transform};
use super::*;
use crate::Keys;
use crate::matcher::{Condition, Number, Predicate, Relation, Test};

/// Splits `l`, then `l.m`, and may drop the pieces with `l.k` = 1 between.
fn splits(keys: &std::sync::Arc<Keys>, drops: bool) -> Transform {
    let [list, inner, number] = ["l", "l.m", "l.k"].map(|name| keys.intern(name).unwrap());
    let split = |field| Box::new(Split { field, elements_max: 100, flatten: true });
    let is_one = Test::Number(Relation::Equal, Number::from(1));
    let drop = DropEvents(Condition::Field(Predicate { key: number, tests: vec![is_one] }));
    let mut steps: Vec<(&str, Box<dyn Step>)> = vec![("split", split(list)), ("split", split(inner))];
    if drops {
        steps.insert(1, ("drop", Box::new(drop)));
    }
    Transform::new("clean", steps)
}

/// The offset and the document of each piece of these lines, whose offsets count characters, as they do at least in any
/// encoding.
fn pieces(lines: &[String], drops: bool) -> Vec<(u64, String)> {
    let keys = Keys::new(100);
    let transform = splits(&keys, drops);
    let lines = lines.iter().map(String::as_bytes).collect::<Vec<_>>();
    let mut batch = batch(&keys, &lines, 0);
    let mut offset = 0;
    for (event, line) in batch.events.iter_mut().zip(&lines) {
        event.offset = offset;
        offset += u64::from(characters(line)) + 1;
    }
    let mut selected = (0..u32::try_from(lines.len()).unwrap()).collect();
    let mut bench = Bench::new(std::sync::Arc::clone(&keys));
    transform.steps.iter().for_each(|step| step.apply(&mut batch, &mut selected, &mut bench));
    let mut found = Vec::new();
    for index in selected {
        let document = String::from_utf8(document(&batch, index, &keys)).unwrap();
        let line = &batch.events[batch.line_of(index) as usize];
        assert!(lines[batch.line_of(index) as usize] == line.line.of(&batch.chunk));
        found.push((batch.events[index as usize].offset, document));
    }
    found
}

fn line() -> impl Strategy<Value = String> {
    let scalar =
        || prop::sample::select(vec!["1", "\"é\"", "\"\\u00e9\\\"\"", " null", "{ }", "[]", "[2,[3]]"]);
    let inner = prop::collection::vec(scalar(), 0..5);
    let object = (inner, 0..3)
        .prop_map(|(inner, number)| format!("{{\"é\":\"😀\",\"m\":[{}],\"k\":{number}}}", inner.join(" ,")));
    let element = prop_oneof![2 => object, 1 => scalar().prop_map(str::to_owned)];
    let list = prop::collection::vec(element, 0..6).prop_map(|elements| format!("[{}]", elements.join(",")));
    (list, any::<bool>()).prop_map(|(list, is_text)| {
        let list = if is_text { serde_json::to_string(&list).unwrap() } else { list };
        format!("{{\"a\":\"é\",\"l\":{list}}}")
    })
}

proptest! {
    #[test]
    fn ids_are_distinct_and_in_order_and_those_of_the_line_alone(lines in prop::collection::vec(line(), 1..5)) {
        let found = pieces(&lines, false);
        prop_assert!(found.iter().is_sorted_by(|one, next| one.0 < next.0), "{found:?}");
        let mut alone = Vec::new();
        let mut offset = 0;
        for line in &lines {
            let len = u64::from(characters(line.as_bytes())) + 1;
            for (piece, document) in pieces(std::slice::from_ref(line), false) {
                prop_assert!(piece < len, "{line}: {piece}");
                prop_assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok(), "{document}");
                alone.push((offset + piece, document));
            }
            offset += len;
        }
        prop_assert_eq!(&found, &alone);
        for piece in pieces(&lines, true) {
            prop_assert!(found.contains(&piece), "{piece:?} is not among {found:?}");
        }
    }
}

#[test]
fn a_line_whose_pieces_would_have_too_many_fields_stays_whole() {
    let keys = Keys::new(2000);
    let field = keys.intern("l").unwrap();
    let split = Box::new(Split { field, elements_max: 10_000, flatten: true });
    let transform = Transform::new("clean", vec![("split", split)]);
    let list = vec!["1"; 500].join(",");
    for (fields, pieces) in [(500, 500), (600, 1)] {
        let others = (0..fields).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
        let line = format!("{{\"l\":[{list}],{others}}}");
        let mut batch = batch(&keys, &[line.as_bytes()], 0);
        let mut selected = vec![0];
        transform.steps[0].apply(&mut batch, &mut selected, &mut Bench::new(std::sync::Arc::clone(&keys)));
        assert_eq!((selected.len(), batch.events.len()), (pieces, pieces));
    }
    assert_eq!((transform.steps[0].failed(), transform.steps[0].made()), (1, 499));
}
