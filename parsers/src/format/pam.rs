//! `pam`: the messages of PAM modules, under the name of any program.
//!
//! ```text
//! pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
//! pam_unix(sudo:auth): authentication failure; logname=a uid=1 euid=0 tty=/dev/pts/0 ruser=a rhost=  user=a
//! pam_faillock(login:auth): Consecutive login failures for user bob account temporarily locked
//! ```
//!
//! Owns: `module(service:kind): text`, which pam_syslog writes for every module, and the texts of those that tell of
//! users: pam_unix, pam_sss, pam_faillock, pam_tally2, pam_access, pam_succeed_if and their like.
//! Promises: every line with that head is taken, also of a module that nobody knows. With a service by which one user
//! becomes another, the user who asks is the user and the one that is asked for the effective user.
//! Never: guesses a user from a text that it does not know.

use nom::{Parser, error::context};

use super::{
    facts::{Facts, host_grammar},
    words::{before, first, last},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected},
    key, preset,
};

host_grammar!("a message of a PAM module");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if !line.starts_with(b"pam_") {
        return expected(line, "the name of a module such as `pam_unix`");
    }
    let (rest, module) = context("a module and `(`", before("(")).parse(line)?;
    let (rest, service) = context("a service and a colon", before(":")).parse(rest)?;
    let (rest, _kind) = context("what the module did, `)` and a colon", before("): ")).parse(rest)?;
    facts.text(key::LABELS_PAM_MODULE, module);
    facts.text(key::LABELS_PAM_SERVICE, service);
    Ok((&rest[rest.len()..], told(rest, becomes_another(service), facts)))
}

/// Whether a user becomes another by this service.
#[inline]
fn becomes_another(service: &[u8]) -> bool {
    matches!(
        service,
        b"su" | b"su-l" | b"sudo" | b"sudo-i" | b"runuser" | b"runuser-l" | b"polkit-1" | b"pkexec" | b"doas"
    )
}

/// What the text tells.
#[inline]
fn told<'a, S: Sink>(text: &'a [u8], another: bool, facts: &mut Facts<'_, 'a, S>) -> PresetId {
    if let Some(rest) = text.strip_prefix(b"session ") {
        return session(rest, another, facts);
    }
    if let Some(rest) = text.strip_prefix(b"authentication failure; ") {
        failure(rest, another, facts);
        return preset::AUTHENTICATION_FAILED;
    }
    rarer(text, another, facts)
}

/// `opened for user root(uid=0) by alice(uid=1000)`; `closed for user root`.
#[inline]
fn session<'a, S: Sink>(text: &'a [u8], another: bool, facts: &mut Facts<'_, 'a, S>) -> PresetId {
    if let Some(user) = text.strip_prefix(b"closed for user ") {
        asked_for(user, b"", another, facts);
        return preset::SESSION_CLOSED;
    }
    let Some(rest) = text.strip_prefix(b"opened for user ") else { return preset::PAM_INFO };
    // The one who asks is a user that exists, and none of those is called `by`.
    let (asked, by) = first(rest, b" by ").map_or((rest, &b""[..]), |at| (&rest[..at], &rest[at + 4..]));
    let (asked, asked_id) = name_and_id(asked);
    asked_for(asked, asked_id, another, facts);
    if another {
        let (by, id) = name_and_id(by);
        facts.user(by);
        facts.text(key::USER_ID, id);
    }
    preset::SESSION_OPENED
}

/// `alice(uid=1000)`, or `alice` alone, as before Linux-PAM 1.4.
#[inline]
fn name_and_id(text: &[u8]) -> (&[u8], &[u8]) {
    match text.strip_suffix(b")").and_then(|rest| Some((rest, rest.iter().rposition(|byte| *byte == b'(')?)))
    {
        Some((rest, at)) if rest[at..].starts_with(b"(uid=") => (&rest[..at], &rest[at + 5..]),
        _ => (text, b""),
    }
}

/// The user that somebody asked to be.
#[inline]
fn asked_for<'a, S: Sink>(name: &'a [u8], id: &'a [u8], another: bool, facts: &mut Facts<'_, 'a, S>) {
    if another {
        facts.effective_user(name);
        facts.text(key::USER_EFFECTIVE_ID, id);
    } else {
        facts.user(name);
        facts.text(key::USER_ID, id);
    }
}

