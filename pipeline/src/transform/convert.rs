//! `convert`: gives values another type.
//!
//! Owns: [`ConvertFields`], [`FieldType`] and [`TimeFormat`].
//! Promises: a value of the right type costs a look; one that does not fit stays as it is, and the event is marked.
//! Never: guesses a format.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use logweir_parsers::{KeyId, Zone};

use super::{Bench, Step, read};
use crate::event::{Batch, Value};
use crate::time::SECOND;

/// Gives each of these fields this type.
#[derive(Debug)]
pub struct ConvertFields(pub Vec<(KeyId, FieldType)>);

/// A type of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A whole number of 64 bits.
    Integer,
    /// A finite floating-point number.
    Float,
    /// True or false: also yes and no, on and off, 1 and 0.
    Bool,
    /// An IP address in its canonical text.
    Ip,
    /// A text.
    Text,
    /// A time.
    Time(TimeFormat),
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339; a time without an offset is in the source's zone.
    Rfc3339,
    /// Seconds since 1970-01-01T00:00:00Z, perhaps with a fraction.
    Unix,
    /// Milliseconds since then.
    UnixMillis,
    /// The directives of `strftime`.
    Pattern(String),
}

/// Why a time format cannot work.
#[derive(Debug, thiserror::Error)]
pub enum TimeFormatError {
    /// It has a directive that does not exist or cannot be read.
    #[error("{0}")]
    Directive(#[source] jiff::Error),
    /// It leaves out a part of the date.
    #[error("it tells no full date: year, month and day, or %s")]
    NoDate,
}

impl TimeFormat {
    /// A pattern that can be read back.
    ///
    /// # Errors
    /// When no text could be a time by it.
    pub fn pattern(pattern: &str) -> Result<Self, TimeFormatError> {
        let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let text = strtime::format(pattern, &sample).map_err(TimeFormatError::Directive)?;
        let parsed = BrokenDownTime::parse(pattern, &text).map_err(TimeFormatError::Directive)?;
        instant(&parsed, &Zone::UTC).ok_or(TimeFormatError::NoDate)?;
        Ok(Self::Pattern(pattern.to_owned()))
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z; `zone` is for a time that tells none.
    fn parse(&self, text: &str, zone: &Zone) -> Option<i64> {
        match self {
            Self::Unix => unix_seconds(text),
            Self::UnixMillis => text.parse::<i64>().ok()?.checked_mul(SECOND / 1000),
            Self::Rfc3339 => match text.parse::<Timestamp>() {
                Ok(timestamp) => nanos(timestamp),
                Err(_) => in_zone(text.parse::<DateTime>().ok()?, zone),
            },
            Self::Pattern(pattern) => instant(&BrokenDownTime::parse(pattern, text).ok()?, zone),
        }
    }
}

fn instant(parsed: &BrokenDownTime, zone: &Zone) -> Option<i64> {
    match parsed.to_timestamp() {
        Ok(timestamp) => nanos(timestamp),
        Err(_) => in_zone(parsed.to_datetime().ok()?, zone),
    }
}

fn in_zone(time: DateTime, zone: &Zone) -> Option<i64> {
    let local = TimeZone::UTC.to_timestamp(time).ok()?;
    let offset = zone.offset_at(local.as_second());
    nanos(local)?.checked_sub(i64::from(offset) * SECOND)
}

fn nanos(timestamp: Timestamp) -> Option<i64> {
    i64::try_from(timestamp.as_nanosecond()).ok()
}

/// Seconds digit by digit: a floating-point number would lose the last ones.
fn unix_seconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = seconds.parse::<i64>().ok()?.checked_mul(SECOND)?;
    if fraction.is_empty() {
        return Some(seconds);
    }
    let digits = fraction.get(..9).unwrap_or(fraction);
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10_i64.pow(u32::try_from(9 - digits.len()).ok()?);
    let fraction = digits.parse::<i64>().ok()? * scale;
    seconds.checked_add(if text.starts_with('-') { -fraction } else { fraction })
}

/// What became of a value.
enum Converted {
    Value(Value),
    /// A text, in the room that was lent.
    Made,
}

impl FieldType {
    /// Whether a value has the type already.
    fn has(&self, value: Value) -> bool {
        match self {
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Text => matches!(value, Value::Text(_) | Value::MadeText(_) | Value::JsonText(_)),
            Self::Time(_) => matches!(value, Value::Time(_)),
            Self::Ip => false,
        }
    }

