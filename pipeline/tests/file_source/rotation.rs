//! Rotation by renaming.

use crate::lab::{Acks, Lab, texts};

#[test]
fn a_renamed_file_is_read_to_its_end() {
    let lab = Lab::new(&["a.log"]);
    let mut writer = lab.open_append("a.log");
    let run = lab.run(Acks::AtOnce);
    use std::io::Write;
    writer.write_all(b"one\n").unwrap();
    run.expect(&["one"]);
    lab.rename("a.log", "a.log.1");
    writer.write_all(b"two\n").unwrap();
    lab.write("a.log", "three\n");
    writer.write_all(b"four\n").unwrap();
    run.expect(&["four", "one", "three", "two"]);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn a_chain_of_rotations_while_stopped_is_made_up_for() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    lab.once();
    lab.append("a.log", "two\n");
    for line in ["three\n", "four\n", "five\n"] {
        for (from, to) in [
            ("a.log.2", "a.log.3"),
            ("a.log.1", "a.log.2"),
            ("a.log", "a.log.1"),
        ] {
            if lab.path(from).is_file() {
                lab.rename(from, to);
            }
        }
        lab.write("a.log", line);
    }
    let lines = lab.once();
    let mut texts = texts(&lines);
    texts.sort_unstable();
    assert_eq!(texts, ["five", "four", "three", "two"]);
    assert!(lab.once().is_empty());
}
