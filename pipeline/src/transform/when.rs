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
        let events = batch.events.len();
        if !wanted.is_empty() {
            self.step.apply(batch, &mut kept, bench);
        }
        if kept.len() < wanted.len() {
            let (mut wanted, mut kept) = (wanted.iter().peekable(), kept.iter().peekable());
            selected.retain(|index| wanted.next_if_eq(&index).is_none() || kept.next_if_eq(&index).is_some());
        }
        if kept.len() > wanted.len() {
            insert_pieces(selected, &kept, events, &mut bench.selection);
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

/// Puts the pieces in `kept`, which are the events from number `first` on, behind the selected event that they are made of.
fn insert_pieces(selected: &mut Vec<u32>, kept: &[u32], first: usize, room: &mut Vec<u32>) {
    let mut kept = kept.iter().copied().peekable();
    room.clear();
    for &index in selected.iter() {
        room.push(index);
        if kept.next_if_eq(&index).is_some() {
            while let Some(piece) = kept.next_if(|&index| index as usize >= first) {
                room.push(piece);
            }
        }
    }
    std::mem::swap(selected, room);
}
