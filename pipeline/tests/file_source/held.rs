//! Files that are deleted before they are read, as the outputs are stuck.

use std::fmt::Write;
use std::time::Duration;

use crate::lab::{Acks, Lab, Run};

/// Lines of more bytes than the batches that wait between the reader and a worker that takes none.
fn many_lines() -> String {
    let mut text = String::new();
    for number in 0..100_000 {
        writeln!(text, "line {number:06} of a file that is deleted").unwrap();
    }
    text
}

#[test]
fn deleted_files_are_counted_while_the_worker_is_stuck_and_read_when_it_is_not() {
    let lab = Lab::new(&["*.log"]);
    let text = many_lines();
    lab.write("a.log", &text);
    let run = lab.run(Acks::WhenReleased);
    run.until("it is found", |run| run.status.files().len() == 1);
    lab.remove("a.log");
    lab.write("b.log", "found while stuck\n");
    run.until("the second is found as well", |run| run.status.files().len() == 2);
    lab.remove("b.log");
    run.until("both are held", |run| run.count(|files| &files.held) == 2);
    assert_eq!(run.count(|files| &files.held_bytes), text.len() as u64 + 18);
    run.release();
    run.expect_count(100_001);
    run.until("they are closed", |run| run.count(|files| &files.held) == 0);
    assert_eq!(run.count(|files| &files.lost_bytes_possible), 0);
    assert_eq!(run.count(|files| &files.held_bytes), 0);
    run.finish();
}

#[test]
fn deleted_files_are_given_up_when_the_config_says_so_and_that_is_counted() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.deleted_close_after = Some(Duration::from_millis(500));
    let text = many_lines();
    lab.write("a.log", &text);
    lab.write("b.log", "stays\n");
    let run = lab.run(Acks::WhenReleased);
    run.until("both are found", |run| run.status.files().len() == 2);
    lab.remove("a.log");
    run.until("it is given up", |run| run.count(|files| &files.lost_bytes_possible) > 0);
    run.until("it is closed", |run| run.status.files().len() == 1 && run.count(|files| &files.held) == 0);
    run.release();
    run.until("the other file is read", |run| run.texts().contains(&"stays".to_owned()));
    let lost = run.count(|files| &files.lost_bytes_possible);
    let read = |run: &Run| run.texts().iter().map(|line| line.len() as u64 + 1).sum::<u64>();
    run.until("all but that is read", |run| read(run) + lost == text.len() as u64 + 6);
    lab.append("b.log", "grows\n");
    run.until("the other file is followed", |run| run.texts().contains(&"grows".to_owned()));
    run.finish();
}
