//! Walking over valid JSON without reading it into anything.
//!
//! Owns: the ends of values, the members of an object, the elements of a list.
//! Promises: offsets that lie in the text; on text that is no valid JSON it ends early.
//! Never: copies, allocates, fails.

use std::ops::Range;

/// The elements of a list: where each lies.
pub(super) struct Elements<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    /// Those of this text, which is a list.
    pub(super) fn of(json: &'a [u8]) -> Self {
        Self { json, at: 1 }
    }
}

impl Iterator for Elements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.at += skipped(self.json.get(self.at..)?, b" \t\r\n,");
        let element = self.at..self.at + value_len(self.json.get(self.at..)?);
        self.at = element.end;
        (!element.is_empty()).then_some(element)
    }
}

/// The members of an object: where the inside of each name lies, and its value.
pub(super) struct Members<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    /// Those of this text, which is an object.
    pub(super) fn of(json: &'a [u8]) -> Self {
        Self { json, at: 1 }
    }

    fn skip(&mut self, unwanted: &[u8]) {
        self.at += skipped(self.json.get(self.at..).unwrap_or_default(), unwanted);
    }
}

impl Iterator for Members<'_> {
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip(b" \t\r\n,");
        let rest = self.json.get(self.at..)?;
        let name = (rest.first() == Some(&b'"')).then(|| value_len(rest))?;
        let name = self.at + 1..(self.at + name).checked_sub(1)?;
        self.at = name.end + 1;
        self.skip(b" \t\r\n:");
        let value = self.at..self.at + value_len(self.json.get(self.at..)?);
        self.at = value.end;
        (!value.is_empty()).then_some((name, value))
    }
}

/// How many bytes at the beginning are among the unwanted ones.
fn skipped(json: &[u8], unwanted: &[u8]) -> usize {
    json.iter().take_while(|byte| unwanted.contains(byte)).count()
}

/// Bytes of the JSON value at the beginning of a text.
pub(super) fn value_len(json: &[u8]) -> usize {
    match json.first() {
        Some(b'"') => string_len(json),
        Some(b'{' | b'[') => nested_len(json),
        _ => json.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(json.len()),
    }
}

/// Bytes of a string with its quotes.
fn string_len(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(next) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += next + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

/// Bytes of a list or an object.
fn nested_len(json: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at += string_len(&json[at..]),
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => (depth, at) = (depth.saturating_sub(1), at + 1),
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_they_hold() {
        let json = br#"{"a":1 , "b\"" : {"x":"}\"]","y":[{}]},"c":["]"],"d":null}"#;
        let text = |range: Range<usize>| std::str::from_utf8(&json[range]).unwrap();
        let found = Members::of(json).map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>();
        let expected = [("a", "1"), (r#"b\""#, r#"{"x":"}\"]","y":[{}]}"#), ("c", r#"["]"]"#), ("d", "null")];
        assert_eq!(found, expected);
        assert_eq!(Members::of(b"{}").count(), 0);
    }

    #[test]
    fn elements_are_found_whatever_they_are() {
        let json = br#"[ 1,"],\"" , [2,[]],{"a":[3]}, null ]"#;
        let found = Elements::of(json).map(|range| std::str::from_utf8(&json[range]).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), ["1", r#""],\"""#, "[2,[]]", r#"{"a":[3]}"#, "null"]);
        assert_eq!(Elements::of(b"[ ]").count(), 0);
    }

    #[test]
    fn text_that_is_cut_off_ends_early() {
        let json = br#"{"a":{"b":["c\"#;
        for end in 0..json.len() {
            assert!(Members::of(&json[..end]).count() <= 1);
        }
    }
}
