//! `sudo`: what sudo logs of each command.
//!
//! ```text
//!    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/ls -l
//!    alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/ls
//! ```
//!
//! Owns: the line of lib/eventlog of sudo, sudo-rs's line of the same form, and the few messages beside it.
//! Promises: where a folder's name makes a line readable in two ways, no part that it could have forged is given: only
//! who asked, and that it was allowed or not.
//! Never: splits a command into its arguments; sudo does not log where they end.

use nom::{Parser, combinator::opt, error::context, sequence::preceded};

use super::{
    facts::{Facts, host_grammar},
    words::{all, before, first, text},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected},
    key, preset,
};

/// What stands between two parts.
const SEPARATOR: &str = " ; ";

host_grammar!("a message of sudo");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let line = line.trim_ascii_start();
    if line.starts_with(b"unable to resolve host ") {
        facts.text(key::EVENT_REASON, line);
        return Ok((&line[line.len()..], preset::SUDO_COMMAND_FAILED));
    }
    let (rest, user) = context("a user, a space and a colon", before(" : ")).parse(line)?;
    facts.user(user);
    if let Some(continued) = rest.strip_prefix(b"(command continued) ") {
        facts.text(key::PROCESS_COMMAND_LINE, continued);
        return Ok((&rest[rest.len()..], preset::SUDO_COMMAND));
    }
    let (rest, reason) = match is_part(rest) {
        true => (rest, &b""[..]),
        false => match before::<()>(SEPARATOR).parse(rest) {
            Ok(parsed) => parsed,
            Err(_) => (&rest[rest.len()..], rest),
        },
    };
    facts.text(key::EVENT_REASON, reason);
    if reason.is_empty() && rest.is_empty() {
        return expected(rest, "a reason, or a part such as `TTY=pts/0`");
    }
    let (rest, ()) = parts(rest, facts)?;
    Ok((rest, if reason.is_empty() { preset::SUDO_COMMAND } else { preset::SUDO_COMMAND_FAILED }))
}

/// Whether a `NAME=` begins here.
#[inline]
fn is_part(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| !byte.is_ascii_uppercase());
    end.is_some_and(|end| end > 0 && input[end] == b'=')
}

/// The parts in sudo's order; each may be missing.
#[inline]
fn parts<'a, E: Explain<'a>, S: Sink>(input: &'a [u8], facts: &mut Facts<'_, 'a, S>) -> Parsed<'a, (), E> {
    let (rest, _) = part("HOST=").parse(input)?;
    let (rest, tty) = part("TTY=").parse(rest)?;
    facts.text(key::LABELS_TTY, tty.filter(|tty| *tty != b"unknown").unwrap_or_default());
    if first(rest, b" ; COMMAND=").is_some_and(|at| first(&rest[at + 1..], b" ; COMMAND=").is_some()) {
        // A folder may be named so, and a command may say so.
        return Ok((&rest[rest.len()..], ()));
    }
    let (rest, _) = part("CHROOT=").parse(rest)?;
    let (rest, directory) = part("PWD=").parse(rest)?;
    facts.text(key::PROCESS_WORKING_DIRECTORY, directory.unwrap_or_default());
    let (rest, user) = part("USER=").parse(rest)?;
    facts.effective_user(user.unwrap_or_default());
    let (rest, group) = part("GROUP=").parse(rest)?;
    facts.text(key::GROUP_NAME, group.unwrap_or_default());
    let (rest, _) = part("TSID=").parse(rest)?;
    let (rest, _) = part("ENV=").parse(rest)?;
    let (rest, command) = opt(preceded(text("COMMAND="), all)).parse(rest)?;
    facts.text(key::PROCESS_COMMAND_LINE, command.unwrap_or_default());
    if rest.is_empty() {
        Ok((rest, ()))
    } else {
        expected(rest, "a part such as `PWD=/` or `COMMAND=/bin/ls`")
    }
}

/// `NAME=value` and the separator, or the end.
#[inline]
fn part<'a, E: Explain<'a>>(
    name: &'static str,
) -> impl Parser<&'a [u8], Output = Option<&'a [u8]>, Error = E> {
    move |input: &'a [u8]| {
        let Some(value) = input.strip_prefix(name.as_bytes()) else { return Ok((input, None)) };
        match first(value, SEPARATOR.as_bytes()) {
            Some(at) => Ok((&value[at + SEPARATOR.len()..], Some(&value[..at]))),
            // The separator's last space is lost where the line ends.
            None => Ok((&value[value.len()..], Some(value.strip_suffix(b" ;").unwrap_or(value)))),
        }
    }
}
