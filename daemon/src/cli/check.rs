//! `logweir check`: the config's mistakes, all at once.
//!
//! Owns: the command.
//! Promises: takes the same two steps as `run`; what it lets pass, `run` can start.
//! Never: starts anything or writes a file.

use std::io::{self, Write};

use clap::Args;

use super::ConfigArguments;
use crate::exit::Exit;

/// Arguments of `logweir check`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some(config) = self.config.check()? else {
            return Ok(Exit::Usage);
        };
        writeln!(
            io::stdout(),
            "the config is right: sources {}, transforms {}, routes {}, outputs {}, tests {}",
            config.sources.len(),
            config.transforms.len(),
            config.routes.len(),
            config.outputs.len(),
            config.tests.len()
        )?;
        Ok(Exit::Success)
    }
}
