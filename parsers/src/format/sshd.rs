//! `sshd`: the messages of OpenSSH's server.
//!
//! ```text
//! Accepted publickey for alice from 192.0.2.7 port 51234 ssh2: ED25519 SHA256:zX4h…
//! Failed password for invalid user admin from 192.0.2.7 port 51235 ssh2
//! Connection closed by authenticating user alice 192.0.2.7 port 51236 [preauth]
//! ```
//!
//! Owns: what auth.c, auth2*.c, packet.c, session.c and sshd.c of OpenSSH log at the levels `INFO` and `VERBOSE`.
//! Promises: a name that a stranger typed cannot pass for an address. The name of a user that does not exist ends where
//! the last address begins, since nothing after that is the stranger's; the name of one that exists ends at the first.
//! Never: reads debug messages.

use nom::{Parser, branch::alt, combinator::rest as all_rest, error::context, sequence::preceded};

use super::{
    facts::{Facts, host_grammar},
    words::{before, before_last, split_last_word, split_word, text, word},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected, stop},
    key, preset,
};

host_grammar!("a message of sshd");

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    // Said by the half of sshd that runs before anybody is known.
    let line = line.strip_suffix(b" [preauth]").unwrap_or(line);
    let line = line.strip_prefix(b"error: ").or_else(|| line.strip_prefix(b"fatal: ")).unwrap_or(line);
    let (start, rest) = split_word(line);
    match start {
        b"Accepted" => match rest {
            [b'k', b'e', b'y', b' ', ..] | [b'c', b'e', b'r', b't', ..] => accepted_key(rest, facts),
            _ => attempt(rest, preset::SSH_LOGIN, facts),
        },
        b"Failed" => attempt(rest, preset::SSH_LOGIN_FAILED, facts),
        b"Postponed" | b"Partial" => attempt(rest, preset::SSH_LOGIN_STEP, facts),
        b"Invalid" | b"Illegal" => invalid_user(rest, facts),
        b"Connection" => connection(rest, facts),
        b"Disconnected" | b"Disconnecting" => disconnected(rest, facts),
        b"Received" => received(rest, facts),
        b"PAM:" => pam(rest, facts),
        b"User" => user(rest, facts),
        b"Starting" | b"Close" => session(start, rest, facts),
        b"ROOT" => root(rest, facts),
        b"maximum" => too_many_attempts(line, facts),
        _ => rarer(line, facts),
    }
}

/// A method, who, from where, and the key or certificate, if it was one.
#[inline]
fn attempt<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    preset: PresetId,
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, method) = context("a method and `for`", before(" for ")).parse(input)?;
    facts.text(key::LABELS_SSH_METHOD, method);
    let (rest, key) = who(rest, facts)?;
    if let [b':', b' ', key @ ..] = key {
        facts.text(key::LABELS_SSH_KEY, key);
    } else if !key.is_empty() {
        return expected(key, "`: ` and a key, or the end of the line");
    }
    Ok((rest, preset))
}

/// `alice from 192.0.2.7 port 22 ssh2`, and what follows. Of a user that does not exist sshd logs no key.
#[inline]
fn who<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, &'a [u8], E> {
    let stranger = input.strip_prefix(b"invalid user ").or_else(|| input.strip_prefix(b"illegal user "));
    if let Some(stranger) = stranger {
        let stranger = stranger.strip_suffix(b" ssh2").unwrap_or(stranger);
        let (rest, ()) = stranger_from(stranger, facts)?;
        return Ok((rest, rest));
    }
    let (rest, user) = context("a user and `from`", before(" from ")).parse(input)?;
    facts.user(user);
    let (rest, ()) = address_and_port(rest, facts)?;
    let key = rest.strip_prefix(b" ssh2").unwrap_or(rest);
    Ok((&rest[rest.len()..], key))
}

