//! The rules of many files.
//!
//! Owns: [`RuleSet`], the names of all documents, the application of filters, and which rules alert by themselves.
//! Promises: of two documents with one id or name the first is loaded; a filter is applied to all of its rules or to none; the rest
//! of the set does not suffer from what is refused.
//! Never: evaluates anything.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::compile::{Compiled, Compiler, spend};
use super::document::{Document, FilterDocument, FilterTargets, RuleDocument, documents};
use super::error::{Fault, Refused, SigmaError};
use super::resolve::Resolver;
use super::resolved::{Correlation, Source};
use super::{Detection, LogSource, Metadata, Options, TESTS_MAX};
use crate::matcher::Condition;

/// A rule about single events, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it says about itself.
    pub metadata: Metadata,
    /// Which events it is about; its condition means nothing for others.
    pub log_source: LogSource,
    /// What it asks of them, filters included.
    pub condition: Condition,
    /// A hash of that and of the log source.
    pub digest: u64,
    /// Whether a match is an alert, and not only part of a correlation.
    pub alerts: bool,
    /// Its file, as the caller calls it.
    pub file: String,
    /// Its line there.
    pub line: u64,
}

/// What was loaded.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// The rules, in the order of the files.
    pub rules: Vec<Rule>,
    /// The correlations; each after those that it is about.
    pub correlations: Vec<Correlation>,
}

impl RuleSet {
    /// Loads files, each a name and a text, and tells what is not loaded of them.
    #[must_use]
    pub fn load(
        files: impl IntoIterator<Item = (String, String)>,
        options: &Options<'_>,
    ) -> (Self, Vec<Refused>) {
        let mut loader = Loader::default();
        for (file, text) in files {
            for document in documents(&file, &text, options.file_bytes_max) {
                match document {
                    Ok((document, line)) => loader.add(Loaded { document, file: file.clone(), line }),
                    Err(refused) => loader.refused.push(*refused),
                }
            }
        }
        loader.finish(options)
    }
}

/// A document and where it is from.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) document: Document,
    pub(super) file: String,
    pub(super) line: u64,
}

impl Loaded {
    pub(super) fn refused(&self, fault: Fault) -> Refused {
        let metadata = self.document.metadata();
        Refused {
            file: self.file.clone(),
            line: fault.line.or(Some(self.line).filter(|line| *line > 0)),
            title: Some(metadata.title.clone()),
            id: metadata.id.clone(),
            name: metadata.name.clone(),
            error: fault.error,
        }
    }
}

#[derive(Debug, Default)]
struct Loader {
    documents: Vec<Loaded>,
    /// Ids and names, and the documents that have them.
    names: HashMap<String, usize>,
    refused: Vec<Refused>,
}

impl Loader {
    fn add(&mut self, loaded: Loaded) {
        let names = loaded.document.metadata().names().map(str::to_owned).collect::<Vec<_>>();
        for name in &names {
            if let Some(first) = self.names.get(name) {
                let file = self.documents[*first].file.clone();
                let error = SigmaError::Duplicate { name: name.clone(), file };
                self.refused.push(loaded.refused(error.at(0)));
                return;
            }
        }
        self.names.extend(names.into_iter().map(|name| (name, self.documents.len())));
        self.documents.push(loaded);
    }

