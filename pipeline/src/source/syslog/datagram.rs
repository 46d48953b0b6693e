//! Datagrams: UDP (RFC 5426) and `/dev/log`, a thread a socket.
//!
//! Owns: [`DatagramSocket`] and its loop.
//! Promises: a datagram is a message; a single one leaves at once, many leave together; while the pipeline is full this
//! reads nothing, so the kernel's buffer fills and the kernel counts what it drops, to the message.
//! Never: drops a datagram that it has read.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrLike, SockaddrStorage, recvmmsg};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::frame::{Message, without_line_end};
use super::gather::Gatherer;
use super::sender::Senders;
use super::socket::SocketFile;
use super::status::ListenerStatus;
use super::{DRAIN_MAX, LIGHT_BYTES, PAUSE};
use crate::source::PipelineEnded;
use crate::stop::Stop;

/// Datagrams of one system call.
const AT_ONCE: usize = 64;
/// Calls before anything else is looked after.
const CALLS_MAX: usize = 64;
/// The longest payload of UDP is below it; of a longer one through a Unix socket the rest is cut off.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// From one slot to the next: not a power of two, so that their beginnings do not share a place in the cache.
const SLOT_BYTES: usize = DATAGRAM_BYTES_MAX + 320;
/// How long to wait for datagrams before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often to look at what the kernel dropped.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A datagram socket and all that its loop needs.
#[derive(Debug)]
pub(super) struct DatagramSocket<S> {
    pub(super) socket: S,
    /// The name of a Unix socket.
    pub(super) file: Option<SocketFile>,
    pub(super) senders: Senders,
    pub(super) gatherer: Gatherer,
    pub(super) status: Arc<ListenerStatus>,
    pub(super) message_bytes_max: usize,
    pub(super) stop: Stop,
}

/// What the kernel says of a sender.
pub(super) trait Address: SockaddrLike + Copy {
    /// Its address, if it is one of the network.
    fn internet(&self) -> Option<SocketAddr>;
}

impl Address for SockaddrStorage {
    #[inline]
    fn internet(&self) -> Option<SocketAddr> {
        let v4 = self.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| self.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    }
}

/// Of a Unix socket nobody asks who is at its other end.
impl Address for () {
    fn internet(&self) -> Option<SocketAddr> {
        None
    }
}

/// Where the datagrams of one call go.
struct Receiver<A> {
    headers: MultiHeaders<A>,
    slots: Vec<u8>,
    received: Vec<Received>,
}

/// A datagram in its slot.
struct Received {
    bytes: usize,
    truncated: bool,
    sender: Option<SocketAddr>,
}

impl<A: Address> Receiver<A> {
    fn new() -> Self {
        // Zeroed pages cost nothing until they are written: most slots never need more than their first.
        let slots = vec![0; AT_ONCE * SLOT_BYTES];
        Self { headers: MultiHeaders::preallocate(AT_ONCE, None), slots, received: Vec::new() }
    }

    /// Receives what is there, without waiting.
    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.received.clear();
        let slots = self.slots.chunks_exact_mut(SLOT_BYTES);
        let mut slices =
            slots.map(|slot| [IoSliceMut::new(&mut slot[..DATAGRAM_BYTES_MAX])]).collect::<Vec<_>>();
        let flags = MsgFlags::MSG_DONTWAIT;
        match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(received) => self.received.extend(received.map(|datagram| Received {
                bytes: datagram.bytes,
                truncated: datagram.flags.contains(MsgFlags::MSG_TRUNC),
                sender: datagram.address.as_ref().and_then(Address::internet),
            })),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn datagrams(&self) -> impl Iterator<Item = (&[u8], &Received)> {
        self.slots
            .chunks_exact(SLOT_BYTES)
            .zip(&self.received)
            .map(|(slot, received)| (&slot[..received.bytes.min(DATAGRAM_BYTES_MAX)], received))
    }
}

impl<S: AsFd> DatagramSocket<S> {
    /// Receives until the stop is asked for, then what the kernel has.
    pub(super) fn run<A: Address>(mut self) {
        let mut receiver = Receiver::<A>::new();
        let (mut looked_at, mut known_drops) = (Instant::now(), 0);
        let mut drain_until = None;
        loop {
            if looked_at.elapsed() >= LOOK_EVERY {
                (looked_at, known_drops) = (Instant::now(), self.look_at_drops(known_drops));
            }
            if self.stop.is_asked() {
                drain_until.get_or_insert_with(|| Instant::now() + DRAIN_MAX);
            } else if !self.wait_for_datagrams() {
                continue;
            }
            let Ok(received) = self.receive_all(&mut receiver) else { break };
            let bytes = self.gatherer.filled();
            if self.gatherer.flush().is_err() {
                break;
            }
            self.gatherer.wait_for_room();
            match drain_until {
                Some(deadline) if received == 0 || Instant::now() >= deadline => break,
                // Let some come together, unless there is much to do.
                None if bytes < LIGHT_BYTES => _ = self.stop.wait(PAUSE),
                _ => {}
            }
        }
        self.look_at_drops(known_drops);
        drop(self.file);
    }

    fn wait_for_datagrams(&self) -> bool {
        let timeout = Timespec::try_from(PATIENCE).ok();
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], timeout.as_ref()) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(error) => {
                tracing::warn!(listen = %self.status.listen, %error, "cannot wait for datagrams");
                self.stop.wait(PATIENCE)
            }
        }
    }

    /// Receives until nothing is left, or for a while. Gives how many.
    fn receive_all<A: Address>(&mut self, receiver: &mut Receiver<A>) -> Result<usize, PipelineEnded> {
        let mut all = 0;
        for _ in 0..CALLS_MAX {
            if let Err(error) = receiver.receive(self.socket.as_fd()) {
                tracing::warn!(listen = %self.status.listen, %error, "cannot receive a datagram");
                _ = self.stop.wait(PAUSE);
                break;
            }
            self.take(receiver)?;
            all += receiver.received.len();
            if receiver.received.len() < AT_ONCE {
                break;
            }
        }
        Ok(all)
    }

    fn take<A: Address>(&mut self, receiver: &Receiver<A>) -> Result<(), PipelineEnded> {
        let read_at = crate::time::now();
        let (mut messages, mut bytes, mut cut) = (0, 0, 0);
        for (datagram, received) in receiver.datagrams() {
            bytes += datagram.len() as u64;
            let text = without_line_end(datagram);
            if text.is_empty() {
                continue;
            }
            let kept = text.len().min(self.message_bytes_max);
            let message = Message { text: &text[..kept], cut: received.truncated || kept < text.len() };
            messages += 1;
            cut += u64::from(message.cut);
            self.gatherer.add(message, self.senders.get(received.sender), read_at)?;
        }
        ListenerStatus::add(&self.status.messages, messages);
        ListenerStatus::add(&self.status.bytes, bytes);
        if cut > 0 {
            ListenerStatus::add(&self.status.cut, cut);
        }
        Ok(())
    }

    /// Says when the kernel has dropped more than before; gives how many it has.
    fn look_at_drops(&self, known: u64) -> u64 {
        let dropped = self.status.kernel_drops();
        if dropped > known {
            tracing::warn!(
                listen = %self.status.listen,
                dropped,
                "the kernel drops datagrams because they come faster than they are taken; \
                 raise `receive_buffer` and the sysctl net.core.rmem_max, or send over TCP"
            );
        }
        dropped
    }
}
