//! `logweir tap`: live events of a running daemon.
//!
//! Owns: the command, and its side of the admin interface.
//! Promises: what a log holds cannot control the terminal: control characters and those that turn the direction of
//! writing are escaped as JSON does it; it ends when the daemon does.
//! Never: makes the daemon wait.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::ConfigArguments;
use crate::exit::Exit;

/// Longest line that is read of an answer.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest refusal that is shown.
const REFUSAL_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `logweir tap`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The config of the daemon, or the address of its admin interface, such as 127.0.0.1:9598
    #[arg(value_name = "CONFIG|ADDRESS")]
    target: String,
    /// Where to look: the name of a source (its events, parsed), a transform (what comes out of it), a port of a route
    /// or an output (what it takes), or a pattern of names, such as 'split.*'. Without it, the points are listed
    pattern: Option<String>,
    /// Show only these fields, in this order
    #[arg(long, value_name = "FIELD,…")]
    fields: Option<String>,
    /// Show only events of which this condition is true, such as '"url.path|startswith" = "/api/"'
    #[arg(long, value_name = "CONDITION")]
    r#where: Option<String>,
    /// Most events a second; the others are counted
    #[arg(long, value_name = "EVENTS")]
    rate: Option<u32>,
    /// End after so many events
    #[arg(long, value_name = "EVENTS")]
    limit: Option<u64>,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some(address) = self.address()? else {
            return Ok(Exit::Usage);
        };
        let answer = get(&address, &self.path());
        let answer = answer.with_context(|| {
            format!("cannot ask the admin interface at {address}; is the daemon running, with `[admin] listen` there?")
        })?;
        match answer {
            Answer::Body(body) if self.pattern.is_none() => list(body),
            Answer::Body(body) => self.show(body),
            Answer::Refusal(reason) => {
                writeln!(io::stderr(), "error: {}", shown(reason.trim_end(), true))?;
                Ok(Exit::Usage)
            }
        }
    }

    /// Where the admin interface is; `None` when the config cannot be read, which was told.
    fn address(&self) -> anyhow::Result<Option<String>> {
        if let Some(address) = address_in(&self.target) {
            return Ok(Some(address));
        }
        let Some(config) = (ConfigArguments { config: vec![PathBuf::from(&self.target)] }).load()? else {
            return Ok(None);
        };
        let Some(mut listen) = config.admin.listen else {
            bail!("the admin interface is off: set `[admin] listen` in the config");
        };
        if listen.ip().is_unspecified() {
            let loopback =
                if listen.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { Ipv6Addr::LOCALHOST.into() };
            listen.set_ip(loopback);
        }
        Ok(Some(listen.to_string()))
    }

    fn path(&self) -> String {
        let Some(pattern) = &self.pattern else { return "/api/points".to_owned() };
        let rate = self.rate.map(|rate| rate.to_string());
        let parameters = [
            ("points", Some(pattern)),
            ("fields", self.fields.as_ref()),
            ("where", self.r#where.as_ref()),
            ("rate", rate.as_ref()),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let given = given.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        format!("/api/tap?{}", given.collect::<Vec<_>>().join("&"))
    }

    /// Shows events until there are enough, or no more.
    fn show(&self, mut body: impl BufRead) -> anyhow::Result<Exit> {
        let mut out = io::stdout().lock();
        let (mut events, mut line) = (0, Vec::new());
        while self.limit.is_none_or(|limit| events < limit) {
            line.clear();
            // A daemon that is killed may cut the connection in a line.
            let read = body.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            if !matches!(read, Ok(1..)) || line.last() != Some(&b'\n') {
                writeln!(io::stderr(), "the daemon has ended")?;
                break;
            }
            let text = String::from_utf8_lossy(&line);
            if text.starts_with("{\"point\":") {
                events += 1;
                writeln!(out, "{}", shown(text.trim_end(), false))?;
                out.flush()?;
            } else {
                note(&text)?;
            }
        }
        Ok(Exit::Success)
    }
}

/// Tells a person what is no event: the points that are looked at, and what could not be shown.
fn note(line: &str) -> io::Result<()> {
    let note = serde_json::from_str::<Value>(line).unwrap_or_default();
    if let Some(points) = note["points"].as_array() {
        let names = points.iter().filter_map(Value::as_str).map(|name| shown(name, false));
        writeln!(io::stderr(), "events at {}", names.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(skipped) = note["skipped"].as_u64() {
        writeln!(io::stderr(), "{skipped} events skipped; `--rate` and `--where` say which are wanted")?;
    }
    Ok(())
}

/// Shows the points.
fn list(mut body: impl Read) -> anyhow::Result<Exit> {
    let answer = serde_json::from_reader::<_, Value>(&mut body).context("cannot read the list of points")?;
    let points = answer["points"].as_array().context("the answer is no list of points")?;
    let name = |point: &Value| shown(point["name"].as_str().unwrap_or_default(), false);
    let width = points.iter().map(|point| name(point).len()).max().unwrap_or_default();
    let mut out = io::stdout().lock();
    for point in points {
        let kind = shown(point["kind"].as_str().unwrap_or_default(), false);
        writeln!(out, "{:width$}  {kind}", name(point))?;
    }
    if out.is_terminal() {
        writeln!(io::stderr(), "name one, or a pattern of names, to see its events")?;
    }
    Ok(Exit::Success)
}

/// The host and port that this names, if it is no path.
fn address_in(target: &str) -> Option<String> {
    if let Some(rest) = target.strip_prefix("http://") {
        return Some(rest.trim_end_matches('/').to_owned());
    }
    let (host, port) = target.rsplit_once(':')?;
    let is_address = target.parse::<SocketAddr>().is_ok()
        || (!host.is_empty() && !host.contains(['/', ':']) && port.parse::<u16>().is_ok());
    is_address.then(|| target.to_owned())
}

/// What the interface answered.
enum Answer {
    Body(BufReader<TcpStream>),
    /// Why it does not do it.
    Refusal(String),
}

/// Asks the interface. In HTTP 1.0 an answer simply ends with its connection.
fn get(address: &str, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut body = BufReader::new(stream);
    let mut status = None;
    loop {
        let mut line = String::new();
        body.by_ref().take(REFUSAL_BYTES_MAX).read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        status = status.or_else(|| Some(line.split(' ').nth(1)?.parse::<u16>().ok()));
    }
    match status.flatten() {
        Some(200) => Ok(Answer::Body(body)),
        Some(_) => {
            let mut reason = String::new();
            body.take(REFUSAL_BYTES_MAX).read_to_string(&mut reason)?;
            Ok(Answer::Refusal(reason))
        }
        None => bail!("what answers there is no HTTP server"),
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}

/// The text with escapes for what a terminal would act on; line ends stay if they are meant.
fn shown(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if (letter.is_control() && !(lines && letter == '\n')) || turns_direction(letter) {
            write!(shown, "\\u{:04x}", u32::from(letter)).unwrap_or_default();
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Letters that make others stand where they do not belong.
fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_path() {
        for (target, address) in [
            ("127.0.0.1:9598", Some("127.0.0.1:9598")),
            ("[::1]:9598", Some("[::1]:9598")),
            ("localhost:9598", Some("localhost:9598")),
            ("http://web-1:9598/", Some("web-1:9598")),
            ("logweir.toml", None),
            ("/etc/logweir", None),
            ("./odd:80", None),
            ("C:logweir.toml", None),
        ] {
            assert_eq!(address_in(target).as_deref(), address, "{target}");
        }
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        let text = "{\"a\":\"\u{7f}\u{9b}2J\u{202e}é\"}";
        assert_eq!(shown(text, false), "{\"a\":\"\\u007f\\u009b2J\\u202eé\"}");
        assert_eq!(shown("one\ntwo\u{1b}[2J", true), "one\ntwo\\u001b[2J");
    }

    #[test]
    fn a_query_keeps_what_it_is_given() {
        assert_eq!(percent_encoded("a.b|x = \"é&\""), "a.b%7Cx%20%3D%20%22%C3%A9%26%22");
    }
}