    fn finish(mut self, options: &Options<'_>) -> (RuleSet, Vec<Refused>) {
        let mut compiled = HashMap::new();
        for (number, loaded) in self.documents.iter().enumerate() {
            let Document::Rule(RuleDocument { log_source, detection, digest, .. }) = &loaded.document else {
                continue;
            };
            match (Compiler { options, log_source }).compile(detection) {
                Ok(condition) => {
                    let digest = digest ^ expanded(detection, options);
                    compiled.insert(number, (condition, digest));
                }
                Err(fault) => self.refused.push(loaded.refused(fault)),
            }
        }
        for loaded in &self.documents {
            if let Document::Filter(filter) = &loaded.document
                && let Err(fault) = self.filter(filter, &mut compiled, options)
            {
                self.refused.push(loaded.refused(fault));
            }
        }
        let mut rules = Vec::new();
        let mut places = HashMap::new();
        let mut generates = HashMap::new();
        for (number, loaded) in self.documents.iter().enumerate() {
            let Document::Rule(document) = &loaded.document else { continue };
            let Some((Compiled { condition, .. }, digest)) = compiled.remove(&number) else { continue };
            places.insert(number, rules.len());
            generates.extend(document.generate.then_some((Source::Rule(rules.len()), true)));
            rules.push(Rule {
                metadata: document.metadata.clone(),
                log_source: document.log_source.clone(),
                condition,
                digest,
                alerts: true,
                file: loaded.file.clone(),
                line: loaded.line,
            });
        }
        let mut resolver = Resolver {
            options,
            documents: &self.documents,
            names: &self.names,
            refused: self.refused,
            rules,
            places,
            generates,
        };
        let correlations = resolver.correlations();
        let Resolver { rules, refused, .. } = resolver;
        (RuleSet { rules, correlations }, refused)
    }

    /// Adds the condition of a filter to that of its rules.
    fn filter(
        &self,
        filter: &FilterDocument,
        rules: &mut HashMap<usize, (Compiled, u64)>,
        options: &Options<'_>,
    ) -> Result<(), Fault> {
        let mut filtered = Vec::new();
        for target in self.targets(filter).map_err(|error| error.at(0))? {
            let Document::Rule(RuleDocument { log_source, .. }) = &self.documents[target].document else {
                continue;
            };
            // The rule is not there when it was refused; the filter has nothing to do then.
            let Some((rule, digest)) = rules.get(&target) else { continue };
            let Compiled { condition, tests } =
                Compiler { options, log_source }.compile(&filter.detection)?;
            let mut left = TESTS_MAX;
            spend(&mut left, rule.tests)
                .and_then(|()| spend(&mut left, tests))
                .map_err(|error| error.at(0))?;
            let condition = Condition::All(vec![rule.condition.clone(), condition]);
            let digest = digest.rotate_left(1) ^ filter.digest ^ expanded(&filter.detection, options);
            filtered.push((target, (Compiled { condition, tests: rule.tests + tests }, digest)));
        }
        rules.extend(filtered);
        Ok(())
    }

    /// The documents of the rules that a filter is for.
    fn targets(&self, filter: &FilterDocument) -> Result<Vec<usize>, SigmaError> {
        let covers = |number: usize| {
            let Document::Rule(rule) = &self.documents[number].document else { return None };
            Some(filter.log_source.covers(&rule.log_source))
        };
        let FilterTargets::Named(names) = &filter.targets else {
            return Ok((0..self.documents.len()).filter(|number| covers(*number) == Some(true)).collect());
        };
        let mut targets = Vec::new();
        for name in names {
            let Some(&number) = self.names.get(name) else {
                // What was refused while it was read has no events that a filter could leave out.
                match self.refused.iter().any(|refused| is_named(refused, name)) {
                    true => continue,
                    false => return Err(SigmaError::UnknownRule(name.clone())),
                }
            };
            match covers(number) {
                None => return Err(SigmaError::NotRule(name.clone())),
                Some(false) => return Err(SigmaError::FilterLogSource(name.clone())),
                Some(true) if targets.contains(&number) => {}
                Some(true) => targets.push(number),
            }
        }
        Ok(targets)
    }
}

/// A hash of what placeholders stand for, as far as a detection depends on them.
fn expanded(detection: &Detection, options: &Options<'_>) -> u64 {
    if detection.expands() { xxh3_64(format!("{:?}", options.placeholders).as_bytes()) } else { 0 }
}

/// Whether a refused document has this id or name.
pub(super) fn is_named(refused: &Refused, name: &str) -> bool {
    [&refused.id, &refused.name].into_iter().flatten().any(|own| own == name)
}
