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
    // By output, status and kind of reason: how many, and the reason of the first.
    let mut rows = BTreeMap::<(String, u16, String), (u64, String)>::new();
    for record in dead_letter.records().context("cannot read the dead letter")? {
        let record = record.context("cannot read the dead letter")?;
        let reason = common_reason(&record);
        let row = rows.entry((record.output, record.status, kind(&reason)));
        row.or_insert_with(|| (0, first_line(&reason))).0 += 1;
    }
    let mut out = io::stdout().lock();
    if rows.is_empty() {
        writeln!(out, "the dead letter is empty")?;
        return Ok(());
    }
    writeln!(out, "{:>9}  {:<16} {:>6}  reason", "events", "output", "status")?;
    for ((output, status, _), (count, reason)) in rows {
        writeln!(out, "{count:>9}  {output:<16} {status:>6}  {reason}")?;
    }
    Ok(())
}

/// The reason without the event's own id, which stores like to quote.
fn common_reason(record: &Record) -> String {
    if record.id.is_empty() { record.reason.clone() } else { record.reason.replace(&record.id, "…") }
}

/// What reasons of one kind have in common: their first line without what they quote of an event, in single or double
/// quotes, and without positions and other numbers. With those every event would be a row of its own.
fn kind(reason: &str) -> String {
    let mut kind = String::new();
    let mut letters = reason.lines().next().unwrap_or_default().chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        // The `'` of `the field's value` opens nothing.
        if matches!(letter, '\'' | '"') && !before.is_alphanumeric() {
            while let Some(quoted) = letters.next() {
                if quoted == letter && letters.peek().is_none_or(|next| !next.is_alphanumeric()) {
                    break;
                }
            }
        }
        if !letter.is_ascii_digit() {
            kind.push(letter);
        }
        before = letter;
    }
    kind
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_what_they_quote_are_of_one_kind() {
        let of = |field: &str, place: u32, value: &str| {
            format!(
                "[1:{place}] failed to parse field [{field}] of type [long]. Preview of field's value: '{value}'"
            )
        };
        let expected = kind(&of("size", 15, "large"));
        for value in ["", "it's", "12", "[x]", "\"", "many\nlines"] {
            assert_eq!(kind(&of("size", 208, value)), expected, "{value}");
        }
        assert_ne!(kind(&of("time", 15, "large")), expected);
        assert_eq!(kind("For input string: \"a\" (1)"), kind("For input string: \"b c\" (27)"));
    }
}