/// `logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=192.0.2.7  user=root`, where the last is missing for
/// a user that does not exist.
#[inline]
fn failure<'a, S: Sink>(text: &'a [u8], another: bool, facts: &mut Facts<'_, 'a, S>) {
    let mut rest = text;
    let mut value = |start: &[u8], end: &[u8]| {
        let from = rest.strip_prefix(start).unwrap_or_default();
        let at = first(from, end);
        let found = &from[..at.unwrap_or(from.len())];
        rest = &from[at.map_or(from.len(), |at| at + 1)..];
        found
    };
    let logname = value(b"logname=", b" uid=");
    let id = value(b"uid=", b" euid=");
    let _effective_id = value(b"euid=", b" tty=");
    let tty = value(b"tty=", b" ruser=");
    let remote_user = value(b"ruser=", b" rhost=");
    let host = value(b"rhost=", b" ");
    let user = rest.trim_ascii_start().strip_prefix(b"user=").unwrap_or_default();
    facts.source(host);
    if tty != b"ssh" {
        facts.text(key::LABELS_TTY, tty);
    }
    if another {
        facts.user(if remote_user.is_empty() { logname } else { remote_user });
        facts.text(key::USER_ID, id);
        facts.effective_user(user);
    } else {
        facts.user(user);
    }
}

/// What stands before a user's name, what after it, and what it tells.
const RARER: &[(&str, &str, PresetId)] = &[
    ("password changed for ", "", preset::PASSWORD_CHANGED),
    ("check pass; user unknown", "", preset::AUTHENTICATION_FAILED),
    ("auth could not identify password for [", "]", preset::AUTHENTICATION_FAILED),
    ("bad username [", "]", preset::AUTHENTICATION_FAILED),
    ("conversation failed", "", preset::AUTHENTICATION_FAILED),
    ("could not identify user (from getpwnam(", "))", preset::ACCOUNT_REFUSED),
    ("account ", " has expired (account expired)", preset::ACCOUNT_REFUSED),
    ("account ", " has expired (failed to change password)", preset::ACCOUNT_REFUSED),
    ("expired password for user ", " (root enforced)", preset::ACCOUNT_REFUSED),
    ("expired password for user ", " (password aged)", preset::ACCOUNT_REFUSED),
    ("User not known to the underlying authentication module", "", preset::AUTHENTICATION_FAILED),
    ("Consecutive login failures for user ", " account temporarily locked", preset::ACCOUNT_REFUSED),
    ("Refused user ", " for service cron", preset::ACCOUNT_REFUSED),
];

#[cold]
fn rarer<'a, S: Sink>(text: &'a [u8], another: bool, facts: &mut Facts<'_, 'a, S>) -> PresetId {
    if let Some((reason, fields)) = with_fields(text) {
        facts.text(key::EVENT_REASON, reason);
        failure(fields, another, facts);
        let succeeded = reason == b"authentication success";
        return if succeeded { preset::AUTHENTICATED } else { preset::AUTHENTICATION_FAILED };
    }
    facts.text(key::EVENT_REASON, text);
    if let Some(rest) =
        text.strip_prefix(b"access denied for user `").and_then(|rest| rest.strip_suffix(b"'"))
    {
        if let Some(at) = last(rest, b"' from `") {
            asked_for(&rest[..at], b"", another, facts);
            facts.source(&rest[at + b"' from `".len()..]);
        }
        return preset::ACCOUNT_REFUSED;
    }
    if let Some(at) = first(text, b" not met by user \"").filter(|_| text.starts_with(b"requirement ")) {
        let name = &text[at + b" not met by user \"".len()..];
        asked_for(name.strip_suffix(b"\"").unwrap_or(name), b"", another, facts);
        return preset::ACCOUNT_REFUSED;
    }
    for (start, end, preset) in RARER {
        let name = text.strip_prefix(start.as_bytes()).and_then(|rest| rest.strip_suffix(end.as_bytes()));
        if let Some(name) = name {
            if *preset == preset::PASSWORD_CHANGED {
                facts.target_user(name);
            } else {
                asked_for(name, b"", another, facts);
            }
            return *preset;
        }
    }
    preset::PAM_INFO
}

/// `authentication success; …` and `2 more authentication failures; …`: what happened, and the fields after it.
fn with_fields(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = first(text, b"; ")?;
    let reason = &text[..at];
    let is_count = reason.ends_with(b" more authentication failures")
        || reason.ends_with(b" more authentication failure");
    (is_count || reason == b"authentication success").then(|| (reason, &text[at + 2..]))
}
