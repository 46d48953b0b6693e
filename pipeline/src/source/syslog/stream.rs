//! Streams: the thread that serves the connections of a source.
//!
//! Owns: [`StreamServer`], its event loop, who is let in, and [`Desk`], on which all connections work.
//! Promises: one thread, one read buffer and one gatherer a worker serve all connections, so a silent one costs its
//! state only; while the pipeline is full this thread waits, so nothing is read and every sender waits; asked to stop,
//! it takes what the kernel has and closes.
//! Never: keeps a byte of one connection where another could see it.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, LocalSet, coop::unconstrained, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::gather::Gatherer;
use super::sender::SenderFields;
use super::skew::ClockSkew;
use super::socket::{self, SocketFile};
use super::status::ListenerStatus;
use super::tls::{TlsAcceptor, subject};
use super::{DRAIN_MAX, LIGHT_BYTES, PAUSE, SyslogConfig};
use crate::event::ConstantSet;
use crate::source::{CHUNK_BYTES, PipelineEnded, SourceContext};

/// Most bytes of a frame besides its message: a count and its space, or a line end.
const FRAMING_BYTES_MAX: usize = 16;
/// How often to look whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener for streams.
#[derive(Debug)]
pub(super) struct StreamListener {
    pub(super) acceptor: Acceptor,
    pub(super) status: Arc<ListenerStatus>,
}

/// How a listener takes connections.
#[derive(Debug)]
pub(super) enum Acceptor {
    Tcp(std::net::TcpListener),
    Tls(std::net::TcpListener, Box<TlsAcceptor>),
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

/// Serves all connections of a source.
pub(super) struct StreamServer {
    runtime: Runtime,
    office: Rc<Office>,
}

/// What the tasks of one server share.
pub(super) struct Office {
    pub(super) config: SyslogConfig,
    pub(super) desk: RefCell<Desk>,
    context: SourceContext,
    fields: Arc<SenderFields>,
    /// Something was gathered.
    pub(super) gathered: Notify,
    stopping: watch::Sender<bool>,
    open: Cell<usize>,
    accepted: Cell<usize>,
}

/// Where all connections read and gather, one after the other.
pub(super) struct Desk {
    /// What is read: first what the connection kept from its last read, then what is new.
    pub(super) scratch: Vec<u8>,
    /// One a worker.
    pub(super) gatherers: Vec<Gatherer>,
    /// Nobody takes batches any more.
    pub(super) ended: bool,
}

impl Desk {
    /// Sends what is gathered; gives how many bytes that were.
    fn flush(&mut self) -> Result<usize, PipelineEnded> {
        let mut bytes = 0;
        for gatherer in &mut self.gatherers {
            bytes += gatherer.filled();
            gatherer.flush()?;
        }
        for gatherer in &self.gatherers {
            gatherer.wait_for_room();
        }
        if self.ended { Err(PipelineEnded) } else { Ok(bytes) }
    }
}

impl StreamServer {
    pub(super) fn new(
        config: SyslogConfig,
        context: &SourceContext,
        fields: Arc<SenderFields>,
        skew: &Arc<ClockSkew>,
    ) -> io::Result<Self> {
        let gatherers = (0..context.batches.workers()).map(|worker| Gatherer::new(context, worker, skew));
        let desk = Desk {
            scratch: vec![0; CHUNK_BYTES + config.message_bytes_max + FRAMING_BYTES_MAX],
            gatherers: gatherers.collect::<io::Result<_>>()?,
            ended: false,
        };
        let office = Office {
            config,
            desk: RefCell::new(desk),
            context: context.clone(),
            fields,
            gathered: Notify::new(),
            stopping: watch::Sender::new(false),
            open: Cell::new(0),
            accepted: Cell::new(0),
        };
        Ok(Self { runtime: Builder::new_current_thread().enable_all().build()?, office: Rc::new(office) })
    }

    /// Serves until the stop is asked for and what the kernel has is taken.
    pub(super) fn run(self, listeners: Vec<StreamListener>) -> io::Result<()> {
        let Self { runtime, office } = self;
        LocalSet::new().block_on(&runtime, async {
            let (mut acceptors, mut files) = (Vec::new(), Vec::new());
            for StreamListener { acceptor, status } in listeners {
                let office = Rc::clone(&office);
                acceptors.push(match acceptor {
                    Acceptor::Tcp(listener) => {
                        spawn_local(office.accept_tcp(TcpListener::from_std(listener)?, None, status))
                    }
                    Acceptor::Tls(listener, tls) => {
                        spawn_local(office.accept_tcp(TcpListener::from_std(listener)?, Some(tls), status))
                    }
                    Acceptor::Unix(listener, file) => {
                        files.push(file);
                        spawn_local(office.accept_unix(UnixListener::from_std(listener)?, status))
                    }
                });
            }
            if office.send_until_the_stop().await.is_ok() {
                office.drain(acceptors).await;
            }
            Ok(())
        })
    }
}

impl Office {
    /// Sends what the connections gather.
    async fn send_until_the_stop(&self) -> Result<(), PipelineEnded> {
        while !self.context.stop.is_asked() {
            tokio::select! {
                biased;
                () = self.gathered.notified() => {}
                () = sleep(PATIENCE) => continue,
            }
            // Whoever else has something to read gathers it first.
            yield_now().await;
            let bytes = self.desk.borrow_mut().flush()?;
            if bytes < LIGHT_BYTES {
                // The whole thread waits, and so the next messages come together in the kernel.
                _ = self.context.stop.wait(PAUSE);
            }
        }
        Ok(())
    }

