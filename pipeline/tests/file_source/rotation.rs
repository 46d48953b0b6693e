//! Rotation by renaming, and files that are replaced or deleted.

use std::io::Write;
use std::time::Duration;

use crate::lab::{Acks, Lab, until};

/// Ten numbered lines, long enough to tell one file from another.
fn lines(prefix: &str) -> String {
    (0..10).map(|number| format!("{prefix} {number} {}\n", "x".repeat(60))).collect()
}

fn rotate(lab: &Lab, depth: usize) {
    for number in (1..depth).rev() {
        if lab.path(&format!("a.log.{number}")).is_file() {
            lab.rename(&format!("a.log.{number}"), &format!("a.log.{}", number + 1));
        }
    }
    lab.rename("a.log", "a.log.1");
}

#[test]
fn a_renamed_file_is_read_to_its_end() {
    let lab = Lab::new(&["a.log"]);
    let mut writer = lab.open_append("a.log");
    let run = lab.run(Acks::AtOnce);
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
fn a_writer_that_notices_the_rotation_late_is_followed() {
    let lab = Lab::new(&["a.log"]);
    let mut writer = lab.open_append("a.log");
    writer.write_all(b"one\n").unwrap();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    rotate(&lab, 2);
    lab.write("a.log", "two\n");
    run.expect(&["one", "two"]);
    run.expect_silence(lab.config.rotate_grace * 3);
    writer.write_all(b"late\n").unwrap();
    run.expect(&["late", "one", "two"]);
    run.finish();
}

#[test]
fn a_chain_of_rotations_while_stopped_is_made_up_for() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    lab.once();
    lab.append("a.log", "two\n");
    for line in ["three\n", "four\n", "five\n"] {
        rotate(&lab, 4);
        lab.write("a.log", line);
    }
    let lines = lab.once();
    let mut texts = crate::lab::texts(&lines);
    texts.sort_unstable();
    assert_eq!(texts, ["five", "four", "three", "two"]);
    assert!(lab.once().is_empty());
}

#[test]
fn two_rotations_between_two_looks_lose_nothing() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    for line in ["two\n", "three\n", "four\n"] {
        rotate(&lab, 4);
        lab.write("a.log", line);
    }
    run.expect(&["four", "one", "three", "two"]);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn fast_rotation_of_only_the_live_path_loses_and_doubles_nothing() {
    let lab = Lab::new(&["a.log"]);
    let run = lab.run(Acks::AtOnce);
    let mut expected = Vec::new();
    for round in 0..40 {
        let mut file = lab.open_append("a.log");
        for number in 0..50 {
            let line = format!("round {round} line {number}");
            writeln!(file, "{line}").unwrap();
            expected.push(line);
        }
        if round == 0 {
            run.expect_count(50);
        }
        if round < 39 {
            rotate(&lab, 60);
        }
    }
    run.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn a_glob_that_matches_the_rotated_names_reads_nothing_twice() {
    let lab = Lab::new(&["a.log*"]);
    lab.write("a.log", lines("first"));
    let run = lab.run(Acks::AtOnce);
    run.expect_count(10);
    for round in 0..5 {
        rotate(&lab, 8);
        lab.write("a.log", lines(&format!("round {round}")));
        run.expect_count(10 * (round + 2));
    }
    run.expect_silence(Duration::from_millis(500));
    run.finish();
    rotate(&lab, 8);
    assert!(lab.once().is_empty());
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_closed() {
    let lab = Lab::new(&["a.log"]);
    let mut writer = lab.open_append("a.log");
    writer.write_all(b"one\n").unwrap();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.remove("a.log");
    writer.write_all(b"two\nthree").unwrap();
    run.expect(&["one", "three", "two"]);
    run.until("the file is closed", |run| run.status.files().is_empty());
    run.finish();
}

#[test]
fn a_file_that_takes_the_number_of_a_deleted_one_is_new() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\ntwo\n");
    lab.once();
    lab.remove("a.log");
    // The same length and, on most file systems, the same number.
    lab.write("a.log", "ONE\nTWO\n");
    let lines = lab.once();
    assert_eq!(crate::lab::texts(&lines), ["ONE", "TWO"]);
}

#[test]
fn a_file_deleted_and_made_again_while_running_is_new() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    for round in 0..10 {
        run.expect_count(round + 1);
        lab.remove("a.log");
        lab.write("a.log", format!("round {round}\n"));
    }
    run.expect_count(11);
    run.finish();
}

