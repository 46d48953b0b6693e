//! Where files are: folders, links, permissions, limits.

use std::time::Duration;

use logweir_pipeline::checkpoint::Checkpoints;
use logweir_pipeline::installation::Installation;
use logweir_pipeline::source::file::{FileConfig, FileSource, ReadFrom};

use crate::lab::{Acks, Lab, run_limited, texts};

#[test]
fn a_folder_that_is_deleted_and_made_again_is_watched_again() {
    let lab = Lab::new(&["app/a.log"]);
    let run = lab.run(Acks::AtOnce);
    for round in 0..3 {
        std::fs::create_dir(lab.path("app")).unwrap();
        lab.write("app/a.log", format!("round {round}\n"));
        run.expect_count(round + 1);
        std::fs::remove_dir_all(lab.path("app")).unwrap();
    }
    run.finish();
}

#[test]
fn a_folder_that_is_moved_away_and_replaced_is_watched_again() {
    let lab = Lab::new(&["app/*.log"]);
    std::fs::create_dir(lab.path("app")).unwrap();
    lab.write("app/a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.rename("app", "old");
    std::fs::create_dir(lab.path("app")).unwrap();
    lab.write("app/a.log", "two\n");
    run.expect(&["one", "two"]);
    run.finish();
}

#[test]
fn new_folders_under_a_glob_are_found() {
    let lab = Lab::new(&["**/*.log"]);
    let run = lab.run(Acks::AtOnce);
    std::fs::create_dir_all(lab.path("one/two")).unwrap();
    lab.write("one/two/a.log", "deep\n");
    run.expect(&["deep"]);
    run.finish();
}

#[test]
fn hard_links_are_one_file() {
    let lab = Lab::new(&["*.log"]);
    lab.write("a.log", "one\n");
    std::fs::hard_link(lab.path("a.log"), lab.path("b.log")).unwrap();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.remove("a.log");
    lab.append("b.log", "two\n");
    run.expect(&["one", "two"]);
    run.finish();
}

#[test]
fn a_link_that_is_switched_leads_to_the_new_file_and_the_old_one_is_finished() {
    let lab = Lab::new(&["current.log"]);
    lab.write("one.txt", "one\n");
    std::os::unix::fs::symlink(lab.path("one.txt"), lab.path("current.log")).unwrap();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.write("two.txt", "two\n");
    std::os::unix::fs::symlink(lab.path("two.txt"), lab.path("next")).unwrap();
    lab.rename("next", "current.log");
    lab.append("one.txt", "rest\n");
    run.expect(&["one", "rest", "two"]);
    run.finish();
}

#[test]
fn excluded_files_are_not_opened() {
    let mut lab = Lab::new(&["*"]);
    lab.config.exclude = vec!["*.tmp".to_owned()];
    lab.write("a.log", "one\n");
    // A FIFO would be complained about, and keep a careless reader waiting for ever.
    fifo(&lab, "b.tmp");
    let run = lab.start(Acks::AtOnce, true);
    let status = run.status.clone();
    assert_eq!(texts(&run.finish()), ["one"]);
    assert_eq!(status.counters.errors.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn a_directory_and_a_fifo_are_complained_about_and_hold_up_nothing() {
    let lab = Lab::new(&["a.log", "folder", "fifo"]);
    lab.write("a.log", "one\n");
    std::fs::create_dir(lab.path("folder")).unwrap();
    fifo(&lab, "fifo");
    let run = lab.start(Acks::AtOnce, true);
    let status = run.status.clone();
    assert_eq!(texts(&run.finish()), ["one"]);
    assert_eq!(status.counters.errors.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn a_path_that_cannot_be_opened_is_tried_again() {
    // A circle of links cannot be opened by any user; permissions do not bind root.
    let lab = Lab::new(&["a.log"]);
    std::os::unix::fs::symlink(lab.path("a.log"), lab.path("a.log")).unwrap();
    let run = lab.run(Acks::AtOnce);
    run.until("the failure is counted", |run| {
        run.status.counters.errors.load(std::sync::atomic::Ordering::Relaxed) == 1
    });
    lab.remove("a.log");
    lab.write("a.log", "one\n");
    run.expect(&["one"]);
    run.finish();
}

#[test]
fn reading_from_the_end_skips_what_was_there_before_the_first_start_only() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.read_from = ReadFrom::End;
    lab.write("a.log", "old\nold\npar");
    let run = lab.run(Acks::AtOnce);
    run.until("the file is found", |run| run.status.files().len() == 1);
    run.until("the file is read", |run| run.status.files()[0].state.name() != "waiting");
    lab.append("a.log", "tial\nnew\n");
    lab.write("b.log", "from the beginning\n");
    run.expect(&["from the beginning", "new", "partial"]);
    run.finish();
    lab.write("c.log", "while stopped\n");
    assert_eq!(texts(&lab.once()), ["while stopped"]);
}

#[test]
fn a_file_that_came_after_a_first_start_without_files_is_read_from_its_beginning() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.read_from = ReadFrom::End;
    let run = lab.run(Acks::AtOnce);
    run.until("the start is stored", |run| run.checkpoints.has_started("logs").unwrap());
    run.kill();
    lab.write("a.log", "while stopped\n");
    assert_eq!(texts(&lab.once()), ["while stopped"]);
}

#[test]
fn reading_once_from_the_end_passes_over_what_is_there_and_nothing_later() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.read_from = ReadFrom::End;
    lab.write("a.log", "old\n");
    assert!(lab.once().is_empty());
    lab.append("a.log", "new\n");
    lab.write("b.log", "later\n");
    let mut lines = texts(&lab.once()).iter().map(ToString::to_string).collect::<Vec<_>>();
    lines.sort();
    assert_eq!(lines, ["later", "new"]);
}

#[test]
fn a_start_that_is_forgotten_with_a_damaged_store_is_a_first_one() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.read_from = ReadFrom::End;
    assert!(lab.once().is_empty());
    std::fs::write(lab.data.join("checkpoints.redb"), "this is no database").unwrap();
    lab.write("a.log", "old\n");
    assert!(lab.once().is_empty());
    lab.write("b.log", "later\n");
    assert_eq!(texts(&lab.once()), ["later"]);
}

#[test]
fn files_beyond_the_limit_are_closed_and_opened_again() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.max_open_files = 5;
    lab.config.idle_after = Duration::from_millis(300);
    for number in 0..30 {
        lab.write(&format!("{number}.log"), format!("first of {number}\n"));
    }
    let run = lab.run(Acks::AtOnce);
    run.expect_count(30);
    run.until("idle files are closed", |run| {
        run.status.counters.open.load(std::sync::atomic::Ordering::Relaxed) <= 5
    });
    for number in 0..30 {
        lab.append(&format!("{number}.log"), format!("second of {number}\n"));
    }
    run.expect_count(60);
    assert!(run.status.counters.reopened.load(std::sync::atomic::Ordering::Relaxed) >= 25);
    run.finish();
    assert!(lab.once().is_empty());
}

