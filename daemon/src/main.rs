//! The logweir daemon: command line, config, wiring, signals, admin interface.
//!
//! Owns: the process.
//! Promises: prints an error as one chain a person can read and ends with a documented exit code.
//! Never: holds logic that a library crate could hold.

mod admin;
mod backtest;
mod cli;
mod config;
mod exit;
mod logging;
mod progress;
mod rehearsal;
mod signals;
mod topology;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    use_small_pages();
    use_all_descriptors();
    let cli = Cli::parse();
    match cli.execute() {
        Ok(exit) => exit.into(),
        Err(error) if cli::is_closed_pipe(&error) => Exit::Success.into(),
        Err(error) => {
            cli::complain(&error);
            Exit::Failed.into()
        }
    }
}

/// Huge pages make 2 MiB resident for what is often a few KiB, and the buffers that matter are reused anyway. Some kernels
/// give them unasked.
fn use_small_pages() {
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// Raises the soft limit of open files, often 1,024, to the hard one. Where that is forbidden, idle files are closed.
fn use_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}
