//! What a document says about itself.
//!
//! Owns: [`Metadata`], [`Level`] and [`Status`].
//! Promises: a title is there; a level and a status are Sigma's.
//! Never: changes what a rule matches.

use super::error::Fault;
use super::yaml::Section;

/// What a document says about itself, for the alerts that it causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its title.
    pub title: String,
    /// Its id, which others name it by; a UUID as a rule.
    pub id: Option<String>,
    /// Its name, which others name it by.
    pub name: Option<String>,
    /// How ripe it is.
    pub status: Option<Status>,
    /// How bad a match is.
    pub level: Option<Level>,
    /// What it finds.
    pub description: Option<String>,
    /// Who wrote it; the licence of the public rules wants it in every alert.
    pub author: Option<String>,
    /// Its licence, as an SPDX id.
    pub license: Option<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Its tags, such as `attack.t1110.001`.
    pub tags: Vec<String>,
    /// What it may be mistaken about.
    pub falsepositives: Vec<String>,
    /// When it was written, as it stands there.
    pub date: Option<String>,
    /// When it was changed, as it stands there.
    pub modified: Option<String>,
    /// Whose names its fields have; absent for Sigma's own.
    pub taxonomy: Option<String>,
}

impl Metadata {
    pub(super) fn of(root: &Section<'_>) -> Result<Self, Fault> {
        root.required("title")?;
        Ok(Self {
            title: root.text("title")?.unwrap_or_default(),
            id: root.text("id")?,
            name: root.text("name")?,
            status: by_name(
                root,
                "status",
                STATUSES,
                "stable, test, experimental, deprecated or unsupported",
            )?,
            level: by_name(root, "level", LEVELS, "informational, low, medium, high or critical")?,
            description: root.text("description")?,
            author: Some(root.texts("author")?.join(", ")).filter(|author| !author.is_empty()),
            license: root.text("license")?,
            references: root.texts("references")?,
            tags: root.texts("tags")?,
            falsepositives: root.texts("falsepositives")?,
            date: root.text("date")?,
            modified: root.text("modified")?,
            taxonomy: root.text("taxonomy")?,
        })
    }

    /// By what others can name the document: its id and its name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.id.iter().chain(&self.name).map(String::as_str)
    }

    /// By what messages call the document.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.name.as_ref().or(self.id.as_ref()).unwrap_or(&self.title)
    }
}

/// How bad a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the record.
    Informational,
    /// Seldom bad alone.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at soon.
    High,
    /// To be looked at now.
    Critical,
}

const LEVELS: &[(&str, Level)] = &[
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];

impl Level {
    /// Its name in Sigma.
    #[must_use]
    pub fn name(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| *name)
    }
}

/// How ripe a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Proven.
    Stable,
    /// Mostly right.
    Test,
    /// New.
    Experimental,
    /// Replaced by another.
    Deprecated,
    /// Not usable as it is.
    Unsupported,
}

const STATUSES: &[(&str, Status)] = &[
    ("stable", Status::Stable),
    ("test", Status::Test),
    ("experimental", Status::Experimental),
    ("deprecated", Status::Deprecated),
    ("unsupported", Status::Unsupported),
];

fn by_name<T: Copy>(
    root: &Section<'_>,
    key: &str,
    known: &[(&str, T)],
    expected: &'static str,
) -> Result<Option<T>, Fault> {
    let Some(text) = root.text(key)? else { return Ok(None) };
    let found = known.iter().find(|(name, _)| *name == text.to_ascii_lowercase());
    let line = root.get(key).map_or(root.line, |node| node.line);
    found.map(|(_, value)| Some(*value)).ok_or_else(|| root.value_error(key, &text, expected).at(line))
}
