//! Files that the process writes itself.

use std::io::Write;
use std::time::Duration;

use crate::lab::{Acks, Lab};

#[test]
fn what_the_process_writes_itself_is_left_alone() {
    let mut lab = Lab::new(&["**/*"]);
    std::fs::create_dir(lab.path("out")).unwrap();
    let mut log = lab.open_append("daemon.log");
    lab.own.add_log(&log);
    lab.own.add_names(&lab.path("out"), "*.ndjson*").unwrap();
    log.write_all(b"our own\n").unwrap();
    lab.write("app.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    run.until("the log is left alone", |run| run.count(|files| &files.own_files) == 1);
    for (round, name) in ["copy.ndjson", "copy.ndjson.1"].into_iter().enumerate() {
        lab.write(&format!("out/{name}"), "written by an output\n");
        log.write_all(b"our own again\n").unwrap();
        run.until("it is left alone", |run| run.count(|files| &files.own_files) == round as u64 + 2);
    }
    // The process goes on writing to it.
    lab.rename("daemon.log", "daemon.log.1");
    run.until("the rotated log is left alone", |run| run.count(|files| &files.own_files) == 4);
    log.write_all(b"our own after all\n").unwrap();
    run.expect_silence(Duration::from_millis(1500));
    // The old name is anyone's now.
    lab.write("daemon.log", "two\n");
    lab.append("app.log", "three\n");
    run.expect(&["one", "three", "two"]);
    assert_eq!(run.count(|files| &files.errors), 0);
    run.finish();
    assert!(lab.once().is_empty());
}
