//! The sockets of a syslog source.
//!
//! Owns: opening them, and [`SocketFile`], the name of a Unix socket.
//! Promises: an address that another process listens on is refused, also where the kernel would share it; a Unix
//! socket that nobody listens on any more is replaced, and its name goes with the listener.
//! Never: reads from a socket.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use super::SyslogError;
use super::address::Listen;

/// Connections that wait to be accepted; the kernel's own limit is `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// After so long without a word, and then so often, the kernel asks whether a peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// Who may send to a Unix socket: everyone who can reach its folder, as with `/dev/log`.
const SOCKET_MODE: u32 = 0o666;

/// `count` UDP sockets on one address, between which the kernel shares the senders, and the smallest receive buffer that
/// it gave one of them, in bytes.
pub(super) fn udp(
    address: SocketAddr,
    count: usize,
    receive_buffer: usize,
) -> io::Result<(Vec<UdpSocket>, usize)> {
    // Sockets of one user may share an address: only one that does not want to is told that it is taken.
    let alone = UdpSocket::bind(address)?;
    let address = alone.local_addr()?;
    drop(alone);
    let (mut sockets, mut granted) = (Vec::new(), usize::MAX);
    for _ in 0..count {
        let socket = new_socket(address, SocketType::DGRAM)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        granted = granted.min(set_receive_buffer(&socket, receive_buffer)?);
        bind(&socket, &address)?;
        sockets.push(UdpSocket::from(socket));
    }
    Ok((sockets, granted))
}

/// A TCP listener.
pub(super) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = new_socket(address, SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn new_socket(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}

/// Asks for a receive buffer, beyond the limit of the system where this process may, and says how large it is.
pub(super) fn set_receive_buffer(socket: impl AsFd, bytes: usize) -> io::Result<usize> {
    if sockopt::set_socket_recv_buffer_size_force(&socket, bytes).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    // The kernel doubles what is asked for, to have room for its own records.
    Ok(sockopt::socket_recv_buffer_size(&socket)? / 2)
}

/// Lets the kernel find out when a silent peer is gone.
pub(super) fn keep_alive(connection: &impl AsFd) -> io::Result<()> {
    sockopt::set_socket_keepalive(connection, true)?;
    sockopt::set_tcp_keepidle(connection, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(connection, KEEPALIVE_EVERY)?;
    Ok(())
}

/// The name of a Unix socket, removed when dropped unless it is another's by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

/// A Unix stream listener.
pub(super) fn unix_stream(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    make_way(path)?;
    let socket = UnixListener::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok((socket, SocketFile::new(path)?))
}

/// A Unix datagram socket.
pub(super) fn unix_datagram(path: &Path, receive_buffer: usize) -> io::Result<(UnixDatagram, SocketFile)> {
    make_way(path)?;
    let socket = UnixDatagram::bind(path)?;
    socket.set_nonblocking(true)?;
    set_receive_buffer(&socket, receive_buffer)?;
    Ok((socket, SocketFile::new(path)?))
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Ok(_) => {}
        // A link to nowhere is in the way, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return fs::remove_file(path),
        Err(error) => return Err(error),
    }
    // Where nobody listens this is refused, whatever kind of socket it was.
    let probe = UnixDatagram::unbound()?.connect(path);
    let is_stale = probe.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_stale { fs::remove_file(path) } else { Err(io::ErrorKind::AddrInUse.into()) }
}

/// What kept a listener from opening, with what to do about it.
pub(super) fn explain(listen: &Listen, error: io::Error) -> SyslogError {
    let listen = listen.clone();
    let port = match &listen {
        Listen::Udp(address) | Listen::Tcp(address) | Listen::Tls(address) => Some(address.port()),
        Listen::UnixStream(_) | Listen::UnixDatagram(_) => None,
    };
    match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, _) => SyslogError::InUse { listen },
        (io::ErrorKind::PermissionDenied, Some(_)) => SyslogError::Privileged { listen },
        (io::ErrorKind::AddrNotAvailable, Some(_)) => SyslogError::NotOurs { listen },
        _ => SyslogError::Open { listen, source: error },
    }
}
