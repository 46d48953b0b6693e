//! Times as log lines write them, to nanoseconds since 1970-01-01T00:00:00Z.
//!
//! Owns: the notations CLF, RFC 3339, BSD (RFC 3164) and epoch numbers, and the day arithmetic below them; notations
//! that a config describes are [`TimeLayout`]s.
//! Promises: the proleptic Gregorian calendar; a date that does not exist, or that 64 bits of nanoseconds do not
//! reach (before 1677, after 2262), is `None`. A leap second counts as the first second of the next minute.
//! Never: reads a clock or a zone database; a missing year or zone comes from the [`Context`].

mod layout;

pub use layout::TimeLayout;

use crate::Context;

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Seconds in a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01, where the eras below begin, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// Days from 1970-01-01 to this date. `month` is 1 to 12; the date need not exist.
///
/// The year is counted from March, so that the leap day is its last day.
#[must_use]
pub const fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let year = year as i64 - (month <= 2) as i64;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let months_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * months_from_march + 2) / 5 + day as i64 - 1;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_TO_1970
}

/// The year, month (1 to 12) and day of the month, this many days after 1970-01-01.
#[must_use]
pub const fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days.saturating_add(DAYS_TO_1970);
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = (months_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (year as i32, month as u32, day as u32)
}

/// Bytes of a [`clf`] time.
pub(crate) const CLF_LENGTH: usize = 26;

/// A common log format time, `14/Nov/2023:15:13:20 -0700`.
#[inline]
#[must_use]
pub fn clf(text: &[u8], context: &Context) -> Option<i64> {
    if text.len() == CLF_LENGTH { context.read_once(text, || read_clf(text)) } else { None }
}

fn read_clf(text: &[u8]) -> Option<i64> {
    #[rustfmt::skip] // one line a date, one a time
    let &[
        d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':',
        h1, h2, b':', n1, n2, b':', s1, s2, b' ', ref zone @ ..
    ] = text else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let days = days(year as i32, month([m1, m2, m3])?, two(d1, d2)?)?;
    nanos(days * SECONDS_PER_DAY + second_of_day([h1, h2, n1, n2, s1, s2])?, 0, offset(zone)?)
}

/// An RFC 3339 time, `2023-11-14T22:13:20.003Z`, and its usual kin: a space or `t` for the `T`, a comma before the
/// fraction, `+0200`, `+02` or ` UTC` for the zone. A time that names no zone is in `zone`. A fraction
/// finer than nanoseconds is cut.
#[inline]
#[must_use]
pub fn rfc3339(text: &[u8], context: &Context) -> Option<i64> {
    let (text, rest) = text.split_at_checked("2023-11-14T22:13:20".len())?;
    let local = context.read_once(text, || local_second(text))?;
    let (fraction, rest) = match rest {
        [b'.' | b',', digits @ ..] => fraction(digits)?,
        _ => (0, rest),
    };
    let offset = match rest {
        [] => context.zone.offset_at(local),
        [b'Z' | b'z'] | [b' ', b'U', b'T', b'C'] => 0,
        [b' ', named @ ..] | named => offset(named)?,
    };
    nanos(local, fraction, offset)
}

/// `2023-11-14T22:13:20` as seconds since 1970 by a clock on the wall.
fn local_second(text: &[u8]) -> Option<i64> {
    #[rustfmt::skip] // one line a date, one a time
    let &[
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ',
        h1, h2, b':', n1, n2, b':', s1, s2
    ] = text else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let days = days(year as i32, two(m1, m2)?, two(d1, d2)?)?;
    Some(days * SECONDS_PER_DAY + second_of_day([h1, h2, n1, n2, s1, s2])?)
}

/// Bytes of a [`bsd`] time.
pub(crate) const BSD_LENGTH: usize = 15;

/// A BSD syslog time, `Oct  1 08:30:00`, in the context's zone, in the year that puts it nearest to `read_at`.
#[inline]
#[must_use]
pub fn bsd(text: &[u8], context: &Context) -> Option<i64> {
    if text.len() == BSD_LENGTH { context.read_once(text, || read_bsd(text, context)) } else { None }
}

