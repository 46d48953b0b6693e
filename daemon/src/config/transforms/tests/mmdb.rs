//! Databases in MaxMind's format (MaxMind DB 2.0), written for tests.
//!
//! Owns: [`database`], from networks and their records to the bytes of a file.
//! Promises: a tree for version 6 with 32-bit records, and addresses of version 4 below `::/96`.
//! Never: writes pointers, or values longer than 284 bytes.

use std::net::IpAddr;

use toml::{Table, Value};

/// Begins the description of the file, which stands at its end.
const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Bytes between the tree and the records.
const SEPARATOR: usize = 16;
const EXTENDED: u8 = 7;

/// A side of a node.
#[derive(Clone, Copy)]
enum Side {
    Nothing,
    Node(usize),
    Record(usize),
}

/// The database of these records, by network.
pub(super) fn database(records: &Table) -> Vec<u8> {
    let mut nodes = vec![[Side::Nothing; 2]];
    let mut data = Vec::new();
    for (network, record) in records {
        let (address, prefix) = network.split_once('/').unwrap();
        let prefix = prefix.parse::<u32>().unwrap();
        let (bits, prefix) = match address.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), prefix + 96),
            IpAddr::V6(address) => (address.to_bits(), prefix),
        };
        let mut node = 0;
        for depth in 0..prefix {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == prefix {
                nodes[node][side] = Side::Record(data.len());
            } else if let Side::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Side::Nothing; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Side::Node(next);
                node = next;
            }
        }
        append(record, &mut data);
    }
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        let number = match side {
            Side::Nothing => nodes.len(),
            Side::Node(node) => *node,
            Side::Record(place) => nodes.len() + SEPARATOR + place,
        };
        file.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(METADATA_MARKER);
    append_metadata(nodes.len(), &mut file);
    file
}

/// Numbers in it have types of their own, unlike those of records.
fn append_metadata(nodes: usize, out: &mut Vec<u8>) {
    let text = |text: &str| Value::String(text.to_owned());
    let (short, word, long) = (5, 6, 9);
    let numbers = [
        ("binary_format_major_version", short, 2),
        ("binary_format_minor_version", short, 0),
        ("ip_version", short, 6),
        ("record_size", short, 32),
        ("node_count", word, nodes),
        ("build_epoch", long, 1),
    ];
    let others = [
        ("database_type", text("Test")),
        ("languages", Value::Array(vec![text("en")])),
        ("description", Value::Table(Table::new())),
    ];
    head(7, numbers.len() + others.len(), out);
    for (name, kind, number) in numbers {
        append(&text(name), out);
        let bytes = number.to_be_bytes();
        let size = if kind == 5 { 2 } else { 4 };
        head(kind, size, out);
        out.extend_from_slice(&bytes[bytes.len() - size..]);
    }
    for (name, value) in others {
        append(&text(name), out);
        append(&value, out);
    }
}

fn append(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Float(number) => {
            head(3, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::Integer(number) => {
            head(6, 4, out);
            out.extend(u32::try_from(*number).unwrap().to_be_bytes());
        }
        Value::Table(table) => {
            head(7, table.len(), out);
            for (name, value) in table {
                append(&Value::String(name.clone()), out);
                append(value, out);
            }
        }
        Value::Array(items) => {
            head(11, items.len(), out);
            items.iter().for_each(|item| append(item, out));
        }
        other => panic!("a record holds no {other}"),
    }
}

/// The type of a value and its size.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (first, more) = match size {
        0..29 => (u8::try_from(size).unwrap(), None),
        _ => (29, Some(u8::try_from(size - 29).unwrap())),
    };
    if kind > EXTENDED {
        out.extend([first, kind - EXTENDED]);
    } else {
        out.push(kind << 5 | first);
    }
    out.extend(more);
}
