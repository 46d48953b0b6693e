//! Deterministic log lines in four formats, for benchmarks and for numbered scenarios.
//!
//! Promises: the same format, seed and count give the same bytes; the mean line lengths are those that the published
//! figures of other shippers were measured with (nginx 189 B, JSON 273 B, syslog and raw about 200 B); a numbered line
//! carries its number exactly once after [`NUMBER_MARKER`]. Never: a line that its own parser would refuse.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::Random;

/// Stands before the number of a numbered line, in the line and so in the document made from it.
pub const NUMBER_MARKER: &str = "item/";

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "curl/8.14.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/139.0",
];
const REFERRERS: &[&str] = &[
    "-",
    "-",
    "https://shop.example.com/",
    "https://shop.example.com/search?q=chair",
    "https://www.example.org/",
];
const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "HEAD"];
const STATUSES: &[u16] =
    &[200, 200, 200, 200, 200, 200, 200, 204, 301, 304, 304, 400, 401, 403, 404, 404, 500, 502];
const SECTIONS: &[&str] =
    &["api/v1/orders", "api/v1/users", "products", "static/img", "cart", "search", "account"];
const LEVELS: &[&str] = &["info", "info", "info", "info", "debug", "warn", "error"];
const LOGGERS: &[&str] =
    &["checkout.payment", "http.server", "inventory.sync", "session.store", "mail.queue"];
const MESSAGES: &[&str] = &[
    "request completed",
    "payment authorised by provider",
    "retrying upstream call after timeout",
    "cache entry expired, reloading",
    "could not reach \\\"inventory\\\": connection reset by peer",
];
const PROCESSES: &[&str] = &["sshd", "systemd", "postfix/smtpd", "cron", "kernel", "nginx", "dhclient"];
const SYSLOG_MESSAGES: &[&str] = &[
    "Accepted publickey for deploy from 198.51.100.23 port 51734 ssh2: ED25519 SHA256:0f3a",
    "Started Session 4211 of User deploy, slice user-1000, scope session-4211",
    "Failed password for invalid user admin from 203.0.113.99 port 40022 ssh2",
    "(root) CMD (test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; })",
];

/// A log format that can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// nginx "combined" access lines.
    Nginx,
    /// One flat JSON object a line, as an application logs.
    Json,
    /// RFC 5424 with one element of structured data.
    Syslog5424,
    /// Plain prose without structure.
    Raw,
}

/// Writes one line after another; its state is the seed and the count of lines.
#[derive(Clone, Debug)]
pub struct LineGenerator {
    format: LineFormat,
    random: Random,
    written: u64,
}

impl LineGenerator {
    /// A generator at its first line.
    pub fn new(format: LineFormat, seed: u64) -> Self {
        Self { format, random: Random::new(seed), written: 0 }
    }

    /// Appends the next line, newline included.
    ///
    /// # Errors
    /// Those of `out`; a `Vec<u8>` has none.
    pub fn write_line(&mut self, out: &mut impl Write) -> io::Result<()> {
        let id = self.random.below(1_000_000);
        self.write_target(out, format_args!("{id}"))
    }

    /// Appends the next line with `number` after [`NUMBER_MARKER`].
    ///
    /// # Errors
    /// Those of `out`; a `Vec<u8>` has none.
    pub fn write_numbered(&mut self, out: &mut impl Write, number: u64) -> io::Result<()> {
        self.write_target(out, format_args!("{NUMBER_MARKER}{number:09}"))
    }

    fn write_target(&mut self, out: &mut impl Write, target: std::fmt::Arguments<'_>) -> io::Result<()> {
        // Fifty lines a second, wrapped at midnight: a day is enough, and no calendar is needed.
        let second = self.written / 50 % 86_400;
        let clock = Clock { second, millisecond: self.written % 50 * 20 };
        self.written += 1;
        match self.format {
            LineFormat::Nginx => self.nginx(out, clock, target),
            LineFormat::Json => self.json(out, clock, target),
            LineFormat::Syslog5424 => self.syslog(out, clock, target),
            LineFormat::Raw => self.raw(out, target),
        }
    }

    fn nginx(
        &mut self,
        out: &mut impl Write,
        clock: Clock,
        target: std::fmt::Arguments<'_>,
    ) -> io::Result<()> {
        let random = &mut self.random;
        let address = random.next_u64().to_be_bytes();
        write!(
            out,
            "{}.{}.{}.{} - {} [23/Nov/2026:{clock} +0000] \"{} /{}/{target}",
            address[0] % 222 + 1,
            address[1],
            address[2],
            address[3],
            if random.below(20) == 0 { "alice" } else { "-" },
            random.pick(METHODS),
            random.pick(SECTIONS),
        )?;
        if random.below(4) == 0 {
            write!(out, "?page={}&sort=price", random.below(40))?;
        }
        writeln!(
            out,
            " HTTP/1.1\" {} {} \"{}\" \"{}\"",
            random.pick(STATUSES),
            random.below(60_000),
            random.pick(REFERRERS),
            random.pick(AGENTS),
        )
    }

