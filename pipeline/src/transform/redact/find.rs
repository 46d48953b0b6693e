//! What `redact` looks for.
//!
//! Owns: [`RedactKind`], the built-in kinds, and [`Finder`], which looks for one of them.
//! Promises: linear time in the text, whatever it holds; a card number has a right check digit and an address is one.
//! Never: changes a text.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::{memchr, memmem};
use regex::bytes::Regex;

/// A built-in kind of finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedactKind {
    /// The number of a payment card: 13 to 19 digits, perhaps in groups, with a right check digit.
    Card,
    /// An e-mail address.
    Email,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A JSON Web Token.
    Jwt,
    /// The token after `Bearer`.
    Bearer,
    /// An access key of AWS, and a secret key that is named as one.
    AwsKey,
    /// The password in a URL.
    UrlPassword,
}

/// A part of a text that is to be hidden: bytes `start..end`.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Find {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
}

impl RedactKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Card, Self::Email, Self::Ip, Self::Jwt, Self::Bearer, Self::AwsKey, Self::UrlPassword];

    /// Its name in a config, and in the place of what was found.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Email => "email",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Bearer => "bearer",
            Self::AwsKey => "aws_key",
            Self::UrlPassword => "url_password",
        }
    }

    const fn expression(self) -> &'static str {
        match self {
            // Only the beginning: the rest is not regular.
            Self::Card => r"(?-u)\b[2-6]\d",
            Self::Email => r"(?-u)[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}",
            Self::Ip => r"(?-u)\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*",
            Self::Jwt => r"(?-u)\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
            Self::Bearer => r"(?i-u)\bbearer +[A-Za-z0-9._~+/-]+=*",
            Self::AwsKey => {
                r#"(?-u)\b(?:AKIA|ASIA)[A-Z2-7]{16}\b|(?i-u:aws_?secret_?(?:access_?)?key["']?\s*[=:]\s*["']?)[A-Za-z0-9/+]{40}"#
            }
            Self::UrlPassword => r#"(?-u)[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*:[^\s/"']+@"#,
        }
    }

    /// A look that is cheaper than the expression: whether there may be a find.
    fn may_be_in(self, text: &[u8]) -> bool {
        match self {
            Self::Email => memchr(b'@', text).is_some(),
            Self::UrlPassword => memchr(b'@', text).is_some() && memmem::find(text, b"://").is_some(),
            _ => true,
        }
    }

    /// The part of a match that is to be hidden, if it is what it looks like.
    fn secret(self, text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
        let found = &text[start..end];
        match self {
            Self::Card => card_end(text, start).map(|end| (start, end)),
            Self::Ip => address_end(text, start, end).map(|end| (start, end)),
            Self::Bearer => Some((start + memchr::memrchr(b' ', found)? + 1, end)),
            Self::AwsKey => Some((if found.len() > 40 { end - 40 } else { start }, end)),
            Self::UrlPassword => {
                let authority = memmem::find(found, b"://")? + 3;
                Some((start + authority + memchr(b':', &found[authority..])? + 1, end - 1))
            }
            Self::Email | Self::Jwt => Some((start, end)),
        }
    }
}

/// Looks for one kind of finds.
#[derive(Debug)]
pub(super) struct Finder {
    /// None for a pattern of the user's, whose whole match is hidden.
    kind: Option<RedactKind>,
    expression: Regex,
}

impl Finder {
    pub(super) fn new(kind: RedactKind) -> Result<Self, regex::Error> {
        Ok(Self { kind: Some(kind), expression: Regex::new(kind.expression())? })
    }

    pub(super) fn pattern(expression: Regex) -> Self {
        Self { kind: None, expression }
    }

    /// Adds what is found in the text.
    pub(super) fn find(&self, text: &[u8], finds: &mut Vec<Find>) {
        let Some(kind) = self.kind else {
            let matches = self.expression.find_iter(text).filter(|found| !found.is_empty());
            finds.extend(matches.map(|found| Find {
                start: found.start(),
                end: found.end(),
                kind: "redacted",
            }));
            return;
        };
        if !kind.may_be_in(text) {
            return;
        }
        for found in self.expression.find_iter(text) {
            if let Some((start, end)) = kind.secret(text, found.start(), found.end()) {
                finds.push(Find { start, end, kind: kind.name() });
            }
        }
    }
}