#[test]
fn an_editor_that_replaces_a_file_makes_it_go_on_where_it_was() {
    let lab = Lab::new(&["a.log"]);
    let content = lines("line");
    lab.write("a.log", &content);
    lab.once();
    lab.write("a.log.swap", format!("{content}added\n"));
    lab.rename("a.log.swap", "a.log");
    let lines = lab.once();
    assert_eq!(crate::lab::texts(&lines), ["added"]);
}

#[test]
fn a_file_moved_to_another_name_of_the_source_goes_on() {
    let lab = Lab::new(&["*.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.rename("a.log", "b.log");
    lab.append("b.log", "two\n");
    run.expect(&["one", "two"]);
    assert!(run.lines().windows(2).all(|pair| pair[0].stream == pair[1].stream));
    run.finish();
    lab.rename("b.log", "c.log");
    assert!(lab.once().is_empty());
}

#[test]
fn a_file_that_is_renamed_while_the_outputs_are_stuck_is_read_later() {
    let mut lab = Lab::new(&["a.log"]);
    lab.memory = 16 * 1024;
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::Never);
    run.expect(&["one"]);
    run.until("memory is used up", |run| {
        lab.append("a.log", "more\n");
        run.memory.in_use() >= 16 * 1024
    });
    rotate(&lab, 3);
    lab.write("a.log", "middle\n");
    rotate(&lab, 3);
    lab.write("a.log", "last\n");
    run.kill();
    let lines = lab.once();
    for text in ["one", "middle", "last"] {
        assert_eq!(lines.iter().filter(|line| line.text == text).count(), 1, "{text}");
    }
}

#[test]
fn compressed_rotated_copies_are_not_read_twice() {
    let lab = Lab::new(&["a.log*"]);
    lab.write("a.log", lines("first"));
    let run = lab.run(Acks::AtOnce);
    run.expect_count(10);
    rotate(&lab, 3);
    lab.write("a.log", lines("second"));
    run.expect_count(20);
    gzip(&lab, "a.log.1");
    run.expect_silence(Duration::from_secs(2));
    run.until("the rotated file is let go", |run| {
        run.status.files().iter().all(|file| !file.path.ends_with("a.log.1"))
    });
    run.finish();
    assert!(lab.once().is_empty());
    assert!(lab.once().is_empty());
}

#[test]
fn the_rest_of_a_file_that_was_compressed_while_stopped_is_read() {
    let lab = Lab::new(&["a.log*"]);
    lab.write("a.log", lines("first"));
    lab.once();
    lab.append("a.log", "rest\n");
    rotate(&lab, 3);
    gzip(&lab, "a.log.1");
    let rest = lab.once();
    assert_eq!(crate::lab::texts(&rest), ["rest"]);
    assert!(lab.once().is_empty());
}

#[test]
fn a_compressed_file_that_was_never_seen_is_read_once() {
    let lab = Lab::new(&["*"]);
    lab.write("old.log", lines("old"));
    gzip(&lab, "old.log");
    assert_eq!(lab.once().len(), 10);
    assert!(lab.once().is_empty());
    let run = lab.run(Acks::AtOnce);
    run.expect_silence(Duration::from_millis(800));
    run.finish();
}

/// Compresses a file as `gzip` does: the compressed one is complete before the other is deleted.
fn gzip(lab: &Lab, name: &str) {
    let file = std::fs::File::create(lab.path(&format!("{name}.gz"))).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&std::fs::read(lab.path(name)).unwrap()).unwrap();
    encoder.finish().unwrap().sync_all().unwrap();
    lab.remove(name);
    until("it is gone", || !lab.path(name).is_file());
}

#[test]
fn a_file_whose_first_lines_came_one_by_one_is_known_when_it_was_compressed() {
    let lab = Lab::new(&["a.log*"]);
    let run = lab.run(Acks::AtOnce);
    for (number, line) in lines("live").lines().enumerate() {
        lab.append("a.log", format!("{line}\n"));
        run.expect_count(number + 1);
    }
    run.finish();
    rotate(&lab, 2);
    gzip(&lab, "a.log.1");
    assert!(lab.once().is_empty());
}

#[test]
fn a_file_that_got_any_name_in_its_folder_while_stopped_is_finished() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\n");
    lab.once();
    lab.append("a.log", "rest\n");
    lab.rename("a.log", "2026-11-23.a.log");
    lab.write("a.log", "new\n");
    let lines = lab.once();
    let mut texts = crate::lab::texts(&lines);
    texts.sort_unstable();
    assert_eq!(texts, ["new", "rest"]);
}
