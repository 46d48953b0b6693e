//! The one clock of the process, and times as text.
//!
//! Owns: [`now`], the only place that reads the wall clock, and [`TimeText`], RFC 3339 text of a time.
//! Promises: everything else gets its time as an argument, so windows and batches are tested without waiting.
//! Never: knows time zones; text is UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use logweir_parsers::timestamp::{NANOS_PER_SECOND, SECONDS_PER_DAY, civil_from_days};

/// Nanoseconds in a second.
pub const SECOND: i64 = NANOS_PER_SECOND;

/// The wall-clock time in nanoseconds since 1970-01-01T00:00:00Z.
#[must_use]
#[allow(clippy::disallowed_methods)] // this is the clock that the lint points to
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Renders times as RFC 3339 in UTC, with 3, 6 or 9 digits of a second, whichever is exact.
///
/// Keeps the text of the last second: log lines come in the order of their times.
#[derive(Debug)]
pub struct TimeText {
    second: i64,
    text: [u8; Self::LEN_MAX],
}

impl TimeText {
    /// Bytes of the longest text: `2026-11-23T08:30:00.123456789Z`.
    pub const LEN_MAX: usize = 30;
    const SECOND_LEN: usize = 19;

    /// A renderer.
    #[must_use]
    pub fn new() -> Self {
        let mut text = Self { second: i64::MIN, text: *b"1970-01-01T00:00:00.000000000Z" };
        text.render_second(0);
        text
    }

    /// The text of `nanos`. Years outside 0–9999 are cut to that range, as RFC 3339 has four digits.
    #[inline]
    pub fn render(&mut self, nanos: i64) -> &[u8] {
        let (second, fraction) = (nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND).cast_unsigned());
        if second != self.second {
            self.render_second(second);
        }
        let (millis, below_millis) = (fraction / 1_000_000, fraction % 1_000_000);
        self.put_fraction::<3>(0, millis);
        let digits = match below_millis {
            0 => 3,
            rest if rest % 1_000 == 0 => {
                self.put_fraction::<3>(3, rest / 1_000);
                6
            }
            rest => {
                self.put_fraction::<6>(3, rest);
                9
            }
        };
        self.text[Self::SECOND_LEN + 1 + digits] = b'Z';
        &self.text[..Self::SECOND_LEN + digits + 2]
    }

    /// Writes so many digits of a second, from this one on.
    #[inline]
    fn put_fraction<const DIGITS: usize>(&mut self, from: usize, mut value: u64) {
        let start = Self::SECOND_LEN + 1 + from;
        for place in self.text[start..start + DIGITS].iter_mut().rev() {
            *place = digit(value % 10);
            value /= 10;
        }
    }

    #[cold]
    fn render_second(&mut self, second: i64) {
        let (year, month, day) = civil_from_days(second.div_euclid(SECONDS_PER_DAY));
        let time = second.rem_euclid(SECONDS_PER_DAY);
        self.second = second;
        put(&mut self.text[0..4], i64::from(year.clamp(0, 9999)));
        put(&mut self.text[5..7], i64::from(month));
        put(&mut self.text[8..10], i64::from(day));
        put(&mut self.text[11..13], time / 3600);
        put(&mut self.text[14..16], time / 60 % 60);
        put(&mut self.text[17..19], time % 60);
    }
}

impl Default for TimeText {
    fn default() -> Self {
        Self::new()
    }
}

fn put(text: &mut [u8], mut value: i64) {
    for place in text.iter_mut().rev() {
        *place = digit((value % 10).cast_unsigned());
        value /= 10;
    }
}

#[inline]
fn digit(value: u64) -> u8 {
    #[allow(clippy::cast_possible_truncation)] // below 10
    let value = value as u8;
    b'0' + value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_as_many_as_are_exact() {
        let mut text = TimeText::new();
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123_000_000, "2023-11-14T22:13:20.123Z"),
            (1_700_000_000_123_456_000, "2023-11-14T22:13:20.123456Z"),
            (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
            (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(text.render(nanos), expected.as_bytes());
        }
    }
}
