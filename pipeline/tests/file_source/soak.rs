//! Numbered lines through random rotation, cuts, restarts and kills: lost 0, doubled 0.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use crate::lab::{Acks, Lab, Line};

/// A small generator of numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What was written and what came.
#[derive(Default)]
struct Account {
    written: u64,
    came: Vec<Line>,
}

impl Account {
    fn write(&mut self, lab: &Lab, lines: u64) {
        let mut file = lab.open_append("a.log");
        let mut text = String::new();
        for _ in 0..lines {
            text.push_str(&format!("line {:07}\n", self.written));
            self.written += 1;
        }
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Every line came, and none came under two ids.
    fn settle(&self, seed: u64) {
        let ids = self.came.iter().map(|line| (line.text.as_str(), line.stream, line.offset));
        let ids = ids.collect::<BTreeSet<_>>();
        let texts = ids.iter().map(|(text, ..)| *text).collect::<BTreeSet<_>>();
        assert_eq!(texts.len() as u64, self.written, "lost lines, seed {seed}");
        assert_eq!(ids.len(), texts.len(), "doubled lines, seed {seed}");
    }
}

fn rotate(lab: &Lab) {
    for number in (1..200).rev() {
        if lab.path(&format!("a.log.{number}")).is_file() {
            lab.rename(&format!("a.log.{number}"), &format!("a.log.{}", number + 1));
        }
    }
    if lab.path("a.log").is_file() {
        lab.rename("a.log", "a.log.1");
    }
}

/// Writes, rotates, stops and kills at random.
fn soak(glob: &str, seed: u64) {
    let lab = Lab::new(&[glob]);
    let (mut random, mut account) = (Random(seed), Account::default());
    account.write(&lab, 20);
    let mut run = lab.run(Acks::AtOnce);
    run.expect_count(20);
    for _ in 0..60 {
        match random.below(8) {
            0..4 => {
                let lines = random.below(300);
                account.write(&lab, lines);
            }
            4 | 5 => {
                rotate(&lab);
                account.write(&lab, 1);
            }
            6 => assert!(!run.stop.wait(Duration::from_millis(random.below(30)))),
            _ => {
                run.checkpoints.flush().unwrap();
                account.came.extend(if random.below(2) == 0 { run.kill() } else { run.finish() });
                run = lab.run(if random.below(3) == 0 { Acks::Never } else { Acks::AtOnce });
            }
        }
    }
    account.came.extend(run.finish());
    account.came.extend(lab.once());
    account.settle(seed);
    assert!(lab.once().is_empty(), "seed {seed}");
}

#[test]
fn numbered_lines_through_random_rotation_and_kills_of_the_live_path() {
    for seed in 0..5 {
        soak("a.log", seed);
    }
}

#[test]
fn numbered_lines_through_random_rotation_and_kills_under_a_glob() {
    for seed in 100..105 {
        soak("a.log*", seed);
    }
}

/// Copies and cuts at random, with writes between; the writer waits for nothing but the cut itself.
fn soak_copies(glob: &str, seed: u64) {
    let lab = Lab::new(&[glob]);
    let (mut random, mut account) = (Random(seed), Account::default());
    account.write(&lab, 40);
    let run = lab.run(Acks::AtOnce);
    run.expect_count(40);
    for round in 0..8 {
        for _ in 0..random.below(5) {
            let lines = random.below(400);
            account.write(&lab, lines);
            assert!(!run.stop.wait(Duration::from_millis(random.below(20))));
        }
        // A file of which nothing was read since its last cut cannot be told from one that was never written.
        account.write(&lab, 1);
        run.until("the file is read", |run| run.lines().len() as u64 >= account.written);
        let lines = random.below(400);
        account.write(&lab, lines);
        lab.copy("a.log", &format!("a.log.{round}"));
        lab.truncate("a.log", 0);
    }
    run.until("all lines have come", |run| run.lines().len() as u64 >= account.written);
    account.came.extend(run.finish());
    account.came.extend(lab.once());
    account.settle(seed);
}

#[test]
fn numbered_lines_through_random_copies_and_cuts() {
    for seed in 0..3 {
        soak_copies("a.log", seed);
        soak_copies("a.log*", seed + 100);
    }
}