/// `bob from 192.0.2.7 port 22` to the end, where a stranger chose the name.
#[inline]
fn stranger_from<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, (), E> {
    let (rest, user) = context("a user and `from`", before_last("from ")).parse(input)?;
    match user.strip_suffix(b" ") {
        Some(user) => facts.user(user),
        None if user.is_empty() => {}
        None => return expected(rest, "a user and `from`"),
    }
    let (rest, ()) = address_and_port(rest, facts)?;
    if rest.is_empty() { Ok((rest, ())) } else { expected(rest, "the end of the line") }
}

/// `192.0.2.7 port 22`; before OpenSSH 7 some messages had no port.
#[inline]
fn address_and_port<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, (), E> {
    let end = input.iter().position(|byte| matches!(byte, b' ')).unwrap_or(input.len());
    let (address, rest) = input.split_at(end);
    let address = address.strip_suffix(b":").unwrap_or(address);
    if address.is_empty() {
        return expected(input, "an address");
    }
    facts.source(address);
    let Some(port) = rest.strip_prefix(b" port ") else { return Ok((&input[address.len()..], ())) };
    let (rest, ()) = port_number(port, facts)?;
    Ok((rest, ()))
}

#[inline]
fn port_number<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, (), E> {
    let digits = input.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(input.len());
    if digits == 0 || digits > 5 {
        return expected(input, "a port");
    }
    facts.number(key::SOURCE_PORT, &input[..digits]);
    Ok((&input[digits..], ()))
}

/// `key ED25519 SHA256:zX4h… found at /home/alice/.ssh/authorized_keys:1`; `certificate ID "a" (serial 5) signed by …`.
fn accepted_key<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let key =
        alt((preceded(text("key "), before(" found at ")), preceded(text("certificate "), before(" via "))));
    let (rest, key) = context("a key and `found at`, or a certificate and `via`", key).parse(input)?;
    facts.text(key::LABELS_SSH_KEY, key);
    Ok((&rest[rest.len()..], preset::SSH_LOGIN_STEP))
}

#[inline]
fn invalid_user<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("user ").parse(input)?;
    stranger_from(rest, facts).map(|(rest, ())| (rest, preset::SSH_LOGIN_FAILED))
}

/// `Connection from`, `Connection closed by` and `Connection reset by`.
#[inline]
fn connection<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if let Some(rest) = input.strip_prefix(b"from ") {
        let (rest, ()) = address_and_port(rest, facts)?;
        let (rest, _) =
            context("`on` and the address of the server", preceded(text(" on "), all_rest)).parse(rest)?;
        return Ok((rest, preset::SSH_CONNECTED));
    }
    let (rest, ()) =
        context("`from`, `closed by` or `reset by`", alt((text("closed by "), text("reset by "))))
            .parse(input)?;
    peer(rest, facts).map(|(rest, ())| (rest, preset::SSH_DISCONNECTED))
}

/// `192.0.2.7 port 22`, or a user before it, to the end.
#[inline]
fn peer<'a, E: Explain<'a>, S: Sink>(input: &'a [u8], facts: &mut Facts<'_, 'a, S>) -> Parsed<'a, (), E> {
    let known = [&b"user "[..], b"authenticating user ", b"invalid user "];
    let Some(user) = known.iter().find_map(|words| input.strip_prefix(*words)) else {
        return address_and_port(input, facts);
    };
    // From the right: the user may be anything, and may be empty.
    let port = split_last_word(user).and_then(|(rest, _)| rest.strip_suffix(b" port"));
    let Some(before_port) = port else { return expected(user, "a user, an address and a port") };
    let name = split_last_word(before_port).map_or(&b""[..], |(name, _)| name);
    facts.user(name);
    let address = user.get(name.len()..).map_or(user, |rest| rest.strip_prefix(b" ").unwrap_or(rest));
    address_and_port(address, facts)
}

/// `Disconnected from …` and `Disconnecting …: reason`.
#[inline]
fn disconnected<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if let Some(rest) = input.strip_prefix(b"from ") {
        return peer(rest, facts).map(|(rest, ())| (rest, preset::SSH_DISCONNECTED));
    }
    if input.starts_with(b"invalid user ") && input.ends_with(b")") {
        // `…: (old,service) -> (new,service)`: a stranger chose both ends of the line.
        facts.text(key::EVENT_REASON, input);
        return Ok((&input[input.len()..], preset::SSH_CONNECTION_FAILED));
    }
    let (reason, who) = if input.starts_with(b"invalid user ") {
        context("who, a colon and a reason", before_last(": ")).parse(input)?
    } else {
        context("who, a colon and a reason", before(": ")).parse(input)?
    };
    facts.text(key::EVENT_REASON, reason);
    let (after, ()) = peer(who, facts)?;
    if !after.is_empty() {
        return expected(after, "a colon and a reason");
    }
    Ok((&reason[reason.len()..], preset::SSH_CONNECTION_FAILED))
}

