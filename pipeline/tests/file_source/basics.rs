//! Plain reading: lines, positions, restarts.

use std::io::Write;
use std::time::{Duration, SystemTime};

use crate::lab::{Acks, Lab, texts};

#[test]
fn lines_come_in_order_with_their_offsets() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\ntwo\r\n\nfour\n");
    let lines = lab.once();
    assert_eq!(texts(&lines), ["one", "two", "", "four"]);
    assert_eq!(lines.iter().map(|line| line.offset).collect::<Vec<_>>(), [0, 4, 9, 10]);
}

#[test]
fn a_growing_file_is_followed() {
    let lab = Lab::new(&["*.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.append("a.log", "two\n");
    run.expect(&["one", "two"]);
    run.finish();
}

#[test]
fn a_restart_goes_on_where_the_last_run_was() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\ntwo\n");
    assert_eq!(lab.once().len(), 2);
    lab.append("a.log", "three\n");
    assert_eq!(texts(&lab.once()), ["three"]);
    assert!(lab.once().is_empty());
}

#[test]
fn what_is_not_acknowledged_is_read_again_with_the_same_ids() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\ntwo\n");
    let run = lab.run(Acks::Never);
    run.expect(&["one", "two"]);
    let first = run.finish();
    assert_eq!(lab.once(), first);
}

#[test]
fn a_kill_between_ack_and_checkpoint_repeats_the_same_ids() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.until("the line is acknowledged", |run| run.ledger.counts().delivered == 1);
    run.checkpoints.flush().unwrap();
    lab.append("a.log", "two\n");
    run.expect(&["one", "two"]);
    let first = run.kill();
    assert_eq!(lab.once(), first[first.len() - 1..].to_vec());
}

#[test]
fn a_new_file_is_read_within_a_second() {
    let lab = Lab::new(&["*.log"]);
    lab.write("old.log", "");
    let run = lab.run(Acks::AtOnce);
    run.until("the first search", |run| run.status.files().len() == 1);
    let begin = std::time::Instant::now();
    lab.write("new.log", "one\n");
    run.expect(&["one"]);
    assert!(begin.elapsed() < Duration::from_secs(1));
    run.finish();
}

#[test]
fn a_modification_time_that_goes_back_hides_nothing() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.idle_after = Duration::from_millis(100);
    let years_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    lab.write("a.log", "one\n");
    let mut writer = lab.open_append("a.log");
    writer.set_modified(years_ago + Duration::from_secs(1)).unwrap();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    run.until("the file is idle", |run| run.status.files()[0].state.name() == "idle");
    writer.write_all(b"two\n").unwrap();
    writer.set_modified(years_ago).unwrap();
    run.expect(&["one", "two"]);
    run.finish();
    writer.write_all(b"three\n").unwrap();
    writer.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(texts(&lab.once()), ["three"]);
}
