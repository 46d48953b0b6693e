//! The inside of a JSON string as the text that it stands for.
//!
//! Owns: [`unescape`].
//! Promises: the result is valid UTF-8, whatever the text was: half a surrogate pair and invalid bytes become U+FFFD.
//! Never: fails; a backslash that begins no escape stands for itself.

/// Appends the text of the inside of a JSON string to a buffer.
pub(super) fn unescape(json: &[u8], text: &mut Vec<u8>) {
    let valid = String::from_utf8_lossy(json);
    let mut rest = &*valid;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        rest = match escape(&rest[at..]) {
            Some((letter, after)) => {
                text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            None => {
                text.push(b'\\');
                &rest[at + 1..]
            }
        };
    }
    text.extend_from_slice(rest.as_bytes());
}

/// The letter of an escape at the beginning of a text, and what follows it.
fn escape(text: &str) -> Option<(char, &str)> {
    let kind = *text.as_bytes().get(1)?;
    let letter = match kind {
        b'"' | b'\\' | b'/' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((letter, &text[2..]))
}

/// The letter of `\uHHHH`, or of two of them that are a surrogate pair.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(text)?;
    if let Some(letter) = char::from_u32(first) {
        return Some((letter, rest));
    }
    let pair = code_unit(rest).and_then(|(second, rest)| {
        let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
        let letter = char::from_u32(0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff))?;
        is_pair.then_some((letter, rest))
    });
    Some(pair.unwrap_or((char::REPLACEMENT_CHARACTER, rest)))
}

fn code_unit(text: &str) -> Option<(u32, &str)> {
    let digits = text
        .strip_prefix("\\u")?
        .get(..4)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[6..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(json: &[u8]) -> String {
        let mut text = Vec::new();
        unescape(json, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn escapes_are_what_serde_json_makes_of_them() {
        for json in [r#"say \"hi\"\n\u00e4\/\\"#, r"\ud83d\ude00 x", "", "ä", r"\b\f\r\t"] {
            let expected: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            assert_eq!(unescaped(json.as_bytes()), expected);
        }
    }

    #[test]
    fn what_is_no_json_is_kept_or_replaced() {
        assert_eq!(unescaped(br"\q\u12\"), r"\q\u12\");
        assert_eq!(unescaped(br"\ud83d x \ud83d\u0041"), "\u{fffd} x \u{fffd}A");
        assert_eq!(unescaped(b"a\xffb"), "a\u{fffd}b");
    }
}
