//! One time while it is read.
//!
//! Owns: [`Reading`]: what the steps of a layout have said so far, and the moment that it makes.
//! Promises: a part of a time that does not exist is refused; a value that is out of range, at the end.
//! Never: looks at a byte twice, but for a number's first.

use super::Step;
use crate::{
    Context,
    timestamp::{
        NANOS_PER_SECOND, SECONDS_PER_DAY, civil_from_days, days, days_from_civil, fraction, month, nearest,
        offset as offset_of, years_around,
    },
};

/// What is known of a time while it is read.
pub(super) struct Reading {
    year: Option<i32>,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    is_afternoon: Option<bool>,
    minute: u32,
    second: u32,
    nanos: i64,
    offset: Option<i32>,
    epoch: Option<i64>,
}

impl Reading {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            year: None,
            month: 0,
            day: 0,
            day_of_year: None,
            hour: 0,
            is_afternoon: None,
            minute: 0,
            second: 0,
            nanos: 0,
            offset: None,
            epoch: None,
        }
    }

    /// Takes one part; what follows it.
    #[inline]
    pub(super) fn take<'a>(&mut self, step: Step, text: &'a [u8]) -> Option<&'a [u8]> {
        let rest = match step {
            Step::Byte(byte) => text.split_first().filter(|(first, _)| **first == byte)?.1,
            Step::Year => put(&mut self.year, number(text, 4, 4)?, |year| Some(year as i32))?,
            Step::Month => take_number(&mut self.month, text, 2)?,
            Step::Day => take_number(&mut self.day, without_blank(text), 2)?,
            Step::Hour => take_number(&mut self.hour, without_blank(text), 2)?,
            Step::Minute => take_number(&mut self.minute, text, 2)?,
            Step::Second => take_number(&mut self.second, text, 2)?,
            _ => return self.take_rarer(step, text),
        };
        Some(rest)
    }

    fn take_rarer<'a>(&mut self, step: Step, text: &'a [u8]) -> Option<&'a [u8]> {
        match step {
            Step::Blanks => match text {
                [b' ' | b'\t', ..] => Some(text.trim_ascii_start()),
                _ => None,
            },
            Step::YearOfCentury => {
                // As POSIX has it: 69 is 1969, 68 is 2068.
                put(&mut self.year, number(text, 2, 2)?, |year| {
                    Some(year as i32 + if year < 69 { 2000 } else { 1900 })
                })
            }
            Step::MonthName => {
                let (name, rest) = letters(text);
                self.month = month(title_case(name.get(..3)?)?)?;
                MONTHS[self.month as usize - 1].starts_with(name.get(3..)?).then_some(rest)
            }
            Step::DayOfYear => put(&mut self.day_of_year, number(text, 1, 3)?, Some),
            Step::Weekday => {
                let (name, rest) = letters(text);
                let day = title_case(name.get(..3)?)?;
                [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"].contains(&&day).then_some(rest)
            }
            Step::HourOfHalf => {
                let rest = take_number(&mut self.hour, without_blank(text), 2)?;
                (1..=12).contains(&self.hour).then_some(rest)
            }
            Step::HalfOfDay => match text {
                [b'A' | b'a', b'M' | b'm', rest @ ..] => {
                    put(&mut self.is_afternoon, (0, rest), |_| Some(false))
                }
                [b'P' | b'p', b'M' | b'm', rest @ ..] => {
                    put(&mut self.is_afternoon, (0, rest), |_| Some(true))
                }
                _ => None,
            },
            Step::Fraction(None) => self.take_fraction(text),
            Step::Fraction(Some(digits)) => {
                let rest = text.get(usize::from(digits)..)?;
                self.take_fraction(&text[..usize::from(digits)])?.is_empty().then_some(rest)
            }
            Step::PointFraction => match text {
                [b'.' | b',', b'0'..=b'9', ..] => self.take_fraction(&text[1..]),
                _ => Some(text),
            },
            Step::Zone => self.take_zone(text),
            Step::OptionalZone => match text {
                [b' ', zone @ ..] => Some(self.take_zone(zone).unwrap_or(text)),
                _ => Some(self.take_zone(text).unwrap_or(text)),
            },
            Step::ZoneName => match letters(text) {
                (b"UTC" | b"GMT" | b"Z", rest) => put(&mut self.offset, (0, rest), Some),
                // A short name of another zone means different zones in different places: the context decides.
                (name, rest) => (!name.is_empty()).then_some(rest),
            },
            Step::Epoch => {
                put(&mut self.epoch, integer(text)?, |seconds| seconds.checked_mul(NANOS_PER_SECOND))
            }
            Step::EpochMillis => put(&mut self.epoch, integer(text)?, |millis| millis.checked_mul(1_000_000)),
            Step::DateEnd => match text {
                [b'T' | b't' | b' ', rest @ ..] => Some(rest),
                _ => None,
            },
            _ => None,
        }
    }

    fn take_zone<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        put(&mut self.offset, offset(text)?, Some)
    }

    fn take_fraction<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (nanos, rest) = fraction(text)?;
        self.nanos = nanos;
        Some(rest)
    }

    /// The moment that was read; `None` when there is none such.
    #[inline]
    pub(super) fn moment(&self, context: &Context) -> Option<i64> {
        if let Some(epoch) = self.epoch {
            return epoch.checked_add(self.nanos);
        }
        let hour = match self.is_afternoon {
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        if hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let second = i64::from(hour * 3_600 + self.minute * 60 + self.second);
        let offset_at = |local| self.offset.unwrap_or_else(|| context.zone.offset_at(local));
        let whole = match self.year {
            Some(year) => {
                let local = self.day_in(year)? * SECONDS_PER_DAY + second;
                (local - i64::from(offset_at(local))).checked_mul(NANOS_PER_SECOND)
            }
            None => self.nearest(context.read_at().div_euclid(NANOS_PER_SECOND), second, offset_at),
        };
        whole?.checked_add(self.nanos)
    }

    /// The moment of a time without a year, or without a date.
    #[cold]
    fn nearest(&self, read_at: i64, second: i64, offset_at: impl Fn(i64) -> i32) -> Option<i64> {
        let local = |day: i64| day * SECONDS_PER_DAY + second;
        if self.month > 0 || self.day_of_year.is_some() {
            let days = years_around(read_at).into_iter().filter_map(|year| self.day_in(year));
            return nearest(days.map(local), read_at, offset_at);
        }
        let today = read_at.div_euclid(SECONDS_PER_DAY);
        nearest((today - 1..=today + 1).map(local), read_at, offset_at)
    }

    /// Days from 1970-01-01 to the date in this year.
    #[inline]
    fn day_in(&self, year: i32) -> Option<i64> {
        match self.day_of_year {
            None => days(year, self.month, self.day),
            Some(day) => {
                let days = days_from_civil(year, 1, 1) + i64::from(day) - 1;
                (day > 0 && civil_from_days(days).0 == year).then_some(days)
            }
        }
    }
}

