//! What a syslog source tells about itself.
//!
//! Owns: [`SyslogStatus`] and [`ListenerStatus`], the counts of one URL of `listen`, the kernel's own among them.
//! Promises: counting costs an atomic addition a read; a look at the kernel's count is a look at this moment.
//! Never: decides anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::address::Listen;
use super::skew::ClockSkew;

/// The counts of all listeners of a source.
#[derive(Debug)]
pub struct SyslogStatus {
    /// One a URL, in the order of the config.
    pub listeners: Vec<Arc<ListenerStatus>>,
    /// How far the senders' clocks are off.
    pub clock_skew: Arc<ClockSkew>,
}

/// The counts of one listener since the start.
#[derive(Debug)]
pub struct ListenerStatus {
    /// Where it listens.
    pub listen: Listen,
    /// Messages received.
    pub messages: AtomicU64,
    /// Bytes received, those of the framing included.
    pub bytes: AtomicU64,
    /// Messages whose end was cut off or never came.
    pub cut: AtomicU64,
    /// Connections open now.
    pub open: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections closed at once because there were too many.
    pub refused: AtomicU64,
    /// Connections that ended in an error: reset, no TLS, a frame whose end never came.
    pub failed: AtomicU64,
    kernel_drops: AtomicU64,
    /// The inode numbers of its UDP sockets.
    sockets: Mutex<Vec<u64>>,
}

impl ListenerStatus {
    pub(super) fn new(listen: Listen) -> Arc<Self> {
        Arc::new(Self {
            listen,
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            open: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            kernel_drops: AtomicU64::new(0),
            sockets: Mutex::default(),
        })
    }

    pub(super) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn subtract(counter: &AtomicU64, number: u64) {
        counter.fetch_sub(number, Ordering::Relaxed);
    }

    pub(super) fn watch_socket(&self, inode: u64) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(inode);
    }

    /// Datagrams that the kernel dropped because the receive buffer was full, as it counts them now.
    #[must_use]
    pub fn kernel_drops(&self) -> u64 {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if sockets.is_empty() {
            return 0;
        }
        let now = ["/proc/net/udp", "/proc/net/udp6"]
            .into_iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .map(|table| dropped(&table, &sockets))
            .sum::<u64>();
        // A socket that is closed is in no table any more.
        self.kernel_drops.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// The drops of the sockets with these inode numbers in a table of `/proc/net`.
fn dropped(table: &str, sockets: &[u64]) -> u64 {
    let drops = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let inode = fields.nth(9)?.parse::<u64>().ok()?;
        let drops = fields.nth(2)?.parse::<u64>().ok()?;
        sockets.contains(&inode).then_some(drops)
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  170: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 70001 2 0000000000000000 12
  170: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 70002 2 0000000000000000 30
  171: 00000000:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 70003 2 0000000000000000 7
";

    #[test]
    fn drops_are_those_of_our_sockets() {
        assert_eq!(dropped(TABLE, &[70001, 70002, 9]), 42);
        assert_eq!(dropped("", &[70001]), 0);
    }
}
