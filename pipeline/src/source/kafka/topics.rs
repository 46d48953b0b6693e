//! Which topics: names, or patterns when they hold a special character.
//!
//! Owns: [`TopicPattern`].
//! Promises: a pattern means the same to the client and to the broker, whose regular expressions differ: what is made of it
//! has only what both know.
//! Never: asks a cluster.

use std::str::FromStr;

use crate::kafka::topic_name::{NAME_MAX, has_character, is_dots};

/// A topic, or a pattern of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPattern {
    subscription: String,
}

/// Not a topic and not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// No name.
    #[error("expected the name of a topic, or a pattern such as \"logs.*\"")]
    Empty,
    /// A character that names do not have.
    #[error("topics have letters, digits, `.`, `_` and `-`; patterns also `*`, `?`, `[a-z]` and `{{a,b}}`")]
    Character,
    /// An open bracket.
    #[error("a `[` or `{{` of the pattern is not closed, or closed and not open")]
    Bracket,
    /// Too long.
    #[error("a topic has at most {NAME_MAX} characters")]
    Long,
}

impl TopicPattern {
    /// What a client subscribes to: a name, or a regular expression, which begins with `^`.
    #[must_use]
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// Whether it may be several topics.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.subscription.starts_with('^')
    }
}

impl FromStr for TopicPattern {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() || is_dots(text) {
            return Err(TopicError::Empty);
        }
        if text.starts_with('^') {
            // A regular expression, which client and broker judge.
            return Ok(Self { subscription: text.to_owned() });
        }
        if text.contains(['*', '?', '[', ']', '{', '}']) {
            return Ok(Self { subscription: regular_expression(text)? });
        }
        if !text.chars().all(has_character) {
            return Err(TopicError::Character);
        }
        if text.len() > NAME_MAX {
            return Err(TopicError::Long);
        }
        Ok(Self { subscription: text.to_owned() })
    }
}

/// A pattern as a regular expression. A star that comes first does not take in what Kafka keeps for itself, whose names
/// begin with two underscores.
fn regular_expression(pattern: &str) -> Result<String, TopicError> {
    let mut expression = String::from("^");
    let (mut in_class, mut in_choice) = (false, false);
    for (place, character) in pattern.char_indices() {
        match character {
            ']' if in_class => in_class = false,
            '!' if in_class && pattern[..place].ends_with('[') => {
                expression.push('^');
                continue;
            }
            _ if in_class && has_character(character) => {}
            _ if in_class => return Err(TopicError::Bracket),
            '[' => in_class = true,
            '*' if place == 0 => {
                expression.push_str("([^_]|_[^_]).*");
                continue;
            }
            '*' => {
                expression.push_str(".*");
                continue;
            }
            '?' => {
                expression.push('.');
                continue;
            }
            '{' if !in_choice => {
                in_choice = true;
                expression.push('(');
                continue;
            }
            '}' if in_choice => {
                in_choice = false;
                expression.push(')');
                continue;
            }
            ',' if in_choice => {
                expression.push('|');
                continue;
            }
            '{' | '}' | ']' => return Err(TopicError::Bracket),
            '.' => expression.push('\\'),
            _ if has_character(character) => {}
            _ => return Err(TopicError::Character),
        }
        expression.push(character);
    }
    if in_class || in_choice {
        return Err(TopicError::Bracket);
    }
    expression.push('$');
    Ok(expression)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn names_are_names_and_patterns_are_expressions() {
        for (text, subscription) in [
            ("logs.nginx", "logs.nginx"),
            ("logs.*", r"^logs\..*$"),
            ("logs-[a-c]?", r"^logs-[a-c].$"),
            ("logs.{nginx,sshd}", r"^logs\.(nginx|sshd)$"),
            ("[!x]y", "^[^x]y$"),
            ("^audit_[0-9]+$", "^audit_[0-9]+$"),
        ] {
            let topic = text.parse::<TopicPattern>().unwrap();
            assert_eq!(topic.subscription(), subscription, "{text}");
            assert_eq!(topic.is_pattern(), subscription.starts_with('^'));
        }
    }

    #[test]
    fn a_pattern_takes_in_what_it_says() {
        for (text, topics, others) in [
            ("logs.*", &["logs.", "logs.nginx.access"][..], &["logs", "logsxnginx", "my.logs.a"][..]),
            ("*", &["logs", "_a", "ab"], &["__consumer_offsets"]),
            ("*.prod", &["shop.prod"], &["shop.production"]),
        ] {
            let expression = Regex::new(text.parse::<TopicPattern>().unwrap().subscription()).unwrap();
            for topic in topics {
                assert!(expression.is_match(topic), "{text} {topic}");
            }
            for topic in others {
                assert!(!expression.is_match(topic), "{text} {topic}");
            }
        }
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        for (text, error) in [
            ("", TopicError::Empty),
            ("..", TopicError::Empty),
            ("a b", TopicError::Character),
            ("a/*", TopicError::Character),
            ("a[b", TopicError::Bracket),
            ("a}", TopicError::Bracket),
            ("{a,{b}}", TopicError::Bracket),
        ] {
            assert_eq!(text.parse::<TopicPattern>(), Err(error), "{text}");
        }
        assert_eq!("x".repeat(250).parse::<TopicPattern>(), Err(TopicError::Long));
    }
}
