//! Events that end by decision and not by what is written: they end there again in the next run.

use std::time::Duration;

use logweir_pipeline::source::file::Encoding;

use crate::content::multiline;
use crate::lab::{Acks, Lab, Line, texts};
use crate::store::SmallDisk;

/// Reads what is there without acknowledgement, is killed, and reads again after more was written. Every event of the
/// first run comes again as it was, and `rest` after it.
#[track_caller]
fn killed_before_the_acknowledgement(lab: &Lab, once: bool, first: &[&str], append: &[u8], rest: &[&str]) {
    let run = lab.start(Acks::Never, once);
    run.expect(first);
    let before = run.kill();
    lab.append("a.log", append);
    let after = lab.once();
    let count = before.len();
    assert_eq!(after[..count.min(after.len())], before);
    assert_eq!(texts(&after[count..]), rest);
    let mut ids = after.iter().map(|line| (line.stream, line.offset)).collect::<Vec<_>>();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), after.len());
    assert!(lab.once().is_empty());
}

#[test]
fn a_last_line_that_was_sent_incomplete_is_the_same_after_a_kill() {
    for once in [false, true] {
        let lab = Lab::new(&["a.log"]);
        lab.write("a.log", "one\npart");
        killed_before_the_acknowledgement(&lab, once, &["one", "part"], b"ial\ntwo\n", &["ial", "two"]);
    }
}

#[test]
fn a_first_line_that_was_sent_incomplete_is_the_same_after_a_kill() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "part");
    killed_before_the_acknowledgement(&lab, false, &["part"], b"ial\n", &["ial"]);
}

#[test]
fn an_event_of_several_lines_that_waited_is_the_same_after_a_kill() {
    for once in [false, true] {
        let mut lab = Lab::new(&["a.log"]);
        multiline(&mut lab, None, Some("^ "));
        lab.write("a.log", "start\n  one\n");
        let rest = ["  two\n  three", "next"];
        killed_before_the_acknowledgement(&lab, once, &["start\n  one"], b"  two\n  three\nnext\n", &rest);
    }
}

#[test]
fn an_incomplete_line_of_an_event_of_several_is_the_same_after_a_kill() {
    let mut lab = Lab::new(&["a.log"]);
    multiline(&mut lab, None, Some("^ "));
    lab.write("a.log", "zero\nstart\n  on");
    killed_before_the_acknowledgement(&lab, true, &["zero", "start\n  on"], b"e\n  two\n", &["e\n  two"]);
}

#[test]
fn a_line_beyond_the_limit_that_was_sent_incomplete_is_the_same_after_a_kill() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.max_line_bytes = 300_000;
    lab.write("a.log", "x".repeat(2_000_000));
    let kept = "x".repeat(300_000);
    killed_before_the_acknowledgement(&lab, false, &[&kept], b"xx\ntwo\n", &["xx", "two"]);
}

#[test]
fn an_incomplete_line_of_utf_16_ends_at_a_whole_unit() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.encoding = Encoding::Utf16Le;
    lab.write("a.log", b"a\0\n\0b\0c");
    killed_before_the_acknowledgement(&lab, true, &["a", "b"], b"\0\n\0d\0\n\0", &["c", "d"]);
}

#[test]
fn the_end_of_a_renamed_file_is_the_same_after_a_kill() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.partial_flush_after = Duration::from_secs(60);
    lab.write("a.log", "one\npart");
    let run = lab.run(Acks::Never);
    run.expect(&["one"]);
    lab.rename("a.log", "a.log.1");
    run.expect(&["one", "part"]);
    let before = run.kill();
    lab.append("a.log.1", "ial\n");
    let after = lab.once();
    assert_eq!(after[..2], before);
    assert_eq!(texts(&after[2..]), ["ial"]);
}

#[test]
fn one_cut_after_the_other_is_kept_to_and_acknowledged_ones_are_forgotten() {
    let lab = Lab::new(&["a.log"]);
    let mut sent = Vec::new();
    // More than are kept at once, as each run acknowledges its own.
    for round in 0..20 {
        lab.append("a.log", format!("part {round}"));
        let run = lab.start(Acks::Never, true);
        run.expect(&[&format!("part {round}")]);
        let before = run.kill();
        assert_eq!(lab.once(), before);
        sent.extend(before);
    }
    let offsets = sent.iter().map(|line: &Line| line.offset).collect::<Vec<_>>();
    assert!(offsets.is_sorted_by(|one, other| one < other), "{offsets:?}");
}

#[test]
fn ends_stay_open_while_too_many_are_not_acknowledged() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.partial_flush_after = Duration::from_millis(20);
    let run = lab.run(Acks::Never);
    for round in 0..16 {
        lab.append("a.log", format!("{round} "));
        run.expect_count(round + 1);
    }
    lab.append("a.log", "open");
    run.expect_silence(Duration::from_millis(500));
    lab.append("a.log", "ed\n");
    run.expect_count(17);
    let before = run.kill();
    assert_eq!(before[16].text, "opened");
    assert_eq!(lab.once(), before);
}

#[test]
fn ends_stay_open_while_they_cannot_be_stored() {
    let lab = Lab::new(&["a.log"]);
    let disk = SmallDisk::mount(&lab);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    disk.fill();
    run.until("the store is full", |run| {
        let count = run.lines().len();
        lab.append("a.log", "more\n");
        run.expect_count(count + 1);
        run.checkpoints.flush().is_err()
    });
    let count = run.lines().len();
    lab.append("a.log", "open");
    run.expect_silence(Duration::from_millis(1200));
    lab.append("a.log", "ed\n");
    run.until("the line is read whole", |run| run.texts().last().is_some_and(|last| last == "opened"));
    lab.append("a.log", "part");
    disk.free();
    run.until("the end is stored and read", |run| run.texts().last().is_some_and(|last| last == "part"));
    assert_eq!(run.lines().len(), count + 2);
    run.until("everything is stored", |run| run.checkpoints.flush().is_ok());
    run.finish();
    assert!(lab.once().is_empty());
}
