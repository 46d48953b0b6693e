//! What correlations name, found.
//!
//! Owns: [`Resolver`], from correlations as they are written to those that can run.
//! Promises: every correlation stands after those that it is about, so there is no circle; each group field and each value has a place in every
//! rule; each has a detector.
//! Never: counts anything.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use super::Options;
use super::compile::Compiler;
use super::correlation::{CorrelationCondition, CorrelationDocument};
use super::detector::{Asked, detector};
use super::document::Document;
use super::error::{Refused, SigmaError};
use super::formula::Formula;
use super::resolved::{Correlation, FieldSource, Member, Source};
use super::set::{Loaded, Rule, is_named};
use crate::rule::Combination;

/// What correlations are resolved with.
pub(super) struct Resolver<'a> {
    pub(super) options: &'a Options<'a>,
    pub(super) documents: &'a [Loaded],
    pub(super) names: &'a HashMap<String, usize>,
    pub(super) refused: Vec<Refused>,
    pub(super) rules: Vec<Rule>,
    /// The rules' places in the set by their documents.
    pub(super) places: HashMap<usize, usize>,
    /// What is part of a loaded correlation or says so itself, and whether it alerts all the same.
    pub(super) generates: HashMap<Source, bool>,
}

/// What is known of a document that others name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Loaded(Source),
    Refused,
    Waiting,
}

