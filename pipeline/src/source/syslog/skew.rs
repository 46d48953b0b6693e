//! How far the clocks of the senders are off.
//!
//! Owns: [`ClockSkew`], by host, of one source.
//! Promises: one look a batch, at its last message; the table of hosts is bounded, whatever the messages say.
//! Never: corrects a time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use logweir_parsers::key;

use crate::event::Batch;

/// Hosts of one source; those that come later are not looked at.
const HOSTS_MAX: usize = 256;
/// Bytes of the longest name of a host (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// By host, the time at which a message was received less the time that it names, in nanoseconds, of the last message
/// that was looked at: negative when the host's clock is ahead.
#[derive(Debug, Default)]
pub struct ClockSkew {
    hosts: Mutex<BTreeMap<String, i64>>,
}

impl ClockSkew {
    /// Looks at the last message of a parsed batch, if it names its host and its time.
    pub(crate) fn observe(&self, batch: &Batch) {
        let Some(last) = batch.events.len().checked_sub(1) else { return };
        let time = batch.events[last].timestamp;
        let host = batch.get(last, key::HOST_HOSTNAME).and_then(|host| batch.text(host));
        let Some(host) = host.filter(|host| is_name(host) && time != batch.read_at) else { return };
        let host = String::from_utf8_lossy(host);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(skew) = hosts.get_mut(&*host) {
            *skew = batch.read_at.saturating_sub(time);
        } else if hosts.len() < HOSTS_MAX {
            hosts.insert(host.into_owned(), batch.read_at.saturating_sub(time));
        }
    }

    /// Each host with its skew in seconds, ordered by name.
    #[must_use]
    pub fn seconds(&self) -> Vec<(String, f64)> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        #[allow(clippy::cast_precision_loss)] // microseconds of a century remain
        let seconds = |nanos: i64| nanos as f64 / crate::time::SECOND as f64;
        hosts.iter().map(|(host, skew)| (host.clone(), seconds(*skew))).collect()
    }
}

/// Whether a text can be shown as the name of a host.
fn is_name(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::event::{ConstantSet, EventFlags, Span};
    use crate::time::SECOND;
    use crate::{Position, testing};

    /// A batch with one message of a host, which was received at `read_at` and names `time`.
    fn batch(host: &str, time: i64, read_at: i64) -> Batch {
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let mut event = Batch::line(Span::default(), 0, read_at, EventFlags::default());
        event.timestamp = time;
        let ack = stream.begin(Position::default(), 1, 1);
        let mut batch = Batch::new(Bytes::new(), vec![event], Arc::clone(&stream), read_at, ack);
        let host = batch.make_text(host.as_bytes());
        batch.set(0, key::HOST_HOSTNAME, host);
        batch
    }

    #[test]
    fn each_host_has_the_skew_of_its_last_message() {
        let skew = ClockSkew::default();
        for (host, time) in [("late", 10), ("early", 130), ("late", 99), ("exact", 100), ("no name\"", 1)] {
            skew.observe(&batch(host, time * SECOND, 100 * SECOND));
        }
        // A time that is the time of receipt was not named by the message.
        assert_eq!(skew.seconds(), [("early".to_owned(), -30.0), ("late".to_owned(), 1.0)]);
    }

    #[test]
    fn invented_hosts_cost_bounded_memory() {
        let skew = ClockSkew::default();
        for number in 0..2 * HOSTS_MAX {
            skew.observe(&batch(&format!("host-{number}"), 0, SECOND));
        }
        assert_eq!(skew.seconds().len(), HOSTS_MAX);
    }
}
