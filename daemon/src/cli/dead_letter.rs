//! `logweir dead-letter`: what outputs refused, and sending it again.
//!
//! Owns: the commands `list`, `show` and `replay`.
//! Promises: a record leaves the dead letter only when its output has taken it; a daemon may run meanwhile.
//! Never: changes an event.

mod replay;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use logweir_outputs::dead_letter::{DeadLetter, DeadLetterConfig, Record};

use super::ConfigArguments;
use crate::config::Config;
use crate::exit::Exit;

/// Arguments of `logweir dead-letter`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Counts the refused events by output, status and reason
    List(ConfigArguments),
    /// Prints the refused events, one JSON object a line
    Show(ConfigArguments),
    /// Sends the refused events to their outputs again
    Replay(ConfigArguments),
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let (Action::List(arguments) | Action::Show(arguments) | Action::Replay(arguments)) = &self.action;
        let Some(config) = arguments.load()? else {
            return Ok(Exit::Usage);
        };
        let dead_letter = open(&config)?;
        match &self.action {
            Action::List(_) => list(&dead_letter)?,
            Action::Show(_) => show(&dead_letter)?,
            Action::Replay(_) => return replay::execute(&config, &dead_letter),
        }
        Ok(Exit::Success)
    }
}

fn open(config: &Config) -> anyhow::Result<Arc<DeadLetter>> {
    let settings = DeadLetterConfig { max_bytes: config.dead_letter.bytes_max };
    DeadLetter::open(&config.dead_letter.path, &settings).context("cannot open the dead letter")
}

fn list(dead_letter: &DeadLetter) -> anyhow::Result<()> {
    let mut counts = BTreeMap::<(String, u16, String), u64>::new();
    for record in dead_letter.records().context("cannot read the dead letter")? {
        let record = record.context("cannot read the dead letter")?;
        let reason = first_line(&common_reason(&record));
        *counts.entry((record.output, record.status, reason)).or_default() += 1;
    }
    let mut out = io::stdout().lock();
    if counts.is_empty() {
        writeln!(out, "the dead letter is empty")?;
        return Ok(());
    }
    writeln!(out, "{:>9}  {:<16} {:>6}  reason", "events", "output", "status")?;
    for ((output, status, reason), count) in counts {
        writeln!(out, "{count:>9}  {output:<16} {status:>6}  {reason}")?;
    }
    Ok(())
}

/// The reason without the event's own id, which stores like to quote: with it every event would be a row of its own.
fn common_reason(record: &Record) -> String {
    if record.id.is_empty() { record.reason.clone() } else { record.reason.replace(&record.id, "…") }
}

/// A reason short enough for a table. It may quote a document, so it is made harmless for a terminal.
fn first_line(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    line.chars().map(|letter| if letter.is_control() { '·' } else { letter }).take(120).collect()
}

fn show(dead_letter: &DeadLetter) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for record in dead_letter.records().context("cannot read the dead letter")? {
        serde_json::to_writer(&mut out, &record.context("cannot read the dead letter")?)
            .map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
