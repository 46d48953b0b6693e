//! `logweir check`: the config's mistakes, all at once.
//!
//! Owns: the command.
//! Promises: takes the same two steps as `run`; what it lets pass, `run` can start.
//! Never: starts anything or writes a file.

use std::io::{self, Write};

use clap::Args;

use super::ConfigArguments;
use crate::config::sources::SourceKind;
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
        let count = |is_kind: fn(&SourceKind) -> bool| {
            config.sources.iter().filter(|source| is_kind(&source.kind)).count()
        };
        let aggregates = count(|kind| matches!(kind, SourceKind::Aggregate(_)));
        let rules = count(|kind| matches!(kind, SourceKind::Rule(_) | SourceKind::Sigma(_)));
        writeln!(
            io::stdout(),
            "the config is right: sources {}, transforms {}, routes {}, aggregates {aggregates}, rules {rules}, outputs {}, tests {}",
            config.sources.len() - aggregates - rules,
            config.transforms.len(),
            config.routes.len(),
            config.outputs.len(),
            config.tests.len()
        )?;
        Ok(Exit::Success)
    }
}