    /// Lets the connections take what the kernel has and end.
    async fn drain(&self, acceptors: Vec<JoinHandle<()>>) {
        self.stopping.send_replace(true);
        let drained = timeout(DRAIN_MAX, async {
            while self.open.get() > 0 || !acceptors.iter().all(JoinHandle::is_finished) {
                tokio::select! {
                    () = self.gathered.notified() => {}
                    () = sleep(PAUSE) => {}
                }
                self.desk.borrow_mut().flush()?;
            }
            self.desk.borrow_mut().flush()
        });
        if drained.await.is_err() {
            tracing::info!(open = self.open.get(), "closing connections whose peers go on sending");
            // When the pipeline has ended, nobody is left to be told.
            self.desk.borrow_mut().flush().ok();
        }
    }

    async fn accept_tcp(
        self: Rc<Self>,
        listener: TcpListener,
        mut tls: Option<Box<TlsAcceptor>>,
        status: Arc<ListenerStatus>,
    ) {
        while let Some((connection, address)) = self.next(&status, async || listener.accept().await).await {
            let Some(place) = self.place(&status) else { continue };
            if let Err(error) = socket::keep_alive(&connection.as_fd()) {
                tracing::debug!(%error, "cannot ask the kernel to look after a connection");
            }
            match tls.as_mut().map(|tls| tls.current()) {
                Some(tls) => spawn_local(place.serve_tls(tls, connection, address)),
                None => {
                    let sender = self.fields.remote(address, None);
                    spawn_local(place.serve(connection, sender))
                }
            };
        }
    }

    async fn accept_unix(self: Rc<Self>, listener: UnixListener, status: Arc<ListenerStatus>) {
        let sender = self.fields.local();
        while let Some((connection, _)) = self.next(&status, async || listener.accept().await).await {
            if let Some(place) = self.place(&status) {
                spawn_local(place.serve(connection, Arc::clone(&sender)));
            }
        }
    }

    /// The next connection; `None` when the stop was asked for and none waits any more.
    async fn next<C>(
        &self,
        status: &ListenerStatus,
        mut accept: impl AsyncFnMut() -> io::Result<C>,
    ) -> Option<C> {
        let mut stopping = self.stopping.subscribe();
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = unconstrained(accept()) => accepted,
                _ = stopping.wait_for(|stopping| *stopping) => {
                    // Through the event loop, which may not know yet who came last.
                    yield_now().await;
                    tokio::select! {
                        biased;
                        accepted = unconstrained(accept()) => accepted,
                        () = ready(()) => return None,
                    }
                }
            };
            match accepted {
                Ok(connection) => return Some(connection),
                // Reset before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(listen = %status.listen, %error, "cannot accept a connection; trying again");
                    sleep(PATIENCE).await;
                }
            }
        }
    }

    /// A place for a new connection, unless there are too many.
    fn place(self: &Rc<Self>, status: &Arc<ListenerStatus>) -> Option<Place> {
        let (open, most) = (self.open.get(), self.config.connections_max);
        if open >= most {
            ListenerStatus::add(&status.refused, 1);
            tracing::warn!(listen = %status.listen, "refused a connection: `max_connections` ({most}) are open");
            return None;
        }
        self.open.set(open + 1);
        self.accepted.set(self.accepted.get().wrapping_add(1));
        ListenerStatus::add(&status.open, 1);
        ListenerStatus::add(&status.accepted, 1);
        Some(Place { office: Rc::clone(self), status: Arc::clone(status), number: self.accepted.get() })
    }
}

/// A connection's place among all, free again when dropped.
pub(super) struct Place {
    pub(super) office: Rc<Office>,
    pub(super) status: Arc<ListenerStatus>,
    /// Connections are dealt out to the workers by it.
    pub(super) number: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        ListenerStatus::subtract(&self.status.open, 1);
        self.office.open.set(self.office.open.get() - 1);
    }
}

impl Place {
    async fn serve_tls(self, tls: tokio_rustls::TlsAcceptor, connection: TcpStream, address: SocketAddr) {
        match timeout(HANDSHAKE_TIMEOUT, tls.accept(connection)).await {
            Ok(Ok(connection)) => {
                let certificates = connection.get_ref().1.peer_certificates();
                let subject = certificates.and_then(|chain| subject(chain.first()?));
                let sender = self.office.fields.remote(address, subject);
                self.serve(Box::new(connection), sender).await;
            }
            Ok(Err(error)) => self.refuse(address, &error.to_string()),
            Err(_) => self.refuse(address, "the handshake takes too long"),
        }
    }

    fn refuse(&self, address: SocketAddr, reason: &str) {
        ListenerStatus::add(&self.status.failed, 1);
        tracing::warn!(listen = %self.status.listen, peer = %address, "no TLS connection: {reason}");
    }

    async fn serve(self, connection: impl AsyncRead + AsyncWrite + Unpin, sender: Arc<ConstantSet>) {
        let stopping = self.office.stopping.subscribe();
        Connection::new(connection, sender, self).serve(stopping).await;
    }
}
