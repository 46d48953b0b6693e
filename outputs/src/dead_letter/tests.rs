//! Real folders: what is stored, what a crash leaves, and replays.

use proptest::prelude::*;

use super::*;
use crate::client::Document;
use crate::verdict::Refusal;

fn record(id: &str) -> Record {
    let refusal = Refusal { status: 400, label: "bad".to_owned(), reason: "bad: \"x\"\n".to_owned() };
    let document = format!("{{\"message\":\"{id}\"}}");
    Record::new(0, "store", &refusal, "logs-a-b", Document { id, json: document.as_bytes() })
}

fn open(folder: &Path) -> Arc<DeadLetter> {
    DeadLetter::open(folder, &DeadLetterConfig::default()).unwrap()
}

fn ids(records: Records) -> Vec<String> {
    records.map(|record| record.unwrap().id).collect()
}

#[test]
fn a_record_is_kept_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = open(&folder.path().join("made"));
    dead_letter.add(&[record("a")]).unwrap();
    let text = std::fs::read_to_string(folder.path().join("made").join(CURRENT)).unwrap();
    let expected = r#"{"time":"1970-01-01T00:00:00.000Z","output":"store","status":400,"reason":"bad: \"x\"\n","target":"logs-a-b","id":"a","document":{"message":"a"}}"#;
    assert_eq!(text, format!("{expected}\n"));
}

#[test]
fn a_record_that_stands_twice_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = open(folder.path());
    dead_letter.add(&[record("a"), record("b")]).unwrap();
    dead_letter.add(&[record("b"), record("c")]).unwrap();
    assert_eq!(ids(dead_letter.records().unwrap()), ["a", "b", "c"]);
}

#[test]
fn a_record_cut_by_a_crash_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = open(folder.path());
    dead_letter.add(&[record("a"), record("b")]).unwrap();
    let path = folder.path().join(CURRENT);
    let whole = std::fs::read(&path).unwrap();
    for cut in whole.len() / 2..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(ids(dead_letter.records().unwrap())[..1], ["a"]);
        dead_letter.add(&[record("c")]).unwrap();
        assert_eq!(ids(dead_letter.records().unwrap()), ["a", "c"], "{cut}");
    }
}

#[test]
fn a_full_folder_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = DeadLetter::open(folder.path(), &DeadLetterConfig { max_bytes: 300 }).unwrap();
    dead_letter.add(&[record("a")]).unwrap();
    let error = dead_letter.add(&[record("b"), record("c")]).unwrap_err();
    assert!(matches!(error, DeadLetterError::Full { max_bytes: 300, .. }));
    assert_eq!(ids(dead_letter.records().unwrap()), ["a"]);
}

#[test]
fn a_replay_keeps_what_it_is_told_to_and_what_came_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = open(folder.path());
    dead_letter.add(&[record("a"), record("b")]).unwrap();
    let replay = open(folder.path()).begin_replay().unwrap();
    dead_letter.add(&[record("c")]).unwrap();
    assert_eq!(ids(replay.records()), ["a", "b"]);
    replay.finish(&[record("b")]).unwrap();
    assert_eq!(ids(dead_letter.records().unwrap()), ["c", "b"]);
}

#[test]
fn a_replay_that_is_broken_off_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = open(folder.path());
    dead_letter.add(&[record("a")]).unwrap();
    drop(dead_letter.begin_replay().unwrap());
    dead_letter.add(&[record("b")]).unwrap();
    let replay = dead_letter.begin_replay().unwrap();
    assert_eq!(ids(replay.records()), ["a", "b"]);
    replay.finish(&[]).unwrap();
    assert_eq!(dead_letter.records().unwrap().count(), 0);
    assert!(dead_letter.begin_replay().unwrap().records().next().is_none());
}

#[test]
fn a_full_folder_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let dead_letter = DeadLetter::open(folder.path(), &DeadLetterConfig { max_bytes: 160 }).unwrap();
    dead_letter.add(&[record("a")]).unwrap();
    let replay = dead_letter.begin_replay().unwrap();
    replay.finish(&[record("a")]).unwrap();
    assert_eq!(ids(dead_letter.records().unwrap()), ["a"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_one_line_that_is_read_again(json: Vec<u8>, id in "[a-z]{0,9}") {
        let folder = tempfile::tempdir().unwrap();
        let dead_letter = open(folder.path());
        let refusal = Refusal { status: 413, label: String::new(), reason: String::new() };
        let kept = Record::new(5, "o", &refusal, "t", Document { id: &id, json: &json });
        dead_letter.add(std::slice::from_ref(&kept)).unwrap();
        let read = dead_letter.records().unwrap().map(Result::unwrap).collect::<Vec<_>>();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(read[0].document.get(), kept.document.get());
    }
}
