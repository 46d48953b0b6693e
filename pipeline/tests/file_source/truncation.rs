//! Files that are cut short or written anew in place.

use std::sync::atomic::Ordering;

use crate::lab::{Acks, Lab, texts};

fn lines(prefix: &str, count: usize) -> String {
    (0..count).map(|number| format!("{prefix} {number}\n")).collect()
}

/// Cuts a file that was read to its end and writes `new` into it.
fn cut_and_write(old: &str, new: &str) {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", old);
    let run = lab.run(Acks::AtOnce);
    run.expect_count(old.lines().count());
    lab.write("a.log", new);
    run.expect_count(old.lines().count() + new.lines().count());
    let ids = run.lines();
    assert_ne!(ids.first().unwrap().stream, ids.last().unwrap().stream);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn a_file_cut_to_less_than_was_read_is_read_again() {
    cut_and_write(&lines("old", 20), &lines("new", 5));
}

#[test]
fn a_file_rewritten_to_as_much_as_was_read_is_read_again() {
    cut_and_write(&lines("old", 20), &lines("new", 20));
}

#[test]
fn a_file_rewritten_to_more_than_was_read_is_read_again() {
    cut_and_write(&lines("old", 20), &lines("new", 90));
}

#[test]
fn a_file_cut_and_rewritten_while_stopped_is_read_again() {
    for count in [5, 20, 90] {
        let lab = Lab::new(&["a.log"]);
        lab.write("a.log", lines("old", 20));
        lab.once();
        lab.write("a.log", lines("new", count));
        assert_eq!(lab.once().len(), count);
        assert!(lab.once().is_empty());
    }
}

#[test]
fn the_same_content_after_a_cut_that_was_seen_is_new() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", lines("same", 5));
    let run = lab.run(Acks::AtOnce);
    run.expect_count(5);
    lab.truncate("a.log", 0);
    run.until("the cut is seen", |run| run.status.counters.truncated.load(Ordering::Relaxed) == 1);
    lab.write("a.log", lines("same", 5));
    run.expect_count(10);
    let lines = run.lines();
    assert_ne!(lines[0].stream, lines[5].stream);
    run.finish();
}

#[test]
fn the_unread_rest_of_a_copied_and_cut_file_is_read_from_the_copy() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", lines("read", 5));
    let before = lab.once();
    lab.append("a.log", lines("unread", 5));
    lab.copy("a.log", "a.log.1");
    lab.truncate("a.log", 0);
    lab.append("a.log", lines("new", 3));
    let after = lab.once();
    let mut found = texts(&after);
    found.sort_unstable();
    let expected = [lines("new", 3), lines("unread", 5)].concat();
    assert_eq!(found, expected.lines().collect::<Vec<_>>());
    // What came from the copy belongs to the stream that was cut off.
    let unread = after.iter().find(|line| line.text.starts_with("unread")).unwrap();
    assert_eq!((unread.stream, unread.offset), (before[0].stream, lines("read", 5).len() as u64));
    assert!(lab.once().is_empty());
}

/// Copies and cuts a file several times while it is written, as `logrotate` with `copytruncate` does; to a name of its
/// own each time, or in place over the last copy.
fn copy_and_cut_six_times(glob: &str, in_place: bool) {
    let lab = Lab::new(&[glob]);
    let run = lab.run(Acks::AtOnce);
    let mut expected = 0;
    for round in 0..6 {
        lab.append("a.log", lines(&format!("round {round} with a long enough line"), 50));
        expected += 50;
        run.expect_count(expected);
        lab.append("a.log", lines(&format!("round {round} that may be cut off unread"), 50));
        expected += 50;
        lab.copy("a.log", &format!("a.log.{}", if in_place { 1 } else { round }));
        lab.truncate("a.log", 0);
        run.until("the cut is seen", |run| run.status.counters.truncated.load(Ordering::Relaxed) > round);
    }
    run.expect_count(expected);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn copies_and_cuts_of_the_live_path_lose_and_double_nothing() {
    copy_and_cut_six_times("a.log", false);
}

#[test]
fn copies_and_cuts_under_a_glob_that_matches_the_copies_lose_and_double_nothing() {
    copy_and_cut_six_times("a.log*", false);
}

#[test]
fn copies_over_the_last_copy_lose_and_double_nothing() {
    copy_and_cut_six_times("a.log", true);
}

#[test]
fn copies_over_the_last_copy_under_a_glob_lose_and_double_nothing() {
    copy_and_cut_six_times("a.log*", true);
}

#[test]
fn a_copy_that_was_cut_while_stopped_and_begins_the_same_hides_nothing() {
    let lab = Lab::new(&["a.log"]);
    let mut ids = Vec::new();
    for round in 0..3 {
        lab.append("a.log", format!("header\n{}", lines(&format!("round {round}"), 50)));
        ids.extend(lab.once().into_iter().map(|line| (line.stream, line.offset)));
        lab.append("a.log", "unread\n");
        lab.copy("a.log", "a.log.1");
        lab.truncate("a.log", 0);
        ids.extend(lab.once().into_iter().map(|line| (line.stream, line.offset)));
    }
    assert_eq!(ids.len(), 3 * 52);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3 * 52);
}

#[test]
fn bytes_that_nobody_has_any_more_are_counted() {
    let mut lab = Lab::new(&["a.log"]);
    lab.memory = 8 * 1024;
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::Never);
    run.expect(&["one"]);
    lab.append("a.log", "unread\n");
    run.until("the file is looked at", |run| run.status.files()[0].size == 11);
    lab.truncate("a.log", 0);
    run.until("the loss is counted", |run| {
        run.status.counters.lost_bytes_possible.load(Ordering::Relaxed) == 7
    });
    run.kill();
}

#[test]
fn a_hole_that_a_cut_left_is_passed_over() {
    let lab = Lab::new(&["a.log"]);
    let mut content = lines("old", 20).into_bytes();
    lab.write("a.log", &content);
    let run = lab.run(Acks::AtOnce);
    run.expect_count(20);
    // A writer without O_APPEND goes on at its old offset: the bytes before it are a hole.
    let len = content.len();
    content.clear();
    content.resize(len, 0);
    content.extend_from_slice(b"new\n");
    lab.truncate("a.log", 0);
    lab.write("a.log", &content);
    run.expect_count(21);
    assert_eq!(run.texts().last().unwrap(), "new");
    run.finish();
}

#[test]
fn a_hole_larger_than_any_line_costs_no_memory_and_no_event() {
    let lab = Lab::new(&["a.log"]);
    lab.truncate_to_new("a.log", 64 * 1024 * 1024);
    lab.append("a.log", "after\n");
    let lines = lab.once();
    assert_eq!(texts(&lines), ["after"]);
    assert_eq!(lines[0].offset, 64 * 1024 * 1024);
}
