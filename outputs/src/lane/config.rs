//! When payloads close, and how much may wait.
//!
//! Owns: [`LaneConfig`].
//! Promises: the defaults suit a store that takes bulk requests.
//! Never: counts anything.

use std::time::Duration;

/// The smallest buffer, in bytes.
pub(super) const BUFFER_MIN: usize = 256 * 1024;
/// Room behind the limit of a buffer, so that the last event rarely makes it grow.
pub(super) const HEADROOM: usize = 32 * 1024;
/// What a payload of one event usually takes at least, in bytes.
const PAYLOAD_OF_ONE: usize = 512;

/// When payloads close, and how much may wait.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// Bytes at which a payload is sent, before compression. At most 100 MB.
    pub batch_bytes: usize,
    /// Events at which a payload is sent.
    pub batch_events: usize,
    /// Age at which a payload is sent.
    pub flush_after: Duration,
    /// Bytes of closed payloads, waiting or under way, at which the output counts as full.
    pub queue_bytes: usize,
    /// Whether bodies are compressed with gzip.
    pub gzip: bool,
    /// Whether a source waits for what it handed over before it goes on: then nothing waits for more.
    pub source_waits: bool,
}

impl LaneConfig {
    /// The same with one event a payload, which then takes no more memory than it needs.
    #[must_use]
    pub fn one_event(self) -> Self {
        Self { batch_events: 1, batch_bytes: 4096, ..self }
    }

    /// The least that a payload takes, in bytes, as far as the number of those that wait depends on it.
    pub(crate) fn payload_min(&self) -> usize {
        if self.batch_events == 1 { PAYLOAD_OF_ONE } else { BUFFER_MIN }
    }
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self {
            batch_bytes: 5_000_000,
            batch_events: 50_000,
            flush_after: Duration::from_millis(200),
            queue_bytes: 16 * 1024 * 1024,
            gzip: false,
            source_waits: false,
        }
    }
}
