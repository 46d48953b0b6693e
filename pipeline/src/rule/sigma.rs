//! Rules of Sigma at work: each event against all of them at once.
//!
//! Owns: [`SigmaRules`]: the rules of one section of the config, and one index of their conditions.
//! Promises: what an event costs hardly depends on how many rules there are; an alert carries the title, the id and the author of its
//! rule, as the licence of the public rules asks.
//! Never: loads a rule; correlations are told as not run by whoever loads them.

use std::sync::Arc;

use logweir_parsers::{KeyId, key};

use super::anchor::Anchor;
use super::document::{Documents, RuleText};
use super::matches::{GROUP_END, Match, SharedPath};
use super::{Fired, Hit};
use crate::event::Batch;
use crate::matcher::{Condition, Index, IndexError, Matcher};
use crate::operator::{Operator, OperatorStatus, Scratch, Told, Watch, Watching};
use crate::snapshot::{Decoder, Encoder};
use crate::watermark::{Arrival, TimeLimits};

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

/// Rules of Sigma: what stays the same while they are at work.
#[derive(Debug)]
pub struct SigmaRules {
    name: Arc<str>,
    condition: Option<Condition>,
    index: Arc<Index>,
}

/// What writes the alerts, by rules.
#[derive(Debug)]
pub(crate) struct State(Vec<Documents>);

/// What one worker needs to read events for rules of Sigma.
#[derive(Debug, Default)]
pub struct SigmaScratch {
    /// Of the rules that it is used for.
    matcher: Option<Matcher>,
    /// Events, each with the rules that are about it.
    found: Vec<(Match, Vec<u32>)>,
    text: Vec<u8>,
    path: SharedPath,
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
    /// The operator of a section, which has seen nothing.
    #[must_use]
    pub fn operator(config: SigmaConfig) -> Box<dyn Operator> {
        let shown = SHOWN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        let documents = config.rules.iter().map(|text| Documents::new(&config.name, "sigma", text, &shown));
        let state = State(documents.collect());
        let rules = Self { name: config.name.into(), condition: config.condition, index: config.index };
        Box::new(Watching::new(rules, TimeLimits::default(), state))
    }
}

impl Watch for SigmaRules {
    type State = State;

    const KIND: &'static str = "rule";

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn read(&self, batch: &Batch, selected: &[u32], _: &mut Arrival, scratch: &mut Scratch) {
        let SigmaScratch { matcher, found, text, path } = &mut scratch.sigma;
        let matcher = matcher.get_or_insert_with(|| Matcher::new(Arc::clone(&self.index)));
        for &event in selected {
            let index = event as usize;
            if self.condition.as_ref().is_some_and(|condition| !condition.is_true(batch, index)) {
                continue;
            }
            let rules = matcher.matches(batch, index);
            if !rules.is_empty() {
                found.push((shown(batch, index, text, path), rules.to_vec()));
            }
        }
    }

    fn take(&self, scratch: &mut Scratch, _: Option<i64>, State(documents): &mut State, told: &mut Told) {
        for (found, rules) in scratch.sigma.found.drain(..) {
            let fired = Fired::at(&found.hit, 0, Anchor::at(&found.hit));
            for rule in rules {
                let Some(documents) = documents.get_mut(rule as usize) else { continue };
                told.document(documents.id(&fired, found.group()), |out| {
                    documents.write(&fired, found.group(), &[&found], out);
                });
            }
        }
    }

    /// An alert is about one event, and does not wait.
    fn catch_up(&self, _: i64, _: &mut State, _: &mut Told) {}

    fn save(&self, _: &State, _: &mut Encoder<'_>) {}

    fn load(&mut self, _: &mut State, _: &mut Decoder<'_>) -> Option<()> {
        Some(())
    }

    fn show(&self, _: &State, _: &mut OperatorStatus) {}
}

/// What an alert shows of an event.
fn shown(batch: &Batch, index: usize, text: &mut Vec<u8>, path: &mut SharedPath) -> Match {
    let event = &batch.events[index];
    let hit = Hit::new(event.timestamp, batch.origin(event));
    text.clear();
    for (_, key) in SHOWN {
        batch.push_json(index, *key, text);
        text.push(GROUP_END);
    }
    Match::new(0, hit, batch, index, text, path)
}
