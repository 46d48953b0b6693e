//! An application that logs numbered lines at a steady rate, as the tests' daemons see it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logweir_benchmarks::generate::{LineFormat, LineGenerator};
use logweir_benchmarks::pace::Pacer;

/// Appends lines numbered from 0 to a file, for tests that need no rate.
pub(crate) fn append_numbered(path: &Path, numbers: std::ops::Range<u64>) {
    let mut generator = LineGenerator::new(LineFormat::Nginx, numbers.start);
    let mut text = Vec::new();
    for number in numbers {
        generator.write_numbered(&mut text, number).unwrap();
    }
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(&text).unwrap();
}

/// How the writer's file is rotated, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rotation {
    Never,
    /// `app.log` becomes `app.log.1`, `.1` becomes `.2`, …; the writer goes on in a new file.
    Rename {
        every: Duration,
        keep: u32,
    },
    /// The file is copied to `app.log.1` and truncated between two writes, so that the rotation itself loses nothing.
    CopyTruncate {
        every: Duration,
        times: u32,
    },
}

/// A running application.
#[derive(Debug)]
pub(crate) struct Writer {
    /// It writes on until it has written so many lines.
    until: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl Writer {
    /// Begins to write `lines_per_second` nginx lines to `path`.
    pub(crate) fn start(path: PathBuf, lines_per_second: u64, rotation: Rotation) -> Self {
        let until = Arc::new(AtomicU64::new(u64::MAX));
        let mut application = Application {
            file: open(&path),
            path,
            rotation,
            rotated: Instant::now(),
            rotations: 0,
            generator: LineGenerator::new(LineFormat::Nginx, 1),
            next: 0,
        };
        let seen = Arc::clone(&until);
        let thread = std::thread::spawn(move || {
            let mut pacer = Pacer::new(lines_per_second, Duration::from_millis(5));
            while application.next < seen.load(Ordering::Relaxed) {
                application.write(pacer.next_turn());
                application.rotate_when_due();
            }
            application.next
        });
        Self { until, thread }
    }

    /// Ends the application and gives the number of lines it wrote.
    pub(crate) fn finish(self) -> u64 {
        self.finish_after(0)
    }

    /// The same, when it has written at least so many lines.
    pub(crate) fn finish_after(self, lines: u64) -> u64 {
        self.until.store(lines, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The state of the writing thread.
struct Application {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    rotated: Instant,
    rotations: u32,
    generator: LineGenerator,
    next: u64,
}

impl Application {
    fn write(&mut self, lines: u64) {
        let mut text = Vec::new();
        for number in self.next..self.next + lines {
            self.generator.write_numbered(&mut text, number).unwrap();
        }
        self.next += lines;
        self.file.write_all(&text).unwrap();
    }

    fn rotate_when_due(&mut self) {
        match self.rotation {
            Rotation::Rename { every, keep } if self.rotated.elapsed() >= every => {
                for place in (1..keep).rev() {
                    // The first rotations find no older file.
                    std::fs::rename(self.rotated_path(place), self.rotated_path(place + 1)).ok();
                }
                std::fs::rename(&self.path, self.rotated_path(1)).unwrap();
                self.file = open(&self.path);
            }
            Rotation::CopyTruncate { every, times }
                if self.rotated.elapsed() >= every && self.rotations < times =>
            {
                std::fs::copy(&self.path, self.rotated_path(1)).unwrap();
                self.file.set_len(0).unwrap();
            }
            _ => return,
        }
        self.rotations += 1;
        self.rotated = Instant::now();
    }

    fn rotated_path(&self, place: u32) -> PathBuf {
        PathBuf::from(format!("{}.{place}", self.path.display()))
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
