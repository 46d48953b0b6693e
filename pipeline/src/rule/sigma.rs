//! Rules of Sigma at work: each event against all of them at once.
//!
//! Owns: [`SigmaRules`]: the rules of one section of the config, one index of their conditions, and the alerts that are ready to leave.
//! Promises: what an event costs hardly depends on how many rules there are; an alert carries the title, the id and the author of its
//! rule, as the licence of the public rules asks.
//! Never: loads a rule; correlations are told as not run by whoever loads them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logweir_parsers::{KeyId, key};
use xxhash_rust::xxh3::Xxh3;

use super::anchor::Anchor;
use super::document::{Documents, RuleText};
use super::matches::{Evidence, GROUP_END, Match};
use super::{Fired, Hit};
use crate::event::{Batch, Origin};
use crate::matcher::{Condition, Index, IndexError, Matcher};
use crate::operator::{Emitted, Operator, OperatorCounts, OperatorStatus, Scratch};

/// The fields of an event that its alert has too, if the event has them.
const SHOWN: &[(&str, KeyId)] =
    &[("host.name", key::HOST_NAME), ("source.ip", key::SOURCE_IP), ("user.name", key::USER_NAME)];

/// What the config says of a section with rules of Sigma.
#[derive(Clone, Debug)]
pub struct SigmaConfig {
    /// Its name.
    pub name: String,
    /// Which events it is about, whatever the rules say; all when there is none.
    pub condition: Option<Condition>,
    /// What each rule says of itself.
    pub rules: Vec<RuleText>,
    /// What they ask of an event, in the same order.
    pub index: Arc<Index>,
}

/// Rules of Sigma at work.
#[derive(Debug)]
pub struct SigmaRules {
    name: Arc<str>,
    condition: Option<Condition>,
    ids: Vec<String>,
    index: Arc<Index>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By rules.
    documents: Vec<Documents>,
    ready: Emitted,
    counts: OperatorCounts,
}

impl SigmaConfig {
    /// A section with these rules.
    ///
    /// # Errors
    /// When their conditions are too many or too large.
    pub fn new(
        name: String,
        condition: Option<Condition>,
        rules: Vec<(RuleText, Condition)>,
    ) -> Result<Self, IndexError> {
        let (rules, conditions): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        Ok(Self { name, condition, rules, index: Arc::new(Index::new(&conditions)?) })
    }
}

impl SigmaRules {
    /// The rules of a section, which have seen nothing.
    #[must_use]
    pub fn new(config: SigmaConfig) -> Self {
        let shown = SHOWN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        let documents = config.rules.iter().map(|text| Documents::new(&config.name, "sigma", text, &shown));
        let state = State {
            documents: documents.collect(),
            ready: Emitted::default(),
            counts: OperatorCounts::default(),
        };
        Self {
            name: config.name.into(),
            condition: config.condition,
            ids: config.rules.into_iter().map(|rule| rule.id).collect(),
            index: config.index,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the document of an event that a rule is about.
    fn tell(&self, rule: usize, found: &Match, state: &mut State) {
        let Some(documents) = state.documents.get_mut(rule) else { return };
        let event = found.hit.event;
        let fired = Fired::at(&found.hit, 0, Anchor::at(&found.hit));
        documents.remember(found);
        documents.write(&fired, &found.group, &mut state.ready.lines);
        documents.forget();
        state.ready.lines.push(b'\n');
        let mut hash = Xxh3::new();
        hash.update(self.ids[rule].as_bytes());
        hash.update(&[0]);
        hash.update(&event.stream.to_be_bytes());
        hash.update(&event.offset.to_be_bytes());
        let hash = hash.digest128();
        #[allow(clippy::cast_possible_truncation)] // its two halves
        let (stream, offset) = ((hash >> 64) as u64, hash as u64);
        state.ready.ids.push(Origin { stream, offset });
        state.counts.documents += 1;
    }
}

impl Operator for SigmaRules {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "rule"
    }

    fn announce(&self, _: u64, _: i64) {}

    fn forget(&self, _: u64, _: i64) -> usize {
        self.state().ready.lines.len()
    }

    fn observe(&self, batch: &Batch, selected: &[u32], _: i64, scratch: &mut Scratch) -> usize {
        let matcher = scratch.matcher.get_or_insert_with(|| Matcher::new(Arc::clone(&self.index)));
        let mut text = Vec::new();
        let mut ready = None;
        for &event in selected {
            let index = event as usize;
            if self.condition.as_ref().is_some_and(|condition| !condition.is_true(batch, index)) {
                continue;
            }
            let rules = matcher.matches(batch, index);
            if rules.is_empty() {
                continue;
            }
            let found = found(batch, index, &mut text);
            let mut state = self.state();
            for &rule in rules {
                self.tell(rule as usize, &found, &mut state);
            }
            ready = Some(state.ready.lines.len());
        }
        ready.unwrap_or(0)
    }

    fn advance(&self, _: i64) -> usize {
        self.state().ready.lines.len()
    }

    fn end(&self) {}

    fn take_ready(&self) -> Emitted {
        std::mem::take(&mut self.state().ready)
    }

    fn status(&self) -> OperatorStatus {
        OperatorStatus { counts: self.state().counts, ..OperatorStatus::default() }
    }
}

/// What an alert shows of an event.
fn found(batch: &Batch, index: usize, text: &mut Vec<u8>) -> Match {
    let event = &batch.events[index];
    let hit = Hit::new(event.timestamp, batch.origin(event));
    let mut group = Vec::new();
    for (_, key) in SHOWN {
        batch.push_json(index, *key, &mut group);
        group.push(GROUP_END);
    }
    Match { key: 0, hit, group: group.into(), evidence: Evidence::of(batch, index, text) }
}
