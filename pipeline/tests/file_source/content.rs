//! What stands in files: long lines, odd bytes, encodings, events of several lines.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logweir_pipeline::source::file::{Encoding, Multiline};
use regex::bytes::Regex;

use crate::lab::{Acks, Lab, texts};

pub(crate) fn multiline(lab: &mut Lab, start: Option<&str>, continues: Option<&str>) {
    let pattern = |text: Option<&str>| text.map(|text| Regex::new(text).unwrap());
    let (start, continues) = (pattern(start), pattern(continues));
    let flush_after = Duration::from_millis(300);
    lab.config.multiline = Some(Multiline { start, continues, flush_after, ..Multiline::default() });
}

#[test]
fn a_last_line_without_line_end_is_read_after_a_while_and_its_rest_later() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "one\npart");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one", "part"]);
    lab.append("a.log", "ial\ntwo\n");
    run.expect(&["ial", "one", "part", "two"]);
    let lines = run.lines();
    assert_eq!(lines.iter().map(|line| line.offset).collect::<Vec<_>>(), [0, 4, 8, 12]);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn a_writer_that_pauses_within_a_line_gets_one_event() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.partial_flush_after = Duration::from_secs(60);
    lab.write("a.log", "one\npart");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    run.expect_silence(Duration::from_millis(300));
    lab.append("a.log", "ial\n");
    run.expect(&["one", "partial"]);
    run.finish();
}

#[test]
fn a_partial_line_is_left_for_the_next_run() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.partial_flush_after = Duration::from_secs(60);
    lab.write("a.log", "one\npart");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    run.finish();
    lab.append("a.log", "ial\n");
    assert_eq!(texts(&lab.once()), ["partial"]);
}

#[test]
fn a_line_of_a_hundred_megabytes_is_cut_in_constant_memory() {
    let mut lab = Lab::new(&["a.log"]);
    lab.memory = 4 * 1024 * 1024;
    let mut file = lab.open_append("a.log");
    file.write_all(b"before\n").unwrap();
    for _ in 0..100 {
        file.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
    }
    file.write_all(b"\nafter\n").unwrap();
    let run = lab.start(Acks::AtOnce, true);
    let (status, memory) = (run.status.clone(), run.memory.clone());
    let lines = run.finish();
    assert_eq!(memory.in_use(), 0);
    let shape = lines.iter().map(|line| (line.text.len(), line.cut, line.offset)).collect::<Vec<_>>();
    assert_eq!(shape, [(6, false, 0), (1024 * 1024, true, 7), (5, false, 7 + 100 * 1024 * 1024 + 1)]);
    assert_eq!(status.counters.cut_lines.load(Ordering::Relaxed), 1);
}

#[test]
fn a_line_at_the_limit_is_whole_and_one_above_is_cut() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.max_line_bytes = 300_000;
    let line = |len: usize| "y".repeat(len);
    lab.write("a.log", format!("{}\n{}\r\n{}\nz\n", line(300_000), line(300_000), line(300_001)));
    let lines = lab.once();
    let shape = lines.iter().map(|line| (line.text.len(), line.cut)).collect::<Vec<_>>();
    assert_eq!(shape, [(300_000, false), (300_000, false), (300_000, true), (1, false)]);
}

#[test]
fn odd_bytes_are_lines_too() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", b"nul\0within\n\xff\xfe\xfd broken\n\x01\x02\n");
    assert_eq!(texts(&lab.once()), ["nul\0within", "\u{fffd}\u{fffd}\u{fffd} broken", "\u{1}\u{2}"]);
}

#[test]
fn an_empty_file_waits_for_its_first_line() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "");
    let run = lab.run(Acks::AtOnce);
    run.until("the file is found", |run| run.status.files().len() == 1);
    run.expect_silence(Duration::from_millis(200));
    lab.append("a.log", "one\n");
    run.expect(&["one"]);
    run.finish();
}

#[test]
fn many_files_with_the_same_header_are_all_read() {
    let lab = Lab::new(&["*.csv"]);
    let header = format!("# {}\n", "column,".repeat(200));
    for number in 0..50 {
        lab.write(&format!("{number}.csv"), format!("{header}row of {number}\n"));
    }
    let lines = lab.once();
    assert_eq!(lines.len(), 100);
    assert_eq!(lines.iter().filter(|line| line.text.starts_with("row of")).count(), 50);
    let mut ids = lines.iter().map(|line| (line.stream, line.offset)).collect::<Vec<_>>();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    assert!(lab.once().is_empty());
}

