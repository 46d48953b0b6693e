//! Cuts short what one place in the code logs again and again.
//!
//! Owns: [`RateLimited`], around a formatter of log lines.
//! Promises: of one place at most [`LINES_MAX`] lines in [`WINDOW`]; the first line after that says how many were
//! left out. The table has an entry a place in the code, so it is bounded by the program itself. Who asks for what helps to
//! find a fault gets all of that.
//! Never: mixes places up.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Most lines of one place in a window.
const LINES_MAX: u32 = 10;
/// The length of a window.
const WINDOW: Duration = Duration::from_secs(10);

/// Writes that this many lines of a place were left out.
type Notice = fn(u32, &mut Writer<'_>) -> fmt::Result;

/// A formatter that leaves out what one place says too often.
pub(super) struct RateLimited<F> {
    inner: F,
    notice: Notice,
    places: Mutex<Places<Identifier>>,
}

/// What each place has said.
#[derive(Debug)]
struct Places<K>(HashMap<K, Place>);

/// What one place has said.
#[derive(Clone, Copy, Debug)]
struct Place {
    since: Instant,
    lines: u32,
    left_out: u32,
}

impl<K: Eq + Hash> Places<K> {
    /// Whether the place may speak, and if so how many of its lines were left out before.
    fn admit(&mut self, place: K, now: Instant) -> Option<u32> {
        let entry = self.0.entry(place).or_insert(Place { since: now, lines: 0, left_out: 0 });
        if now.duration_since(entry.since) >= WINDOW {
            entry.since = now;
            entry.lines = 0;
        }
        if entry.lines == LINES_MAX {
            entry.left_out = entry.left_out.saturating_add(1);
            return None;
        }
        entry.lines += 1;
        Some(std::mem::take(&mut entry.left_out))
    }
}

impl<F> RateLimited<F> {
    pub(super) fn new(inner: F, notice: Notice) -> Self {
        Self { inner, notice, places: Mutex::new(Places(HashMap::new())) }
    }
}

impl<S, N, F> FormatEvent<S, N> for RateLimited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if *event.metadata().level() > Level::INFO {
            return self.inner.format_event(context, writer, event);
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = places.admit(event.metadata().callsite(), Instant::now());
        drop(places);
        match admitted {
            None => Ok(()),
            Some(left_out) => {
                if left_out > 0 {
                    (self.notice)(left_out, &mut writer)?;
                }
                self.inner.format_event(context, writer, event)
            }
        }
    }
}

/// The notice on a terminal.
pub(super) fn for_people(left_out: u32, writer: &mut Writer<'_>) -> fmt::Result {
    writeln!(writer, "({left_out} lines like the next were left out)")
}

/// The notice among JSON lines.
pub(super) fn as_json(left_out: u32, writer: &mut Writer<'_>) -> fmt::Result {
    writeln!(
        writer,
        "{{\"level\":\"INFO\",\"message\":\"lines like the next were left out\",\"lines\":{left_out}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_speaks_again_after_the_window() {
        let mut places = Places(HashMap::new());
        let start = Instant::now();
        let said = (0..25).filter(|_| places.admit("here", start).is_some()).count();
        assert_eq!(said, LINES_MAX as usize);
        assert_eq!(places.admit("there", start), Some(0));
        assert_eq!(places.admit("here", start + WINDOW), Some(15));
        assert_eq!(places.admit("here", start + WINDOW), Some(0));
    }
}
