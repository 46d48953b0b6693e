//! The name in a certificate.
//!
//! Owns: [`subject`], a certificate's distinguished name as text (RFC 4514).
//! Promises: any certificate, also a malicious one, gives a text of bounded length or none.
//! Never: decides whether to trust a certificate.

use std::fmt::Write;

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Bytes of the longest name that is shown.
const NAME_BYTES_MAX: usize = 1024;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The short names of RFC 4514 section 3, by the encoded identifiers below 2.5.4.
const SHORT_NAMES: &[(u8, &str)] =
    &[(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (9, "STREET"), (10, "O"), (11, "OU")];

/// The subject of a certificate, its most specific part first: `CN=web1,O=Shop,C=DE`.
pub(in super::super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let name = name(certificate.subject())?;
    (!name.is_empty()).then_some(name)
}

/// A name as text: a sequence of sets of an identifier and a text each.
fn name(mut parts: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while !parts.is_empty() {
        let mut part = value(SET, &mut parts)?;
        let mut text = String::new();
        while !part.is_empty() {
            let mut attribute = value(SEQUENCE, &mut part)?;
            let identifier = value(OBJECT_IDENTIFIER, &mut attribute)?;
            let (_, content) = element(&mut attribute)?;
            if !text.is_empty() {
                text.push('+');
            }
            append(identifier, content, &mut text)?;
        }
        texts.push(text);
    }
    texts.reverse();
    let text = texts.join(",");
    (text.len() <= NAME_BYTES_MAX).then_some(text)
}

fn append(identifier: &[u8], content: &[u8], text: &mut String) -> Option<()> {
    let short = match identifier {
        [0x55, 0x04, last] => SHORT_NAMES.iter().find(|(number, _)| number == last),
        _ => None,
    };
    match short {
        Some((_, name)) => text.push_str(name),
        None => identifier.iter().try_for_each(|byte| write!(text, "{byte:02x}")).ok()?,
    }
    text.push('=');
    for letter in String::from_utf8_lossy(content).chars() {
        if matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            text.push('\\');
        }
        text.push(if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter });
    }
    Some(())
}

/// The content of the next element, which must have this tag.
fn value<'a>(tag: u8, input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (found, content) = element(input)?;
    (found == tag).then_some(content)
}

/// The tag and content of the next element of DER (X.690).
fn element<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[tag, first], mut rest) = input.split_first_chunk()?;
    let len = if first < 0x80 {
        usize::from(first)
    } else {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        rest = after;
        if digits.len() > 2 {
            return None;
        }
        digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit))
    };
    let (content, after) = rest.split_at_checked(len)?;
    *input = after;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element of DER.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    fn attribute(identifier: &[u8], text: &str) -> Vec<u8> {
        der(SEQUENCE, &[der(OBJECT_IDENTIFIER, identifier), der(0x0c, text.as_bytes())].concat())
    }

    #[test]
    fn names_are_written_as_rfc_4514_says() {
        let (country, common) = ([0x55, 4, 6], [0x55, 4, 3]);
        let parts = [
            der(SET, &attribute(&country, "DE")),
            der(SET, &[attribute(&common, "web1, the \"first\""), attribute(&[0x2a, 3], "x\n")].concat()),
        ];
        let expected = "CN=web1\\, the \\\"first\\\"+2a03=x\u{fffd},C=DE";
        assert_eq!(name(&parts.concat()).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_name_gives_none() {
        let whole = der(SET, &attribute(&[0x55, 4, 3], "web1"));
        assert!(name(&whole).is_some());
        for end in 1..whole.len() {
            assert_eq!(name(&whole[..end]), None, "{end}");
        }
        for bytes in [&[SET, 0x84, 1, 0, 0, 0][..], &[SET, 0xff], &[0x30, 0], &[SET, 2, 0x30, 0]] {
            assert_eq!(name(bytes), None, "{bytes:?}");
        }
    }
}
