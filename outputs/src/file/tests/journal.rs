//! The journal on a real file: it stays small.

use super::super::journal::{Journal, Record};

#[test]
fn a_journal_that_has_grown_is_replaced_by_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.journal");
    let mut journal = Journal::open(&path).unwrap();
    for round in 0..30_u64 {
        let streams = (0..10_000).map(|stream| (stream, round * 10, round * 10 + 9)).collect();
        journal.add(&Record { files: vec![("f".to_owned(), round)], streams }).unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() < 2_000_000);
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.files().get("f"), Some(&29));
    for stream in [0, 5000, 9999] {
        assert_eq!(journal.written().range(stream), Some((0, 299)));
    }
    assert_eq!(journal.written().range(10_000), None);
}

#[test]
fn a_journal_forgets_the_oldest_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.journal");
    let mut journal = Journal::open(&path).unwrap();
    for round in 0..10_u64 {
        let streams = (round * 20_000..(round + 1) * 20_000).map(|stream| (stream, 0, 1)).collect();
        journal.add(&Record { files: Vec::new(), streams }).unwrap();
    }
    let written = Journal::open(&path).unwrap().written();
    assert_eq!(written.range(199_999), Some((0, 1)));
    assert_eq!(written.range(0), None);
}
