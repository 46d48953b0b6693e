//! A place to try a file source in: a folder, a data directory, and a worker that records what it is sent.
//!
//! Owns: [`Lab`] and [`Run`].
//! Promises: waits are conditions with a deadline; a run that is killed leaves what a killed process leaves.
//! Never: looks inside the source.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logweir_pipeline::checkpoint::Checkpoints;
use logweir_pipeline::event::{ConstantSet, Constants, EventFlags};
use logweir_pipeline::installation::Installation;
use logweir_pipeline::ledger::SourceLedger;
use logweir_pipeline::source::file::{FileConfig, FileCounters, FileSource, FileSourceStatus, OwnFiles};
use logweir_pipeline::source::{BatchSender, SourceContext};
use logweir_pipeline::{Batch, Memory, SourceMeta, Stop};
use tempfile::TempDir;

/// How long any condition may take to come true.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A folder for logs and a data directory.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) config: FileConfig,
    pub(crate) own: OwnFiles,
    pub(crate) memory: usize,
}

/// One event as the worker saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) stream: u64,
    pub(crate) offset: u64,
    pub(crate) cut: bool,
    pub(crate) multiline: bool,
}

/// What the worker does with its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// It is done with each at once.
    AtOnce,
    /// It is done with each at once, and remembers no line.
    Counting,
    /// It keeps them, as an output that is down does.
    Never,
    /// It takes none until it is released, as one whose output has a full queue; then it is done with each at once.
    WhenReleased,
}

#[derive(Default)]
struct Received {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

/// A running source.
pub(crate) struct Run {
    pub(crate) stop: Stop,
    pub(crate) status: Arc<FileSourceStatus>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) ledger: Arc<SourceLedger>,
    pub(crate) memory: Arc<Memory>,
    once: bool,
    released: Stop,
    received: Arc<Received>,
    source: JoinHandle<()>,
    worker: JoinHandle<Vec<Batch>>,
    _installation: Installation,
}

impl Lab {
    /// A lab whose source reads these globs below its folder; everything is quicker than by default.
    pub(crate) fn new(globs: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let paths = globs.iter().map(|glob| logs.join(glob).to_str().unwrap().to_owned()).collect();
        let config = FileConfig {
            paths,
            partial_flush_after: Duration::from_millis(400),
            rotate_grace: Duration::from_millis(200),
            idle_after: Duration::from_secs(2),
            idle_check_every: Duration::from_millis(200),
            ..FileConfig::default()
        };
        let data = dir.path().join("data");
        Self { dir, data, config, own: OwnFiles::default(), memory: 64 * 1024 * 1024 }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    /// Writes a file anew.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Appends to a file.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn copy(&self, from: &str, to: &str) {
        std::fs::copy(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Cuts a file short.
    pub(crate) fn truncate(&self, name: &str, len: u64) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(len).unwrap();
    }

    pub(crate) fn open_append(&self, name: &str) -> File {
        OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap()
    }

    /// Starts the source.
    pub(crate) fn run(&self, acks: Acks) -> Run {
        self.start(acks, false)
    }

    /// Reads everything there is and returns the lines.
    pub(crate) fn once(&self) -> Vec<Line> {
        self.start(Acks::AtOnce, true).finish()
    }

    pub(crate) fn start(&self, acks: Acks, once: bool) -> Run {
        // A process that another test starts has the last run's lock until it becomes its program.
        let mut opened = None;
        until("the data directory is free", || {
            opened = Installation::open(&self.data).ok();
            opened.is_some()
        });
        let installation = opened.unwrap();
        let checkpoints = Checkpoints::open(&self.data);
        let source = FileSource::new(self.config.clone(), Arc::clone(&checkpoints), &installation).unwrap();
        let source = source.leaving_alone(&Arc::new(self.own.clone()));
        let (status, stop) = (source.status(), Stop::default());
        let (sender, batches) = crossbeam_channel::bounded::<Batch>(4);
        let (memory, ledger) = (Memory::new(self.memory), Arc::<SourceLedger>::default());
        let context = SourceContext {
            meta: Arc::new(SourceMeta {
                index: 0,
                name: "logs".to_owned(),
                formats: Vec::new(),
                parse_message: None,
                constants: Constants::new(ConstantSet::default(), None, "default"),
                zone: logweir_parsers::Zone::UTC,
                keep_original: false,
                ledger: Arc::clone(&ledger),
                listeners: Vec::new(),
            }),
            batches: BatchSender::new(vec![sender]),
            memory: Arc::clone(&memory),
            stop: stop.clone(),
            once,
        };
        let received = Arc::<Received>::default();
        let record = Arc::clone(&received);
        let released = Stop::default();
        let gate = released.clone();
        let worker = std::thread::spawn(move || {
            let mut kept = Vec::new();
            while acks == Acks::WhenReleased && !gate.wait(DEADLINE) {}
            for batch in batches {
                if acks != Acks::Counting {
                    record.take(&batch);
                }
                match acks {
                    Acks::AtOnce | Acks::Counting | Acks::WhenReleased => {
                        let Batch { ack, .. } = batch;
                        ack.done();
                    }
                    Acks::Never => kept.push(batch),
                }
            }
            kept
        });
        let reader = std::thread::Builder::new().name("reader".to_owned());
        let source = reader.spawn(move || source.run(context).unwrap()).unwrap();
        let _installation = installation;
        Run {
            stop,
            status,
            checkpoints,
            ledger,
            memory,
            once,
            released,
            received,
            source,
            worker,
            _installation,
        }
    }
}

impl Received {
    fn take(&self, batch: &Batch) {
        let lines = batch.events.iter().map(|event| Line {
            text: String::from_utf8_lossy(event.line.of(&batch.chunk)).into_owned(),
            stream: batch.stream.id(),
            offset: event.offset,
            cut: event.flags.contains(EventFlags::CUT),
            multiline: event.flags.contains(EventFlags::MULTILINE),
        });
        self.locked().extend(lines);
        self.more.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap()
    }
}

impl Run {
    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.received.locked().clone()
    }