impl<'a> Resolver<'a> {
    /// All correlations that can be resolved, each after those it is about.
    pub(super) fn correlations(&mut self) -> Vec<Correlation> {
        let mut states = vec![State::Refused; self.documents.len()];
        for (document, place) in &self.places {
            states[*document] = State::Loaded(Source::Rule(*place));
        }
        let mut waiting = HashMap::<usize, usize>::new();
        let mut dependents = HashMap::<usize, Vec<usize>>::new();
        let mut ready = Vec::new();
        for (number, correlation) in self.written() {
            states[number] = State::Waiting;
            let needs = correlation.rules.iter().filter_map(|rule| self.names.get(rule));
            let needs =
                needs.filter(|need| matches!(self.documents[**need].document, Document::Correlation(_)));
            let count = needs.map(|need| dependents.entry(*need).or_default().push(number)).count();
            waiting.insert(number, count);
            if count == 0 {
                ready.push(number);
            }
        }
        ready.reverse();
        let mut correlations = Vec::new();
        while let Some(number) = ready.pop() {
            waiting.remove(&number);
            states[number] = match self.resolve(number, &states, &correlations) {
                Ok((correlation, generate)) => {
                    for member in &correlation.members {
                        *self.generates.entry(member.source).or_default() |= generate;
                    }
                    correlations.push(correlation);
                    State::Loaded(Source::Correlation(correlations.len() - 1))
                }
                Err(error) => {
                    self.refused.push(self.documents[number].refused(error.at(0)));
                    State::Refused
                }
            };
            for dependent in dependents.remove(&number).unwrap_or_default() {
                if let Some(count) = waiting.get_mut(&dependent) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(dependent);
                    }
                }
            }
        }
        self.refuse_circles(&waiting);
        self.silence(&mut correlations);
        correlations
    }

    fn written(&self) -> impl Iterator<Item = (usize, &'a CorrelationDocument)> + use<'a> {
        self.documents.iter().enumerate().filter_map(|(number, loaded)| match &loaded.document {
            Document::Correlation(correlation) => Some((number, correlation)),
            _ => None,
        })
    }

    fn refuse_circles(&mut self, waiting: &HashMap<usize, usize>) {
        for (number, correlation) in self.written() {
            if waiting.contains_key(&number) {
                let is_waiting =
                    |rule: &&String| self.names.get(*rule).is_some_and(|need| waiting.contains_key(need));
                let rule = correlation.rules.iter().find(is_waiting).cloned().unwrap_or_default();
                self.refused.push(self.documents[number].refused(SigmaError::Circle(rule).at(0)));
            }
        }
    }

    /// The correlation of a document, and whether its rules alert by themselves too.
    fn resolve(
        &self,
        number: usize,
        states: &[State],
        correlations: &[Correlation],
    ) -> Result<(Correlation, bool), SigmaError> {
        let loaded = &self.documents[number];
        let Document::Correlation(document) = &loaded.document else {
            return Err(SigmaError::Missing("correlation".to_owned()));
        };
        let mut sources = Vec::new();
        for rule in &document.rules {
            let source = self.source(rule, states)?;
            if sources.contains(&source) {
                return Err(SigmaError::Correlation("is about one rule twice, by its id and its name"));
            }
            sources.push(source);
        }
        for alias in &document.aliases {
            for (rule, _) in &alias.fields {
                let source = self.source(rule, states)?;
                if !sources.contains(&source) {
                    return Err(SigmaError::NotMember(rule.clone()));
                }
            }
        }
        let (mut members, mut names) = (Vec::new(), Vec::new());
        for (rule, source) in document.rules.iter().zip(&sources) {
            let field = |name: &String| self.field(document, rule, name, *source, states, correlations);
            let group = document.group_by.iter().map(field).collect::<Result<Vec<_>, _>>()?;
            let (group, shown): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let values = document.fields.iter().map(|name| field(name).map(|(value, _)| value));
            members.push(Member { source: *source, group, values: values.collect::<Result<_, _>>()? });
            names.push(shown);
        }
        let asked = match &document.condition {
            CorrelationCondition::Bounds(bounds) => Asked::Bounds(bounds),
            CorrelationCondition::Formula(formula) => {
                Asked::Combination(self.combination(formula, &sources, states)?)
            }
        };
        let shown = document.group_by.iter().enumerate().map(|(place, written)| {
            let first = &names[0][place];
            let is_common = names.iter().all(|names| names[place] == *first);
            if is_common { first.clone() } else { written.clone() }
        });
        let correlation = Correlation {
            metadata: document.metadata.clone(),
            kind: document.kind,
            detector: detector(document, asked)?,
            digest: self.digest(document, &members, correlations),
            members,
            group_by: document.group_by.clone(),
            shown: shown.collect(),
            timespan: document.timespan,
            alerts: true,
            file: loaded.file.clone(),
            line: loaded.line,
        };
        Ok((correlation, document.generate))
    }

    fn digest(
        &self,
        document: &CorrelationDocument,
        members: &[Member],
        correlations: &[Correlation],
    ) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&document.digest.to_le_bytes());
        for member in members {
            let digest = match member.source {
                Source::Rule(place) => self.rules[place].digest,
                Source::Correlation(place) => correlations[place].digest,
            };
            hash.update(&digest.to_le_bytes());
        }
        hash.digest()
    }

    fn source(&self, rule: &str, states: &[State]) -> Result<Source, SigmaError> {
        match self.names.get(rule).map(|number| states[*number]) {
            Some(State::Loaded(source)) => Ok(source),
            Some(State::Refused | State::Waiting) => Err(SigmaError::NeedsRefused(rule.to_owned())),
            None if self.refused.iter().any(|refused| is_named(refused, rule)) => {
                Err(SigmaError::NeedsRefused(rule.to_owned()))
            }
            None => Err(SigmaError::UnknownRule(rule.to_owned())),
        }
    }

    /// Where a field or alias of the correlation stands in what the rule matches, and its name in an alert.
    fn field(
        &self,
        document: &CorrelationDocument,
        rule: &str,
        name: &str,
        source: Source,
        states: &[State],
        correlations: &[Correlation],
    ) -> Result<(FieldSource, String), SigmaError> {
        let alias = document.aliases.iter().find(|alias| alias.name == name);
        let field = match alias {
            None => name,
            Some(alias) => {
                // The alias may know the rule by its other name.
                let own = alias.fields.iter().find(|(other, _)| self.source(other, states) == Ok(source));
                let missing = || SigmaError::Alias { alias: name.to_owned(), rule: rule.to_owned() };
                &own.ok_or_else(missing)?.1
            }
        };
        match source {
            Source::Rule(place) => {
                let log_source = &self.rules[place].log_source;
                let compiler = Compiler { options: self.options, log_source };
                let shown = compiler.names(field).swap_remove(0);
                compiler.keys(field).map(|keys| (FieldSource::Event(keys), shown))
            }
            Source::Correlation(place) => {
                let inner = &correlations[place];
                let group = inner.group_by.iter().position(|own| own == field);
                let missing =
                    || SigmaError::NoField { correlation: rule.to_owned(), field: field.to_owned() };
                group.map(|place| (FieldSource::Group(place), inner.shown[place].clone())).ok_or_else(missing)
            }
        }
    }

    fn combination(
        &self,
        formula: &Formula,
        sources: &[Source],
        states: &[State],
    ) -> Result<Combination, SigmaError> {
        let all = |members: &[Formula]| {
            members
                .iter()
                .map(|member| self.combination(member, sources, states))
                .collect::<Result<Vec<_>, _>>()
        };
        match formula {
            Formula::And(members) => all(members).map(Combination::All),
            Formula::Or(members) => all(members).map(Combination::Any),
            Formula::Not(member) => {
                Ok(Combination::Not(Box::new(self.combination(member, sources, states)?)))
            }
            Formula::Name(rule) | Formula::OneOf(rule) | Formula::AllOf(rule) => {
                let source = self.source(rule, states)?;
                let place = sources.iter().position(|own| *own == source);
                place.map(Combination::Member).ok_or_else(|| SigmaError::NotMember(rule.clone()))
            }
        }
    }

    /// Takes the alerts from what correlations use, unless one of them or the rule itself says otherwise.
    fn silence(&mut self, correlations: &mut [Correlation]) {
        for (source, alerts) in &self.generates {
            match source {
                Source::Rule(place) => self.rules[*place].alerts = *alerts,
                Source::Correlation(place) => correlations[*place].alerts = *alerts,
            }
        }
    }
}
