//! Rules of Sigma at work: each event against all of them at once.
//!
//! Owns: [`SigmaRules`]: the rules and correlations of one section of the config, and one index of their conditions.
//! Promises: what an event costs hardly depends on how many rules there are; an alert carries the title, the id and the author of its
//! rule, as the licence of the public rules asks. Alerts about single events do not wait; correlations get what they take in the
//! order of time, as every rule does, whatever order it came in.
//! Never: loads a rule.

mod plan;
mod read;
#[cfg(test)]
pub(super) mod tests;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use logweir_parsers::{KeyId, key};

use self::plan::{CorrelationPlan, Plan};
use super::anchor::Anchor;
use super::document::Documents;
use super::feed::{Feed, Outcome};
use super::matches::{GROUP_END, Match, SharedPath};
use super::{Fired, Hit, Limits, RuleError};
use crate::event::Batch;
use crate::matcher::{Condition, IndexError, Matcher};
use crate::operator::{Operator, OperatorStatus, Scratch, Told, Watch, Watching};
use crate::sigma::{LogSource, Refused, RuleSet};
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
    /// What correlations ask of event times.
    pub times: TimeLimits,
    /// Most groups of each correlation, and how often one fires.
    pub limits: Limits,
    plan: Arc<Plan>,
}

/// Rules of Sigma: what stays the same while they are at work.
#[derive(Debug)]
pub struct SigmaRules {
    name: Arc<str>,
    condition: Option<Condition>,
    times: TimeLimits,
    /// Makes hashes of groups unlike those of any other process, so that nobody can choose groups whose hashes collide.
    seed: u64,
    plan: Arc<Plan>,
}

/// What writes the alerts, by rules, and what correlations remember.
#[derive(Debug)]
pub(crate) struct State {
    rules: Vec<Documents>,
    correlations: Vec<Correlated>,
}

/// A correlation's own.
#[derive(Debug)]
struct Correlated {
    feed: Feed,
    documents: Documents,
}

/// What one worker needs to read events for rules of Sigma.
#[derive(Debug, Default)]
pub struct SigmaScratch {
    /// Of the rules that it is used for.
    matcher: Option<Matcher>,
    /// Events, each with the rules that alert about it.
    found: Vec<(Match, Vec<u32>)>,
    /// What correlations take of events that are not late, by events.
    taken: Vec<Vec<(usize, Match)>>,
    late: u64,
    without_field: u64,
    future: u64,
    text: Vec<u8>,
    path: SharedPath,
}

impl SigmaConfig {
    /// A section with the rules of a set that are for a log source, and the correlations that cannot run there.
    ///
    /// # Errors
    /// When their conditions are too many or too large.
    pub fn new(
        name: String,
        condition: Option<Condition>,
        (times, limits): (TimeLimits, Limits),
        set: RuleSet,
        log_source: &LogSource,
    ) -> Result<(Self, Vec<Refused>), IndexError> {
        let (plan, refused) = Plan::new(set, log_source)?;
        Ok((Self { name, condition, times, limits, plan: Arc::new(plan) }, refused))
    }

    /// How many rules about single events there are, those that are part of correlations included.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.plan.rules.len()
    }

    /// How many correlations there are.
    #[must_use]
    pub fn correlations(&self) -> usize {
        self.plan.correlations.len()
    }
}

impl SigmaRules {
    /// The operator of a section, which has seen nothing.
    ///
    /// # Errors
    /// When a limit makes no sense.
    pub fn operator(config: SigmaConfig) -> Result<Box<dyn Operator>, RuleError> {
        let SigmaConfig { name, condition, times, limits, plan } = config;
        let state = State::new(&plan, &name, limits)?;
        let seed = RandomState::new().build_hasher().finish();
        let rules = Self { name: name.into(), condition, times, seed, plan };
        Ok(Box::new(Watching::new(rules, times, state)))
    }

    /// Reads what correlations take of an event that some rules match.
    fn read_taken(
        &self,
        batch: &Batch,
        index: usize,
        (hit, rules): (Hit, &[u32]),
        scratch: &mut SigmaScratch,
    ) {
        let SigmaScratch { taken, without_field, text, path, .. } = scratch;
        let mut parts = Vec::new();
        for taker in rules.iter().flat_map(|rule| &self.plan.rules[*rule as usize].takers) {
            let plan = &self.plan.correlations[taker.correlation];
            match plan.of_event(taker.member, (batch, index), hit, self.seed, (text, path)) {
                Some(found) => parts.push((taker.correlation, found)),
                None => *without_field += 1,
            }
        }
        if !parts.is_empty() {
            taken.push(parts);
        }
    }

    /// Brings a match to a correlation. Where there is no room, the first that waits may bring others about.
    fn push(&self, taken: (usize, Match), state: &mut State, told: &mut Told) {
        let mut open = vec![taken];
        while let Some((number, found)) = open.pop() {
            let plan = &self.plan.correlations[number];
            let Correlated { feed, documents } = &mut state.correlations[number];
            feed.push(found, &mut |outcome| self.outcome(plan, outcome, (documents, told), &mut open));
        }
    }

    /// What comes of what a correlation found: an alert, and matches for others.
    fn outcome(
        &self,
        plan: &CorrelationPlan,
        outcome: &Outcome<'_>,
        (documents, told): (&mut Documents, &mut Told),
        open: &mut Vec<(usize, Match)>,
    ) {
        if plan.alerts {
            outcome.tell(documents, told);
        }
        for taker in &plan.takers {
            let found =
                self.plan.correlations[taker.correlation].of_outcome(taker.member, outcome, self.seed);
            open.extend(found.map(|found| (taker.correlation, found)));
        }
    }
}

