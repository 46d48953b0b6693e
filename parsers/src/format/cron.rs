//! `cron`: what cron runs, and who changes its tables.
//!
//! ```text
//! (root) CMD (run-parts /etc/cron.hourly)
//! (alice) REPLACE (alice)
//! (CRON) INFO (Skipping @reboot jobs -- not system startup)
//! ```
//!
//! Owns: `(user) EVENT (text)`, which Vixie cron, Debian's and cronie share.
//! Promises: every event with that form is taken; the command is everything between the outer parentheses. What stands
//! for cron itself (`CRON`, `*system*`) is no user.
//! Never: reads what the command printed.

use nom::{Parser, error::context, sequence::preceded};

use super::{
    facts::{Facts, host_grammar},
    words::{all_but, before, text},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed},
    key, preset,
};

host_grammar!("a message of cron such as `(root) CMD (true)`");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, user) = context("`(`, a user and `)`", preceded(text("("), before(") "))).parse(line)?;
    let (rest, event) = context("an event and ` (`", before(" (")).parse(rest)?;
    let (rest, inside) = context("a text in parentheses", all_but(")")).parse(rest)?;
    if !matches!(user, b"CRON" | b"cron" | b"CROND" | b"crond" | b"*system*" | b"system") {
        facts.user(user);
    }
    let preset = match event {
        b"CMD" => preset::CRON_COMMAND,
        b"CMDEND" | b"END" => preset::CRON_COMMAND_ENDED,
        b"REPLACE" | b"DELETE" | b"END EDIT" => preset::CRONTAB_CHANGED,
        b"LIST" | b"BEGIN EDIT" => preset::CRONTAB_READ,
        b"AUTH" | b"ERROR" | b"error" | b"FAILED" | b"CAN'T FORK" | b"DEATH" | b"ORPHAN"
        | b"WRONG FILE OWNER" | b"BAD FILE MODE" | b"NOT REGULAR" | b"getpwnam() failed" => {
            preset::CRON_FAILED
        }
        _ => preset::CRON_INFO,
    };
    if preset == preset::CRON_COMMAND || preset == preset::CRON_COMMAND_ENDED {
        facts.text(key::PROCESS_COMMAND_LINE, without_pid(inside.trim_ascii()));
    } else if matches!(event, b"REPLACE" | b"DELETE" | b"END EDIT" | b"LIST" | b"BEGIN EDIT") {
        facts.target_user(inside);
    } else {
        facts.text(key::EVENT_REASON, inside);
    }
    Ok((rest, preset))
}

/// Debian's cron at its higher levels logs `[1234] ` before the command.
#[inline]
fn without_pid(command: &[u8]) -> &[u8] {
    let Some(rest) = command.strip_prefix(b"[") else { return command };
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
    rest.get(digits..).filter(|_| digits > 0).and_then(|rest| rest.strip_prefix(b"] ")).unwrap_or(command)
}
