//! A daemon that goes on running: its cost while little happens, and the time until it reads again after a start.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::generate::{LineFormat, LineGenerator};
use logweir_benchmarks::pace::{Pacer, pause_until, wait_for};

use crate::Workplace;
use crate::figures::{Figure, Measurement};
use crate::process::{self, Daemon, SinkProcess};
use crate::throughput::{DIRECTLY, write_config};

const STEADY_PHASE: Duration = Duration::from_secs(30);
/// Longer than a file must be idle to count as cold.
const SETTLING: Duration = Duration::from_secs(12);
const WRITER_TURN: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with one-line log files, a config over it and the sink it names.
struct Scene {
    folder: tempfile::TempDir,
    config: PathBuf,
    sink: SinkProcess,
    lines: LineGenerator,
}

/// Follows one growing file beside idle ones.
pub(crate) fn run_paced(
    workplace: &Workplace,
    idle_files: u64,
    lines_per_second: u64,
) -> Result<Measurement> {
    let mut scene = Scene::new(workplace, idle_files)?;
    let mut grown = File::create(scene.logs().join("grown.log"))?;
    scene.append_line(&mut grown)?;
    let mut daemon = Daemon::start(&workplace.binary, &scene.config, &scene.log())?;
    let mut lines = idle_files + 1;
    scene.wait_for_documents(lines, &mut daemon)?;
    pause_until(Instant::now() + SETTLING);

    let (started, cpu_before) = (Instant::now(), daemon.cpu_seconds()?);
    let mut pacer = Pacer::new(lines_per_second, WRITER_TURN);
    while started.elapsed() < STEADY_PHASE {
        for _ in 0..pacer.next_turn() {
            scene.append_line(&mut grown)?;
            lines += 1;
        }
    }
    let share = (daemon.cpu_seconds()? - cpu_before) / started.elapsed().as_secs_f64();
    scene.wait_for_documents(lines, &mut daemon)?;
    Ok(Measurement::new(vec![
        (Figure::CpuShare, share * 100.0),
        (Figure::PeakMemory, daemon.peak_mebibytes()?),
    ]))
}

/// Starts over files that were read before, one of which has one new line.
pub(crate) fn run_start(workplace: &Workplace, files: u64) -> Result<Measurement> {
    let mut scene = Scene::new(workplace, files)?;
    process::run_once(&workplace.binary, &scene.config, &scene.log())?;
    let before = scene.sink.documents()?;
    ensure!(before == files, "{files} lines were written, {before} documents arrived");

    let mut grown = OpenOptions::new().append(true).open(scene.logs().join("00000.log"))?;
    scene.append_line(&mut grown)?;
    let started = Instant::now();
    let mut daemon = Daemon::start(&workplace.binary, &scene.config, &scene.log())?;
    scene.wait_for_documents(files + 1, &mut daemon)?;
    Ok(Measurement::new(vec![(Figure::FirstLine, started.elapsed().as_secs_f64())]))
}

impl Scene {
    fn new(workplace: &Workplace, files: u64) -> Result<Self> {
        let folder = tempfile::tempdir_in(&workplace.folder)?;
        let sink = SinkProcess::start()?;
        let config = folder.path().join("benchmark.toml");
        let paths = folder.path().join("logs/*.log").display().to_string();
        write_config(&config, folder.path(), &paths, "nginx_access", DIRECTLY, &sink.url())?;
        let mut scene = Self { folder, config, sink, lines: LineGenerator::new(LineFormat::Nginx, files) };
        std::fs::create_dir(scene.logs())?;
        for number in 0..files {
            let mut file = File::create(scene.logs().join(format!("{number:05}.log")))?;
            scene.append_line(&mut file)?;
        }
        Ok(scene)
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn append_line(&mut self, file: &mut File) -> Result<()> {
        let mut line = Vec::with_capacity(512);
        self.lines.write_line(&mut line)?;
        Ok(file.write_all(&line)?)
    }

    /// Waits until exactly `expected` documents have arrived, or fails with what the daemon said.
    fn wait_for_documents(&self, expected: u64, daemon: &mut Daemon) -> Result<()> {
        let arrived = wait_for(PATIENCE, || match (self.sink.documents(), daemon.ended()) {
            (Ok(arrived), Ok(None)) if arrived < expected => None,
            (arrived, _) => Some(arrived),
        });
        let arrived = arrived.with_context(|| format!("not all lines arrived: {}", tail(&self.log())))??;
        ensure!(
            arrived == expected,
            "{expected} documents expected, {arrived} arrived: {}",
            tail(&self.log())
        );
        Ok(())
    }
}

/// What the daemon logged, for an error's message.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
