//! Times in the notation that a config describes.
//!
//! Owns: [`TimeLayout`]: the directives of `strftime` as a list of steps, compiled once.
//! Promises: a time that lacks its year, or its whole date, is the one nearest to the time of reading; one that names no
//! zone is in the context's. Reading costs at most as many steps as the layout has, and allocates nothing.
//! Never: knows the names of zones but those of UTC, or of months in another language than English.

mod reading;

use alloc::{borrow::ToOwned, boxed::Box, format, vec::Vec};
use core::ops::Range;

use reading::Reading;

use crate::{Context, pattern::Fault};

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLayout {
    text: Box<str>,
    steps: Box<[Step]>,
}

/// One part of a time, in the order of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This byte.
    Byte(u8),
    /// One blank or more.
    Blanks,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    HourOfHalf,
    HalfOfDay,
    Minute,
    Second,
    /// Digits of a second: so many, or one to nine.
    Fraction(Option<u8>),
    /// Nothing, or a point or a comma and digits.
    PointFraction,
    Zone,
    /// Nothing, or a zone, perhaps after a blank.
    OptionalZone,
    ZoneName,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMillis,
    /// What stands between the date and the time in RFC 3339 and its kin.
    DateEnd,
}

/// Directives of one letter, and the steps that they stand for.
#[rustfmt::skip] // one line a group
const DIRECTIVES: &[(u8, &[Step])] = {
    use Step::*;
    &[
        (b'Y', &[Year]), (b'y', &[YearOfCentury]),
        (b'm', &[Month]), (b'b', &[MonthName]), (b'B', &[MonthName]), (b'h', &[MonthName]),
        (b'd', &[Day]), (b'e', &[Day]), (b'j', &[DayOfYear]), (b'a', &[Weekday]), (b'A', &[Weekday]),
        (b'H', &[Hour]), (b'k', &[Hour]), (b'I', &[HourOfHalf]), (b'l', &[HourOfHalf]),
        (b'p', &[HalfOfDay]), (b'P', &[HalfOfDay]), (b'M', &[Minute]), (b'S', &[Second]),
        (b'f', &[Fraction(None)]), (b'N', &[Fraction(None)]), (b'L', &[Fraction(Some(3))]),
        (b'z', &[Zone]), (b'Z', &[ZoneName]), (b's', &[Epoch]),
        (b'F', &[Year, Byte(b'-'), Month, Byte(b'-'), Day]), (b'T', &[Hour, Byte(b':'), Minute, Byte(b':'), Second]),
        (b'R', &[Hour, Byte(b':'), Minute]), (b'D', &[Month, Byte(b'/'), Day, Byte(b'/'), YearOfCentury]),
        (b'n', &[Blanks]), (b't', &[Blanks]), (b'%', &[Byte(b'%')]),
    ]
};

/// Layouts with a name.
#[rustfmt::skip] // one line a layout
const NAMED: &[(&str, &[Step])] = {
    use Step::*;
    &[
        ("rfc3339", &[
            Year, Byte(b'-'), Month, Byte(b'-'), Day, DateEnd,
            Hour, Byte(b':'), Minute, Byte(b':'), Second, PointFraction, OptionalZone,
        ]),
        ("unix", &[Epoch, PointFraction]),
        ("unix_ms", &[EpochMillis]),
    ]
};

impl TimeLayout {
    /// The layout of RFC 3339 and its usual kin.
    #[must_use]
    pub fn rfc3339() -> Self {
        let (name, steps) = NAMED[0];
        Self { text: name.into(), steps: steps.into() }
    }

    /// Compiles directives of `strftime`, or a layout with a name: `rfc3339`, `unix` or `unix_ms`.
    ///
    /// # Errors
    /// The place of a directive that does not exist; a layout by which no time is whole.
    pub fn new(text: &str) -> Result<Self, Fault> {
        if let Some((name, steps)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(Self { text: (*name).into(), steps: (*steps).into() });
        }
        let (bytes, mut steps, mut at) = (text.as_bytes(), Vec::new(), 0);
        while let Some(&byte) = bytes.get(at) {
            if byte == b'%' {
                let (found, length) = directive(&bytes[at..]).ok_or_else(|| unknown(text, at))?;
                steps.extend_from_slice(&found);
                at += length;
            } else {
                let step = if byte == b' ' { Step::Blanks } else { Step::Byte(byte) };
                steps.push(step);
                at += 1;
            }
        }
        check_whole(&steps, 0..text.len())?;
        Ok(Self { text: text.into(), steps: steps.into() })
    }

    /// The layout as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reads a time at the beginning of a text: nanoseconds since 1970-01-01T00:00:00Z, and the bytes that it took.
    ///
    /// # Errors
    /// The bytes before the place that no time of this layout has; 0 for a time that does not exist.
    #[inline]
    pub fn read(&self, text: &[u8], context: &Context) -> Result<(i64, usize), usize> {
        let mut reading = Reading::new();
        let mut rest = text;
        for step in &*self.steps {
            rest = reading.take(*step, rest).ok_or(text.len() - rest.len())?;
        }
        reading.moment(context).map(|nanos| (nanos, text.len() - rest.len())).ok_or(0)
    }
}

/// The steps of a directive at the beginning of a text, and its length.
fn directive(text: &[u8]) -> Option<(Vec<Step>, usize)> {
    match *text {
        [b'%', digits @ b'1'..=b'9', b'f', ..] => Some((Vec::from([Step::Fraction(Some(digits - b'0'))]), 3)),
        [b'%', b'.', b'f', ..] => Some((Vec::from([Step::PointFraction]), 3)),
        [b'%', b':', b'z', ..] => Some((Vec::from([Step::Zone]), 3)),
        [b'%', letter, ..] => {
            let (_, steps) = DIRECTIVES.iter().find(|(known, _)| *known == letter)?;
            Some((steps.to_vec(), 2))
        }
        _ => None,
    }
}

fn unknown(text: &str, at: usize) -> Fault {
    let letters = text[at..].chars().skip(1).take(1).map(char::len_utf8).sum::<usize>();
    Fault {
        span: at..at + 1 + letters,
        problem: format!("`{}` is no directive of a time", &text[at..at + 1 + letters]),
        expected: "expected %Y %m %d %e %b %j %H %I %p %M %S %f, %3f, %.f, %z %Z %s %F %T, or `%%`"
            .to_owned(),
    }
}

/// Whether every part of a time can be known.
fn check_whole(steps: &[Step], span: Range<usize>) -> Result<(), Fault> {
    use Step::*;
    let has = |wanted: &[Step]| wanted.iter().any(|step| steps.contains(step));
    let (month, day) = (has(&[Month, MonthName]), has(&[Day]));
    let lacking = if has(&[Epoch, EpochMillis]) {
        None
    } else if has(&[Year, YearOfCentury]) && !month && !has(&[DayOfYear]) {
        Some("a month and a day")
    } else if month && !day {
        Some("a day")
    } else if day && !month {
        Some("a month")
    } else if has(&[HourOfHalf]) && !has(&[HalfOfDay]) {
        Some("the half of the day (%p)")
    } else if !month && !has(&[DayOfYear]) && !has(&[Hour, HourOfHalf]) {
        Some("a date or an hour")
    } else {
        None
    };
    let Some(lacking) = lacking else { return Ok(()) };
    let problem = "a time by this format is not whole".to_owned();
    Err(Fault { span, problem, expected: format!("expected {lacking} as well") })
}
