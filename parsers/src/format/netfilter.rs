//! `netfilter`: packets that the kernel's packet filter logs: iptables, nftables, ufw.
//!
//! ```text
//! [ 1234.567890] [UFW BLOCK] IN=eth0 OUT= MAC=00:16:3e:… SRC=192.0.2.7 DST=198.51.100.2 LEN=60 … PROTO=TCP SPT=51234
//! DPT=22 … SYN URGP=0
//! ```
//!
//! Owns: the fields of nf_log_syslog.c of Linux: interfaces, hardware addresses, IPv4, IPv6, TCP, UDP, SCTP, ICMP.
//! Promises: the prefix of the rule is free text, also with a `=`; the fields begin at the first ` IN=`. Of the packet
//! that an ICMP message quotes in brackets nothing is taken for the packet itself.
//! Never: needs a prefix that says what the rule does: without one the action is `packet_logged`.

use nom::Parser;

use super::{
    facts::{Facts, host_grammar},
    words::{before, first, split_word},
};
use crate::{
    PresetId, Sink,
    grammar::{Explain, Parsed, expected, is_ip},
    key, preset,
};

/// `00:16:3e:5e:53:23`.
const MAC_LENGTH: usize = 17;

host_grammar!("a packet such as `IN=eth0 OUT= SRC=192.0.2.7 DST=198.51.100.2 …`");

/// What is known of a packet when its line is read.
#[derive(Default)]
struct Packet<'a> {
    source: &'a [u8],
    destination: &'a [u8],
    /// Its length; a second one is that of what the packet holds.
    length: &'a [u8],
    /// Where the flags begin and end.
    flags: Option<(usize, usize)>,
}

#[inline]
fn message<'a, E: Explain<'a>, S: Sink>(
    line: &'a [u8],
    facts: &mut Facts<'_, 'a, S>,
) -> Parsed<'a, PresetId, E> {
    let (fields, prefix) = match line.strip_prefix(b"IN=") {
        Some(_) => (line, &b""[..]),
        None => {
            let at = first(line, b"IN=").filter(|at| *at > 0);
            let Some(at) = at else { return expected(line, "`IN=` and an interface") };
            (&line[at..], &line[..at])
        }
    };
    let prefix = without_uptime(prefix).trim_ascii();
    facts.text(key::RULE_NAME, prefix);
    let mut packet = Packet::default();
    let mut rest = fields;
    while !rest.is_empty() && rest[0] != b'[' {
        let (word, after) = split_word(rest);
        field(word, line.len() - rest.len(), &mut packet, facts);
        rest = after;
    }
    if packet.source.is_empty() || packet.destination.is_empty() {
        return expected(&fields[fields.len()..], "`SRC=` and `DST=` with addresses");
    }
    facts.packet(packet.source, packet.destination);
    facts.number(key::NETWORK_BYTES, packet.length);
    if let Some((start, end)) = packet.flags {
        facts.text(key::LABELS_TCP_FLAGS, &line[start..end]);
    }
    Ok((&line[line.len()..], action(prefix)))
}

/// The prefix without `[ 1234.567890]`, which the kernel puts before its messages.
#[inline]
fn without_uptime(prefix: &[u8]) -> &[u8] {
    match prefix.strip_prefix(b"[").and_then(|rest| before::<()>("]").parse(rest).ok()) {
        Some((rest, uptime)) if uptime.iter().all(|byte| matches!(byte, b' ' | b'.' | b'0'..=b'9')) => rest,
        _ => prefix,
    }
}

