//! `logweir config-reference`: every key of the config.
//!
//! Owns: the command.
//! Promises: prints the tables that decoding uses.
//! Never: reads a config.

use std::io::{self, Write};

use clap::Args;

use crate::config::{nearest, reference};
use crate::exit::{EXIT_CODES, Exit};

/// Arguments of `logweir config-reference`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One section, such as outputs.file, admin or formats
    section: Option<String>,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let section = self.section.as_deref();
        let Some(text) = reference::reference(section) else {
            let names = reference::names();
            let near = nearest(section.unwrap_or_default(), names.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            writeln!(
                io::stderr(),
                "error: there is no such section; {hint}the sections are {}",
                names.join(", ")
            )?;
            return Ok(Exit::Usage);
        };
        let mut stdout = io::stdout().lock();
        if section.is_none() {
            writeln!(stdout, "# Config reference of logweir {}\n", env!("CARGO_PKG_VERSION"))?;
            writeln!(stdout, "{INTRODUCTION}")?;
        }
        stdout.write_all(text.as_bytes())?;
        if section.is_none() {
            writeln!(stdout, "## Exit codes\n\n```\n{EXIT_CODES}```")?;
        }
        Ok(Exit::Success)
    }
}

const INTRODUCTION: &str = "\
A config is a TOML file, several, or a folder of them. Relative paths start from the folder of the file in which they
stand. In every text `${NAME}` is a variable of the environment, `${NAME:-default}` one with a default, and `$${` the
letters `${`. A secret may also be `file:PATH`: then the file holds it. Sizes have a unit of B, KB, MB, GB, KiB, MiB or
GiB; durations one of ms, s, m, h or d.
";
