//! The signals that the process heeds.
//!
//! Owns: [`Signals`].
//! Promises: SIGTERM and SIGINT ask it to end; SIGHUP is reserved for reloading the config and until then ignored
//! aloud.
//! Never: ends the process itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the process heeds.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to catch the signals.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is asked to end; gives the signal's name.
    pub(crate) async fn asked_to_end(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP is reserved for reloading the config; it does nothing yet");
                }
            }
        }
    }
}
