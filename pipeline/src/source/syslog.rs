//! Source `syslog`: what hosts and devices send, over every transport.
//!
//! Owns: [`SyslogSource`], its sockets and threads, and the configuration of it all.
//! Promises: every message that TCP, TLS or a Unix socket delivered to this process is in an event, also when it is asked
//! to stop; what a full pipeline does not take stays in the kernel, where streams make their senders wait and UDP
//! loses datagrams that the kernel counts; a peer costs bounded memory, whatever it sends.
//! Never: parses a message.

mod address;
mod connection;
mod datagram;
mod frame;
mod gather;
mod sender;
mod skew;
mod socket;
mod status;
mod stream;
mod tls;

use std::io;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::SockaddrStorage;

pub use address::{Listen, ListenError};
pub use skew::ClockSkew;
pub use status::{ListenerStatus, SyslogStatus};
pub use tls::{ClientCertificate, TlsConfig, TlsError};

use self::datagram::DatagramSocket;
use self::gather::Gatherer;
use self::sender::{SenderFields, Senders};
use self::socket::SocketFile;
use self::stream::{Acceptor, StreamListener, StreamServer};
use self::tls::TlsAcceptor;
use super::SourceContext;
use crate::Keys;
use crate::stop::Stop;

/// A batch below this many bytes is a light one: after it the next messages get a moment to come together.
const LIGHT_BYTES: usize = 64 * 1024;
/// That moment.
const PAUSE: Duration = Duration::from_millis(1);
/// How long what peers go on sending is taken after the stop was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// What a syslog source does.
#[derive(Clone, Debug)]
pub struct SyslogConfig {
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Bytes of the longest message; of a longer one the rest is cut off.
    pub message_bytes_max: usize,
    /// Connections of all listeners together.
    pub connections_max: usize,
    /// How long a connection may be silent between two messages; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a message may take from its first byte to its last.
    pub frame_timeout: Duration,
    /// Bytes of the receive buffer of each datagram socket.
    pub receive_buffer: usize,
    /// The certificate of `tls://` listeners.
    pub tls: Option<TlsConfig>,
    /// The name of this host.
    pub host_name: String,
}

