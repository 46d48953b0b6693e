//! Why a file, a document or a part of one is not loaded.
//!
//! Owns: [`SigmaError`], and [`Refused`], which says where.
//! Promises: the message says what is wrong and what would be right.
//! Never: quotes more of a file than a word.

use std::fmt;

use crate::matcher::ItemError;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigmaError {
    /// The file is too long.
    #[error("the file has {bytes} bytes; the limit is {max}")]
    FileBytes {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The text is no YAML, or of a size or depth that no rule has.
    #[error("YAML: {0}")]
    Yaml(String),
    /// The file has too many documents.
    #[error("more than {0} documents in one file; the rest of it is not loaded")]
    Documents(usize),
    /// A key is absent or without a value.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A value is of the wrong type.
    #[error("`{key}` must be {expected}")]
    Type {
        /// The key with those above it.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A value is none of the possible ones.
    #[error("`{key}` is `{found}`; it must be {expected}")]
    Value {
        /// The key with those above it.
        key: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A key has no meaning there.
    #[error("unknown key `{key}` in `{section}`; there are {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        section: &'static str,
        /// What may stand there.
        known: &'static str,
    },
    /// A document is of two kinds.
    #[error("`{0}` and `{1}` cannot stand in one document; write two, with `---` between them")]
    Kinds(&'static str, &'static str),
    /// Sigma's old way to write several rules in one file.
    #[error("`action: {0}` is no longer Sigma; write each rule in full, with `---` between them")]
    Action(String),
    /// A condition cannot be read.
    #[error("the condition needs {expected} {place}")]
    Syntax {
        /// What must stand there.
        expected: &'static str,
        /// Where, as `instead of` a word or `at its end`.
        place: String,
    },
    /// An operator in capitals.
    #[error("the operator `{0}` of the condition must be in lower case")]
    UpperCase(String),
    /// A number or word before `of` that means nothing.
    #[error("`{0} of` in the condition; only `1 of`, `any of` and `all of` have a meaning")]
    Quantifier(String),
    /// An aggregation of old Sigma.
    #[error("`| {0}` in the condition is no longer Sigma; {1}")]
    Pipe(String, &'static str),
    /// Parentheses and negations in each other.
    #[error("more than {0} levels of parentheses and `not` in the condition")]
    Depth(usize),
    /// There is no such selection.
    #[error("the condition names the selection `{0}`, which does not exist")]
    UnknownSelection(String),
    /// A pattern fits no selection.
    #[error("no selection fits `{0}` in the condition")]
    NoSelection(String),
    /// A field, its modifiers or its values make no sense.
    #[error("{0}")]
    Item(String),
    /// A rule has too many values.
    #[error("more than {0} values in one rule")]
    Values(usize),
    /// A rule is too large with its selections in place.
    #[error("the rule comes to more than {0} comparisons")]
    Tests(usize),
    /// There is no number left for the name of a field.
    #[error(
        "the field `{0}` gets no number: its name must be 1 to 256 bytes long, or there are too many fields"
    )]
    Field(String),
    /// A condition of a correlation contradicts itself or its type.
    #[error("the condition of the correlation {0}")]
    Correlation(&'static str),
    /// The timespan is longer than any rule remembers.
    #[error("the `timespan` of the correlation is longer than 400 days")]
    Timespan,
    /// Too many rules one after the other.
    #[error("a `temporal_ordered` correlation can have {0} rules at most")]
    Steps(usize),
    /// What it asks for is too much to remember.
    #[error("the correlation asks for too much: {0}")]
    Detector(String),
    /// Nothing here can be what a rule of the correlation is about.
    #[error("`{0}` is for another log source than this one, so its rules never come together here")]
    OtherLogSource(String),
    /// Another document has the same name.
    #[error("`{name}` is also the id or name of a document in {file}, which is loaded")]
    Duplicate {
        /// The id or name.
        name: String,
        /// The file of the other.
        file: String,
    },
    /// Nothing has this name.
    #[error("there is no rule with the id or name `{0}`")]
    UnknownRule(String),
    /// What has this name was refused.
    #[error("it needs `{0}`, which was refused")]
    NeedsRefused(String),
    /// Correlations that need each other.
    #[error("it is part of a circle of correlations or needs one: `{0}`")]
    Circle(String),
    /// What has this name is of the wrong kind.
    #[error("`{0}` is not a rule; a filter is for rules")]
    NotRule(String),
    /// A filter is for events of other origin than the rule that it names.
    #[error("the `logsource` of the filter does not cover that of `{0}`")]
    FilterLogSource(String),
    /// A document is named where it has no place: a correlation of correlations has only their group fields.
    #[error("the correlation `{correlation}` has no field `{field}`: it has those of its `group-by`")]
    NoField {
        /// What was named.
        correlation: String,
        /// What it has not.
        field: String,
    },
    /// An alias does not say what it is in one of the rules.
    #[error("the alias `{alias}` names no field of `{rule}`")]
    Alias {
        /// The alias.
        alias: String,
        /// The rule.
        rule: String,
    },
    /// Something is said of a rule that the correlation does not name.
    #[error("`{0}` is none of the `rules` of the correlation")]
    NotMember(String),
}

impl SigmaError {
    /// What is wrong with the item `key`.
    pub(super) fn item(key: &str, error: &ItemError) -> Self {
        Self::Item(match error {
            ItemError::Value { expected, reason, .. } => {
                let reason = reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
                format!("`{key}` needs {expected}{reason}")
            }
            ItemError::NoValues => format!("`{key}` has no value"),
            error => format!("`{key}`: {error}"),
        })
    }

    /// With the line where it is.
    pub(super) fn at(self, line: u64) -> Fault {
        Fault { line: Some(line).filter(|line| *line > 0), error: self }
    }
}

/// What is wrong, and where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: Option<u64>,
    pub(super) error: SigmaError,
}

/// What was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file, as the caller calls it.
    pub file: String,
    /// The line, from 1, if it is known.
    pub line: Option<u64>,
    /// The title of the document, if it can be read.
    pub title: Option<String>,
    /// The id of the document, if it has one that can be read.
    pub id: Option<String>,
    /// The name of the document, if it has one that can be read.
    pub name: Option<String>,
    /// What is wrong.
    pub error: SigmaError,
}

/// One line, whatever line ends and other control characters the file has.
impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let document = match (&self.title, &self.id) {
            (Some(title), Some(id)) => format!(": \"{title}\" ({id})"),
            (Some(title), None) => format!(": \"{title}\""),
            (None, Some(id)) => format!(": {id}"),
            (None, None) => String::new(),
        };
        let text = format!("{}{line}{document}: {}", self.file, self.error);
        text.split(char::is_control).enumerate().try_for_each(|(index, part)| {
            formatter.write_str(if index == 0 { "" } else { " " })?;
            formatter.write_str(part)
        })
    }
}
