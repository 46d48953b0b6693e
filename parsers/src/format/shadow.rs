//! `shadow`: the tools that change users, groups and passwords.
//!
//! ```text
//! new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/0
//! add 'bob' to group 'docker'
//! group 'staff2' removed from /etc/group
//! user bob added by alice to group adm
//! ```
//!
//! Owns: the messages of useradd, usermod, userdel, groupadd, groupmod, groupdel, gpasswd, passwd, chage, chfn, chsh
//! and newgrp of shadow. They share their words, so one file serves all.
//! Promises: the account that is changed is `user.target.*`, the group `group.*`; `user.name` is who did it, where the
//! line says so. Names of accounts have neither spaces nor quotes (the tools refuse them), so they end at the first.
//! Never: tells apart the files of one change: a group in /etc/group and in /etc/gshadow is two events.

use nom::{Parser, branch::alt, error::context, sequence::preceded};

use super::{
    facts::{Facts, host_grammar},
    words::{all, before, split_word, text, word},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected, stop},
    key, preset,
};

host_grammar!("a message of a tool that changes accounts");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (start, rest) = split_word(line);
    match start {
        b"new" => new(rest, facts),
        b"add" => member(rest, " to ", preset::GROUP_MEMBER_ADDED, facts),
        b"delete" => delete(rest, facts),
        b"change" | b"changed" | b"lock" | b"unlock" | b"move" => change(start, rest, facts),
        b"group" => group(rest, facts),
        b"removed" => removed(rest, facts),
        b"user" => user(rest, facts),
        b"members" | b"administrators" | b"access" => group_settings(rest, facts),
        b"password" => password(rest, facts),
        b"failed" => failed(rest, facts),
        _ => stop(line),
    }
}

/// `user: name=bob, UID=…`; `group: name=staff, GID=…`.
#[inline]
fn new<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if let Some(rest) = input.strip_prefix(b"group: ") {
        return properties(rest, preset::GROUP_ADDED, facts);
    }
    let (rest, ()) = context("`user: ` or `group: `", text("user: ")).parse(input)?;
    properties(rest, preset::USER_ADDED, facts)
}

/// `name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=none`.
#[inline]
fn properties<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let is_user = preset == preset::USER_ADDED;
    let mut rest = input;
    while !rest.is_empty() {
        let (after, name) = context("a property such as `name=bob`", before("=")).parse(rest)?;
        let (after, value) = match before::<()>(", ").parse(after) {
            Ok(parsed) => parsed,
            Err(_) => (&after[after.len()..], after),
        };
        match name {
            b"name" if is_user => facts.target_user(value),
            b"name" => facts.text(key::GROUP_NAME, value),
            b"UID" => facts.text(key::USER_TARGET_ID, value),
            b"GID" => facts.text(key::GROUP_ID, value),
            b"home" => facts.text(key::LABELS_HOME, value),
            b"shell" => facts.text(key::LABELS_SHELL, value),
            b"from" if value != b"none" => facts.text(key::LABELS_TTY, value),
            b"from" => {}
            _ => return expected(rest, "name, UID, GID, home, shell or from"),
        }
        rest = after;
    }
    Ok((rest, preset))
}

/// `'bob' to group 'docker'`, with any words between the names.
#[inline]
fn member<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    between: &'static str,
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, user) = context("a user in quotes", quoted).parse(input)?;
    let (rest, ()) = text(between).parse(rest)?;
    let (rest, ()) =
        context("`group` or `shadow group`", alt((text("group "), text("shadow group ")))).parse(rest)?;
    let (rest, group) = context("a group in quotes", quoted).parse(rest)?;
    facts.target_user(user);
    facts.text(key::GROUP_NAME, group);
    Ok((rest, preset))
}

/// `user 'bob'`; `'bob' from group 'docker'`.
#[inline]
fn delete<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if input.starts_with(b"'") {
        return member(input, " from ", preset::GROUP_MEMBER_REMOVED, facts);
    }
    let (rest, user) =
        context("`user` and a user in quotes", preceded(text("user "), quoted)).parse(input)?;
    facts.target_user(user);
    Ok((rest, preset::USER_DELETED))
}

/// `user 'bob' shell from '/bin/sh' to '/bin/bash'`; `password expiry for bob`; `'old' to 'new' in group 'docker'`.
#[inline]
fn change<'a, E: Explain<'a>, S: Sink>(
    start: &[u8],
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if input.starts_with(b"'") {
        let (rest, _old) = context("a user in quotes", quoted).parse(input)?;
        return preceded(text(" to "), |rest| member(rest, " in ", preset::GROUP_CHANGED, facts)).parse(rest);
    }
    if let Some(user) = input.strip_prefix(b"password expiry for ") {
        facts.target_user(user);
        return Ok((&user[user.len()..], preset::USER_CHANGED));
    }
    let (rest, ()) = context("`user`", text("user ")).parse(input)?;
    let (rest, user) = match rest.strip_prefix(b"name ") {
        Some(rest) => context("the old name in quotes", quoted).parse(rest)?,
        None => context("a user in quotes", quoted).parse(rest)?,
    };
    facts.target_user(user);
    facts.text(key::EVENT_REASON, rest.strip_prefix(b" ").unwrap_or(rest));
    if let Some(name) = rest.strip_prefix(b" to '").and_then(|name| name.strip_suffix(b"'")) {
        facts.text(key::USER_CHANGES_NAME, name);
    }
    let preset = match (start, rest) {
        (b"lock", _) => preset::USER_LOCKED,
        (b"unlock", _) => preset::USER_UNLOCKED,
        (_, b" password") => preset::PASSWORD_CHANGED,
        _ => preset::USER_CHANGED,
    };
    Ok((&rest[rest.len()..], preset))
}

