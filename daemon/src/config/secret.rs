//! Secrets of the config.
//!
//! Owns: [`Secret`], a text that nothing prints, and [`mask`], which hides secrets in the config's own text.
//! Promises: `Debug` shows stars; there is no `Display`; an error that quotes a line of the config quotes it masked.
//! Never: reads a file or the environment.

use std::fmt;
use std::ops::Range;

use super::schema;

/// A password, token or key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// The text of a config file with the value of every secret key, and every user and password in a URL, starred
/// out byte for byte, so that spans stay right. Works on text that is not TOML yet.
pub(crate) fn mask(text: &str) -> String {
    let mut masked = text.as_bytes().to_vec();
    for key in schema::secret_keys() {
        for (start, _) in text.match_indices(key) {
            if let Some(span) = value_span(text, start + key.len()) {
                star(&mut masked[span]);
            }
        }
    }
    for (start, _) in text.match_indices("://") {
        let rest = &text[start + 3..];
        let authority = rest.find(['/', '"', '\'', '\n', '?']).unwrap_or(rest.len());
        if let Some(at) = rest[..authority].rfind('@') {
            star(&mut masked[start + 3..start + 3 + at]);
        }
    }
    String::from_utf8_lossy(&masked).into_owned()
}

/// The span of the value after a key that ends at `key_end`, or `None` when no `=` follows.
fn value_span(text: &str, key_end: usize) -> Option<Range<usize>> {
    let rest = text[key_end..].trim_start_matches(['"', '\'', ' ', '\t']);
    let value = rest.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = text.len() - value.len();
    let len = ["\"\"\"", "'''"].into_iter().find(|quotes| value.starts_with(quotes)).map_or_else(
        || one_line_value(value),
        |quotes| value[3..].find(quotes).map_or(value.len(), |end| end + 6),
    );
    Some(start..start + len)
}

/// Bytes up to the end of a quoted text, or of the line where its quote is missing or escaped.
fn one_line_value(value: &str) -> usize {
    let line = value.find('\n').unwrap_or(value.len());
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('[' | '{') | None => return line,
        Some(_) => return value[..line].find([',', '}', ']', '#']).unwrap_or(line),
    };
    let inside = &value[1..line];
    if quote == '"' && inside.contains('\\') {
        return line;
    }
    inside.find(quote).map_or(line, |end| end + 2)
}

fn star(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b'*';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
    }

    #[test]
    fn the_text_is_masked_wherever_a_secret_may_stand() {
        for text in [
            "password = \"hunter2\"\n",
            "password = 'hunter2'",
            "password=hunter2",
            "password = [\"a\", \"hunter2\"]",
            "password = \"a\\\"hunter2\"",
            "password = \"hunter2",
            "\"password\" = \"hunter2\"",
            "outputs.store.password = \"hunter2\"",
            "store = { api_key = \"hunter2\", urls = [] }",
            "password = \"\"\"\nhunter2\n\"\"\"\n",
            "urls = [\"http://me:hunter2@host:9200/\"]",
        ] {
            let masked = mask(text);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.len(), text.len());
        }
        assert_eq!(mask("user = \"me\"\npassword = \"x\"\n"), "user = \"me\"\npassword = ***\n");
    }
}
