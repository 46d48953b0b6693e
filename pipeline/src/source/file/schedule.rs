//! When a file is looked at next, and what becomes of its end then.
//!
//! Owns: the times between looks at growing files, and the rules that tell growing, idle and ended files apart.
//! Promises: a look at a busy file brings a useful amount; a line is ended without its line end only when the config's
//! time for it is over.
//! Never: looks at a file.

use std::time::{Duration, Instant};

use super::config::FileConfig;
use super::lines::End;
use super::tail::Tail;
use crate::source::CHUNK_BYTES;

/// Bytes that a look at a growing file should bring: two chunks, and some room so that it is not just more than that.
/// What a look costs beside its bytes is the threads that it wakes, one after the other up to the output's.
const BYTES_PER_LOOK: u64 = 2 * CHUNK_BYTES as u64 / 16 * 15;
/// The shortest and the longest time between two looks at a file that grows.
pub(super) const WAIT_MIN: Duration = Duration::from_millis(5);
pub(super) const WAIT_MAX: Duration = Duration::from_millis(250);

/// What becomes of an incomplete end now.
pub(super) fn ending(config: &FileConfig, tail: &Tail, once: bool, now: Instant) -> End {
    let quiet = now.duration_since(tail.changed_at);
    let closing = !tail.listed && quiet >= config.rotate_grace;
    let event_waited = config.multiline.as_ref().is_some_and(|multiline| quiet >= multiline.flush_after);
    if once || closing || tail.compressed || quiet >= config.partial_flush_after {
        End::CloseLine
    } else if event_waited {
        End::CloseEvent
    } else {
        End::Open
    }
}

/// Whether a file that has nothing more to read needs no frequent looks.
pub(super) fn is_idle(config: &FileConfig, tail: &Tail, quiet: Duration) -> bool {
    let unchanged_for = crate::time::now().saturating_sub(tail.modified);
    let idle_after = i64::try_from(config.idle_after.as_nanos()).unwrap_or(i64::MAX);
    // A file that was found long after its last line, and has not changed since, need not be watched at all.
    quiet >= config.idle_after || (!tail.changed && unchanged_for >= idle_after)
}

/// How long to wait until a file that brought `read` bytes in `since` will have brought enough for a look.
pub(super) fn wait_for_bytes(since: Duration, read: u64) -> Duration {
    let nanos = u128::from(BYTES_PER_LOOK) * since.as_nanos() / u128::from(read);
    u64::try_from(nanos).map_or(WAIT_MAX, Duration::from_nanos).clamp(WAIT_MIN, WAIT_MAX)
}