#[test]
fn a_file_that_was_closed_and_then_renamed_is_found_and_finished() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.max_open_files = 1;
    lab.config.idle_after = Duration::from_millis(300);
    for name in ["a.log", "b.log", "c.log"] {
        lab.write(name, format!("one of {name}\n"));
    }
    let run = lab.run(Acks::AtOnce);
    run.expect_count(3);
    run.until("idle files are closed", |run| {
        run.status.counters.open.load(std::sync::atomic::Ordering::Relaxed) <= 1
    });
    for name in ["a.log", "b.log", "c.log"] {
        lab.append(name, format!("two of {name}\n"));
        lab.rename(name, &format!("{name}.1"));
    }
    run.expect_count(6);
    run.finish();
}

#[test]
fn invalid_globs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let installation = Installation::open(dir.path()).unwrap();
    let config = FileConfig { paths: vec!["/var/log/[".to_owned()], ..FileConfig::default() };
    let error = FileSource::new(config, Checkpoints::open(dir.path()), &installation).unwrap_err();
    assert!(error.to_string().contains("/var/log/["), "{error}");
}

fn fifo(lab: &Lab, name: &str) {
    let status = std::process::Command::new("mkfifo").arg(lab.path(name)).status().unwrap();
    assert!(status.success());
}

#[test]
fn more_files_than_the_process_may_open_are_all_read() {
    run_limited(&["sh"], "ulimit -n 64", "places::within_64_descriptors");
}