#[test]
fn utf_16_is_read_by_its_byte_order_mark() {
    for big_endian in [false, true] {
        let lab = Lab::new(&["a.log"]);
        let unit = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let encode = |text: &str| text.encode_utf16().flat_map(unit).collect::<Vec<_>>();
        // U+0A0D and U+0D0A hold the bytes of line ends.
        lab.write("a.log", encode("\u{feff}größe\r\n\u{a0d}\u{d0a} 😀\nlast"));
        let lines = lab.once();
        assert_eq!(texts(&lines), ["größe", "\u{a0d}\u{d0a} 😀", "last"]);
        assert_eq!(lines.iter().map(|line| line.offset).collect::<Vec<_>>(), [0, 16, 28]);
        lab.append("a.log", encode("\nmore\n"));
        assert_eq!(texts(&lab.once()), ["", "more"]);
    }
}

#[test]
fn latin1_is_read_when_asked_for() {
    let mut lab = Lab::new(&["a.log"]);
    lab.config.encoding = Encoding::Latin1;
    lab.write("a.log", b"gr\xf6\xdfe\r\ncaf\xe9\n");
    let lines = lab.once();
    assert_eq!(texts(&lines), ["größe", "café"]);
    assert_eq!(lines[1].offset, 7);
}

#[test]
fn a_utf_8_byte_order_mark_is_no_part_of_the_first_line() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", "\u{feff}one\ntwo\n");
    assert_eq!(texts(&lab.once()), ["one", "two"]);
}

#[test]
fn lines_are_joined_by_what_starts_or_continues_them() {
    let trace = "start 1\n  at a\n  at b\nstart 2\nstart 3\n  at c\n";
    for (start, continues) in [(Some("^start"), None), (None, Some("^ ")), (Some("^start"), Some("^ "))] {
        let mut lab = Lab::new(&["a.log"]);
        multiline(&mut lab, start, continues);
        lab.write("a.log", trace);
        let lines = lab.once();
        assert_eq!(texts(&lines), ["start 1\n  at a\n  at b", "start 2", "start 3\n  at c"]);
        let shape = lines.iter().map(|line| (line.offset, line.multiline)).collect::<Vec<_>>();
        assert_eq!(shape, [(0, true), (22, false), (30, true)]);
    }
}

#[test]
fn an_event_of_several_lines_waits_for_its_next_line_but_not_for_ever() {
    let mut lab = Lab::new(&["a.log"]);
    multiline(&mut lab, None, Some("^ "));
    lab.config.partial_flush_after = Duration::from_secs(60);
    lab.write("a.log", "start\n  one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["start\n  one"]);
    lab.append("a.log", "next\n");
    run.expect(&["next", "start\n  one"]);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn an_event_of_several_lines_crosses_chunks_and_writes() {
    let mut lab = Lab::new(&["a.log"]);
    multiline(&mut lab, Some("^start"), None);
    let mut expected = Vec::new();
    let mut content = String::new();
    for number in 0..40 {
        let event = format!("start {number}{}", format!("\n  {}", "z".repeat(500)).repeat(100));
        content.push_str(&event);
        content.push('\n');
        expected.push(event);
    }
    lab.write("a.log", &content[..content.len() / 2]);
    let run = lab.run(Acks::AtOnce);
    run.until("the first half is read", |run| run.lines().len() >= 18);
    lab.append("a.log", &content[content.len() / 2..]);
    run.until("all is read", |run| run.lines().len() >= 40);
    // The half event in the middle may have waited too long for its rest; its parts are then two.
    let joined = run.texts().join("\n");
    assert_eq!(joined, expected.join("\n"));
    run.finish();
}

#[test]
fn events_of_several_lines_are_bounded() {
    let mut lab = Lab::new(&["a.log"]);
    multiline(&mut lab, Some("^start"), None);
    if let Some(multiline) = &mut lab.config.multiline {
        (multiline.max_lines, multiline.max_bytes) = (3, 20);
    }
    lab.write("a.log", "start\na\nb\nc\nd\nstart\n0123456789\n0123456789\n");
    let lines = lab.once();
    assert_eq!(texts(&lines), ["start\na\nb", "c\nd", "start\n0123456789", "0123456789"]);
}
