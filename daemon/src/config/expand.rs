//! `${VARIABLE}` in the texts of a config.
//!
//! Owns: [`expand`].
//! Promises: a variable's value is taken as it is, and not looked through again; a text without `${` is not copied.
//! Never: reads the environment itself.

use std::borrow::Cow;

/// Why a text cannot be expanded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ExpandError {
    /// The environment lacks it and the text gives no default.
    #[error("the environment has no variable `{0}`")]
    Missing(String),
    /// `${` without `}`.
    #[error("a `${{` without its `}}`")]
    Unclosed,
    /// Not a name of a variable.
    #[error("`{0}` is no name of a variable")]
    Name(String),
}

impl ExpandError {
    /// What was expected, for the place of the text.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Missing(name) => format!("expected `{name}` to be set, or `${{{name}:-default}}` here"),
            Self::Unclosed => "expected `}` before the end of this text".to_owned(),
            Self::Name(_) => "expected letters, digits and `_` between `${` and `}`".to_owned(),
        }
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`.
pub(crate) fn expand<'a>(
    text: &'a str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'a, str>, ExpandError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            expanded.push_str(&rest[..start - 1]);
            expanded.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        expanded.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = inside.find('}').ok_or(ExpandError::Unclosed)?;
        expanded.push_str(&variable(&inside[..end], environment)?);
        rest = &inside[end + 1..];
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

/// The value of `NAME` or `NAME:-default`. An empty variable counts as absent when there is a default, as in a shell.
fn variable(inside: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(ExpandError::Name(name.to_owned()));
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(ExpandError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_once() {
        let environment = |name: &str| match name {
            "HOST" => Some("db".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("plain $5", Ok("plain $5")),
            ("http://${HOST}:9200", Ok("http://db:9200")),
            ("${HOST}${HOST}", Ok("dbdb")),
            ("${NONE:-a b}", Ok("a b")),
            ("${EMPTY:-x}", Ok("x")),
            ("[${EMPTY}]", Ok("[]")),
            ("${NESTED}", Ok("${HOST}")),
            ("$${HOST}", Ok("${HOST}")),
            ("${NONE}", Err(ExpandError::Missing("NONE".to_owned()))),
            ("${HOST", Err(ExpandError::Unclosed)),
            ("${A-B}", Err(ExpandError::Name("A-B".to_owned()))),
        ] {
            assert_eq!(expand(text, &environment), expected.map(Cow::Borrowed), "{text}");
        }
    }
}
