//! What a daemon tells about itself over its admin interface.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// The sums over all sources of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) in_flight: u64,
}

/// Asks for a path.
///
/// # Errors
/// When the daemon does not answer, or not with 200.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{path} is answered with {head}");
    Ok(body.to_owned())
}

/// Asks for what the interface tells of a source.
///
/// # Errors
/// When the daemon does not answer.
pub(crate) fn source(address: SocketAddr, name: &str) -> Result<Value> {
    let mut answer: Value = serde_json::from_str(&get(address, "/api/sources")?)?;
    Ok(answer["sources"][name].take())
}

/// Asks for the ledger.
///
/// # Errors
/// When the daemon does not answer.
pub(crate) fn ledger(address: SocketAddr) -> Result<Ledger> {
    let answer: Value = serde_json::from_str(&get(address, "/api/ledger")?)?;
    let sum = |name: &str| {
        let sources = answer["sources"].as_object().into_iter().flatten();
        sources.filter_map(|(_, source)| source[name].as_u64()).sum()
    };
    Ok(Ledger { read: sum("read"), delivered: sum("delivered"), in_flight: sum("in_flight") })
}