/// `Received disconnect from 192.0.2.7 port 22:11: reason`, where the reason is the stranger's; `Received signal 15; …`.
#[inline]
fn received<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let Some(rest) = input.strip_prefix(b"disconnect from ") else {
        let (rest, _) = preceded(text("signal "), all_rest).parse(input)?;
        return Ok((rest, preset::SSH_SERVER));
    };
    let (rest, ()) = address_and_port(rest, facts)?;
    let (rest, _) = context("a colon and a code", preceded(text(":"), before(":"))).parse(rest)?;
    let reason = rest.strip_prefix(b" ").unwrap_or(rest);
    facts.text(key::EVENT_REASON, reason);
    Ok((&rest[rest.len()..], preset::SSH_DISCONNECTED))
}

/// `Authentication failure for illegal user bob from host`. That the login failed is a line of its own.
#[inline]
fn pam<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let tries =
        alt((text("Have exhausted maximum number of retries for service for "), before(" for ").map(drop)));
    let (rest, ()) = context("a reason and `for`", tries).parse(input)?;
    facts.text(key::EVENT_REASON, &input[..input.len() - rest.len() - " for ".len()]);
    let stranger = rest.strip_prefix(b"illegal user ").or_else(|| rest.strip_prefix(b"invalid user "));
    stranger_from(stranger.unwrap_or(rest), facts).map(|(rest, ())| (rest, preset::AUTHENTICATION_FAILED))
}

/// `alice from host not allowed because …`; `child is on pid 5`.
fn user<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    if input.starts_with(b"child is on pid ") {
        return Ok((&input[input.len()..], preset::SSH_SERVER));
    }
    let (reason, who) =
        context("`not allowed because` and a reason", before(" not allowed because ")).parse(input)?;
    facts.text(key::EVENT_REASON, reason);
    match before::<()>(" from ").parse(who) {
        Ok((host, user)) => {
            facts.user(user);
            facts.source(host);
        }
        Err(_) => facts.user(who),
    }
    Ok((&reason[reason.len()..], preset::SSH_LOGIN_FAILED))
}

/// `session: shell on pts/0 for alice from 192.0.2.7 port 22 id 0`; `session: user alice from …`.
#[inline]
fn session<'a, E: Explain<'a>, S: Sink>(
    start: &[u8],
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("session: ").parse(input)?;
    let (rest, preset) = if start == b"Close" {
        (text("user ").parse(rest)?.0, preset::SSH_SESSION_ENDED)
    } else {
        let (rest, what) = context("what and `for`", before(" for ")).parse(rest)?;
        facts.text(key::EVENT_REASON, what);
        (rest, preset::SSH_SESSION_STARTED)
    };
    let (rest, user) = context("a user and `from`", before(" from ")).parse(rest)?;
    facts.user(user);
    let (rest, ()) = address_and_port(rest, facts)?;
    let (rest, _) = context("`id` and a number", preceded(text(" id "), word)).parse(rest)?;
    Ok((rest, preset))
}

/// `LOGIN REFUSED FROM 192.0.2.7 port 22`.
fn root<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("LOGIN REFUSED FROM ").parse(input)?;
    address_and_port(rest, facts).map(|(rest, ())| (rest, preset::SSH_LOGIN_FAILED))
}