#[test]
#[ignore = "run by the test above, with a limit"]
fn within_64_descriptors() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.idle_after = Duration::from_millis(200);
    for number in 0..200 {
        lab.write(&format!("{number}.log"), format!("line of {number}\n"));
    }
    let run = lab.run(Acks::AtOnce);
    run.expect_count(200);
    run.finish();
}

#[test]
fn folders_that_cannot_be_watched_are_searched_every_second() {
    for limit in ["instances", "watches"] {
        // A user namespace has limits of its own, so that nobody else feels them.
        let limit = format!("echo 0 > /proc/sys/user/max_inotify_{limit}");
        run_limited(&["unshare", "-Ur", "sh"], &limit, "places::without_watches");
    }
}

#[test]
#[ignore = "run by the test above, with a limit"]
fn without_watches() {
    let lab = Lab::new(&["*.log"]);
    lab.write("a.log", "one\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    lab.rename("a.log", "a.log.1");
    lab.write("a.log", "two\n");
    lab.write("b.log", "three\n");
    run.expect(&["one", "three", "two"]);
    run.finish();
}

#[test]
fn a_file_that_another_is_mounted_over_gives_way_to_it_and_goes_on_later() {
    run_limited(&["unshare", "-Urm", "sh"], "true", "places::mounted_over");
}

#[test]
#[ignore = "run by the test above, where it may mount"]
fn mounted_over() {
    let mut lab = Lab::new(&["a*.log"]);
    lab.config.discover_every = Duration::from_millis(50);
    lab.write("a.log", "one\n");
    lab.write("other", "two\n");
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one"]);
    command("mount", &["--bind", lab.path("other").to_str().unwrap(), lab.path("a.log").to_str().unwrap()]);
    run.expect(&["one", "two"]);
    lab.append("a.log", "three\n");
    run.expect(&["one", "three", "two"]);
    command("umount", &["--lazy", lab.path("a.log").to_str().unwrap()]);
    lab.append("a.log", "four\n");
    run.expect(&["four", "one", "three", "two"]);
    run.finish();
}

#[test]
fn a_file_that_cannot_be_opened_again_for_want_of_descriptors_is_read_later() {
    run_limited(&["sh"], "ulimit -n 64", "places::without_descriptors");
}

#[test]
#[ignore = "run by the test above, with a limit"]
fn without_descriptors() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.max_open_files = 0;
    lab.config.idle_after = Duration::from_millis(100);
    lab.write("a.log", "one\n");
    lab.write("b.log", "one\n");
    let mut writers = [lab.open_append("a.log"), lab.open_append("b.log")];
    let run = lab.run(Acks::AtOnce);
    run.expect(&["one", "one"]);
    run.until("both are closed", |run| run.count(|files| &files.open) == 0);
    let mut others = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        others.push(file);
    }
    for writer in &mut writers {
        std::io::Write::write_all(writer, b"two\n").unwrap();
    }
    run.until("both failures are counted", |run| run.count(|files| &files.errors) >= 2);
    drop(others);
    run.expect(&["one", "one", "two", "two"]);
    assert_eq!(run.count(|files| &files.lost_bytes_possible), 0);
    run.finish();
}

fn command(name: &str, arguments: &[&str]) {
    let output = std::process::Command::new(name).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}
