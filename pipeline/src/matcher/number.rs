//! Numbers that compare exactly, whole or not.
//!
//! Owns: [`Number`] and how a text is read as one.
//! Promises: equal numbers are one value, hash included; a comparison loses no digit of either side.
//! Never: holds a number that is not finite.

use std::cmp::Ordering;
use std::fmt;

use super::text::Text;

/// Longest text that is read as a number, in bytes.
const TEXT_BYTES_MAX: usize = 64;
/// 2⁶³: the first float above every `i64`.
const ABOVE_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

/// A finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Integer(i64),
    /// The bits of a float that is no `i64`: one with a fraction, or one too large.
    Float(u64),
}

impl Number {
    /// The number of a float, if it is finite.
    #[must_use]
    pub fn from_float(float: f64) -> Option<Self> {
        if float.fract() == 0.0 && (-ABOVE_INTEGERS..ABOVE_INTEGERS).contains(&float) {
            #[allow(clippy::cast_possible_truncation)] // it is whole and in range
            return Some(Self(Form::Integer(float as i64)));
        }
        float.is_finite().then(|| Self(Form::Float(float.to_bits())))
    }

    /// The nearest float.
    pub(super) fn as_float(self) -> f64 {
        match self.0 {
            #[allow(clippy::cast_precision_loss)] // it is rounded to the nearest
            Form::Integer(integer) => integer as f64,
            Form::Float(bits) => f64::from_bits(bits),
        }
    }

    /// The number that a text is: digits, perhaps with a sign before, a fraction, an exponent.
    pub(super) fn from_text(text: Text<'_>) -> Option<Self> {
        let bytes = text.plain()?;
        let ([b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..]) = bytes else {
            return None;
        };
        if bytes.len() > TEXT_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        match text.parse::<i64>() {
            Ok(integer) => Some(integer.into()),
            Err(_) => text.parse().ok().and_then(Self::from_float),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Integer(integer) => integer.fmt(formatter),
            Form::Float(bits) => f64::from_bits(bits).fmt(formatter),
        }
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Form::Integer(integer))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Form::Integer(left), Form::Integer(right)) => left.cmp(&right),
            (Form::Float(left), Form::Float(right)) => f64::from_bits(left).total_cmp(&f64::from_bits(right)),
            (Form::Integer(left), Form::Float(right)) => compare(left, f64::from_bits(right)),
            (Form::Float(left), Form::Integer(right)) => compare(right, f64::from_bits(left)).reverse(),
        }
    }
}

/// Compares with a float that is no `i64`, so the two are never equal.
fn compare(integer: i64, float: f64) -> Ordering {
    #[allow(clippy::cast_possible_truncation)]
    // a float beyond the range becomes the end of it, which is right
    let below = float.floor() as i64;
    if float < -ABOVE_INTEGERS || (float < ABOVE_INTEGERS && integer > below) {
        Ordering::Greater
    } else {
        Ordering::Less
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Number> {
        Number::from_text(Text::Plain(text.as_bytes()))
    }

    #[test]
    fn numbers_are_ordered_across_their_forms() {
        let sorted = [
            "-1e300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "0",
            "0.25",
            "1",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "1e300",
        ];
        for (place, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(
                    number(left).unwrap().cmp(&number(right).unwrap()),
                    place.cmp(&other),
                    "{left} {right}"
                );
            }
        }
        assert_eq!(number("5.0"), number("5"));
        assert_eq!(number("-0.0"), number("0"));
        assert_eq!(number("5e2"), Some(500.into()));
    }

    #[test]
    fn only_digits_make_a_number() {
        for text in ["", "-", "+1", ".5", "inf", "nan", "0x10", "1_0", "1e999", " 1", "1 ", "10.0.0.1", "-a"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
