//! What reading costs. Run by hand, in release, one at a time:
//! `cargo test --release -p logweir-pipeline --test file_source figures -- --ignored --nocapture --test-threads=1`.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::lab::{Acks, Lab, Run};

/// A line as access logs have them, with its end.
const LINE: &str = "192.0.2.1 - - [23/Nov/2026:08:30:00 +0000] \"GET /shop/items?page=3&sort=price HTTP/1.1\" 200 5120 \
    \"https://shop.example/start\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0\"\n";

/// CPU time of the source's threads so far.
fn source_cpu() -> Duration {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.rsplit_once(')') else { continue };
        if name.ends_with("(reader") || name.contains("(discover") {
            let fields = rest.split_whitespace().collect::<Vec<_>>();
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    Duration::from_millis(ticks * 10)
}

/// Resident memory of the process now, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[allow(clippy::print_stderr)] // figures are for whoever runs this by hand
fn say(text: &str) {
    eprintln!("figure: {text}");
}

#[test]
#[ignore = "measures"]
fn one_large_file() {
    let lab = Lab::new(&["a.log"]);
    let megabyte = LINE.repeat(1024 * 1024 / LINE.len());
    let mut file = lab.open_append("a.log");
    for _ in 0..1024 {
        file.write_all(megabyte.as_bytes()).unwrap();
    }
    let bytes = file.metadata().unwrap().len();
    for _ in 0..3 {
        drop(std::fs::remove_dir_all(&lab.data));
        let begin = Instant::now();
        let run = lab.start(Acks::Counting, true);
        let ledger = run.ledger.clone();
        run.until("everything is read", Run::is_finished);
        let time = begin.elapsed();
        run.finish();
        let rate = u128::from(bytes) / time.as_micros();
        say(&format!("{rate} MB/s, {} lines, resident {} KiB", ledger.counts().read, resident()));
    }
}

#[test]
#[ignore = "measures"]
fn ten_thousand_idle_files() {
    let mut lab = Lab::new(&["*.log"]);
    lab.config.idle_check_every = Duration::from_secs(2);
    lab.config.idle_after = Duration::from_secs(10);
    for number in 0..10_000 {
        lab.write(&format!("{number}.log"), format!("first of {number}\n"));
    }
    let before = resident();
    let run = lab.run(Acks::Counting);
    let begin = Instant::now();
    run.until("all are read", |run| run.ledger.counts().delivered == 10_000);
    say(&format!("10,000 new files read in {:?}", begin.elapsed()));
    run.until("all are idle", |run| run.status.files().iter().all(|file| file.state.name() == "idle"));
    let cpu = source_cpu();
    assert!(!run.stop.wait(Duration::from_secs(30)));
    let cpu = source_cpu() - cpu;
    say(&format!("10,000 idle files for 30 s: {cpu:?} of CPU"));
    let cpu = source_cpu();
    for _ in 0..100 {
        lab.append("5.log", LINE.repeat(100));
        assert!(!run.stop.wait(Duration::from_millis(100)));
    }
    say(&format!("10,000 idle files, one at 1,000 lines/s for 10 s: {:?} of CPU", source_cpu() - cpu));
    say(&format!("resident {} KiB, before {before} KiB", resident()));
    run.finish();
    lab.append("7777.log", "the line\n");
    let begin = Instant::now();
    let run = lab.run(Acks::AtOnce);
    run.expect(&["the line"]);
    say(&format!("start with 10,000 files checkpointed: first line after {:?}", begin.elapsed()));
    run.finish();
}

#[test]
#[ignore = "measures"]
fn one_file_at_ten_thousand_lines_a_second() {
    let lab = Lab::new(&["a.log"]);
    lab.write("a.log", LINE);
    let run = lab.run(Acks::Counting);
    run.until("the file is read", |run| run.ledger.counts().delivered == 1);
    let mut file = lab.open_append("a.log");
    let lines = LINE.repeat(50);
    let (cpu, begin) = (source_cpu(), Instant::now());
    for round in 1..=2_000_u32 {
        file.write_all(lines.as_bytes()).unwrap();
        let next = begin + Duration::from_millis(5) * round;
        assert!(!run.stop.wait(next.saturating_duration_since(Instant::now())));
    }
    let (cpu, time) = (source_cpu() - cpu, begin.elapsed());
    say(&format!("10,000 lines/s for {time:?}: {cpu:?} of CPU"));
    run.until("all is read", |run| run.ledger.counts().delivered == 100_001);
    run.finish();
}
