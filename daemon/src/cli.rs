//! The command line.
//!
//! Owns: [`Cli`] and its commands, one file each below `cli/`; what is printed for people.
//! Promises: a command returns an [`Exit`] or an error with its causes.
//! Never: prints a secret.

mod backtest;
mod check;
mod completions;
mod config_reference;
mod dead_letter;
mod explain;
mod man;
mod parse;
mod run;
mod tap;
mod test;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, ConfigFile, Report};
use crate::exit::{EXIT_CODES, Exit};

/// Ships logs: tails files, parses every line, writes ECS documents to Elasticsearch, files or the console.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads, parses and delivers until it is asked to end
    Run(run::Arguments),
    /// Shows every mistake of a config at once
    Check(check::Arguments),
    /// Runs the tests that the config holds
    Test(test::Arguments),
    /// Shows the way of a line: grammars, transforms, and the document for each output
    Explain(explain::Arguments),
    /// Shows live events at any point of a running daemon
    Tap(tap::Arguments),
    /// Runs the aggregates and rules of a config over old files and prints what they come to
    Backtest(backtest::Arguments),
    /// Parses lines and shows their fields, or where and why a line failed
    Parse(parse::Arguments),
    /// Prints every config key with type, default and unit, as Markdown
    ConfigReference(config_reference::Arguments),
    /// Lists, shows or sends again what outputs refused
    DeadLetter(dead_letter::Arguments),
    /// Prints a completion script for a shell
    Completions(completions::Arguments),
    /// Prints the man page
    Man,
}

/// The config that a command works with.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Config files, or folders whose *.toml files are read; all together are one config
    #[arg(required = true, value_name = "CONFIG")]
    config: Vec<PathBuf>,
}

impl ConfigArguments {
    /// Loads the config and prints what is wrong with it. `None` when it cannot run.
    fn load(&self) -> io::Result<Option<Config>> {
        let (config, report) = config::load(&self.config);
        Self::tell(config, &report.without_notes())
    }

    /// The same, with the files, so that more can be told of them.
    fn load_with_files(&self) -> io::Result<Option<(Config, Vec<ConfigFile>)>> {
        let (config, report) = config::load(&self.config);
        let report = report.without_notes();
        Ok(Self::tell(config, &report)?.map(|config| (config, report.files)))
    }

    /// The same, with notes on what runs but may surprise.
    fn check(&self) -> io::Result<Option<Config>> {
        let (config, report) = config::load(&self.config);
        Self::tell(config, &report)
    }

    fn tell(config: Option<Config>, report: &Report) -> io::Result<Option<Config>> {
        let coloured = io::stderr().is_terminal();
        let mut stderr = io::stderr().lock();
        stderr.write_all(report.render(coloured).as_bytes())?;
        if config.is_none() {
            let errors = report.errors();
            writeln!(
                stderr,
                "{errors} {} in the config; nothing was started",
                if errors == 1 { "error" } else { "errors" }
            )?;
        }
        Ok(config)
    }
}

impl Cli {
    /// Does what the command line asks for.
    pub(crate) fn execute(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Run(arguments) => arguments.execute(),
            Command::Check(arguments) => arguments.execute(),
            Command::Test(arguments) => arguments.execute(),
            Command::Explain(arguments) => arguments.execute(),
            Command::Tap(arguments) => arguments.execute(),
            Command::Backtest(arguments) => arguments.execute(),
            Command::Parse(arguments) => arguments.execute(),
            Command::ConfigReference(arguments) => arguments.execute(),
            Command::DeadLetter(arguments) => arguments.execute(),
            Command::Completions(arguments) => arguments.execute(),
            Command::Man => man::execute(),
        }
    }
}

/// Prints an error and its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    let causes = error.chain().map(ToString::to_string).collect::<Vec<_>>();
    // With standard error gone there is nobody to tell.
    writeln!(io::stderr(), "error: {}", causes.join(": ")).unwrap_or_default();
}

/// Whether whoever read our output went away, as `head` does.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors.into_iter().any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