    fn json(
        &mut self,
        out: &mut impl Write,
        clock: Clock,
        target: std::fmt::Arguments<'_>,
    ) -> io::Result<()> {
        let random = &mut self.random;
        writeln!(
            out,
            "{{\"time\":\"2026-11-23T{clock}.{:03}Z\",\"level\":\"{}\",\"logger\":\"{}\",\"msg\":\"{}\",\
             \"trace_id\":\"{:016x}{:016x}\",\"path\":\"/{}/{target}\",\"status\":{},\"duration_ms\":{}.{:03},\
             \"retry\":{},\"user\":{{\"id\":{},\"plan\":\"pro\"}}}}",
            clock.millisecond,
            random.pick(LEVELS),
            random.pick(LOGGERS),
            random.pick(MESSAGES),
            random.next_u64(),
            random.next_u64(),
            random.pick(SECTIONS),
            random.pick(STATUSES),
            random.below(2_000),
            random.below(1_000),
            random.below(10) == 0,
            random.below(100_000),
        )
    }

    fn syslog(
        &mut self,
        out: &mut impl Write,
        clock: Clock,
        target: std::fmt::Arguments<'_>,
    ) -> io::Result<()> {
        let random = &mut self.random;
        writeln!(
            out,
            "<{}>1 2026-11-23T{clock}.{:03}Z web-{:02}.example {} {} ID{} [origin@32473 unit=\"{}\" seq=\"{}\"] {} {target}",
            random.below(192),
            clock.millisecond,
            random.below(40),
            random.pick(PROCESSES),
            random.below(32_768),
            random.below(100),
            random.pick(LOGGERS),
            self.written,
            random.pick(SYSLOG_MESSAGES),
        )
    }

    fn raw(&mut self, out: &mut impl Write, target: std::fmt::Arguments<'_>) -> io::Result<()> {
        let random = &mut self.random;
        writeln!(
            out,
            "{} worker {} took {} from the queue: {}; next in {} ms, {} still waiting, trace {:016x} {target}",
            random.pick(LOGGERS),
            random.below(64),
            random.pick(SECTIONS),
            random.pick(SYSLOG_MESSAGES),
            random.below(5_000),
            random.below(900),
            random.next_u64(),
        )
    }
}

/// The time of day of a line.
#[derive(Clone, Copy)]
struct Clock {
    second: u64,
    millisecond: u64,
}

impl std::fmt::Display for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:02}:{:02}:{:02}", self.second / 3600, self.second / 60 % 60, self.second % 60)
    }
}

/// Writes a file of at least `bytes` bytes of whole lines and gives the number of lines.
///
/// # Errors
/// Those of creating and writing `path`.
pub fn write_file(path: &Path, format: LineFormat, seed: u64, bytes: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut generator = LineGenerator::new(format, seed);
    let mut line = Vec::with_capacity(512);
    let mut written = 0;
    while written < bytes {
        line.clear();
        generator.write_line(&mut line)?;
        file.write_all(&line)?;
        written += line.len() as u64;
    }
    file.flush()?;
    Ok(generator.written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [(LineFormat, f64); 4] = [
        (LineFormat::Nginx, 189.0),
        (LineFormat::Json, 273.0),
        (LineFormat::Syslog5424, 200.0),
        (LineFormat::Raw, 200.0),
    ];

    fn lines(format: LineFormat, seed: u64, count: u64) -> Vec<u8> {
        let mut generator = LineGenerator::new(format, seed);
        let mut out = Vec::new();
        for _ in 0..count {
            generator.write_line(&mut out).unwrap();
        }
        out
    }

    #[test]
    fn mean_lengths_are_those_of_the_published_figures() {
        let means = FORMATS.map(|(format, _)| lines(format, 1, 20_000).len() as f64 / 20_000.0);
        let near = means.iter().zip(FORMATS).all(|(mean, (_, expected))| (mean - expected).abs() < 2.0);
        assert!(near, "mean lengths {means:?}, expected {FORMATS:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for (format, _) in FORMATS {
            assert_eq!(lines(format, 5, 100), lines(format, 5, 100));
            assert_ne!(lines(format, 5, 100), lines(format, 6, 100));
        }
    }

    #[test]
    fn a_numbered_line_carries_its_number_once() {
        for (format, _) in FORMATS {
            let mut line = Vec::new();
            LineGenerator::new(format, 3).write_numbered(&mut line, 4_711).unwrap();
            let line = String::from_utf8(line).unwrap();
            assert_eq!(line.matches(NUMBER_MARKER).count(), 1, "{line}");
            assert!(line.contains("item/000004711"), "{line}");
        }
    }

    #[test]
    fn json_lines_are_json() {
        for line in
            lines(LineFormat::Json, 2, 1000).split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
        {
            serde_json::from_slice::<serde_json::Value>(line).unwrap();
        }
    }
}
