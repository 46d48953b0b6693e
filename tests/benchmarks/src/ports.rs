//! Ports to listen on later.
//!
//! Owns: [`free_port`].
//! Promises: a port is handed out once by a process; the system gives it to no socket that leaves the choice to it, such as
//! those of clients, so it is still free when somebody listens there.
//! Never: keeps a port.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The first port handed out, and how many there are: all lie below those that Linux chooses by itself (from 32768 on).
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// How many ports this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// A port of loopback that is free for TCP and UDP.
///
/// # Errors
/// When none is.
pub fn free_port() -> io::Result<u16> {
    // Processes that run at the same time begin at different places.
    let start = process::id().wrapping_mul(127);
    for _ in 0..COUNT {
        let place = start.wrapping_add(LOOKED_AT.fetch_add(1, Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + place).unwrap_or(u16::MAX);
        let address = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
