//! The processes around a measurement: the sink, a measured run, and a daemon that is watched while it lives.
//!
//! Promises: a process started here is ended when its handle drops. Never: signals a process it did not start.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::sink::{self, Sink};
use nix::sys::resource::{UsageWho, getrusage};

/// This program as a sink; the address is its first line of output.
pub(crate) const SINK_COMMAND: &str = "sink";
/// This program as the parent of one measured process.
pub(crate) const MEASURE_COMMAND: &str = "measure";

/// The kernel counts process times in hundredths of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a measured process may take at most, in seconds.
const LONGEST_RUN: &str = "600";

/// Serves a sink at the address that the only argument names until killed.
pub(crate) fn serve_sink(arguments: &[String]) -> Result<()> {
    let address = arguments.first().context("no address to serve a sink at")?;
    let sink = Sink::bind(address.parse()?)?;
    writeln!(io::stdout(), "{}", sink.address()?)?;
    Ok(sink.serve()?)
}

/// Runs a command to its end and tells what it used. A process of its own for each run: the peak memory of children
/// is a maximum over all of them.
pub(crate) fn measure_command(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("nothing to measure")?;
    let started = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall_seconds = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let used = serde_json::json!({
        "succeeded": status.success(),
        "wall_seconds": wall_seconds,
        "cpu_seconds": seconds(usage.user_time()) + seconds(usage.system_time()),
        "peak_kibibytes": usage.max_rss(),
    });
    writeln!(io::stdout(), "{used}")?;
    Ok(())
}

/// What one finished run used.
#[derive(serde::Deserialize)]
pub(crate) struct Used {
    succeeded: bool,
    pub(crate) wall_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_kibibytes: u64,
}

/// Runs `logweir run --once` over a config and measures it.
pub(crate) fn run_once(binary: &Path, config: &Path, log: &Path) -> Result<Used> {
    let output = Command::new(std::env::current_exe()?)
        .arg(MEASURE_COMMAND)
        .args(["timeout", "--foreground", "--signal=KILL", LONGEST_RUN])
        .arg(binary)
        .args(["run", "--once"])
        .arg(config)
        .stderr(File::create(log)?)
        .output()
        .context("the measuring process could not be started")?;
    let used: Used =
        serde_json::from_slice(&output.stdout).context("the measuring process gave no figures")?;
    ensure!(used.succeeded, "logweir failed: {}", std::fs::read_to_string(log)?);
    Ok(used)
}

/// A sink in a process of its own.
pub(crate) struct SinkProcess {
    child: Child,
    address: SocketAddr,
}

impl SinkProcess {
    /// A sink at a free port of loopback.
    pub(crate) fn start() -> Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// A sink at the place of one that has ended.
    pub(crate) fn start_at(address: SocketAddr) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SINK_COMMAND)
            .arg(address.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("the sink has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse().context("the sink told no address")? })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn documents(&self) -> Result<u64> {
        Ok(sink::read_counts(self.address).context("the sink does not answer")?.documents)
    }
}

impl Drop for SinkProcess {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A daemon that runs until dropped.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    pub(crate) fn start(binary: &Path, config: &Path, log: &Path) -> Result<Self> {
        let child = Command::new(binary)
            .arg("run")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()
            .context("logweir could not be started")?;
        Ok(Self { child })
    }

    /// The exit status, if the daemon has ended although it should not.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// CPU seconds of all threads so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The command's name stands in parentheses and may hold spaces; user and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').context("/proc/…/stat has no command")?;
        let ticks: f64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// Highest resident memory so far, in MiB.
    pub(crate) fn peak_mebibytes(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM is not a number")?;
        Ok(kibibytes / 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills and reaps; a process that has ended already is what is wanted.
fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}