/// `maximum authentication attempts exceeded for invalid user bob from 192.0.2.7 port 22 ssh2`.
fn too_many_attempts<'a, E: Explain<'a>, S: Sink>(
    input: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (rest, ()) = text("maximum authentication attempts exceeded for ").parse(input)?;
    facts.text(key::EVENT_REASON, &input[..input.len() - rest.len() - " for ".len()]);
    let (rest, key) = who(rest, facts)?;
    if key.is_empty() { Ok((rest, preset::SSH_LOGIN_FAILED)) } else { expected(key, "the end of the line") }
}

/// What begins a rarer message about a peer, whose address follows, then perhaps a colon and a reason.
const ABOUT_PEER: &[(&str, PresetId)] = &[
    ("Unable to negotiate with ", preset::SSH_CONNECTION_FAILED),
    ("Did not receive identification string from ", preset::SSH_CONNECTION_FAILED),
    ("banner exchange: Connection from ", preset::SSH_CONNECTION_FAILED),
    ("ssh_dispatch_run_fatal: Connection from ", preset::SSH_CONNECTION_FAILED),
    ("Timeout before authentication for connection from ", preset::SSH_CONNECTION_FAILED),
    ("Timeout before authentication for ", preset::SSH_CONNECTION_FAILED),
    ("Read error from remote host ", preset::SSH_DISCONNECTED),
    ("Timeout, client not responding from ", preset::SSH_DISCONNECTED),
    ("Closing connection to ", preset::SSH_DISCONNECTED),
];

/// What begins any other message, which is a reason as a whole.
const OTHERS: &[(&str, PresetId)] = &[
    ("Bad protocol version identification ", preset::SSH_CONNECTION_FAILED),
    ("kex_exchange_identification: ", preset::SSH_CONNECTION_FAILED),
    ("kex_protocol_error: ", preset::SSH_CONNECTION_FAILED),
    ("send_error: ", preset::SSH_CONNECTION_FAILED),
    ("drop connection ", preset::SSH_CONNECTION_FAILED),
    ("Disconnecting: ", preset::SSH_CONNECTION_FAILED),
    ("Write failed: ", preset::SSH_DISCONNECTED),
    ("Transferred: ", preset::SSH_DISCONNECTED),
    ("PAM ", preset::SSH_LOGIN_FAILED),
    ("Authentication refused: ", preset::SSH_LOGIN_FAILED),
    ("Certificate invalid: ", preset::SSH_LOGIN_FAILED),
    ("input_userauth_request: ", preset::SSH_LOGIN_STEP),
    ("reverse mapping checking getaddrinfo for ", preset::SSH_LOGIN_STEP),
    ("Address ", preset::SSH_LOGIN_STEP),
    ("Nasty PTR record ", preset::SSH_LOGIN_STEP),
    ("subsystem request for ", preset::SSH_SESSION_STARTED),
    ("Server listening on ", preset::SSH_SERVER),
    ("Exiting on signal ", preset::SSH_SERVER),
    ("Bind to port ", preset::SSH_SERVER),
    ("Cannot bind any address.", preset::SSH_SERVER),
    ("Could not load host key", preset::SSH_SERVER),
    ("Could not get shadow information for ", preset::SSH_SERVER),
    ("beginning MaxStartups throttling", preset::SSH_SERVER),
    ("exited MaxStartups throttling", preset::SSH_SERVER),
];

#[cold]
fn rarer<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let met = |(words, preset): &(&str, PresetId)| Some((line.strip_prefix(words.as_bytes())?, *preset));
    let end = &line[line.len()..];
    if let Some((rest, preset)) = ABOUT_PEER.iter().find_map(met) {
        let (after, ()) = address_and_port(rest, facts)?;
        if let [b':', b' ', reason @ ..] = after {
            facts.text(key::EVENT_REASON, reason);
        }
        return Ok((end, preset));
    }
    let Some((_, preset)) = OTHERS.iter().find_map(met) else { return stop(line) };
    facts.text(key::EVENT_REASON, line);
    Ok((end, preset))
}
