//! Quoting what the other side says, without what is to be kept secret.
//!
//! Owns: [`Secrets`].
//! Promises: a quote is one line of bounded length, and holds none of the secrets.
//! Never: shows a secret in its debug form.

use std::cmp::Reverse;
use std::fmt;

/// Longest quote, in bytes.
const QUOTE_MAX: usize = 300;
/// Shortest text that is taken out, in bytes: a shorter one stands there by chance.
const SECRET_MIN: usize = 4;

/// Texts that nothing is quoted with, the longest first: one may hold another.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// These texts.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut texts = texts.filter(|text| text.len() >= SECRET_MIN).map(str::to_owned).collect::<Vec<_>>();
        texts.sort_by_key(|text| Reverse(text.len()));
        Self(texts)
    }

    /// The first part of what was said.
    pub(crate) fn quote(&self, said: &[u8]) -> String {
        let text = String::from_utf8_lossy(said).trim().to_owned();
        let text = self.0.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"));
        let text = text.replace(char::is_control, " ");
        text[..text.floor_char_boundary(QUOTE_MAX)].to_owned()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(…)")
    }
}
