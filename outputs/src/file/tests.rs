//! The output on real files: crashes at every step, and what others do to its files.

mod journal;
mod rotation;
mod template;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use logweir_parsers::format::Format;
use logweir_parsers::key;
use logweir_pipeline::Memory;
use logweir_pipeline::buffers::BufferPool;
use logweir_pipeline::worker::Lane;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver};

use super::*;
use crate::client::Client;
use crate::lane::{LaneConfig, LaneShared, OutputLane};
use crate::payload::Payload;
use crate::status::OutputStatus;
use crate::testing::{Source, all};
use crate::verdict::Verdict;

/// A folder with a source that writes to files in it.
struct Rig {
    folder: TempDir,
    config: FileConfig,
    source: Source,
}

/// The output from a start to a crash.
struct Run {
    runtime: Runtime,
    client: FileClient,
    lane: OutputLane<FileEncoder>,
    inbox: Receiver<Payload>,
    status: Arc<OutputStatus>,
}

impl Rig {
    fn new(path: &str, change: impl FnOnce(&mut FileConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("{}/{path}", folder.path().display());
        let mut config = FileConfig { path, encoding: FileEncoding::Raw, ..FileConfig::default() };
        change(&mut config);
        Self { folder, config, source: Source::new(Format::Raw, 9) }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("data/outputs/test.journal")
    }

    fn start(&self) -> Run {
        let (client, written) = FileClient::new(&self.config, &self.journal()).unwrap();
        let keys = Arc::clone(&self.source.keys);
        let template = PathTemplate::new(&self.config.path, &keys).unwrap();
        let encoder = FileEncoder::new(keys, &self.config, template, written);
        let (payloads, inbox) = mpsc::channel(1000);
        let (queue, memory, buffers) = (Memory::new(1 << 30), Memory::new(1 << 30), BufferPool::new(2));
        let status = Arc::new(OutputStatus::new("test", "file"));
        let shared = LaneShared { payloads, queue, memory, buffers, status: Arc::clone(&status) };
        let runtime = Builder::new_current_thread().build().unwrap();
        Run { runtime, client, lane: OutputLane::new(encoder, LaneConfig::default(), shared), inbox, status }
    }

    /// Reads on from the acknowledged position, as after a restart.
    fn restart_source(&mut self) {
        self.source = self.source.restarted();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    /// The lines of all files below `path`, compressed ones too, and how often each stands there.
    fn lines(&self, path: &str) -> BTreeMap<String, usize> {
        let mut lines = BTreeMap::new();
        for file in files_below(&self.folder.path().join(path)) {
            let mut text = String::new();
            let bytes = std::fs::read(&file).unwrap();
            if file.extension().is_some_and(|extension| extension == "gz") {
                MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
            } else {
                text = String::from_utf8(bytes).unwrap();
            }
            for line in text.lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
        lines
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

impl Run {
    /// Encodes the lines, as the next of the source.
    fn encode(&mut self, source: &mut Source, lines: &[&str]) -> Vec<Payload> {
        let batch = source.batch(lines);
        self.lane.write(&batch, &all(&batch));
        self.lane.flush();
        batch.ack.done();
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }

    fn send(&self, payload: &Payload) -> Verdict {
        self.runtime.block_on(self.client.send(payload))
    }

    fn write(&mut self, source: &mut Source, lines: &[&str]) {
        for payload in self.encode(source, lines) {
            assert_eq!(self.send(&payload), Verdict::Delivered { soft_failures: 0 });
            payload.done();
        }
    }

    /// Writes, and crashes before anything is acknowledged.
    fn write_and_crash(mut self, source: &mut Source, lines: &[&str]) {
        for payload in self.encode(source, lines) {
            assert_eq!(self.send(&payload), Verdict::Delivered { soft_failures: 0 });
        }
    }
}

fn once(lines: &[&str]) -> BTreeMap<String, usize> {
    lines.iter().map(|&line| (line.to_owned(), 1)).collect()
}

#[test]
fn lines_are_appended_and_acknowledged() {
    let mut rig = Rig::new("out/app.log", |_| {});
    for expected in ["a\nb\n", "a\nb\na\nb\n"] {
        let mut run = rig.start();
        run.write(&mut rig.source, &["a", "b"]);
        assert_eq!(rig.read("out/app.log"), expected);
        assert_eq!(rig.source.acknowledged(), rig.source.end());
    }
}

#[test]
fn what_was_written_but_not_acknowledged_is_not_written_again() {
    let mut rig = Rig::new("out/app.log", |_| {});
    rig.start().write(&mut rig.source, &["a"]);
    rig.start().write_and_crash(&mut rig.source, &["b", "c"]);
    assert_eq!(rig.source.acknowledged(), 2);
    rig.restart_source();
    let mut run = rig.start();
    run.write(&mut rig.source, &["b"]);
    run.write(&mut rig.source, &["c", "d"]);
    assert_eq!(rig.read("out/app.log"), "a\nb\nc\nd\n");
    assert_eq!(rig.source.acknowledged(), rig.source.end());
    assert_eq!(run.status.counts().already_stored, 2);
}

#[test]
fn a_tail_that_the_journal_does_not_know_is_cut_off() {
    let mut rig = Rig::new("out/app.log", |_| {});
    rig.start().write(&mut rig.source, &["a"]);
    std::fs::write(rig.folder.path().join("out/app.log"), "a\nb\nhalf a li").unwrap();
    rig.start().write(&mut rig.source, &["b"]);
    assert_eq!(rig.read("out/app.log"), "a\nb\n");
}

#[test]
fn a_file_that_was_there_before_is_kept() {
    let mut rig = Rig::new("out/app.log", |_| {});
    std::fs::create_dir(rig.folder.path().join("out")).unwrap();
    std::fs::write(rig.folder.path().join("out/app.log"), "before\n").unwrap();
    rig.start().write_and_crash(&mut rig.source, &["a"]);
    rig.restart_source();
    rig.start().write(&mut rig.source, &["a"]);
    assert_eq!(rig.read("out/app.log"), "before\na\n");
}

#[test]
fn a_crash_at_any_byte_of_the_journal_leaves_every_line_once() {
    let mut rig = Rig::new("out/app.log", |_| {});
    rig.start().write(&mut rig.source, &["a"]);
    let before = std::fs::read(rig.journal()).unwrap();
    let source_before = rig.source.restarted();
    rig.start().write_and_crash(&mut rig.source, &["b", "c"]);
    let (after, file) = (std::fs::read(rig.journal()).unwrap(), rig.read("out/app.log"));
    for cut in before.len()..after.len() {
        for garbage in [&b""[..], b"\0\0\0\0", b"garbage\n", b"00000000 {}\n"] {
            let journal = [&after[..cut], garbage].concat();
            std::fs::write(rig.journal(), journal).unwrap();
            std::fs::write(rig.folder.path().join("out/app.log"), &file).unwrap();
            rig.source = source_before.restarted();
            let mut run = rig.start();
            run.write(&mut rig.source, &["b", "c"]);
            run.write(&mut rig.source, &["d"]);
            assert_eq!(rig.read("out/app.log"), "a\nb\nc\nd\n", "cut at {cut}, then {garbage:?}");
        }
    }
}

#[test]
fn a_failed_attempt_leaves_nothing_and_can_be_repeated() {
    let mut rig = Rig::new("out/{service.name}", |_| {});
    let mut run = rig.start();
    let mut batch = rig.source.batch(&["a", "b"]);
    for (index, name) in ["one", "two"].into_iter().enumerate() {
        let value = batch.make_text(name.as_bytes());
        batch.set(index, key::SERVICE_NAME, value);
    }
    run.lane.write(&batch, &all(&batch));
    run.lane.flush();
    let payload = run.inbox.try_recv().unwrap();
    let obstacle = rig.folder.path().join("out/two");
    std::fs::create_dir_all(&obstacle).unwrap();
    for _ in 0..3 {
        let Verdict::Retry(trouble) = run.send(&payload) else { panic!("not to be sent again") };
        assert!(trouble.reason.contains("cannot write to"), "{}", trouble.reason);
        assert_eq!(rig.read("out/one"), "");
    }
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(run.send(&payload), Verdict::Delivered { soft_failures: 0 });
    assert_eq!((rig.read("out/one"), rig.read("out/two")), ("a\n".to_owned(), "b\n".to_owned()));
}

#[test]
fn a_file_that_others_rename_remove_or_empty_begins_anew() {
    let mut rig = Rig::new("out/app.log", |_| {});
    let path = rig.folder.path().join("out/app.log");
    let mut run = rig.start();
    run.write(&mut rig.source, &["a"]);
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    run.write(&mut rig.source, &["b"]);
    assert_eq!((rig.read("out/app.old"), rig.read("out/app.log")), ("a\n".to_owned(), "b\n".to_owned()));
    std::fs::remove_file(&path).unwrap();
    run.write(&mut rig.source, &["c"]);
    assert_eq!(rig.read("out/app.log"), "c\n");
    std::fs::write(&path, "").unwrap();
    run.write(&mut rig.source, &["d"]);
    assert_eq!(rig.read("out/app.log"), "d\n");
}

#[test]
fn many_files_are_written_with_few_open() {
    let mut rig = Rig::new("out/{service.name}.log", |config| config.open_files_max = 3);
    let mut run = rig.start();
    for round in 0..3 {
        let lines = (0..40).map(|number| format!("{round} {number}")).collect::<Vec<_>>();
        let mut batch = rig.source.batch(&lines);
        for index in 0..lines.len() {
            let value = batch.make_text(format!("s{}", index % 10).as_bytes());
            batch.set(index, key::SERVICE_NAME, value);
        }
        run.lane.write(&batch, &all(&batch));
        run.lane.flush();
        batch.ack.done();
        while let Ok(payload) = run.inbox.try_recv() {
            assert_eq!(run.send(&payload), Verdict::Delivered { soft_failures: 0 });
            payload.done();
        }
    }
    assert_eq!(rig.source.acknowledged(), rig.source.end());
    assert_eq!(files_below(&rig.folder.path().join("out")).len(), 10);
    assert_eq!(rig.lines("out").values().sum::<usize>(), 120);
    assert_eq!(
        rig.read("out/s3.log").lines().take(5).collect::<Vec<_>>(),
        ["0 3", "0 13", "0 23", "0 33", "1 3"]
    );
}
