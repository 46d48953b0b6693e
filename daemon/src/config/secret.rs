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
    let tables = schema::secret_tables();
    for span in secret_sections(text, &tables) {
        star(&mut masked[span]);
    }
    for key in schema::secret_keys() {
        for (start, _) in text.match_indices(key) {
            if let Some(span) = value_span(text, start + key.len(), tables.contains(&key)) {
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

/// The span of the value after a key that ends at `key_end`, or `None` when no `=` follows. The name of a table may go on, as in
/// `headers.Name = …`.
fn value_span(text: &str, key_end: usize, is_table: bool) -> Option<Range<usize>> {
    let rest = &text[key_end..];
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let rest = if is_table && rest.starts_with('.') { rest.trim_start_matches(goes_on) } else { rest };
    let rest = rest.trim_start_matches(['"', '\'', ' ', '\t']);
    let value = rest.strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let start = text.len() - value.len();
    let len = ["\"\"\"", "'''"].into_iter().find(|quotes| value.starts_with(quotes)).map_or_else(
        || value_len(value),
        |quotes| value[3..].find(quotes).map_or(value.len(), |end| end + 6),
    );
    Some(start..start + len)
}

/// Bytes up to the end of a quoted text, or of the line where its quote is missing or escaped; of a table or list, up to the
/// bracket that closes it, or of the whole text where there is none.
fn value_len(value: &str) -> usize {
    let line = value.find('\n').unwrap_or(value.len());
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('[' | '{') => return bracketed_len(value),
        None => return line,
        Some(_) => return value[..line].find([',', '}', ']', '#']).unwrap_or(line),
    };
    let inside = &value[1..line];
    if quote == '"' && inside.contains('\\') {
        return line;
    }
    inside.find(quote).map_or(line, |end| end + 2)
}

fn bracketed_len(value: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (place, letter) in value.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') if depth == 1 => return place + 1,
            (None, ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    value.len()
}

/// The values of sections that are secret tables, such as `[outputs.chat.headers]`: what follows a `=`, or the whole line.
fn secret_sections<'a>(text: &'a str, names: &'a [&str]) -> impl Iterator<Item = Range<usize>> + 'a {
    let (mut is_secret, mut end) = (false, 0);
    text.split_inclusive('\n').filter_map(move |line| {
        let start = end;
        end += line.len();
        let written = line.trim();
        if let Some(header) = written.strip_prefix('[') {
            let path = header.split(']').next().unwrap_or_default();
            let name = path.rsplit('.').next().unwrap_or_default();
            is_secret = names.contains(&name.trim_matches([' ', '"', '\'']));
            return None;
        }
        let value = line.find('=').map_or(0, |place| place + 1);
        (is_secret && !written.is_empty()).then_some(start + value..end)
    })
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
            "url = \"https://hooks.example/services/hunter2\"",
            "headers = { X-Key = \"hunter2\", X-Other = 'hunter2' }",
            "headers = {\n  X-Key = \"}\",\n  X-Other = \"hunter2\",\n}\n",
            "headers = { X-Key = \"hunter2\"\n",
            "chat = { headers.X-Key = \"hunter2\" }",
            "outputs.chat.headers.X-Key = \"hunter2\"",
            "[outputs.chat.headers]\nX-Key = \"hunter2\"\n\"X-Other\" = \"\"\"\nhunter2\"\"\"",
            "[ outputs . chat . \"headers\" ]\nX-Key = hunter2",
        ] {
            let masked = mask(text);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.len(), text.len());
        }
        assert_eq!(mask("user = \"me\"\npassword = \"x\"\n"), "user = \"me\"\npassword = ***\n");
        let shown =
            "drop = { \"url.path\" = \"/a\", url.query = \"b\" }\n[outputs.x]\nurls = [\"http://h\"]\n";
        assert_eq!(mask(shown), shown);
    }
}
