//! Texts with a unit: sizes, durations, offsets from UTC.
//!
//! Owns: reading and writing them.
//! Promises: one spelling each; for a near miss, such as `5 mb`, the right spelling can be named.
//! Never: guesses a missing unit.

use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

const DURATIONS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes of a size such as `5MB` or `64MiB`.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    parse(text, SIZES)
}

/// A duration such as `200ms` or `5s`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, DURATIONS).map(Duration::from_millis)
}

/// Seconds east of UTC of an offset such as `+02:00`; `Z` is 0.
pub(crate) fn parse_utc_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The right spelling of what was perhaps meant as a size.
pub(crate) fn correct_bytes(text: &str) -> Option<String> {
    correct(text, SIZES)
}

/// The right spelling of what was perhaps meant as a duration.
pub(crate) fn correct_duration(text: &str) -> Option<String> {
    let long = [("milliseconds", "ms"), ("seconds", "s"), ("minutes", "m"), ("hours", "h"), ("days", "d")];
    let (number, unit) = split(text.trim());
    let unit = unit.trim().to_lowercase();
    let short = long.into_iter().find(|(name, _)| unit.len() > 2 && name.starts_with(&unit));
    correct(&format!("{number}{}", short.map_or(unit.as_str(), |(_, short)| short)), DURATIONS)
}

/// Bytes as a text with the largest unit that divides them.
pub(crate) fn bytes_text(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes >= *factor && bytes.is_multiple_of(*factor);
    let (unit, factor) = SIZES.iter().filter(fits).max_by_key(|(_, factor)| *factor).unwrap_or(&SIZES[0]);
    format!("{}{unit}", bytes / factor)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = split(text);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn correct(text: &str, units: &[(&str, u64)]) -> Option<String> {
    let (number, unit) = split(text.trim());
    let unit = unit.trim();
    let (name, _) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).or_else(|| {
        units
            .iter()
            .find(|(name, _)| !unit.is_empty() && name.len() > 1 && name[..1].eq_ignore_ascii_case(unit))
    })?;
    number.parse::<u64>().ok().map(|number| format!("{number}{name}"))
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("5MB", Some(5_000_000)),
            ("64MiB", Some(67_108_864)),
            ("0B", Some(0)),
            ("5 mb", None),
            ("5", None),
        ] {
            assert_eq!(parse_bytes(text), expected, "{text}");
        }
        assert_eq!(parse_bytes("99999999999GB"), None);
        assert_eq!(bytes_text(67_108_864), "64MiB");
        assert_eq!(bytes_text(5_000_000), "5MB");
        assert_eq!(bytes_text(1234), "1234B");
    }

    #[test]
    fn durations() {
        for (text, expected) in
            [("200ms", Some(200)), ("5s", Some(5_000)), ("2h", Some(7_200_000)), ("5 s", None)]
        {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn near_misses_are_corrected() {
        for (text, expected) in [("5 mb", Some("5MB")), ("64m", Some("64MB")), ("64", None), ("x", None)] {
            assert_eq!(correct_bytes(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in
            [("5 sec", Some("5s")), ("200 MS", Some("200ms")), ("1 hour", Some("1h")), ("5", None)]
        {
            assert_eq!(correct_duration(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn offsets() {
        for (text, expected) in [
            ("+02:00", Some(7200)),
            ("-05:30", Some(-19_800)),
            ("Z", Some(0)),
            ("+2", None),
            ("+25:00", None),
        ] {
            assert_eq!(parse_utc_offset(text), expected, "{text}");
        }
    }
}
