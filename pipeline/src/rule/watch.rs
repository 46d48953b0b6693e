//! A rule of the config at work.
//!
//! Owns: [`Rule`]: which events it is about, and the order in which its kind gets them.
//! Promises: the same alerts, each once, for any order of the events within the lateness, any split into batches and any number
//! of workers: events wait until the watermark has passed them and are then taken in the order of their times.
//! Never: reads a clock, or waits.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use logweir_parsers::KeyId;

use super::document::{Documents, RuleText};
use super::feed::Feed;
use super::matches::{Matches, Reader, Reads};
use super::{Limits, RuleError, RuleKind};
use crate::event::Batch;
use crate::matcher::Condition;
use crate::operator::{Operator, OperatorStatus, Scratch, Told, Watch, Watching};
use crate::snapshot::{Decoder, Encoder};
use crate::watermark::{Arrival, TimeLimits};

/// What the config says of a rule.
#[derive(Clone, Debug)]
pub struct RuleConfig {
    /// Its name.
    pub name: String,
    /// What it says of itself to people.
    pub text: RuleText,
    /// Which events it is about; all when there is none.
    pub condition: Option<Condition>,
    /// The fields by whose values events are put into groups.
    pub by: Vec<(String, KeyId)>,
    /// What it asks of the events of a group.
    pub kind: RuleKind,
    /// What it reads of them for that.
    pub reads: Reads,
    /// What is asked of event times.
    pub times: TimeLimits,
    /// Most groups, and how often one fires.
    pub limits: Limits,
}

/// A rule: what stays the same while it is at work.
#[derive(Debug)]
pub struct Rule {
    name: Arc<str>,
    reader: Reader,
}

/// What a rule remembers of events.
#[derive(Debug)]
pub(crate) struct State {
    feed: Feed,
    documents: Documents,
}

/// What one worker needs to read events for a rule.
#[derive(Debug, Default)]
pub struct RuleScratch(Matches);

impl Rule {
    /// The operator of a rule, which has seen nothing.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn operator(config: RuleConfig) -> Result<Box<dyn Operator>, RuleError> {
        let feed = Feed::new(&config.kind, config.limits)?;
        let (names, by): (Vec<_>, Vec<_>) = config.by.into_iter().unzip();
        let documents = Documents::new(&config.name, config.kind.name(), &config.text, &names);
        let seed = RandomState::new().build_hasher().finish();
        let reader =
            Reader { condition: config.condition, by, reads: config.reads, limits: config.times, seed };
        let rule = Self { name: config.name.into(), reader };
        Ok(Box::new(Watching::new(rule, config.times, State { feed, documents })))
    }
}

impl Watch for Rule {
    type State = State;

    const KIND: &'static str = "rule";

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, scratch: &mut Scratch) {
        self.reader.read(batch, selected, arrival, &mut scratch.rule.0);
    }

    fn take(&self, scratch: &mut Scratch, passed: Option<i64>, state: &mut State, told: &mut Told) {
        let (matches, State { feed, documents }) = (&mut scratch.rule.0, state);
        for found in matches.found.drain(..) {
            if passed.is_some_and(|passed| found.hit.time < passed) {
                told.counts.late += 1;
                continue;
            }
            feed.push(found, &mut |outcome| outcome.tell(documents, told));
        }
        told.counts.late += matches.late;
        told.counts.without_field += matches.without_field;
        told.counts.future += matches.future;
    }

    /// Takes the events that the watermark has passed, then lets windows end that have none.
    fn catch_up(&self, watermark: i64, state: &mut State, told: &mut Told) {
        let State { feed, documents } = state;
        feed.catch_up(watermark, &mut |outcome| outcome.tell(documents, told));
    }

    fn save(&self, state: &State, out: &mut Encoder<'_>) {
        out.u64(self.reader.seed);
        state.feed.save(out);
    }

    fn load(&mut self, state: &mut State, from: &mut Decoder<'_>) -> Option<()> {
        self.reader.seed = from.u64()?;
        state.feed.load(from)
    }

    fn show(&self, state: &State, status: &mut OperatorStatus) {
        state.feed.show(status);
    }
}
