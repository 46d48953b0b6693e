//! The real binary as a child process.
//!
//! Promises: the child is killed and reaped when its handle drops; what it says goes to a file of the scene and into
//! the message of a failing test.

use std::ffi::OsStr;
use std::fmt;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{http, within};

/// A `logweir run` that lives.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
}

/// The path of the binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_logweir"))
}

/// Runs a command of the binary to its end.
pub(crate) fn logweir(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

impl Daemon {
    /// Starts `logweir run` and gives it back at once; its output is appended to `log`.
    #[track_caller]
    pub(crate) fn run(config: &Path, admin: SocketAddr, log: &Path) -> Self {
        Self::run_by(&mut Command::new(binary()), config, admin, log)
    }

    /// Like [`Daemon::run`], by a command that becomes the binary.
    #[track_caller]
    pub(crate) fn run_by(command: &mut Command, config: &Path, admin: SocketAddr, log: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command
            .arg("run")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, admin, log: log.to_owned() }
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Highest resident memory so far, in MiB.
    pub(crate) fn peak_mebibytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Waits until `/ready` says yes.
    #[track_caller]
    pub(crate) fn wait_until_ready(mut self) -> Self {
        within(Duration::from_secs(30), "the daemon is ready", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended with {status}: {}", self.log());
            }
            http::get(self.admin, "/ready").ok().filter(|answer| answer.status == 200)
        });
        self
    }

    /// What this and earlier daemons of the scene logged.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// `kill -9`, and reaps.
    pub(crate) fn kill(&mut self) {
        // Ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end and fails if it does not come.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let patience = Duration::from_secs(60);
        match logweir_benchmarks::pace::wait_for(patience, || self.child.try_wait().unwrap()) {
            Some(status) => status,
            None => panic!("the daemon did not end within {patience:?}: {}", self.log()),
        }
    }
}

/// A daemon shows itself as what it logged, for the message of a failing test.
impl fmt::Display for Daemon {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "log:\n{}", self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