/// `added to /etc/group: name=staff, GID=1001`; `'staff' removed from /etc/group`; `changed in /etc/group (group …)`.
#[inline]
fn group<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if let Some(rest) = input.strip_prefix(b"added to ") {
        let (rest, _file) = context("a file and a colon", before(": ")).parse(rest)?;
        return properties(rest, preset::GROUP_ADDED, facts);
    }
    if let Some(rest) = input.strip_prefix(b"changed in ") {
        let (rest, _file) = context("a file and a group", before(" (group ")).parse(rest)?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b',' | b')')).unwrap_or(rest.len());
        facts.text(key::GROUP_NAME, &rest[..end]);
        facts.text(key::EVENT_REASON, rest.strip_suffix(b")").unwrap_or(rest));
        return Ok((&rest[rest.len()..], preset::GROUP_CHANGED));
    }
    let (rest, name) = context("a group in quotes", quoted).parse(input)?;
    let (rest, ()) = context("`removed`", text(" removed")).parse(rest)?;
    facts.text(key::GROUP_NAME, name);
    let (rest, _file) = alt((preceded(text(" from "), all), all)).parse(rest)?;
    Ok((rest, preset::GROUP_DELETED))
}

/// `group 'bob' owned by 'bob'`; `shadow group …`.
#[inline]
fn removed<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let kind = alt((text("group "), text("shadow group ")));
    let (rest, group) = context("a group in quotes", preceded(kind, quoted)).parse(input)?;
    let (rest, owner) = context("`owned by` and a user", preceded(text(" owned by "), quoted)).parse(rest)?;
    facts.text(key::GROUP_NAME, group);
    facts.target_user(owner);
    Ok((rest, preset::GROUP_DELETED))
}

/// `bob added by alice to group adm`; `'bob' (login 'bob' on pts/0) switched to group 'adm'`.
#[inline]
fn user<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if input.starts_with(b"'") {
        let (rest, user) = context("a user in quotes", quoted).parse(input)?;
        facts.user(user);
        facts.text(key::EVENT_REASON, rest.strip_prefix(b" ").unwrap_or(rest));
        return Ok((&rest[rest.len()..], preset::USER_CHANGED));
    }
    let (rest, user) = context("a user and a space", word).parse(input)?;
    let (rest, preset) = match rest.strip_prefix(b"added by ") {
        Some(rest) => (rest, preset::GROUP_MEMBER_ADDED),
        None => (
            context("`added by` or `removed by`", text("removed by ")).parse(rest)?.0,
            preset::GROUP_MEMBER_REMOVED,
        ),
    };
    let (rest, actor) = context("a user and a space", word).parse(rest)?;
    let (rest, ()) =
        context("`to group` or `from group`", alt((text("to group "), text("from group ")))).parse(rest)?;
    facts.target_user(user);
    facts.user(actor);
    facts.text(key::GROUP_NAME, rest);
    Ok((&rest[rest.len()..], preset))
}

/// `of group adm set by alice to bob,carol`; `to group adm restricted by alice`.
#[inline]
fn group_settings<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) =
        context("`of group` or `to group`", alt((text("of group "), text("to group ")))).parse(input)?;
    let (rest, group) = context("a group and a space", word).parse(rest)?;
    let (rest, _) =
        context("`set by`, `restricted by`, `changed by` or `removed by`", before("by ")).parse(rest)?;
    let (rest, actor) = context("a user", word).parse(rest)?;
    facts.text(key::GROUP_NAME, group);
    facts.user(actor);
    facts.text(key::EVENT_REASON, rest);
    Ok((&rest[rest.len()..], preset::GROUP_CHANGED))
}

/// `for 'bob' changed by 'alice'`; `of group adm changed by alice`.
#[inline]
fn password<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if input.starts_with(b"of group ") {
        return group_settings(input, facts);
    }
    let (rest, user) = context("`for` and a user in quotes", preceded(text("for "), quoted)).parse(input)?;
    let (rest, actor) =
        context("`changed by` and a user", preceded(text(" changed by "), quoted)).parse(rest)?;
    facts.target_user(user);
    facts.user(actor);
    Ok((rest, preset::PASSWORD_CHANGED))
}

/// `adding user 'bob', data deleted`; `adding user 'bob', exit code: 4`.
#[inline]
fn failed<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let adding = preceded(text("adding user "), quoted);
    let (rest, user) = context("`adding user` and a user in quotes", adding).parse(input)?;
    facts.target_user(user);
    facts.text(key::EVENT_REASON, rest.strip_prefix(b", ").unwrap_or(rest));
    Ok((&rest[rest.len()..], preset::USER_ADD_FAILED))
}

/// A name in single quotes.
#[inline]
fn quoted<'a, E: Explain<'a>>(input: &'a [u8]) -> Parsed<'a, &'a [u8], E> {
    preceded(text("'"), before("'")).parse(input)
}