    /// The texts of all lines so far.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.received.locked().iter().map(|line| line.text.clone()).collect()
    }

    /// Waits until exactly these lines have come, in any order.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &[&str]) {
        let mut expected = expected.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        expected.sort();
        let sorted = |lines: &[Line]| {
            let mut texts = lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
            texts.sort();
            texts
        };
        let lines = self.received.locked();
        let enough = |lines: &mut Vec<Line>| lines.len() < expected.len();
        let (lines, _) = self.received.more.wait_timeout_while(lines, DEADLINE, enough).unwrap();
        let found = sorted(&lines);
        let missing = expected.iter().filter(|line| !found.contains(line)).take(5).collect::<Vec<_>>();
        let surplus = found.iter().filter(|line| !expected.contains(line)).take(5).collect::<Vec<_>>();
        let counts = (found.len(), expected.len());
        assert!(found == expected, "{counts:?} lines, missing: {missing:?}, surplus: {surplus:?}");
    }

    /// Waits until so many lines have come.
    #[track_caller]
    pub(crate) fn expect_count(&self, count: usize) {
        let lines = self.received.locked();
        let enough = |lines: &mut Vec<Line>| lines.len() < count;
        let (lines, _) = self.received.more.wait_timeout_while(lines, DEADLINE, enough).unwrap();
        assert_eq!(lines.len(), count);
    }

    /// Asserts that for a while no other line comes.
    #[track_caller]
    pub(crate) fn expect_silence(&self, time: Duration) {
        let lines = self.received.locked();
        let count = lines.len();
        let (lines, timeout) =
            self.received.more.wait_timeout_while(lines, time, |lines| lines.len() == count).unwrap();
        assert!(timeout.timed_out(), "unexpected lines: {:?}", &lines[count..]);
    }

    /// Waits until a condition is true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "not in time: {what}");
            assert!(!self.stop.wait(Duration::from_millis(5)), "stopped while waiting: {what}");
        }
    }

    /// Lets the worker take batches.
    pub(crate) fn release(&self) {
        self.released.ask();
    }

    /// One of the source's counters.
    pub(crate) fn count(&self, counter: impl Fn(&FileCounters) -> &AtomicU64) -> u64 {
        counter(&self.status.counters).load(Ordering::Relaxed)
    }

    /// Whether the source has ended by itself.
    pub(crate) fn is_finished(&self) -> bool {
        self.source.is_finished()
    }

    /// Ends the run as a drain does: what is acknowledged is stored.
    pub(crate) fn finish(self) -> Vec<Line> {
        let checkpoints = Arc::clone(&self.checkpoints);
        let lines = self.end();
        checkpoints.flush().unwrap();
        lines
    }

    /// Ends the run as `kill -9` does: what was not stored is lost.
    pub(crate) fn kill(self) -> Vec<Line> {
        self.end()
    }

    fn end(self) -> Vec<Line> {
        // A source that reads once ends by itself.
        if self.once {
            self.until("everything is read", |run| run.source.is_finished());
        }
        self.stop.ask();
        self.release();
        self.source.join().unwrap();
        drop(self.worker.join().unwrap());
        assert!(self.ledger.counts().adds_up());
        self.received.locked().clone()
    }
}

/// Waits in a test that has no run.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let (never, deadline) = (Stop::default(), Instant::now() + DEADLINE);
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        assert!(!never.wait(Duration::from_millis(5)));
    }
}

/// Runs one ignored test of this binary in a process of its own, in a shell that this command limits.
pub(crate) fn run_limited(shell: &[&str], limit: &str, test: &str) {
    let binary = std::env::current_exe().unwrap();
    let command = format!("{limit} && exec {} --exact --ignored --nocapture {test}", binary.display());
    let output =
        std::process::Command::new(shell[0]).args(&shell[1..]).args(["-c", &command]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
    assert!(String::from_utf8_lossy(&text).contains("1 passed"), "{}", String::from_utf8_lossy(&text));
}

/// The texts of lines.
pub(crate) fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

impl Lab {
    /// Makes a file of this size that is one hole.
    pub(crate) fn truncate_to_new(&self, name: &str, len: u64) {
        File::create(self.path(name)).unwrap().set_len(len).unwrap();
    }
}
