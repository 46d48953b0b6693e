//! `systemd_logind`: sessions and power, as systemd's login manager tells of them.
//!
//! ```text
//! New session 12 of user alice.
//! New session '12' of user 'alice' with class 'user' and type 'tty'.
//! Session 12 logged out. Waiting for processes to exit.
//! Removed session 12.
//! ```
//!
//! Owns: the messages of systemd-logind, with the quotes of version 257 and without.
//! Promises: a session has the same `labels.session` in all its lines.
//! Never: knows whose a session is that ends; the line does not say.

use nom::{Parser, branch::alt, error::context, sequence::preceded};

use super::{
    facts::{Facts, host_grammar},
    words::{all_but, before, text},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, stop},
    key, preset,
};

host_grammar!("a message of systemd-logind");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    match line {
        [b'N', b'e', b'w', b' ', b's', b'e', b's', ..] => new_session(line, facts),
        [b'R', b'e', b'm', b'o', b'v', b'e', b'd', b' ', b's', b'e', b's', ..] => {
            let (rest, id) = preceded(text("Removed session "), context("a session and a dot", all_but(".")))
                .parse(line)?;
            facts.text(key::LABELS_SESSION, unquoted(id));
            Ok((rest, preset::LOGIND_SESSION_ENDED))
        }
        [b'S', b'e', b's', b's', b'i', b'o', b'n', b' ', ..] => session(line, facts),
        _ => host(line, facts),
    }
}

#[inline]
fn new_session<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("New session ").parse(line)?;
    let (rest, id) = context("a session and `of user`", before(" of user ")).parse(rest)?;
    let (rest, user) = context("a user and a dot", all_but(".")).parse(rest)?;
    let user = match before::<()>(" with class ").parse(user) {
        Ok((_, user)) => user,
        Err(_) => user,
    };
    facts.text(key::LABELS_SESSION, unquoted(id));
    facts.user(unquoted(user));
    Ok((rest, preset::LOGIND_SESSION_STARTED))
}

/// `Session 12 logged out. Waiting for processes to exit.`
#[inline]
fn session<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("Session ").parse(line)?;
    let (rest, id) = context("a session and a space", before(" ")).parse(rest)?;
    let (reason, ()) =
        context("`logged out`", alt((text("logged out."), text("still running")))).parse(rest)?;
    facts.text(key::LABELS_SESSION, unquoted(id));
    facts.text(key::EVENT_REASON, reason.strip_prefix(b" ").unwrap_or(reason));
    Ok((&rest[rest.len()..], preset::LOGIND_SESSION_ENDED))
}

/// What begins a message about the host, and what it tells.
const ABOUT_HOST: &[(&str, PresetId)] = &[
    ("Power key pressed", preset::HOST_POWER),
    ("Powering ", preset::HOST_POWER),
    ("Rebooting", preset::HOST_POWER),
    ("System is powering down", preset::HOST_POWER),
    ("System is rebooting", preset::HOST_POWER),
    ("System is halted", preset::HOST_POWER),
    ("The system will ", preset::HOST_POWER),
    ("Suspending", preset::HOST_POWER),
    ("Hibernating", preset::HOST_POWER),
    ("Lid ", preset::HOST_POWER),
    ("Operation '", preset::HOST_POWER),
    ("New seat ", preset::HOST_INFO),
    ("Removed seat ", preset::HOST_INFO),
    ("Watching system buttons on ", preset::HOST_INFO),
    ("Delay lock is active", preset::HOST_INFO),
    ("User enabled ", preset::HOST_INFO),
    ("Failed to ", preset::HOST_INFO),
];

#[cold]
fn host<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let met = |(words, _): &&(&str, PresetId)| line.starts_with(words.as_bytes());
    let Some((_, preset)) = ABOUT_HOST.iter().find(met) else { return stop(line) };
    facts.text(key::EVENT_REASON, line);
    Ok((&line[line.len()..], *preset))
}

#[inline]
fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'")).unwrap_or(text)
}
