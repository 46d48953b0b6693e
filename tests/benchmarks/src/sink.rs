//! A `_bulk` server that swallows: what a benchmark sends into.
//!
//! Promises: every document is answered with 201 in one item, and, where the client asked for errors only, with no
//! item, as real stores do; bodies are counted and forgotten, and the cost per document is a newline count and a slice
//! of a ready answer. Never: parses a document, remembers one, or refuses.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::{Connection, Head};

const COUNTS_PATH: &str = "/_sink/counts";

const ANSWER_START: &[u8] = br#"{"took":1,"errors":false,"items":["#;
const ANSWER_ITEM: &[u8] = br#"{"create":{"status":201}},"#;
const ANSWER_END: &[u8] = b"]}";
/// `filter_path` takes everything away that it does not name, and the items with it.
const ANSWER_WITHOUT_ITEMS: &[u8] = br#"{"errors":false}"#;
const ERRORS_ONLY: &str = "filter_path=errors%2Citems.*.failure_store";

#[derive(Debug, Default)]
struct Counts {
    documents: AtomicU64,
    bytes: AtomicU64,
    requests: AtomicU64,
}

/// What a sink has swallowed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Swallowed {
    /// Documents answered with 201.
    pub documents: u64,
    /// Bytes of request bodies.
    pub bytes: u64,
    /// Bulk requests.
    pub requests: u64,
}

/// Asks the sink at `address`, in whatever process it runs, for its counts.
///
/// # Errors
/// When no sink answers there.
pub fn read_counts(address: SocketAddr) -> io::Result<Swallowed> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {COUNTS_PATH} HTTP/1.1\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).map_err(io::Error::other)
}

/// The bound server; serving begins with [`Sink::serve`].
#[derive(Debug)]
pub struct Sink {
    listener: TcpListener,
    counts: Arc<Counts>,
}

impl Sink {
    /// Binds an address.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)?, counts: Arc::default() })
    }

    /// Where the sink listens.
    ///
    /// # Errors
    /// When the socket can no longer be asked.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever, one thread a connection.
    ///
    /// # Errors
    /// When accepting fails.
    pub fn serve(self) -> io::Result<()> {
        loop {
            let (stream, _) = self.listener.accept()?;
            let counts = Arc::clone(&self.counts);
            // A connection that breaks is the client's affair; it will come again.
            std::thread::spawn(move || serve_connection(stream, &counts));
        }
    }
}

fn serve_connection(stream: TcpStream, counts: &Counts) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    let mut items = Vec::new();
    while let Some(head) = connection.read_head()? {
        let (mut newlines, mut bytes) = (0, 0);
        connection.read_body(&head, &mut |piece| {
            newlines += memchr::memchr_iter(b'\n', piece).count();
            bytes += piece.len() as u64;
        })?;
        if head.method == "POST" && head.path.ends_with("/_bulk") {
            answer_bulk(&mut connection, &head, newlines / 2, &mut items)?;
            counts.documents.fetch_add(newlines as u64 / 2, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
            counts.requests.fetch_add(1, Ordering::Relaxed);
        } else {
            answer_other(&mut connection, &head, counts)?;
        }
        if head.close {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends `documents` equal items out of `items`, a buffer that only grows.
fn answer_bulk(
    connection: &mut Connection,
    head: &Head,
    documents: usize,
    items: &mut Vec<u8>,
) -> io::Result<()> {
    if head.gzip {
        let reason = br#"{"error":"the sink counts lines and takes no gzip: set compression to none"}"#;
        return connection.respond(head, "415 Unsupported Media Type", &[reason]);
    }
    if head.query.contains(ERRORS_ONLY) {
        return connection.respond(head, "200 OK", &[ANSWER_WITHOUT_ITEMS]);
    }
    while items.len() < documents * ANSWER_ITEM.len() {
        items.extend_from_slice(ANSWER_ITEM);
    }
    // The last item goes without its comma.
    let length = (documents * ANSWER_ITEM.len()).saturating_sub(1);
    connection.respond(head, "200 OK", &[ANSWER_START, &items[..length], ANSWER_END])
}

fn answer_other(connection: &mut Connection, head: &Head, counts: &Counts) -> io::Result<()> {
    if head.path != COUNTS_PATH {
        return connection.respond(head, "405 Method Not Allowed", &[b"{}"]);
    }
    let body = format!(
        r#"{{"documents":{},"bytes":{},"requests":{}}}"#,
        counts.documents.load(Ordering::Relaxed),
        counts.bytes.load(Ordering::Relaxed),
        counts.requests.load(Ordering::Relaxed)
    );
    connection.respond(head, "200 OK", &[body.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn every_document_gets_one_item_and_is_counted() {
        let sink = Sink::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = sink.address().unwrap();
        std::thread::spawn(move || sink.serve());

        let body = "{\"create\":{}}\n{\"a\":1}\n{\"create\":{}}\n{\"a\":2}\n";
        let plain = format!(
            "POST /logs/_bulk?x=1 HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(address, plain.as_bytes());
        assert!(answer.ends_with(
            r#"{"took":1,"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#
        ));

        let errors_only = plain.replacen("x=1", ERRORS_ONLY, 1);
        assert!(exchange(address, errors_only.as_bytes()).ends_with("\r\n\r\n{\"errors\":false}"));

        let (first, second) = body.split_at(20);
        let chunked = format!(
            "POST /_bulk HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x};q\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        );
        assert!(exchange(address, chunked.as_bytes()).contains("\"status\":201"));

        let counts = exchange(address, b"GET /_sink/counts HTTP/1.1\r\nconnection: close\r\n\r\n");
        assert!(counts.ends_with(r#"{"documents":6,"bytes":132,"requests":3}"#), "{counts}");
        let root = exchange(address, b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n");
        assert!(root.starts_with("HTTP/1.1 405"), "{root}");
    }
}
