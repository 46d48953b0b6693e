//! `drop`: takes events out of the stream by a condition.
//!
//! Owns: [`DropEvents`].
//! Promises: drops an event exactly when the condition is true.
//! Never: changes an event.

use super::{Bench, Step};
use crate::event::Batch;
use crate::matcher::Condition;

/// Drops the events for which this is true.
#[derive(Debug)]
pub struct DropEvents(pub Condition);

impl Step for DropEvents {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, _: &mut Bench) {
        selected.retain(|&index| !self.0.is_true(batch, index as usize));
    }

    fn changes_events(&self) -> bool {
        false
    }

    fn conditions(&self) -> Vec<&Condition> {
        vec![&self.0]
    }
}
