//! A shell that outlives this program by a moment: it ends the server and removes its folder.
//!
//! Servers live in statics, which Rust never drops, and a program may be killed. The keeper waits on a pipe from
//! this program; when the pipe closes, for whatever reason, it acts.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The handle: process ids go in, and the end of this program is the signal.
#[derive(Debug)]
pub struct Keeper {
    input: ChildStdin,
    /// Never waited for: it ends after this program.
    _shell: Child,
}

impl Keeper {
    /// A keeper over a server's folder.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn over(folder: &Path) -> io::Result<Self> {
        // An interrupt at the terminal reaches this shell too, and must not end it. A server may write for a moment
        // after its end was ordered, so the folder is removed until it is gone. A Java that is killed leaves the socket
        // behind by which its agents were attached, always in /tmp.
        let script = "trap '' HUP INT TERM; \
                      while read -r next; do server=$next; sockets=\"$sockets /tmp/.java_pid$next\"; done; \
                      kill -9 \"$server\" 2>/dev/null; rm -f $sockets; \
                      for _ in 1 2 3 4 5; do rm -rf \"$1\" && break; sleep 1; done";
        let mut shell = Command::new("sh")
            .args(["-c", script, "keeper"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let input = shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { input, _shell: shell })
    }

    /// From now on, `pid` is the server to end.
    ///
    /// # Errors
    /// When the shell has ended.
    pub fn keep(&mut self, pid: u32) -> io::Result<()> {
        writeln!(self.input, "{pid}")
    }
}