fn read_bsd(text: &[u8], context: &Context) -> Option<i64> {
    let &[m1, m2, m3, b' ', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2] = text else {
        return None;
    };
    let month = month([m1, m2, m3])?;
    let day = if d1 == b' ' { two(b'0', d2)? } else { two(d1, d2)? };
    let second = second_of_day([h1, h2, n1, n2, s1, s2])?;
    let read_at = context.read_at().div_euclid(NANOS_PER_SECOND);
    let locals = years_around(read_at).into_iter().filter_map(|year| days(year, month, day));
    let locals = locals.map(|days| days * SECONDS_PER_DAY + second);
    nearest(locals, read_at, |local| context.zone.offset_at(local))
}

/// The year of a moment, the one before it and the one after it.
#[inline]
fn years_around(moment: i64) -> [i32; 3] {
    let (year, _, _) = civil_from_days(moment.div_euclid(SECONDS_PER_DAY));
    [year - 1, year, year + 1]
}

/// Of these local times, in seconds, the one nearest to a moment, in nanoseconds.
#[inline]
fn nearest(locals: impl Iterator<Item = i64>, moment: i64, offset_at: impl Fn(i64) -> i32) -> Option<i64> {
    locals
        .map(|local| local - i64::from(offset_at(local)))
        .min_by_key(|found| (found - moment).unsigned_abs())?
        .checked_mul(NANOS_PER_SECOND)
}

/// A decimal number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude:
/// each unit covers 1973 to 5138 in seconds. A smaller number is more likely a duration, so it is `None`.
#[must_use]
pub fn epoch(text: &[u8]) -> Option<i64> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(length);
    let whole = whole
        .iter()
        .try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    let unit = match whole {
        ..100_000_000 => return None,
        100_000_000..100_000_000_000 => NANOS_PER_SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let fraction = match rest {
        [] => 0,
        [b'.', digits @ ..] => match fraction(digits)? {
            (fraction, []) => fraction,
            _ => return None,
        },
        _ => return None,
    };
    whole.checked_mul(unit)?.checked_add(fraction * unit / NANOS_PER_SECOND)
}

/// Days to a date that exists.
#[inline]
fn days(year: i32, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days_from_civil(year, month, day))
}

#[inline]
fn nanos(local: i64, fraction: i64, offset: i32) -> Option<i64> {
    (local - i64::from(offset)).checked_mul(NANOS_PER_SECOND)?.checked_add(fraction)
}

/// `hhmmss`, with 60 for a leap second.
#[inline]
fn second_of_day([h1, h2, n1, n2, s1, s2]: [u8; 6]) -> Option<i64> {
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(i64::from(hour * 3_600 + minute * 60 + second))
}

/// Digits after the point, as nanoseconds, and what follows them.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let mut nanos = 0;
    let mut unit = NANOS_PER_SECOND;
    let mut length = 0;
    while let Some(digit) = text.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
        unit /= 10; // 0 after nine digits, which cuts the rest
        nanos += i64::from(digit) * unit;
        length += 1;
    }
    (length > 0).then(|| (nanos, &text[length..]))
}

