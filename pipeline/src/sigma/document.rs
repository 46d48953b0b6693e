//! One document of a file.
//!
//! Owns: [`Document`] and its three kinds, and [`documents`], from the text of a file to all of its documents.
//! Promises: a broken document takes none of the others with it, unless it breaks the YAML of the rest.
//! Never: resolves a reference.

use super::correlation::CorrelationDocument;
use super::detection::{Detection, LogSource};
use super::error::{Fault, Refused, SigmaError};
use super::metadata::Metadata;
use super::yaml::{Node, Section, nodes};

/// A document, checked as far as it can be alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A rule about single events.
    Rule(RuleDocument),
    /// A rule about what other rules match.
    Correlation(CorrelationDocument),
    /// What is left out of rules.
    Filter(FilterDocument),
}

/// A rule about single events.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleDocument {
    /// What it says about itself.
    pub metadata: Metadata,
    /// Which events it is about.
    pub log_source: LogSource,
    /// What it asks of them.
    pub detection: Detection,
    /// Whether it alerts by itself though a correlation uses it.
    pub generate: bool,
    /// A hash of what it asks of them.
    pub digest: u64,
}

/// What is left out of rules.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterDocument {
    /// What it says about itself.
    pub metadata: Metadata,
    /// Which rules it is for, if not for those of all log sources.
    pub log_source: LogSource,
    /// The rules that it is for.
    pub targets: FilterTargets,
    /// What must also be true for these rules to match.
    pub detection: Detection,
    /// A hash of that.
    pub digest: u64,
}

/// The rules that a filter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterTargets {
    /// All of the log source.
    Any,
    /// Those of these ids and names.
    Named(Vec<String>),
}

impl Document {
    /// What it says about itself.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::Rule(rule) => &rule.metadata,
            Self::Correlation(correlation) => &correlation.metadata,
            Self::Filter(filter) => &filter.metadata,
        }
    }

    fn of(node: &Node) -> Result<Self, Fault> {
        let root = node.section("")?;
        if let Some(action) = root.text("action")? {
            return Err(SigmaError::Action(action).at(root.line));
        }
        let kinds =
            ["correlation", "filter", "detection"].map(|kind| root.get(kind).map(|node| (kind, node)));
        let mut kinds = kinds.into_iter().flatten();
        let (first, second) = (kinds.next(), kinds.next());
        if let (Some((first, _)), Some((second, node))) = (first, second) {
            return Err(SigmaError::Kinds(first, second).at(node.line));
        }
        let metadata = Metadata::of(&root)?;
        match first {
            Some((kind @ "correlation", node)) => {
                CorrelationDocument::of(metadata, &root, &node.section(kind)?).map(Self::Correlation)
            }
            Some((kind @ "filter", node)) => filter(metadata, &root, &node.section(kind)?).map(Self::Filter),
            _ => Ok(Self::Rule(RuleDocument {
                metadata,
                log_source: LogSource::of(&root.required("logsource")?.section("logsource")?)?,
                detection: Detection::of(&root.required("detection")?.section("detection")?, &["timeframe"])?,
                generate: root.truth("generate")?.unwrap_or(false),
                digest: root.digest(&["logsource", "detection"]),
            })),
        }
    }
}

fn filter(metadata: Metadata, root: &Section<'_>, filter: &Section<'_>) -> Result<FilterDocument, Fault> {
    let log_source = match root.get("logsource") {
        Some(node) => LogSource::of(&node.section("logsource")?)?,
        None => LogSource::default(),
    };
    filter.required("rules")?;
    let rules = filter.texts("rules")?;
    let targets = if rules == ["any"] { FilterTargets::Any } else { FilterTargets::Named(rules) };
    let (detection, digest) = (Detection::of(filter, &["rules"])?, root.digest(&["logsource", "filter"]));
    Ok(FilterDocument { metadata, log_source, targets, detection, digest })
}

/// The documents of the file `file`, each with its line, or why it is not loaded.
#[must_use]
pub fn documents(file: &str, text: &str, bytes_max: usize) -> Vec<Result<(Document, u64), Box<Refused>>> {
    let refused = |fault: Fault, node: Option<&Node>| {
        let root = node.and_then(|node| node.section("").ok());
        let text = |key| root.and_then(|root| root.text(key).ok().flatten());
        Box::new(Refused {
            file: file.to_owned(),
            line: fault.line,
            title: text("title"),
            id: text("id"),
            name: text("name"),
            error: fault.error,
        })
    };
    if text.len() > bytes_max {
        let error = SigmaError::FileBytes { bytes: text.len(), max: bytes_max };
        return vec![Err(refused(Fault { line: None, error }, None))];
    }
    let document = |node: Result<Node, Fault>| match node {
        Ok(node) => match Document::of(&node) {
            Ok(document) => Ok((document, node.line)),
            Err(fault) => Err(refused(fault, Some(&node))),
        },
        Err(fault) => Err(refused(fault, None)),
    };
    nodes(text).into_iter().map(document).collect()
}
