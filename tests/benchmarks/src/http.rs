//! The server's half of HTTP/1.1 over one blocking connection: just what a `_bulk` client says.
//!
//! Promises: a request head of at most 64 KiB, bodies by `Content-Length` or chunked handed on piece by piece without
//! being kept, keep-alive by default. Never: TLS, trailers with meaning, pipelining of answers out of order.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

/// Reads come in pieces of at most this; one piece stays in the L2 cache.
const BUFFER_BYTES: usize = 256 * 1024;

/// What the head of a request says.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    content_length: u64,
    chunked: bool,
    pub(crate) gzip: bool,
    /// The client asked for the end of the connection after this answer.
    pub(crate) close: bool,
    expects_continue: bool,
}

/// One accepted connection with its read buffer.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0 })
    }

    /// The next request's head, or `None` when the client closed between two requests.
    pub(crate) fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memmem::find(unread, b"\r\n\r\n") {
                let head = parse_head(&unread[..length])?;
                self.start += length + 4;
                if head.expects_continue {
                    self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                return Ok(Some(head));
            }
            if unread.len() > 64 * 1024 {
                return Err(invalid("request head longer than 64 KiB"));
            }
            let was_empty = unread.is_empty();
            if !self.fill()? {
                return if was_empty { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Hands the body of the request to `take`, piece by piece.
    pub(crate) fn read_body(&mut self, head: &Head, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if !head.chunked {
            return self.take_exactly(head.content_length, take);
        }
        loop {
            let line = self.read_line()?;
            let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
                .ok_or_else(|| invalid("chunk size is not a hexadecimal number"))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(());
            }
            self.take_exactly(size, take)?;
            self.read_line()?;
        }
    }

    /// Sends an answer whose body is the concatenation of `parts`.
    pub(crate) fn respond(&mut self, head: &Head, status: &str, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let start = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut slices = vec![IoSlice::new(start.as_bytes())];
        if head.method != "HEAD" {
            slices.extend(parts.iter().map(|part| IoSlice::new(part)));
        }
        let mut left = slices.as_mut_slice();
        while left.iter().any(|slice| !slice.is_empty()) {
            match self.stream.write_vectored(left)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut left, written),
            }
        }
        Ok(())
    }

    fn take_exactly(&mut self, mut left: u64, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            if self.start == self.end && !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let length = (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX));
            take(&self.buffer[self.start..self.start + length]);
            self.start += length;
            left -= length as u64;
        }
        Ok(())
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memmem::find(unread, b"\r\n") {
                let line = unread[..length].to_vec();
                self.start += length + 2;
                return Ok(line);
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads more behind what is unread; `false` at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let length = self.stream.read(&mut self.buffer[self.end..])?;
        self.end += length;
        Ok(length > 0)
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("request head is not UTF-8"))?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(invalid("request line has no method and target"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut head = Head { method: method.into(), path: path.into(), query: query.into(), ..Head::default() };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                head.content_length = value.parse().map_err(|_| invalid("content-length is not a number"))?;
            }
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "content-encoding" => head.gzip = value.eq_ignore_ascii_case("gzip"),
            "connection" => head.close = value.eq_ignore_ascii_case("close"),
            "expect" => head.expects_continue = value.eq_ignore_ascii_case("100-continue"),
            _ => {}
        }
    }
    Ok(head)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