/// `+hhmm`, `+hh:mm` or `+hh`, as seconds east of UTC.
#[inline]
fn offset(zone: &[u8]) -> Option<i32> {
    let (sign, hours, minutes) = match *zone {
        [sign, h1, h2, n1, n2] | [sign, h1, h2, b':', n1, n2] => (sign, two(h1, h2)?, two(n1, n2)?),
        [sign, h1, h2] => (sign, two(h1, h2)?, 0),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 3_600 + minutes * 60) as i32;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// The number of a month from its English short name.
#[inline]
fn month(name: [u8; 3]) -> Option<u32> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// The number that two digits write.
#[inline]
fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then_some(u32::from(tens) * 10 + u32::from(ones))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zone;

    /// 2023-11-14T22:13:20Z.
    const READ_AT: i64 = 1_700_000_000 * NANOS_PER_SECOND;

    fn context(read_at: i64, utc_offset: i32) -> Context {
        Context::new(read_at, Zone::fixed(utc_offset))
    }

    #[test]
    fn days_and_dates_are_inverse_over_all_of_the_range() {
        let mut expected = (1600, 1, 1);
        for days in days_from_civil(1600, 1, 1)..=days_from_civil(2400, 12, 31) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!((year, month, day), expected);
            assert_eq!(super::days(year, month, day), Some(days));
            expected = if super::days(year, month, day + 1).is_some() {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
    }

    #[test]
    fn clf_reads_the_zone() {
        assert_eq!(
            clf(b"14/Nov/2023:15:13:20 -0700", &context(READ_AT, 0)),
            Some(1_700_000_000 * NANOS_PER_SECOND)
        );
        assert_eq!(
            clf(b"29/Feb/2024:00:00:00 +0530", &context(READ_AT, 0)),
            Some(1_709_145_000 * NANOS_PER_SECOND)
        );
        for wrong in
            ["29/Feb/2023:00:00:00 +0000", "14/Nof/2023:15:13:20 -0700", "14/Nov/2023:24:00:00 +0000"]
        {
            assert_eq!(clf(wrong.as_bytes(), &context(READ_AT, 0)), None, "{wrong}");
        }
        for wrong in ["", "14/Nov/2023:15:13:20", "14/Nov/2023:15:13:20 -0760", "14/Nov/2300:00:00:00 +0000"]
        {
            assert_eq!(clf(wrong.as_bytes(), &context(READ_AT, 0)), None, "{wrong}");
        }
    }

    #[test]
    fn rfc3339_takes_its_kin() {
        let noon = 1_709_208_000 * NANOS_PER_SECOND;
        for text in [
            "2024-02-29T12:00:00Z",
            "2024-02-29t12:00:00z",
            "2024-02-29 12:00:00 UTC",
            "2024-02-29T14:00:00+02:00",
            "2024-02-29T14:00:00+0200",
            "2024-02-29T06:30:00-05:30",
            "2024-02-29 14:00:00 +02",
            "2024-02-29T13:00:00",
            "2024-02-29T11:59:60Z",
        ] {
            assert_eq!(rfc3339(text.as_bytes(), &context(READ_AT, 3_600)), Some(noon), "{text}");
        }
        assert_eq!(
            rfc3339(b"2024-02-29T12:00:00.123456789123Z", &context(READ_AT, 0)),
            Some(noon + 123_456_789)
        );
        assert_eq!(rfc3339(b"2024-02-29T12:00:00,5Z", &context(READ_AT, 0)), Some(noon + 500_000_000));
        for wrong in
            ["2024-02-30T12:00:00Z", "2024-02-29T12:00Z", "2024-02-29T12:00:00.Z", "2024-13-01T00:00:00Z"]
        {
            assert_eq!(rfc3339(wrong.as_bytes(), &context(READ_AT, 0)), None, "{wrong}");
        }
        assert_eq!(rfc3339(b"1677-01-01T00:00:00Z", &context(READ_AT, 0)), None, "before the range");
        assert_eq!(rfc3339(b"9999-12-31T23:59:59Z", &context(READ_AT, 0)), None, "after the range");
    }

    #[test]
    fn bsd_takes_the_nearest_year() {
        let new_year = days_from_civil(2024, 1, 1) * SECONDS_PER_DAY * NANOS_PER_SECOND;
        let last_second = Some(new_year - NANOS_PER_SECOND);
        assert_eq!(bsd(b"Dec 31 23:59:59", &context(new_year + 1, 0)), last_second, "read after new year");
        assert_eq!(bsd(b"Jan  1 00:00:00", &context(new_year - 1, 0)), Some(new_year), "a clock ahead");
        assert_eq!(
            bsd(b"Jan  1 02:00:00", &context(new_year - 1, 7_200)),
            Some(new_year),
            "the year is the zone's year"
        );
        let leap_day = days_from_civil(2024, 2, 29) * SECONDS_PER_DAY * NANOS_PER_SECOND;
        assert_eq!(bsd(b"Feb 29 00:00:00", &context(READ_AT, 0)), Some(leap_day), "2023 has no such day");
        assert_eq!(bsd(b"Feb 30 00:00:00", &context(READ_AT, 0)), None);
        assert_eq!(bsd(b"Jun  1 00:00:00", &context(i64::MAX, 0)), None, "after the range");
        assert_eq!(bsd(b"Jul  1 00:00:00", &context(i64::MIN, 0)), None, "before the range");
    }

    #[test]
    fn epoch_tells_the_unit_by_magnitude() {
        let expected = Some(READ_AT + 123_000_000);
        for text in ["1700000000.123", "1700000000123", "1700000000123000", "1700000000123000000"] {
            assert_eq!(epoch(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(epoch(b"1700000000123.4567"), Some(READ_AT + 123_456_700));
        for wrong in [
            "",
            "5",
            "99999999",
            "-1700000000",
            "1.7e9",
            "1700000000.",
            "99999999999",
            "9999999999999999999999",
        ] {
            assert_eq!(epoch(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