/// One `NAME=value`, or a word alone such as `SYN` or `DF`.
#[inline]
fn field<'a, S: Sink>(word: &'a [u8], at: usize, packet: &mut Packet<'a>, facts: &mut Facts<'_, 'a, S>) {
    match word {
        [b'I', b'N', b'=', name @ ..] => facts.text(key::OBSERVER_INGRESS_INTERFACE_NAME, name),
        [b'O', b'U', b'T', b'=', name @ ..] => facts.text(key::OBSERVER_EGRESS_INTERFACE_NAME, name),
        [b'M', b'A', b'C', b'=', macs @ ..] => hardware(macs, facts),
        [b'S', b'R', b'C', b'=', address @ ..] if is_ip(address) => packet.source = address,
        [b'D', b'S', b'T', b'=', address @ ..] if is_ip(address) => packet.destination = address,
        [b'L', b'E', b'N', b'=', bytes @ ..] if packet.length.is_empty() => packet.length = bytes,
        [b'P', b'R', b'O', b'T', b'O', b'=', name @ ..] => transport(name, facts),
        [b'S', b'P', b'T', b'=', port @ ..] => facts.number(key::SOURCE_PORT, port),
        [b'D', b'P', b'T', b'=', port @ ..] => facts.number(key::DESTINATION_PORT, port),
        b"CWR" | b"ECE" | b"URG" | b"ACK" | b"PSH" | b"RST" | b"SYN" | b"FIN" => {
            let start = packet.flags.map_or(at, |(start, _)| start);
            packet.flags = Some((start, at + word.len()));
        }
        _ => {}
    }
}

/// `MAC=` of an Ethernet frame: where to, where from, and the type of what is inside.
#[inline]
fn hardware<S: Sink>(macs: &[u8], facts: &mut Facts<'_, '_, S>) {
    if let Some(destination) = macs.get(..MAC_LENGTH).and_then(ecs_mac) {
        facts.made(key::DESTINATION_MAC, &destination);
    }
    if let Some(source) = macs.get(MAC_LENGTH + 1..2 * MAC_LENGTH + 1).and_then(ecs_mac) {
        facts.made(key::SOURCE_MAC, &source);
    }
}

/// A hardware address as ECS writes it (RFC 7042 section 2.1): capitals, and dashes between.
#[inline]
fn ecs_mac(text: &[u8]) -> Option<[u8; MAC_LENGTH]> {
    let mut mac = [b'-'; MAC_LENGTH];
    for (at, (to, byte)) in mac.iter_mut().zip(text).enumerate() {
        match (at % 3, byte) {
            (2, b':') => {}
            (0 | 1, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => *to = byte.to_ascii_uppercase(),
            _ => return None,
        }
    }
    Some(mac)
}

/// The protocol in small letters, as ECS writes it; a number stays one.
#[inline]
fn transport<'a, S: Sink>(name: &'a [u8], facts: &mut Facts<'_, 'a, S>) {
    match name {
        b"TCP" => facts.made(key::NETWORK_TRANSPORT, b"tcp"),
        b"UDP" => facts.made(key::NETWORK_TRANSPORT, b"udp"),
        b"ICMP" => facts.made(key::NETWORK_TRANSPORT, b"icmp"),
        b"ICMPv6" => facts.made(key::NETWORK_TRANSPORT, b"ipv6-icmp"),
        b"SCTP" => facts.made(key::NETWORK_TRANSPORT, b"sctp"),
        b"UDPLITE" => facts.made(key::NETWORK_TRANSPORT, b"udplite"),
        _ => facts.text(key::NETWORK_TRANSPORT, name),
    }
}

/// Words of a prefix by which people say what their rule does.
const DENIED: &[&[u8]] = &[
    b"BLOCK", b"DROP", b"DENY", b"DENIED", b"REJECT", b"block", b"drop", b"deny", b"denied", b"reject",
    b"Drop", b"Reject",
];
const ALLOWED: &[&[u8]] = &[b"ALLOW", b"ACCEPT", b"PASS", b"allow", b"accept", b"pass", b"Accept"];

#[inline]
fn action(prefix: &[u8]) -> PresetId {
    let says = |words: &[&[u8]]| words.iter().any(|word| first(prefix, word).is_some());
    if prefix.is_empty() {
        preset::PACKET_LOGGED
    } else if says(DENIED) {
        preset::PACKET_DENIED
    } else if says(ALLOWED) {
        preset::PACKET_ALLOWED
    } else {
        preset::PACKET_LOGGED
    }
}