/// Why a syslog source cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SyslogError {
    /// Another process listens there.
    #[error("{listen} is in use; end the process that listens there, or choose another address")]
    InUse {
        /// Where.
        listen: Listen,
    },
    /// The port is reserved.
    #[error(
        "this user may not listen on {listen}: ports below 1024 need the capability CAP_NET_BIND_SERVICE \
         (systemd: `AmbientCapabilities=CAP_NET_BIND_SERVICE`); grant it, or choose a port from 1024 on"
    )]
    Privileged {
        /// Where.
        listen: Listen,
    },
    /// The address is not one of this host.
    #[error("{listen} is no address of this host; choose one that it has, or 0.0.0.0 for all")]
    NotOurs {
        /// Where.
        listen: Listen,
    },
    /// Another reason.
    #[error("cannot listen on {listen}: {source}")]
    Open {
        /// Where.
        listen: Listen,
        /// Why.
        source: io::Error,
    },
    /// A `tls://` listener has no certificate.
    #[error("{listen} has no certificate")]
    NoCertificate {
        /// Where.
        listen: Listen,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refused what every process gets.
    #[error("cannot prepare to receive: {0}")]
    System(#[from] io::Error),
}

/// A source whose sockets are open.
#[derive(Debug)]
pub struct SyslogSource {
    config: SyslogConfig,
    context: SourceContext,
    fields: Arc<SenderFields>,
    status: Arc<SyslogStatus>,
    udp: Vec<DatagramSocket<UdpSocket>>,
    unix: Vec<DatagramSocket<UnixDatagram>>,
    streams: Vec<StreamListener>,
}

impl SyslogSource {
    /// Opens the sockets: from here on the kernel takes what is sent. `keys` is the table of field names.
    ///
    /// # Errors
    /// When one cannot be opened, or the certificate cannot be used.
    pub fn open(config: SyslogConfig, context: SourceContext, keys: &Arc<Keys>) -> Result<Self, SyslogError> {
        let listeners = config.listen.iter().cloned().map(ListenerStatus::new).collect();
        let host_name = config.host_name.clone();
        let mut source = Self {
            fields: Arc::new(SenderFields::new(Arc::clone(&context.meta), host_name, keys)),
            config,
            context,
            status: Arc::new(SyslogStatus { listeners, clock_skew: Arc::default() }),
            udp: Vec::new(),
            unix: Vec::new(),
            streams: Vec::new(),
        };
        for status in source.status.listeners.clone() {
            source.open_listener(&status)?;
        }
        Ok(source)
    }

    /// What there is to see of it.
    #[must_use]
    pub fn status(&self) -> Arc<SyslogStatus> {
        Arc::clone(&self.status)
    }

    /// Receives until the stop is asked for, and then what the kernel has.
    ///
    /// # Errors
    /// When a thread or the event loop of the streams cannot be started.
    pub fn run(self) -> io::Result<()> {
        let Self { config, context, fields, status, udp, unix, streams } = self;
        // Whichever part ends first, ends the others: none ends before the stop unless it failed.
        thread::scope(|scope| {
            let together = || EndTogether(context.stop.clone());
            for (number, socket) in udp.into_iter().enumerate() {
                let end = together();
                thread::Builder::new().name(format!("udp-{number}")).spawn_scoped(scope, move || {
                    let _end = end;
                    socket.run::<SockaddrStorage>();
                })?;
            }
            for (number, socket) in unix.into_iter().enumerate() {
                let end = together();
                thread::Builder::new().name(format!("unixgram-{number}")).spawn_scoped(scope, move || {
                    let _end = end;
                    socket.run::<()>();
                })?;
            }
            if streams.is_empty() {
                return Ok(());
            }
            let _end = together();
            StreamServer::new(config, &context, fields, &status.clock_skew)?.run(streams)
        })
    }

    fn open_listener(&mut self, status: &Arc<ListenerStatus>) -> Result<(), SyslogError> {
        let listen = &status.listen;
        let explain = |error| socket::explain(listen, error);
        let acceptor = match listen {
            Listen::Udp(_) => return self.open_udp(status),
            Listen::UnixDatagram(path) => {
                let (socket, file) =
                    socket::unix_datagram(path, self.config.receive_buffer).map_err(explain)?;
                let socket = self.datagram_socket(socket, Some(file), 0, status)?;
                self.unix.push(socket);
                return Ok(());
            }
            Listen::Tcp(address) => Acceptor::Tcp(socket::tcp(*address).map_err(explain)?),
            Listen::Tls(address) => {
                let no_certificate = || SyslogError::NoCertificate { listen: listen.clone() };
                let tls = TlsAcceptor::new(self.config.tls.clone().ok_or_else(no_certificate)?)?;
                Acceptor::Tls(socket::tcp(*address).map_err(explain)?, Box::new(tls))
            }
            Listen::UnixStream(path) => {
                let (socket, file) = socket::unix_stream(path).map_err(explain)?;
                Acceptor::Unix(socket, file)
            }
        };
        self.streams.push(StreamListener { acceptor, status: Arc::clone(status) });
        Ok(())
    }

    /// A socket a worker: the kernel gives all datagrams of one sender to one of them.
    fn open_udp(&mut self, status: &Arc<ListenerStatus>) -> Result<(), SyslogError> {
        let Listen::Udp(address) = status.listen else { return Ok(()) };
        let (count, wanted) = (self.context.batches.workers(), self.config.receive_buffer);
        let explain = |error| socket::explain(&status.listen, error);
        let (sockets, granted) = socket::udp(address, count, wanted).map_err(explain)?;
        if granted < wanted {
            tracing::warn!(
                listen = %status.listen, wanted, granted,
                "the kernel gives a smaller receive buffer than `receive_buffer`; \
                 raise the sysctl net.core.rmem_max, or grant the capability CAP_NET_ADMIN"
            );
        }
        for (worker, socket) in sockets.into_iter().enumerate() {
            status.watch_socket(rustix::fs::fstat(&socket).map_err(io::Error::from)?.st_ino);
            let socket = self.datagram_socket(socket, None, worker, status)?;
            self.udp.push(socket);
        }
        Ok(())
    }

    fn datagram_socket<S>(
        &self,
        socket: S,
        file: Option<SocketFile>,
        worker: usize,
        status: &Arc<ListenerStatus>,
    ) -> Result<DatagramSocket<S>, SyslogError> {
        Ok(DatagramSocket {
            socket,
            file,
            senders: Senders::new(Arc::clone(&self.fields)),
            gatherer: Gatherer::new(&self.context, worker, &self.status.clock_skew)?,
            status: Arc::clone(status),
            message_bytes_max: self.config.message_bytes_max,
            stop: self.context.stop.clone(),
        })
    }
}

/// Asks for the stop when dropped.
struct EndTogether(Stop);

impl Drop for EndTogether {
    fn drop(&mut self) {
        self.0.ask();
    }
}