impl State {
    fn new(plan: &Plan, name: &str, limits: Limits) -> Result<Self, RuleError> {
        let shown = SHOWN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        let rules = plan.rules.iter().map(|rule| Documents::new(name, "sigma", &rule.text, &shown)).collect();
        let correlated = |plan: &CorrelationPlan| {
            let documents = Documents::new(name, "sigma", &plan.text, &plan.shown);
            Ok(Correlated { feed: Feed::new(&plan.detector, limits)?, documents })
        };
        let correlations = plan.correlations.iter().map(correlated).collect::<Result<_, _>>()?;
        Ok(Self { rules, correlations })
    }
}

impl Watch for SigmaRules {
    type State = State;

    const KIND: &'static str = "rule";

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, scratch: &mut Scratch) {
        let scratch = &mut scratch.sigma;
        let index = &self.plan.index;
        let mut matcher = scratch.matcher.take().unwrap_or_else(|| Matcher::new(Arc::clone(index)));
        for &event in selected {
            let (index, event) = (event as usize, &batch.events[event as usize]);
            let (time, is_its_own) = self.times.believed(event.timestamp, batch.read_at);
            let watermark = arrival.watermark();
            if is_its_own {
                arrival.observe(time);
            }
            if self.condition.as_ref().is_some_and(|condition| !condition.is_true(batch, index)) {
                continue;
            }
            let rules = matcher.matches(batch, index);
            let alerting = rules.iter().copied().filter(|rule| self.plan.rules[*rule as usize].alerts);
            let alerting = alerting.collect::<Vec<_>>();
            if !alerting.is_empty() {
                scratch.found.push((shown(batch, index, &mut scratch.text, &mut scratch.path), alerting));
            }
            if rules.iter().all(|rule| self.plan.rules[*rule as usize].takers.is_empty()) {
                continue;
            }
            scratch.future += u64::from(!is_its_own);
            if time < watermark {
                scratch.late += 1;
                continue;
            }
            self.read_taken(batch, index, (Hit::new(time, batch.origin(event)), rules), scratch);
        }
        scratch.matcher = Some(matcher);
    }

    fn take(&self, scratch: &mut Scratch, passed: Option<i64>, state: &mut State, told: &mut Told) {
        let scratch = &mut scratch.sigma;
        for (found, rules) in scratch.found.drain(..) {
            let fired = Fired::at(&found.hit, 0, Anchor::at(&found.hit));
            for rule in rules {
                let Some(documents) = state.rules.get_mut(rule as usize) else { continue };
                Outcome { fired: &fired, group: found.group(), evidence: &[&found] }.tell(documents, told);
            }
        }
        for parts in scratch.taken.drain(..) {
            let time = parts.first().map(|(_, found)| found.hit.time);
            if passed.zip(time).is_some_and(|(passed, time)| time < passed) {
                told.counts.late += 1;
                continue;
            }
            parts.into_iter().for_each(|part| self.push(part, state, told));
        }
        told.counts.late += std::mem::take(&mut scratch.late);
        told.counts.without_field += std::mem::take(&mut scratch.without_field);
        told.counts.future += std::mem::take(&mut scratch.future);
    }

    /// Lets each correlation take what the watermark has passed; those that take its results come behind it.
    fn catch_up(&self, watermark: i64, state: &mut State, told: &mut Told) {
        for (number, plan) in self.plan.correlations.iter().enumerate() {
            let Correlated { feed, documents } = &mut state.correlations[number];
            let (reached, mut open) = (watermark.saturating_sub(plan.behind), Vec::new());
            feed.catch_up(reached, &mut |outcome| self.outcome(plan, outcome, (documents, told), &mut open));
            open.into_iter().for_each(|taken| self.push(taken, state, told));
        }
    }

    fn save(&self, state: &State, out: &mut Encoder<'_>) {
        out.u64(self.seed);
        out.u64(state.correlations.len() as u64);
        for (plan, Correlated { feed, .. }) in self.plan.correlations.iter().zip(&state.correlations) {
            out.u64(plan.digest);
            out.nested(|bytes| feed.save(&mut Encoder::new(bytes)));
        }
    }

    /// What a correlation remembered is for the one that asks for the same; any other begins with nothing.
    fn load(&mut self, state: &mut State, from: &mut Decoder<'_>) -> Option<()> {
        self.seed = from.u64()?;
        let mut open = (0..state.correlations.len()).collect::<Vec<_>>();
        for _ in 0..from.u64()? {
            let (digest, saved) = (from.u64()?, from.text()?);
            let same = open.iter().position(|number| self.plan.correlations[*number].digest == digest);
            if let Some(same) = same {
                let feed = &mut state.correlations[open.remove(same)].feed;
                let saved = &mut Decoder::new(saved);
                feed.load(saved)?;
                saved.is_empty().then_some(())?;
            }
        }
        for number in open {
            let title = &self.plan.correlations[number].text.title;
            tracing::info!(rule = %self.name, %title, "a correlation is new or was changed; it remembers nothing");
        }
        Some(())
    }

    fn show(&self, state: &State, status: &mut OperatorStatus) {
        state.correlations.iter().for_each(|correlation| correlation.feed.show(status));
    }
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
