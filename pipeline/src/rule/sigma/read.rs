//! What a correlation takes of a match.
//!
//! Owns: the hit and the group that a member of a correlation makes of an event, or of what another correlation found.
//! Promises: what lacks a field of the group, or the value that is counted, gives nothing.
//! Never: judges a hit.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::super::Hit;
use super::super::feed::Outcome;
use super::super::matches::{GROUP_END, Match, SharedPath};
use super::plan::{CorrelationPlan, Reads};
use crate::event::Batch;
use crate::sigma::FieldSource;

/// Appends the JSON of a field, if it is there.
type Fetch<'a> = &'a dyn Fn(&FieldSource, &mut Vec<u8>) -> bool;

impl CorrelationPlan {
    /// What a member takes of an event that its rule matches.
    pub(super) fn of_event(
        &self,
        member: usize,
        (batch, index): (&Batch, usize),
        hit: Hit,
        seed: u64,
        (text, path): (&mut Vec<u8>, &mut SharedPath),
    ) -> Option<Match> {
        let fetch = |field: &FieldSource, text: &mut Vec<u8>| match field {
            FieldSource::Event(keys) => keys.iter().any(|key| batch.push_json(index, *key, text)),
            FieldSource::Group(_) => false,
        };
        let hit = self.read(member, hit, &fetch, text)?;
        let key = xxh3_128_with_seed(text, seed);
        Some(Match::new(key, hit, batch, index, text, path))
    }

    /// What a member takes of what its correlation found. That happened when the window was over, with the last event of it.
    pub(super) fn of_outcome(&self, member: usize, outcome: &Outcome<'_>, seed: u64) -> Option<Match> {
        let values = outcome.group.split(|byte| *byte == GROUP_END).collect::<Vec<_>>();
        let fetch = |field: &FieldSource, text: &mut Vec<u8>| match field {
            FieldSource::Group(place) => {
                values.get(*place).map(|value| text.extend_from_slice(value)).is_some()
            }
            FieldSource::Event(_) => false,
        };
        let mut text = Vec::new();
        let fired = outcome.fired;
        let hit = self.read(member, Hit::new(fired.end, fired.last_event), &fetch, &mut text)?;
        let key = xxh3_128_with_seed(&text, seed);
        let last = outcome.evidence.iter().find(|found| found.hit.event == fired.last_event);
        Some(Match::again(key, hit, text, last.copied()))
    }

    /// The hit; the text is the group then.
    fn read(&self, member: usize, mut hit: Hit, fetch: Fetch<'_>, text: &mut Vec<u8>) -> Option<Hit> {
        let fields = &self.members[member];
        text.clear();
        for value in &fields.values {
            if !fetch(value, text) {
                return None;
            }
            text.push(GROUP_END);
        }
        match self.reads {
            Reads::Nothing => {}
            Reads::Member => hit.value = member as u64,
            Reads::Value => hit.value = xxh3_64(text),
            Reads::Number => hit.number = number(text.strip_suffix(&[GROUP_END])?)?,
        }
        hit.steps = u32::try_from(member).ok().and_then(|member| 1_u32.checked_shl(member)).unwrap_or(0);
        text.clear();
        for field in &fields.group {
            if !fetch(field, text) {
                return None;
            }
            text.push(GROUP_END);
        }
        Some(hit)
    }
}

/// The number that JSON is: one that stands in a text is one too.
fn number(json: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(json).ok()?.trim_matches('"');
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}
