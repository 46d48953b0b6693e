//! Transforms: named lists of steps that change or drop events.
//!
//! Owns: [`Transform`] and the table of step kinds, [`Step`]; one file a kind below `transform/`.
//! Promises: a step costs nothing on fields that it does not touch; every drop is in the ledger under the
//! transform's name.
//! Never: sees more than one batch.

mod drop;
mod remove;
mod rename;
mod set;

use std::sync::Arc;

use logweir_parsers::KeyId;

use crate::event::{Batch, ConstantValue, EventFlags};

/// One thing done to each event.
#[derive(Clone, Debug)]
pub enum Step {
    /// Drops the event when all of these fields have these values.
    Drop(Vec<(KeyId, ConstantValue)>),
    /// Gives fields constant values.
    Set(Vec<(KeyId, ConstantValue)>),
    /// Gives the value of one field to another name: from, to.
    Rename(Vec<(KeyId, KeyId)>),
    /// Removes fields.
    Remove(Vec<KeyId>),
}

/// A named list of steps.
#[derive(Clone, Debug)]
pub struct Transform {
    /// Its name in the config; the ledger's name for what it drops.
    pub name: Arc<str>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Transform {
    /// Takes every event of the batch through the steps, one step at a time.
    pub fn apply(&self, batch: &mut Batch) {
        for step in &self.steps {
            match step {
                Step::Drop(fields) => self.drop_matching(fields, batch),
                Step::Set(fields) => set::apply(fields, batch),
                Step::Rename(names) => rename::apply(names, batch),
                Step::Remove(keys) => remove::apply(keys, batch),
            }
        }
    }

    fn drop_matching(&self, fields: &[(KeyId, ConstantValue)], batch: &mut Batch) {
        for index in 0..batch.events.len() {
            if drop::matches(fields, batch, index) {
                batch.drop_event(index, &self.name);
            }
        }
    }
}

/// The indexes of the events that are still there.
fn live_events(batch: &Batch) -> impl Iterator<Item = usize> + use<> {
    let live = batch.events.iter().enumerate();
    let live = live.filter(|(_, event)| !event.flags.contains(EventFlags::DROPPED));
    live.map(|(index, _)| index).collect::<Vec<_>>().into_iter()
}
