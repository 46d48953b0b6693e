//! `logweir completions`: completion scripts.
//!
//! Owns: the command.
//! Promises: the script matches this binary.
//! Never: installs it.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::exit::Exit;

/// Arguments of `logweir completions`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "logweir", &mut script);
        io::stdout().write_all(&script)?;
        Ok(Exit::Success)
    }
}
