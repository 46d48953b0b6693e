//! One connection: from its bytes to messages.
//!
//! Owns: [`Connection`], and when one is closed.
//! Promises: a silent connection holds no buffer; one inside a message holds that message and no more; a message whose
//! end does not come in time is taken as it is, and where nobody can tell where the next begins the connection is
//! closed; what was read when the peer or this process ends is taken.
//! Never: answers; syslog has no answers.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::{coop::unconstrained, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use super::LIGHT_BYTES;
use super::frame::Deframer;
use super::status::ListenerStatus;
use super::stream::{Desk, Place};
use crate::event::ConstantSet;

/// How long saying goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that is being read.
pub(super) struct Connection<S> {
    stream: S,
    sender: Arc<ConstantSet>,
    place: Place,
    deframer: Deframer,
    /// The beginning of a message whose end is not read.
    pending: Vec<u8>,
    /// When something was last read.
    read_at: Instant,
    /// When the message that is not complete began.
    frame_begun_at: Option<Instant>,
}

/// What a connection woke for.
enum Event {
    Read(usize),
    Failed(io::Error),
    Overdue,
    Stopping,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, sender: Arc<ConstantSet>, place: Place) -> Self {
        Self {
            stream,
            sender,
            deframer: Deframer::new(place.office.config.message_bytes_max),
            place,
            pending: Vec::new(),
            read_at: Instant::now(),
            frame_begun_at: None,
        }
    }

    /// Reads until the peer or this process ends.
    pub(super) async fn serve(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            match self.next(&mut stopping).await {
                Event::Read(0) => break,
                // One that has much to say lets the others speak.
                Event::Read(LIGHT_BYTES..) => yield_now().await,
                Event::Read(_) => {}
                Event::Overdue if self.is_over() => break,
                Event::Overdue => {}
                Event::Stopping => {
                    self.drain().await;
                    break;
                }
                Event::Failed(error) => {
                    // A TLS peer that hangs up without a word has ended, too.
                    if error.kind() != io::ErrorKind::UnexpectedEof {
                        ListenerStatus::add(&self.place.status.failed, 1);
                        tracing::debug!(listen = %self.place.status.listen, %error, "a connection broke");
                    }
                    break;
                }
            }
        }
        self.take_rest();
        // A TLS peer is told; one that is gone, or takes nothing, is not waited for.
        let told = poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context));
        timeout(GOODBYE_TIMEOUT, told).await.ok();
    }

    async fn next(&mut self, stopping: &mut watch::Receiver<bool>) -> Event {
        let deadline = self.deadline();
        let overdue = async move {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            read = poll_fn(|context| self.poll_read(context)) => read.map_or_else(Event::Failed, Event::Read),
            _ = stopping.wait_for(|stopping| *stopping) => Event::Stopping,
            () = overdue => Event::Overdue,
        }
    }

    /// When somebody stops waiting for the peer.
    fn deadline(&self) -> Option<Instant> {
        let config = &self.place.office.config;
        let of_frame = self.frame_begun_at.map(|begun_at| begun_at + config.frame_timeout);
        let of_silence = config.idle_timeout.map(|timeout| self.read_at + timeout);
        of_frame.into_iter().chain(of_silence).min()
    }

    /// Takes a message whose end did not come in time. Says whether the connection is to be closed.
    fn is_over(&mut self) -> bool {
        let Some(begun_at) = self.frame_begun_at else {
            return true;
        };
        if begun_at + self.place.office.config.frame_timeout > Instant::now() {
            return true;
        }
        let counted = self.deframer.is_inside_counted_frame(&self.pending);
        self.take_rest();
        if counted {
            ListenerStatus::add(&self.place.status.failed, 1);
            tracing::warn!(
                listen = %self.place.status.listen,
                "closed a connection: a message is shorter than its octet count says"
            );
        }
        counted
    }

    /// Takes what the kernel has.
    async fn drain(&mut self) {
        // Through the event loop first, which may not know yet what came last.
        yield_now().await;
        loop {
            let read = tokio::select! {
                biased;
                read = unconstrained(poll_fn(|context| self.poll_read(context))) => read,
                () = std::future::ready(()) => return,
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
            // What is read is sent between two reads, and the deadline is looked at.
            yield_now().await;
        }
    }

    /// Reads what is there and gathers the messages in it.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let office = Rc::clone(&self.place.office);
        let mut desk = office.desk.borrow_mut();
        let kept = self.pending.len();
        desk.scratch[..kept].copy_from_slice(&self.pending);
        let mut buffer = ReadBuf::new(&mut desk.scratch[kept..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Ok(0));
        }
        ListenerStatus::add(&self.place.status.bytes, read as u64);
        self.read_at = Instant::now();
        self.take(&mut desk, kept + read);
        office.gathered.notify_one();
        Poll::Ready(Ok(read))
    }

    /// Gathers the messages in the first `filled` bytes of the scratch and keeps the rest.
    fn take(&mut self, desk: &mut Desk, filled: usize) {
        let read_at = crate::time::now();
        let Desk { scratch, gatherers, ended } = desk;
        let worker = self.place.number % gatherers.len();
        let mut input = &scratch[..filled];
        let (mut messages, mut cut) = (0, 0);
        while let Some(message) = self.deframer.next(&mut input) {
            messages += 1;
            cut += u64::from(message.cut);
            *ended |= gatherers[worker].add(message, &self.sender, read_at).is_err();
        }
        self.count(messages, cut);
        if input.is_empty() {
            self.pending = Vec::new();
        } else {
            self.pending.clear();
            self.pending.extend_from_slice(input);
        }
        let inside = self.deframer.is_inside_frame(&self.pending);
        let begun_at = if messages > 0 { None } else { self.frame_begun_at };
        self.frame_begun_at = inside.then(|| begun_at.unwrap_or(self.read_at));
    }

    /// Gathers what is left as a message.
    fn take_rest(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.frame_begun_at = None;
        let mut input = pending.as_slice();
        let Some(message) = self.deframer.rest(&mut input) else { return };
        self.count(1, u64::from(message.cut));
        let mut desk = self.place.office.desk.borrow_mut();
        let worker = self.place.number % desk.gatherers.len();
        let added = desk.gatherers[worker].add(message, &self.sender, crate::time::now());
        desk.ended |= added.is_err();
        self.place.office.gathered.notify_one();
    }

    fn count(&self, messages: u64, cut: u64) {
        ListenerStatus::add(&self.place.status.messages, messages);
        if cut > 0 {
            ListenerStatus::add(&self.place.status.cut, cut);
        }
    }
}
