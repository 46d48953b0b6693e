//! What a grammar may know that is not in the line.
//!
//! Owns: [`Context`].
//! Promises: grammars have no clock; the same line and context give the same fields. What a context remembers of earlier
//! lines changes nothing but the time.
//! Never: reads the time.

use core::cell::Cell;

use crate::Zone;

/// Bytes of the longest notation that is remembered.
const TEXT_BYTES_MAX: usize = 26;

/// Facts about the reading of a line, passed in by the caller.
#[derive(Clone, Debug)]
pub struct Context {
    /// When the line was read: nanoseconds since 1970-01-01T00:00:00Z. Resolves a missing year.
    read_at: i64,
    /// The zone of a time that names none.
    pub(crate) zone: Zone,
    last_time: Cell<ReadTime>,
}

/// What a notation was found to say. No two notations that are remembered are of the same length, so none is taken for
/// another.
#[derive(Clone, Copy, Debug)]
struct ReadTime {
    text: [u8; TEXT_BYTES_MAX],
    len: usize,
    value: i64,
}

impl Context {
    /// The context of lines that were read then.
    #[must_use]
    pub const fn new(read_at: i64, zone: Zone) -> Self {
        let nothing = ReadTime { text: [0; TEXT_BYTES_MAX], len: 0, value: 0 };
        Self { read_at, zone, last_time: Cell::new(nothing) }
    }

    /// When the lines were read.
    #[inline]
    #[must_use]
    pub fn read_at(&self) -> i64 {
        self.read_at
    }

    /// From here on lines are of this time.
    #[inline]
    pub fn set_read_at(&mut self, read_at: i64) {
        if self.read_at != read_at {
            self.read_at = read_at;
            self.last_time.get_mut().len = 0;
        }
    }

    /// What `read` makes of `text`. The last answer is remembered, for many lines of a log are of one second.
    #[inline]
    pub(crate) fn read_once(&self, text: &[u8], read: impl FnOnce() -> Option<i64>) -> Option<i64> {
        let last = self.last_time.get();
        if last.len > 0 && last.text.get(..last.len) == Some(text) {
            return Some(last.value);
        }
        let value = read()?;
        let mut read = ReadTime { text: [0; TEXT_BYTES_MAX], len: text.len(), value };
        if let Some(room) = read.text.get_mut(..text.len()) {
            room.copy_from_slice(text);
            self.last_time.set(read);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::{bsd, clf, rfc3339};

    #[test]
    fn what_is_remembered_is_what_a_new_context_says() {
        let mut context = Context::new(1_700_000_000_000_000_000, Zone::fixed(3_600));
        let times = [
            "14/Nov/2023:15:13:20 -0700",
            "14/Nov/2023:15:13:20 -0800",
            "14/Nov/2023:15:13:20 -0700",
            "2023-11-14T22:13:20.5Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+02:00",
            "2023-11-14T22:13:61Z",
            "Oct  1 08:30:00",
            "Oct  1 08:30:00",
            "",
        ];
        for read_at in [1_700_000_000_000_000_000, 1_800_000_000_000_000_000] {
            context.set_read_at(read_at);
            for time in times.map(str::as_bytes).iter().flat_map(|time| [time, time]) {
                for read in [clf, rfc3339, bsd] {
                    let new = Context::new(read_at, Zone::fixed(3_600));
                    assert_eq!(read(time, &context), read(time, &new), "{}", time.escape_ascii());
                }
            }
        }
    }
}