/// The names of the months behind their first three letters.
const MONTHS: [&[u8]; 12] =
    [b"uary", b"ruary", b"ch", b"il", b"", b"e", b"y", b"ust", b"tember", b"ober", b"ember", b"ember"];

/// Keeps a value that was made of what was read.
#[inline]
fn put<'a, N, T>(
    slot: &mut Option<T>,
    (number, rest): (N, &'a [u8]),
    make: impl FnOnce(N) -> Option<T>,
) -> Option<&'a [u8]> {
    *slot = Some(make(number)?);
    Some(rest)
}

#[inline]
fn take_number<'a>(slot: &mut u32, text: &'a [u8], most: usize) -> Option<&'a [u8]> {
    let (number, rest) = number(text, 1, most)?;
    *slot = number;
    Some(rest)
}

/// A number of so many digits, and what follows.
#[inline]
fn number(text: &[u8], least: usize, most: usize) -> Option<(u32, &[u8])> {
    let (mut number, mut length) = (0, 0);
    while let Some(digit) = text.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
        && length < most
    {
        number = number * 10 + u32::from(digit);
        length += 1;
    }
    (length >= least).then(|| (number, &text[length..]))
}

/// A whole number, perhaps with a minus.
fn integer(text: &[u8]) -> Option<(i64, &[u8])> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(sign + digits);
    Some((core::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

/// A number below ten may have a blank for its first digit.
#[inline]
fn without_blank(text: &[u8]) -> &[u8] {
    text.strip_prefix(b" ").unwrap_or(text)
}

fn letters(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count())
}

fn title_case(name: &[u8]) -> Option<[u8; 3]> {
    let &[first, second, third] = name else { return None };
    Some([first.to_ascii_uppercase(), second.to_ascii_lowercase(), third.to_ascii_lowercase()])
}

/// `Z`, `UTC`, `GMT`, `+hh`, `+hhmm` or `+hh:mm` as seconds east of UTC, and what follows: no letter and no digit.
fn offset(text: &[u8]) -> Option<(i32, &[u8])> {
    let length = match text {
        [b'Z' | b'z', ..] => 1,
        [b'+' | b'-', _, _, b':', ..] => 6,
        [b'+' | b'-', _, _, b'0'..=b'9', ..] => 5,
        _ => 3,
    };
    let (zone, rest) = text.split_at_checked(length)?;
    let offset = match zone {
        b"Z" | b"z" | b"UTC" | b"GMT" => 0,
        _ => offset_of(zone)?,
    };
    (!rest.first().is_some_and(u8::is_ascii_alphanumeric)).then_some((offset, rest))
}
