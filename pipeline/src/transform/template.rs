//! Texts with references to fields: `{host.name}-web`.
//!
//! Owns: [`Template`], its grammar and how it is filled in.
//! Promises: braces are balanced and names are not empty, or it is refused with the place; `{{` and `}}` stand for
//! braces.
//! Never: knows where the text goes.

use logweir_parsers::{KeyId, key};

use super::read;
use crate::event::Batch;

/// A text with at least one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Field(KeyId),
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{` without its `}`.
    #[error("the `{{` after {0:?} has no `}}`; write `{{{{` for a brace itself")]
    Unclosed(String),
    /// A `}` without its `{`.
    #[error("the `}}` after {0:?} has no `{{`; write `}}}}` for a brace itself")]
    Unopened(String),
    /// What stands between the braces is no name, says the one who knows names.
    #[error("`{{{0}}}` names no field")]
    NoField(String),
}

impl Template {
    /// Reads a template; `intern` gives the number of a field name.
    ///
    /// # Errors
    /// When the braces are not balanced, or a name is refused.
    pub fn new(text: &str, intern: impl Fn(&str) -> Option<KeyId>) -> Result<Self, TemplateError> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let before = || text[..text.len() - rest.len() + at].to_owned();
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(TemplateError::Unopened(before()));
            }
            let end = after.find(['{', '}']).filter(|end| after[*end..].starts_with('}'));
            let end = end.ok_or_else(|| TemplateError::Unclosed(before()))?;
            let (name, after) = (&after[..end], &after[end + 1..]);
            let key = if name == "@timestamp" { Some(key::TIMESTAMP) } else { intern(name) };
            let key = key.ok_or_else(|| TemplateError::NoField(name.to_owned()))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Field(key));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The text, when it has no reference.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match &*self.0 {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The field, when the template is one reference and nothing else.
    #[must_use]
    pub fn reference(&self) -> Option<KeyId> {
        match *self.0 {
            [Part::Field(key)] => Some(key),
            _ => None,
        }
    }

    /// Fills it in; `None` when the event lacks one of the fields.
    pub(super) fn render(
        &self,
        batch: &Batch,
        index: usize,
        room: &mut Vec<u8>,
        made: &mut Vec<u8>,
    ) -> Option<()> {
        made.clear();
        self.fill_in(made, |key, made| {
            made.extend_from_slice(read::text(batch, index, key, room)?);
            Some(())
        })
    }

    /// Appends the text to `made`, with what `field` appends for each reference; `None` as soon as that is `None`.
    pub fn fill_in(
        &self,
        made: &mut Vec<u8>,
        mut field: impl FnMut(KeyId, &mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => made.extend_from_slice(text.as_bytes()),
                Part::Field(key) => field(*key, made)?,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, TemplateError> {
        Template::new(text, |name| (!name.is_empty()).then_some(key::HOST_NAME))
    }

    #[test]
    fn braces_are_doubled_or_hold_a_name() {
        assert_eq!(template("plain").unwrap().constant(), Some("plain"));
        assert_eq!(template("").unwrap().constant(), Some(""));
        assert_eq!(template("{{a}} }}{{").unwrap().constant(), Some("{a} }{"));
        assert_eq!(template("{host.name}").unwrap().reference(), Some(key::HOST_NAME));
        let parts = vec![Part::Text("{".into()), Part::Field(key::HOST_NAME), Part::Text("-web".into())];
        assert_eq!(template("{{{host.name}-web").unwrap(), Template(parts));
    }

    #[test]
    fn unbalanced_braces_and_empty_names_are_refused() {
        assert_eq!(template("a{b"), Err(TemplateError::Unclosed("a".to_owned())));
        assert_eq!(template("a{b{c}"), Err(TemplateError::Unclosed("a".to_owned())));
        assert_eq!(template("ab}"), Err(TemplateError::Unopened("ab".to_owned())));
        assert_eq!(template("{}"), Err(TemplateError::NoField(String::new())));
    }
}
