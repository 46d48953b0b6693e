//! One worker's use of an index.
//!
//! Owns: [`Matcher`]: what was hit by the event at hand.
//! Promises: an event's hits are forgotten by the next one without being cleared.
//! Never: outlives its worker; nothing of an event stays.

use std::sync::Arc;

use logweir_parsers::key::{self, KeySet};

use super::super::value::Found;
use super::field::{FieldIndex, Hit, Scratch};
use super::{Index, NO_FIELD, PredicateId, Tree};
use crate::event::{Batch, Value};

/// Answers the conditions of an index for one event after the other.
#[derive(Debug)]
pub struct Matcher {
    index: Arc<Index>,
    hits: Hits,
    scratch: Scratch,
    /// By condition: the event for which it was last evaluated.
    evaluated: Vec<u32>,
    matched: Vec<u32>,
}

/// What is known of each predicate for the event at hand.
#[derive(Debug)]
struct Hits {
    /// The number of the event.
    event: u32,
    /// By predicate: the event for which something is known, and what.
    known: Vec<(u32, Answer)>,
    /// The predicates that were hit.
    list: Vec<PredicateId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// To be evaluated when it is asked for.
    Perhaps,
}

impl Hits {
    #[inline]
    fn add(&mut self, hit: Hit) {
        let known = &mut self.known[hit.predicate as usize];
        if known.0 != self.event {
            *known = (self.event, if hit.sure { Answer::Yes } else { Answer::Perhaps });
            self.list.push(hit.predicate);
        } else if hit.sure {
            known.1 = Answer::Yes;
        }
    }
}

impl Matcher {
    /// A matcher for the conditions of this index.
    #[must_use]
    pub fn new(index: Arc<Index>) -> Self {
        let known = vec![(0, Answer::No); index.predicates.len()];
        let evaluated = vec![0; index.trees.len()];
        let hits = Hits { event: 0, known, list: Vec::new() };
        let scratch = Scratch::new(index.fields.iter().map(FieldIndex::literals).sum());
        Self { index, hits, scratch, evaluated, matched: Vec::new() }
    }

    /// The numbers of the conditions that are true for event `index` of the batch, in their order.
    pub fn matches(&mut self, batch: &Batch, index: usize) -> &[u32] {
        self.begin();
        self.scan(batch, index);
        let Self { index: conditions, hits, evaluated, matched, .. } = self;
        let mut evaluate = |number: u32, hits: &mut Hits| {
            let last = &mut evaluated[number as usize];
            if *last != hits.event {
                *last = hits.event;
                if conditions.trees[number as usize].is_true(conditions, hits, batch, index) {
                    matched.push(number);
                }
            }
        };
        for place in 0..hits.list.len() {
            let predicate = hits.list[place] as usize;
            conditions.triggered[predicate].iter().for_each(|number| evaluate(*number, hits));
        }
        conditions.always.iter().for_each(|number| evaluate(*number, hits));
        matched.sort_unstable();
        matched
    }

    fn begin(&mut self) {
        self.matched.clear();
        self.hits.list.clear();
        self.hits.event = self.hits.event.wrapping_add(1);
        if self.hits.event == 0 {
            // Numbers begin anew after four thousand million events; what they marked must not look new.
            self.hits.known.fill((0, Answer::No));
            self.evaluated.fill(0);
            self.hits.event = 1;
        }
    }

    /// Looks at the fields and constants that conditions name, and at the line.
    fn scan(&mut self, batch: &Batch, index: usize) {
        let event = &batch.events[index];
        let mut own = KeySet::default();
        for field in batch.fields(event) {
            own.insert(field.key());
            if !field.is_removed() {
                self.scan_value(batch, field.key(), Found::Own(field.value()));
            }
        }
        self.scan_field(batch, self.index.line, Found::line(event));
        self.scan_value(batch, key::TIMESTAMP, Found::Own(Value::Time(event.timestamp)));
        let sets = batch.constant_sets(event);
        for (place, set) in sets.iter().enumerate() {
            for (key, value) in set.fields() {
                let is_own =
                    own.may_contain(key) && batch.fields(event).iter().any(|field| field.key() == key);
                if !is_own && sets[..place].iter().all(|nearer| nearer.get(key).is_none()) {
                    self.scan_value(batch, key, Found::Constant(value));
                }
            }
        }
    }

    #[inline]
    fn scan_value(&mut self, batch: &Batch, key: logweir_parsers::KeyId, found: Found<'_>) {
        let place = self.index.places.get(usize::from(key.0)).copied().unwrap_or(NO_FIELD);
        self.scan_field(batch, place, found);
    }

    #[inline]
    fn scan_field(&mut self, batch: &Batch, place: u16, found: Found<'_>) {
        let Self { index, hits, scratch, .. } = self;
        let Some(field) = index.fields.get(usize::from(place)) else { return };
        field.present().iter().for_each(|hit| hits.add(*hit));
        found.any(batch, |scalar| {
            field.scan(scalar, scratch, &mut |hit| hits.add(hit));
            false
        });
    }
}

impl Tree {
    fn is_true(&self, index: &Index, hits: &mut Hits, batch: &Batch, event: usize) -> bool {
        match self {
            Self::All(members) => members.iter().all(|member| member.is_true(index, hits, batch, event)),
            Self::Any(members) => members.iter().any(|member| member.is_true(index, hits, batch, event)),
            Self::Not(member) => !member.is_true(index, hits, batch, event),
            Self::Predicate(id) => {
                let id = *id as usize;
                let answer = match hits.known[id] {
                    (of_event, answer) if of_event == hits.event => answer,
                    _ if index.open[id] => Answer::Perhaps,
                    _ => return false,
                };
                if answer != Answer::Perhaps {
                    return answer == Answer::Yes;
                }
                let truth = index.predicates[id].is_true(batch, event);
                hits.known[id] = (hits.event, if truth { Answer::Yes } else { Answer::No });
                truth
            }
        }
    }
}
