//! Rules of Sigma, ready to run.
//!
//! Owns: [`Plan`]: which rules an event is asked for, which correlations take their matches, and which take those of others.
//! Promises: a correlation stands behind those that it takes; only rules for the log source are asked for, and a correlation whose rules
//! cannot come together here is refused.
//! Never: changes.

use std::sync::Arc;

use super::super::RuleKind;
use super::super::alarm::SLACK;
use super::super::document::{Level, RuleText};
use crate::matcher::{Index, IndexError};
use crate::sigma::{
    self, Correlation, CorrelationKind, LogSource, Member, Metadata, Refused, RuleSet, SigmaError, Source,
};

/// Rules and correlations of one section.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the rules ask of an event, in their order.
    pub(super) index: Arc<Index>,
    pub(super) rules: Vec<RulePlan>,
    pub(super) correlations: Vec<CorrelationPlan>,
}

/// A rule about single events.
#[derive(Debug)]
pub(super) struct RulePlan {
    pub(super) text: RuleText,
    /// Whether a match is an alert.
    pub(super) alerts: bool,
    /// Who takes a match.
    pub(super) takers: Vec<Taker>,
}

/// A correlation, and as which of its members it takes something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    pub(super) correlation: usize,
    pub(super) member: usize,
}

/// A rule about what others match.
#[derive(Debug)]
pub(super) struct CorrelationPlan {
    pub(super) text: RuleText,
    /// The names of the group fields in an alert.
    pub(super) shown: Vec<String>,
    pub(super) detector: RuleKind,
    pub(super) reads: Reads,
    pub(super) members: Vec<Member>,
    /// Whether its result is an alert.
    pub(super) alerts: bool,
    /// Who takes a result.
    pub(super) takers: Vec<Taker>,
    /// How far behind the watermark all that it takes has come, in nanoseconds: windows of others may be judged so late.
    pub(super) behind: i64,
    /// Its state is for one with the same.
    pub(super) digest: u64,
}

/// What a correlation reads beside time and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Nothing,
    /// Which of its members it is.
    Member,
    /// The value of the fields together.
    Value,
    /// The number in the field.
    Number,
}

impl Reads {
    fn of(kind: CorrelationKind) -> Self {
        match kind {
            CorrelationKind::EventCount => Self::Nothing,
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => Self::Member,
            CorrelationKind::ValueCount => Self::Value,
            CorrelationKind::ValueSum
            | CorrelationKind::ValueAverage
            | CorrelationKind::ValuePercentile(_)
            | CorrelationKind::ValueMedian => Self::Number,
        }
    }
}

impl Plan {
    /// The rules of a set that are for a log source, and the correlations that cannot run there.
    pub(super) fn new(set: RuleSet, log_source: &LogSource) -> Result<(Self, Vec<Refused>), IndexError> {
        let mut planner = Planner {
            is_here: set.rules.iter().map(|rule| rule.log_source.covers(log_source)).collect(),
            names: set.rules.iter().map(|rule| rule.metadata.display_name().to_owned()).collect(),
            rule_takers: vec![Vec::new(); set.rules.len()],
            places: Vec::new(),
            correlations: Vec::new(),
            refused: Vec::new(),
        };
        set.correlations.into_iter().for_each(|correlation| planner.add(correlation));
        let Planner { is_here, rule_takers, correlations, refused, .. } = planner;
        let (mut rules, mut conditions) = (Vec::new(), Vec::new());
        for ((rule, takers), is_here) in set.rules.into_iter().zip(rule_takers).zip(is_here) {
            if is_here && (rule.alerts || !takers.is_empty()) {
                rules.push(RulePlan { text: text(rule.metadata, &rule.file), alerts: rule.alerts, takers });
                conditions.push(rule.condition);
            }
        }
        Ok((Self { index: Arc::new(Index::new(&conditions)?), rules, correlations }, refused))
    }
}

/// A plan while it is made.
struct Planner {
    /// By rule of the set: whether it is for the log source, its name, and who takes its matches.
    is_here: Vec<bool>,
    names: Vec<String>,
    rule_takers: Vec<Vec<Taker>>,
    /// By correlation of the set: its place in the plan.
    places: Vec<Option<usize>>,
    correlations: Vec<CorrelationPlan>,
    refused: Vec<Refused>,
}

impl Planner {
    /// Adds a correlation, which stands behind those that it is about.
    fn add(&mut self, correlation: Correlation) {
        let is_here = |source| match source {
            Source::Rule(rule) => self.is_here[rule],
            Source::Correlation(inner) => self.places[inner].is_some(),
        };
        let missing = correlation.members.iter().find(|member| !is_here(member.source));
        let missing = missing.map(|member| member.source);
        // One that is about nothing here is for another log source as a whole.
        if !correlation.members.iter().any(|member| is_here(member.source)) {
            self.places.push(None);
            return;
        }
        let reads = Reads::of(correlation.kind);
        if let (Some(missing), Reads::Member) = (missing, reads) {
            self.refuse(&correlation, missing);
            self.places.push(None);
            return;
        }
        let place = self.correlations.len();
        let mut behind = 0;
        for (member, source) in correlation.members.iter().map(|member| member.source).enumerate() {
            let taker = Taker { correlation: place, member };
            match source {
                Source::Rule(rule) => self.rule_takers[rule].push(taker),
                Source::Correlation(inner) => {
                    let Some(inner) = self.places[inner] else { continue };
                    let inner = &mut self.correlations[inner];
                    let late = if inner.detector.fires_between_hits() { SLACK } else { 0 };
                    behind = behind.max(inner.behind.saturating_add(late));
                    inner.takers.push(taker);
                }
            }
        }
        self.places.push(Some(place));
        self.correlations.push(CorrelationPlan {
            text: text(correlation.metadata, &correlation.file),
            shown: correlation.shown,
            detector: correlation.detector,
            reads,
            members: correlation.members,
            alerts: correlation.alerts,
            takers: Vec::new(),
            behind,
            digest: correlation.digest,
        });
    }

    fn refuse(&mut self, correlation: &Correlation, missing: Source) {
        let name = match missing {
            Source::Rule(rule) => self.names[rule].clone(),
            Source::Correlation(_) => "a correlation that it is about".to_owned(),
        };
        self.refused.push(Refused {
            file: correlation.file.clone(),
            line: Some(correlation.line),
            title: Some(correlation.metadata.title.clone()),
            id: correlation.metadata.id.clone(),
            name: correlation.metadata.name.clone(),
            error: SigmaError::OtherLogSource(name),
        });
    }
}

/// What a rule says of itself. Without an id it is known by its file and title.
fn text(metadata: Metadata, file: &str) -> RuleText {
    let level = metadata.level.map_or(Level::Medium, |level| match level {
        sigma::Level::Informational => Level::Informational,
        sigma::Level::Low => Level::Low,
        sigma::Level::Medium => Level::Medium,
        sigma::Level::High => Level::High,
        sigma::Level::Critical => Level::Critical,
    });
    RuleText {
        id: metadata.id.unwrap_or_else(|| format!("{file}: {}", metadata.title)),
        title: metadata.title,
        level,
        description: metadata.description,
        author: metadata.author,
        references: metadata.references,
        tags: metadata.tags,
    }
}
