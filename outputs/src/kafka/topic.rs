//! Names of topics: `logs.{data_stream.dataset}`.
//!
//! Owns: [`TopicTemplate`].
//! Promises: whatever an event holds, the name is one that Kafka takes: letters, digits, `.`, `_` and `-`, at most 249 of
//! them, not `.` or `..`. Other characters of a value become `_`, and a name that is too long is cut.
//! Never: asks a broker.

use std::sync::Arc;

use logweir_pipeline::kafka::topic_name::{NAME_MAX, has_character, is_dots};
use logweir_pipeline::{Batch, Keys};

use crate::file::{PathTemplate, TemplateError};

/// What is wrong with a template of names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// It is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A character that Kafka does not take.
    #[error("a topic has only letters, digits, \".\", \"_\" and \"-\", not {0:?}")]
    Character(char),
    /// A name that Kafka does not take.
    #[error("a topic has at most {NAME_MAX} characters")]
    TooLong,
    /// `.` or `..`
    #[error("a topic cannot be named \".\" or \"..\"")]
    Dots,
}

/// A name of a topic with places for values of an event.
#[derive(Clone, Debug)]
pub struct TopicTemplate(PathTemplate);

impl TopicTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str, keys: &Arc<Keys>) -> Result<Self, TopicError> {
        let template = PathTemplate::new(text, keys)?;
        let refused = template.literals().flat_map(str::chars).find(|character| !has_character(*character));
        if let Some(character) = refused {
            return Err(TopicError::Character(character));
        }
        if template.literals().map(str::len).sum::<usize>() > NAME_MAX {
            return Err(TopicError::TooLong);
        }
        if template.is_constant() && is_dots(text) {
            return Err(TopicError::Dots);
        }
        Ok(Self(template))
    }

    /// Whether every event has the same topic.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.0.is_constant()
    }

    /// Writes the topic of an event.
    pub fn render(&mut self, batch: &Batch, index: usize, name: &mut String) {
        self.0.fill_in(batch, index, name);
        if !name.chars().all(has_character) {
            *name = name
                .chars()
                .map(|character| if has_character(character) { character } else { '_' })
                .collect();
        }
        name.truncate(NAME_MAX);
        if is_dots(name) {
            *name = name.replace('.', "_");
        }
    }
}

#[cfg(test)]
mod tests {
    use logweir_parsers::Format;

    use super::*;
    use crate::testing::Source;

    fn name_of(template: &str, line: &str) -> String {
        let mut source = Source::new(Format::Json, 1);
        let mut template = TopicTemplate::new(template, &source.keys).unwrap();
        let mut name = String::new();
        template.render(&source.batch(&[line]), 0, &mut name);
        name
    }

    #[test]
    fn values_become_names_that_kafka_takes() {
        for (line, expected) in [
            (r#"{"a":"nginx.access"}"#, "logs.nginx.access"),
            (r#"{"a":"Shop API/é"}"#, "logs.Shop_API__"),
            (r#"{"a":7}"#, "logs.7"),
            (r"{}", "logs.unknown"),
            (r#"{"a":""}"#, "logs.unknown"),
            (r#"{"a":".."}"#, "logs._."),
        ] {
            assert_eq!(name_of("logs.{a}", line), expected, "{line}");
        }
        assert_eq!(name_of("{a}", r#"{"a":"."}"#), "_");
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(300));
        assert_eq!(name_of("{a}{a}{a}", &long).len(), NAME_MAX);
    }

    #[test]
    fn literals_are_checked_when_the_config_is() {
        let keys = Keys::new(100);
        for (template, expected) in [
            ("logs/{a}", TopicError::Character('/')),
            ("log s", TopicError::Character(' ')),
            ("größe", TopicError::Character('ö')),
            (".", TopicError::Dots),
            ("..", TopicError::Dots),
            ("", TopicError::Template(TemplateError::Empty)),
            ("logs.{a", TopicError::Template(TemplateError::Brace(5))),
        ] {
            assert_eq!(TopicTemplate::new(template, &keys).unwrap_err(), expected, "{template}");
        }
        assert_eq!(TopicTemplate::new(&"x".repeat(250), &keys).unwrap_err(), TopicError::TooLong);
        assert_eq!(name_of(&"x".repeat(249), "{}").len(), 249);
    }
}
