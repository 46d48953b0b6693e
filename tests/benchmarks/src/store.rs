//! A `_bulk` server that remembers every document and misbehaves by plan: the judge of the scenarios.
//!
//! Owns: a listener that can be stopped, started again on its port, and made to hang; the documents by `_id`; the
//! count per numbered line. Promises: answers shaped like Elasticsearch's, `create` semantics (a known `_id` is
//! answered 409 and changes nothing), documents refused as Elasticsearch would refuse them when they are not an
//! object, repeat a key or lack `@timestamp`. Never: says whether a run was right; callers compare the [`Verdict`].

mod answer;
mod documents;
mod faults;

pub use documents::{Counts, Document, Verdict};
pub use faults::Faults;

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::{Connection, Head};
use crate::pace::pause_until;
use documents::Documents;

/// How the server treats a request that has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Answers, with the faults of its plan.
    Serving,
    /// Keeps the connection open and says nothing; closes it when the mode changes.
    Hanging,
    /// Answers 401 to everything.
    Unauthorized,
    /// Accepts nothing: connections are refused by the system. Entered by [`Store::stop`].
    Stopped,
}

/// The running server. Dropping it stops it.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    mode: AtomicU8,
    refused: AtomicU64,
    documents: Mutex<Documents>,
    connections: Mutex<Vec<TcpStream>>,
}

impl Store {
    /// Binds a free loopback port and serves.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(faults: Faults) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            faults,
            mode: AtomicU8::new(Mode::Stopped as u8),
            refused: AtomicU64::new(0),
            documents: Mutex::default(),
            connections: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let mut store = Self { shared, address: listener.local_addr()?, acceptor: None };
        store.accept_from(listener);
        Ok(store)
    }

    /// The base URL for a client's config.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how requests are treated from now on.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Dies: open connections are cut, new ones are refused. What was stored stays stored.
    pub fn stop(&mut self) {
        self.set_mode(Mode::Stopped);
        for stream in lock(&self.shared.connections).drain(..) {
            // A connection that is closed already is what is wanted.
            stream.shutdown(Shutdown::Both).ok();
        }
        if let Some(acceptor) = self.acceptor.take() {
            // One connection wakes the thread out of accept; it then sees the mode and drops the listener.
            TcpStream::connect(self.address).ok();
            acceptor.join().ok();
        }
    }

    /// Comes back on the same port after [`Store::stop`].
    ///
    /// # Errors
    /// When another process took the port in between.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.address)?;
        self.accept_from(listener);
        Ok(())
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.documents().counts()
    }

    /// Number of documents rejected by the plan, each counted once however often it came.
    pub fn rejected_documents(&self) -> u64 {
        self.documents().rejected_documents()
    }

    /// Number of requests answered 401, or left without an answer.
    pub fn refused_requests(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Number of documents stored.
    pub fn len(&self) -> usize {
        self.documents().stored().len()
    }

    /// Whether nothing was stored yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every stored document, in no order.
    pub fn stored(&self) -> Vec<Document> {
        self.documents().stored().values().cloned().collect()
    }

    /// How the lines numbered `expected` fared.
    pub fn verdict(&self, expected: Range<u64>) -> Verdict {
        self.documents().verdict(expected)
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        lock(&self.shared.documents)
    }

    fn accept_from(&mut self, listener: TcpListener) {
        self.set_mode(Mode::Serving);
        let shared = Arc::clone(&self.shared);
        self.acceptor = Some(std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.mode() == Mode::Stopped {
                    return;
                }
                if let Ok(second) = stream.try_clone() {
                    lock(&shared.connections).push(second);
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is the client's affair; it will come again.
                std::thread::spawn(move || shared.serve(stream));
            }
        }));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn mode(&self) -> Mode {
        [Mode::Serving, Mode::Hanging, Mode::Unauthorized]
            .into_iter()
            .find(|&mode| mode as u8 == self.mode.load(Ordering::SeqCst))
            .unwrap_or(Mode::Stopped)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let closing = stream.try_clone()?;
        let served = self.serve_requests(Connection::new(stream)?);
        // The copy kept for `stop` holds the socket open; only a shutdown is seen by the client.
        closing.shutdown(Shutdown::Both)?;
        served
    }

    fn serve_requests(&self, mut connection: Connection) -> io::Result<()> {
        while let Some(head) = connection.read_head()? {
            let mut body = Vec::new();
            connection.read_body(&head, &mut |piece| body.extend_from_slice(piece))?;
            let flow = match self.mode() {
                Mode::Serving => self.answer(&mut connection, &head, body)?,
                Mode::Unauthorized => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    connection.respond(&head, "401 Unauthorized", &[answer::UNAUTHORIZED])?;
                    ControlFlow::Continue(())
                }
                Mode::Hanging => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    while self.mode() == Mode::Hanging {
                        pause_until(Instant::now() + Duration::from_millis(10));
                    }
                    ControlFlow::Break(())
                }
                Mode::Stopped => ControlFlow::Break(()),
            };
            if flow.is_break() || head.close {
                break;
            }
        }
        Ok(())
    }

    /// Answers one request; a break means that the connection is to be cut.
    fn answer(&self, connection: &mut Connection, head: &Head, body: Vec<u8>) -> io::Result<ControlFlow<()>> {
        let index = head.path.trim_matches('/').strip_suffix("_bulk");
        let (Some(index), true) = (index, head.method == "POST" || head.method == "PUT") else {
            connection.respond(head, "405 Method Not Allowed", &[answer::METHOD_NOT_ALLOWED])?;
            return Ok(ControlFlow::Continue(()));
        };
        if self.faults.max_body_bytes.is_some_and(|max| body.len() > max) {
            connection.respond(head, "413 Request Entity Too Large", &[answer::TOO_LARGE])?;
            return Ok(ControlFlow::Continue(()));
        }
        let body = if head.gzip { decompress(&body)? } else { body };
        let turn = lock(&self.documents).begin_request();
        if is_turn(turn, self.faults.whole_unavailable_every) {
            lock(&self.documents).count_whole_unavailable();
            connection.respond(head, "503 Service Unavailable", &[answer::NO_MASTER])?;
            return Ok(ControlFlow::Continue(()));
        }
        let short = head.query.contains("filter_path");
        let bytes = lock(&self.documents).take_bulk(&self.faults, index.trim_matches('/'), &body, short);
        if is_turn(turn, self.faults.cut_every) {
            lock(&self.documents).count_cut();
            return Ok(ControlFlow::Break(()));
        }
        match bytes {
            Ok(bytes) => connection.respond(head, "200 OK", &[&bytes])?,
            Err(reason) => {
                connection.respond(head, "400 Bad Request", &[answer::bad_request(&reason).as_bytes()])?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn is_turn(turn: u64, every: Option<u64>) -> bool {
    every.is_some_and(|every| turn.is_multiple_of(every))
}

fn decompress(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(body).read_to_end(&mut plain)?;
    Ok(plain)
}

/// A poisoned lock means that a connection's thread panicked; its state is still whole, and the test will tell.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
