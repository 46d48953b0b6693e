//! `login`: somebody logs in at a terminal.
//!
//! ```text
//! LOGIN ON tty1 BY alice
//! FAILED LOGIN 1 FROM tty1 FOR alice, Authentication failure
//! FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
//! ```
//!
//! Owns: the messages of login of util-linux and of shadow.
//! Promises: the name that somebody typed lies between the first `FOR` after the terminal and the last comma,
//! whatever it is.
//! Never: reads what PAM says about it; `pam` does.

use nom::{Parser, branch::alt, error::context};

use super::{
    facts::{Facts, host_grammar},
    words::{before, before_last, first, text},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected},
    key, preset,
};

host_grammar!("a message of login");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    match line {
        [b'F', ..] => {
            let mut failed = alt((text("FAILED LOGIN SESSION"), text("FAILED LOGIN")));
            let (rest, ()) = failed.parse(line)?;
            refused(rest, facts)
        }
        [b'T', ..] => {
            let (rest, ()) = text("TOO MANY LOGIN TRIES").parse(line)?;
            refused(rest, facts)
        }
        [b'R', ..] => {
            let (rest, ()) = text("ROOT LOGIN ").parse(line)?;
            root(rest, facts)
        }
        [b'D', ..] => {
            let (rest, ()) = text("DIALUP AT ").parse(line)?;
            at_terminal(rest, facts)
        }
        [b'i', ..] => {
            let (rest, ()) = text("invalid password for '").parse(line)?;
            invalid_password(rest, facts)
        }
        _ => {
            let (rest, ()) = text("LOGIN ON ").parse(line)?;
            at_terminal(rest, facts)
        }
    }
}

/// `tty1 BY alice` or `pts/1 BY alice FROM host`.
#[inline]
fn at_terminal<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, tty) = context("a terminal and `BY`", before(" BY ")).parse(input)?;
    facts.text(key::LABELS_TTY, tty);
    match before_last::<()>(" FROM ").parse(rest) {
        Ok((host, user)) => {
            facts.user(user);
            facts.source(host);
        }
        Err(_) => facts.user(rest),
    }
    Ok((&rest[rest.len()..], preset::LOGIN))
}

/// `ON tty1` or `ON pts/1 FROM host`; ` on '/dev/tty1'` or ` on '/dev/pts/1' from 'host'`.
#[inline]
fn root<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    facts.made(key::USER_NAME, b"root");
    facts.made(key::RELATED_USER, b"root");
    place(input.trim_ascii_start(), facts);
    Ok((&input[input.len()..], preset::LOGIN))
}

/// `1 FROM tty1 FOR alice, reason`; ` (1) on '/dev/tty1' FOR 'alice', reason`.
#[inline]
fn refused<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, from) = context("a place and `FOR`", before(" FOR ")).parse(input)?;
    let counted = first(from, b"on '").or_else(|| first(from, b"from '")).or_else(|| first(from, b"FROM "));
    place(counted.map_or(&b""[..], |at| &from[at..]), facts);
    match before_last::<()>(", ").parse(rest) {
        Ok((reason, user)) => {
            facts.user(known(user));
            facts.text(key::EVENT_REASON, reason);
        }
        Err(_) => facts.user(known(rest)),
    }
    Ok((&rest[rest.len()..], preset::LOGIN_FAILED))
}

/// `alice'  on '/dev/tty1'`.
#[inline]
fn invalid_password<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let place_at =
        before_last::<()>("on '").parse(input).map(|(rest, user)| (input.len() - rest.len() - 4, user));
    let Ok((at, user)) = place_at else { return expected(input, "a user in quotes and a terminal") };
    let user = user.trim_ascii_end();
    facts.user(user.strip_suffix(b"'").unwrap_or(user));
    place(&input[at..], facts);
    Ok((&input[input.len()..], preset::LOGIN_FAILED))
}

/// A terminal, a host, or both. util-linux says `FROM` of either.
#[inline]
fn place<'a, S: Sink>(input: &'a [u8], facts: &mut Facts<'_, 'a, S>) {
    let (tty, host) = if let Some(rest) = input.strip_prefix(b"ON ") {
        split(rest, b" FROM ")
    } else if let Some(rest) = input.strip_prefix(b"on ") {
        split(rest, b" from ")
    } else if let Some(rest) = input.strip_prefix(b"FROM ") {
        if is_terminal(rest) { (rest, &b""[..]) } else { (&b""[..], rest) }
    } else {
        (&b""[..], input.strip_prefix(b"from ").unwrap_or_default())
    };
    facts.text(key::LABELS_TTY, unquoted(tty));
    facts.source(unquoted(host));
}

#[inline]
fn split<'a>(input: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    first(input, mark).map_or((input, b""), |at| (&input[..at], &input[at + mark.len()..]))
}

#[inline]
fn is_terminal(name: &[u8]) -> bool {
    name.starts_with(b"tty") || name.starts_with(b"pts/") || name.starts_with(b"/dev/") || name == b"console"
}

/// A name; login hides one that no account has, for it may be a password.
#[inline]
fn known(user: &[u8]) -> &[u8] {
    match unquoted(user) {
        b"UNKNOWN" => b"",
        name => name,
    }
}

#[inline]
fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'")).unwrap_or(text)
}
