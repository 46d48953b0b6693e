//! `logweir man`: the man page.
//!
//! Owns: the command.
//! Promises: the page matches this binary.
//! Never: installs it.

use std::io::{self, Write};

use clap::CommandFactory;

use super::Cli;
use crate::exit::Exit;

/// Prints the page of the program and of each command, as one roff text.
pub(super) fn execute() -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let man = clap_mangen::Man::new(subcommand.clone());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    io::stdout().write_all(&page)?;
    Ok(Exit::Success)
}