    fn convert(&self, text: &str, zone: &Zone, made: &mut Vec<u8>) -> Option<Converted> {
        made.clear();
        Some(Converted::Value(match self {
            Self::Integer => Value::Integer(integer(text)?),
            Self::Float => Value::Float(text.parse().ok().filter(|number: &f64| number.is_finite())?),
            Self::Bool => Value::Bool(truth(text)?),
            Self::Time(format) => Value::Time(format.parse(text, zone)?),
            Self::Ip => {
                let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                let address = bare.parse::<IpAddr>().ok()?;
                std::io::Write::write_fmt(made, format_args!("{address}")).ok()?;
                return Some(Converted::Made);
            }
            Self::Text => {
                made.extend_from_slice(text.as_bytes());
                return Some(Converted::Made);
            }
        }))
    }

    /// What a value of the type is, for the reason of a failure.
    fn expected(&self) -> &'static str {
        match self {
            Self::Integer => "is not a whole number of 64 bits",
            Self::Float => "is not a finite number",
            Self::Bool => "is not true or false",
            Self::Ip => "is not an IP address",
            Self::Text => "is not a text",
            Self::Time(_) => "is not a time of the given format",
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    /// Whole numbers up to this are exact as floating-point numbers.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number = text.parse::<f64>().ok()?;
    #[allow(clippy::cast_possible_truncation)] // checked by the filter
    Some(number)
        .filter(|number| number.fract() == 0.0 && number.abs() <= EXACT_MAX)
        .map(|number| number as i64)
}

fn truth(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match (is(["true", "yes", "on", "1"]), is(["false", "no", "off", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

impl Step for ConvertFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let zone = batch.stream.source().zone.clone();
        for (key, wanted) in &self.0 {
            for index in selected.iter().map(|&index| index as usize) {
                let own = batch.get(index, *key);
                if own.is_some_and(|value| wanted.has(value)) {
                    continue;
                }
                let Some(text) = read::text_of(batch, index, *key, own, &mut bench.room) else { continue };
                let text = std::str::from_utf8(text).ok();
                match text.and_then(|text| wanted.convert(text, &zone, &mut bench.made)) {
                    Some(Converted::Value(value)) => batch.set(index, *key, value),
                    Some(Converted::Made) => {
                        if text.map(str::as_bytes) != Some(&*bench.made) || *wanted == FieldType::Text {
                            let value = batch.make_text(&bench.made);
                            batch.set(index, *key, value);
                        }
                    }
                    None => bench.fail(batch, index, *key, wanted.expected()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_their_format() {
        let pattern = |text: &str| TimeFormat::pattern(text).unwrap();
        let second = 1_795_422_600 * SECOND;
        for (format, text, expected) in [
            (TimeFormat::Rfc3339, "2026-11-23T08:30:00Z", Some(second)),
            (TimeFormat::Rfc3339, "2026-11-23T10:30:00+02:00", Some(second)),
            (TimeFormat::Rfc3339, "2026-11-23 09:30:00", Some(second)),
            (TimeFormat::Rfc3339, "yesterday", None),
            (TimeFormat::Unix, "1795422600", Some(second)),
            (TimeFormat::Unix, "1795422600.25", Some(second + SECOND / 4)),
            (TimeFormat::Unix, "-1.5", Some(-SECOND * 3 / 2)),
            (TimeFormat::Unix, "1.x", None),
            (TimeFormat::Unix, "9999999999999", None),
            (TimeFormat::UnixMillis, "1795422600000", Some(second)),
            (pattern("%d.%m.%Y %H:%M"), "23.11.2026 09:30", Some(second)),
            (pattern("%d/%b/%Y:%H:%M:%S %z"), "23/Nov/2026:08:30:00 +0000", Some(second)),
            (pattern("%Y-%m-%d"), "1970-01-02", Some(23 * 3600 * SECOND)),
            (pattern("%s"), "1795422600", Some(second)),
            (pattern("%Y-%m-%d"), "1970-01-32", None),
        ] {
            assert_eq!(format.parse(text, &Zone::fixed(3600)), expected, "{format:?} {text}");
        }
    }

    #[test]
    fn a_format_that_cannot_work_is_refused() {
        for (pattern, said) in
            [("%H:%M", "no full date"), ("%d.%m.", "no full date"), ("%Y-%m-%d %Ö", "unrecognized")]
        {
            let error = TimeFormat::pattern(pattern).unwrap_err();
            assert!(error.to_string().contains(said), "{pattern}: {error}");
        }
    }
}
