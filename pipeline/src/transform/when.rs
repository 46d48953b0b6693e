//! `when`: a step for some of the events.
//!
//! Owns: [`When`].
//! Promises: the step sees the events for which the condition is true, and no others.
//! Never: changes an event itself.

use super::{Bench, Step};
use crate::event::Batch;
use crate::matcher::Condition;

/// Does the step to the events for which the condition is true.
#[derive(Debug)]
pub struct When {
    /// Which events.
    pub condition: Condition,
    /// What is done to them.
    pub step: Box<dyn Step>,
}

impl Step for When {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let (mut wanted, mut kept) = std::mem::take(&mut bench.when);
        wanted.clear();
        let is_wanted = |index: &u32| self.condition.is_true(batch, *index as usize);
        wanted.extend(selected.iter().copied().filter(is_wanted));
        kept.clone_from(&wanted);
        if !wanted.is_empty() {
            self.step.apply(batch, &mut kept, bench);
        }
        if kept.len() < wanted.len() {
            let (mut wanted, mut kept) = (wanted.iter().peekable(), kept.iter().peekable());
            selected.retain(|index| wanted.next_if_eq(&index).is_none() || kept.next_if_eq(&index).is_some());
        }
        bench.when = (wanted, kept);
    }

    fn changes_events(&self) -> bool {
        self.step.changes_events()
    }

    fn conditions(&self) -> Vec<&Condition> {
        [vec![&self.condition], self.step.conditions()].concat()
    }
}
