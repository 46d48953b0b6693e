//! `su`: a user becomes another.
//!
//! ```text
//! (to root) alice on pts/0
//! FAILED SU (to root) alice on pts/0
//! Successful su for root by alice
//! + pts/0 alice:root
//! BAD SU alice to root on /dev/ttyp0
//! ```
//!
//! Owns: the messages of su and runuser of util-linux, of su of shadow, and of su of the BSDs.
//! Promises: the user who types is the user, the other one the effective user. The one who types exists; the name that
//! is asked for may be anything, so it ends where the other one's begins, seen from the right.
//! Never: reads what PAM says about it; `pam` does.

use nom::{Parser, error::context};

use super::{
    facts::{Facts, host_grammar},
    words::{before, before_last, text},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, stop},
    key, preset,
};

host_grammar!("a message of su");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    match line {
        [b'(', b't', b'o', b' ', rest @ ..] => target_first(rest, preset::SU, facts),
        [b'+', b' ', rest @ ..] => terminal_first(rest, preset::SU, facts),
        [b'-', b' ', rest @ ..] => terminal_first(rest, preset::SU_FAILED, facts),
        [b'S', ..] => {
            let (rest, ()) = text("Successful su for ").parse(line)?;
            by(rest, preset::SU, facts)
        }
        [b'F', b'A', b'I', b'L', b'E', b'D', b' ', rest @ ..] => match rest {
            [b's', ..] => {
                let (rest, ()) = text("su for ").parse(rest)?;
                by(rest, preset::SU_FAILED, facts)
            }
            _ => {
                let (rest, ()) = text("SU (to ").parse(rest)?;
                target_first(rest, preset::SU_FAILED, facts)
            }
        },
        [b'B', ..] => {
            let (rest, ()) = text("BAD SU ").parse(line)?;
            user_first(rest, preset::SU_FAILED, facts)
        }
        [] => stop(line),
        _ => user_first(line, preset::SU, facts),
    }
}

/// `root) alice on pts/0`, util-linux.
#[inline]
fn target_first<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, effective) = context("a user, `)` and a space", before_last(") ")).parse(input)?;
    let (rest, user) = context("a user and `on`", before_last(" on ")).parse(rest)?;
    names(user, effective, facts);
    terminal(rest, facts);
    Ok((&rest[rest.len()..], preset))
}

/// `root by alice`, shadow.
#[inline]
fn by<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (user, effective) = context("a user and `by`", before_last(" by ")).parse(input)?;
    names(user, effective, facts);
    Ok((&user[user.len()..], preset))
}

/// `pts/0 alice:root`, shadow.
#[inline]
fn terminal_first<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, tty) = context("a terminal and a space", before(" ")).parse(input)?;
    let (effective, user) = context("a user and a colon", before(":")).parse(rest)?;
    names(user, effective, facts);
    terminal(tty, facts);
    Ok((&rest[rest.len()..], preset))
}

/// `alice to root on /dev/ttyp0`, the BSDs.
#[inline]
fn user_first<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, user) = context("a user and `to`", before(" to ")).parse(input)?;
    let (tty, effective) = context("a user and `on`", before_last(" on ")).parse(rest)?;
    names(user, effective, facts);
    terminal(tty, facts);
    Ok((&tty[tty.len()..], preset))
}

#[inline]
fn names<'a, S: Sink>(user: &'a [u8], effective: &'a [u8], facts: &mut Facts<'_, 'a, S>) {
    facts.user(user);
    facts.effective_user(effective);
}

#[inline]
fn terminal<'a, S: Sink>(tty: &'a [u8], facts: &mut Facts<'_, 'a, S>) {
    if tty != b"none" && tty != b"???" {
        facts.text(key::LABELS_TTY, tty);
    }
}