/// The end of the longest card number that begins here: digits, single blanks or dashes between them, nothing that goes
/// on as a number behind it.
fn card_end(text: &[u8], start: usize) -> Option<usize> {
    const DIGITS_MAX: usize = 19;
    let mut digits = [0; DIGITS_MAX];
    let (mut count, mut at, mut end) = (0, start, None);
    while count < DIGITS_MAX {
        match text.get(at) {
            Some(digit @ b'0'..=b'9') => {
                digits[count] = digit - b'0';
                count += 1;
            }
            Some(b' ' | b'-') if text.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
            _ => break,
        }
        at += 1;
        let goes_on = text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if count >= 13 && !goes_on && has_right_check_digit(&digits[..count]) {
            end = Some(at);
        }
    }
    end
}

/// Whether the last digit is the check digit of the others (ISO/IEC 7812-1, the formula of Luhn).
fn has_right_check_digit(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let value =
        |(place, digit): (usize, &u8)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit });
    digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// The end of the address that begins here, if the match is one that stands alone. A colon or dot may follow it.
fn address_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    if before.is_some_and(|byte| is_word(byte) || *byte == b'.') || text.get(end).is_some_and(is_word) {
        return None;
    }
    let found = std::str::from_utf8(&text[start..end]).ok()?;
    if !found.contains(':') {
        let goes_on = text[end..].starts_with(b".") && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        return (!goes_on && found.parse::<Ipv4Addr>().is_ok()).then_some(end);
    }
    let shorter = found.strip_suffix([':', '.']).unwrap_or(found);
    let address = [found, shorter].into_iter().find(|found| found.parse::<Ipv6Addr>().is_ok())?;
    // `a::b` is a name in many languages.
    address.bytes().any(|byte| byte.is_ascii_digit()).then_some(start + address.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: RedactKind, text: &str) -> Vec<&str> {
        let mut finds = Vec::new();
        Finder::new(kind).unwrap().find(text.as_bytes(), &mut finds);
        finds.iter().map(|find| &text[find.start..find.end]).collect()
    }

    #[test]
    fn finds_are_what_they_look_like() {
        use RedactKind::{AwsKey, Bearer, Card, Email, Ip, Jwt, UrlPassword};
        let aws = "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for (kind, text, expected) in [
            (Card, "pay 4111 1111 1111 1111 now", &["4111 1111 1111 1111"][..]),
            (Card, "4111111111111111,5500-0000-0000-0004", &["4111111111111111", "5500-0000-0000-0004"]),
            (Card, "at 22 4111111111111111", &["4111111111111111"]),
            (Card, "4111111111111112 or 41111111111111111111111 or x4111111111111111", &[]),
            (Card, "id 1700000000000000000", &[]),
            (Email, "to <ann.lee+x@mail.example.org>, b@c", &["ann.lee+x@mail.example.org"]),
            (
                Ip,
                "from 203.0.113.7:80 to 2001:db8::1, not 1.2.3 or 1.2.3.4.5",
                &["203.0.113.7", "2001:db8::1"],
            ),
            (Ip, "::1 and fe80::1: up; std::vec a::b 08:30:00 300.1.1.1", &["::1", "fe80::1"]),
            (Ip, "[::ffff:10.0.0.1]:443", &["::ffff:10.0.0.1"]),
            (Jwt, "t=eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.;", &["eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."]),
            (Bearer, "Authorization: Bearer abc.DEF-1==, bearer", &["abc.DEF-1=="]),
            (AwsKey, "key AKIAIOSFODNN7EXAMPLE, AKIAshort", &["AKIAIOSFODNN7EXAMPLE"]),
            (AwsKey, aws, &["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]),
            (UrlPassword, "postgres://me:p@ss@db/x https://a.b/c:d@e", &["p@ss"]),
            (UrlPassword, "redis://:s3cret@cache:6379", &["s3cret"]),
        ] {
            assert_eq!(found(kind, text), expected, "{kind:?} in {text}");
        }
    }
}
