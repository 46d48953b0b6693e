//! Transforms: named lists of steps that change or drop events.
//!
//! Owns: [`Transform`] and the table of step kinds, [`Step`]; one file a kind below `transform/`.
//! Promises: a step costs nothing on fields that it does not touch, and touches only the events that are selected.
//! Never: sees more than one batch.

mod remove;
mod rename;
mod set;

use std::sync::Arc;

use logweir_parsers::KeyId;

use crate::event::{Batch, ConstantValue};
use crate::matcher::Condition;

/// One thing done to each event.
#[derive(Clone, Debug)]
pub enum Step {
    /// Drops the events for which this is true.
    Drop(Condition),
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
    /// Takes the selected events through the steps, one step at a time. What is dropped is selected no more.
    pub fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>) {
        for step in &self.steps {
            match step {
                Step::Drop(condition) => {
                    selected.retain(|&index| !condition.is_true(batch, index as usize));
                }
                Step::Set(fields) => set::apply(fields, batch, selected),
                Step::Rename(names) => rename::apply(names, batch, selected),
                Step::Remove(keys) => remove::apply(keys, batch, selected),
            }
        }
    }

    /// Whether an event may come out of it other than it went in.
    #[must_use]
    pub fn changes_events(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::Drop(_)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use logweir_parsers::key;

    use super::*;
    use crate::event::{ConstantSet, EventFlags, Span};
    use crate::matcher::{Pattern, Predicate, Test, literal};
    use crate::parse::Parser;
    use crate::stream::Position;
    use crate::{Keys, testing};

    fn text(text: &str) -> ConstantValue {
        ConstantValue::Text(text.to_owned())
    }

    fn is(key: KeyId, text: &str) -> Condition {
        Condition::Field(Predicate { key, tests: vec![Test::Text(Pattern::new(literal(text), false))] })
    }

    #[test]
    fn steps_run_in_order_on_what_is_still_selected() {
        let keys = Keys::new(10);
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let spans = [Span { start: 0, len: 4 }, Span { start: 5, len: 4 }];
        let events = spans.map(|span| Batch::line(span, 0, 0, EventFlags::default())).to_vec();
        let ack = stream.begin(Position::default(), 2, 9);
        let mut batch = Batch::new(Bytes::from_static(b"keep drop"), events, Arc::clone(&stream), 0, ack);
        Parser::new(Arc::clone(&keys)).parse(&mut batch);
        let renamed = keys.intern("text").unwrap();
        let steps = vec![
            Step::Drop(Condition::All(vec![is(key::MESSAGE, "DROP"), is(key::EVENT_KIND, "event")])),
            Step::Rename(vec![(key::MESSAGE, renamed)]),
            Step::Set(vec![(key::SERVICE_NAME, text("shop"))]),
            Step::Remove(vec![key::EVENT_KIND]),
        ];
        let mut selected = vec![0, 1];
        Transform { name: "clean".into(), steps }.apply(&mut batch, &mut selected);
        assert_eq!(selected, [0]);
        assert_eq!(batch.get(0, renamed).and_then(|value| batch.text(value)), Some(&b"keep"[..]));
        assert_eq!(batch.get(0, key::SERVICE_NAME).and_then(|value| batch.text(value)), Some(&b"shop"[..]));
        assert_eq!(batch.constant(0, key::EVENT_KIND), None);
        assert!(batch.get(0, key::MESSAGE).is_none());
        assert_eq!(batch.get(1, renamed), None);
    }
}
