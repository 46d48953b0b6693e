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
        let mut dropped = 0;
        batch.for_each_live(|batch, index| {
            if drop::matches(fields, batch, index) {
                batch.events[index].flags.insert(EventFlags::DROPPED);
                dropped += 1;
            }
        });
        if dropped > 0 {
            batch.ack.dropped(&self.name, dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use logweir_parsers::key;

    use super::*;
    use crate::event::{ConstantSet, Span};
    use crate::parse::Parser;
    use crate::stream::Position;
    use crate::{Keys, testing};

    fn text(text: &str) -> ConstantValue {
        ConstantValue::Text(text.to_owned())
    }

    #[test]
    fn steps_run_in_order_and_drops_are_in_the_ledger() {
        let keys = Keys::new(10);
        let stream = testing::stream(testing::source(ConstantSet::default()), ConstantSet::default());
        let spans = [Span { start: 0, len: 4 }, Span { start: 5, len: 4 }];
        let events = spans.map(|span| Batch::line(span, 0, 0, EventFlags::default())).to_vec();
        let ack = stream.begin(Position::default(), 2, 9);
        let mut batch = Batch::new(Bytes::from_static(b"keep drop"), events, Arc::clone(&stream), 0, ack);
        Parser::new(Arc::clone(&keys)).parse(&mut batch);
        let renamed = keys.intern("text").unwrap();
        let steps = vec![
            Step::Drop(vec![(key::MESSAGE, text("drop")), (key::EVENT_KIND, text("event"))]),
            Step::Rename(vec![(key::MESSAGE, renamed)]),
            Step::Set(vec![(key::SERVICE_NAME, text("shop"))]),
            Step::Remove(vec![key::EVENT_KIND]),
        ];
        Transform { name: "clean".into(), steps }.apply(&mut batch);
        assert_eq!(batch.get(0, renamed).and_then(|value| batch.text(value)), Some(&b"keep"[..]));
        assert_eq!(batch.get(0, key::SERVICE_NAME).and_then(|value| batch.text(value)), Some(&b"shop"[..]));
        assert_eq!(batch.constant(0, key::EVENT_KIND), None);
        assert!(batch.get(0, key::MESSAGE).is_none());
        assert!(batch.events[1].flags.contains(EventFlags::DROPPED));
        batch.ack.done();
        let counts = stream.source().ledger.counts();
        assert_eq!((counts.delivered, counts.dropped.get("clean")), (1, Some(&1)));
        assert!(counts.adds_up());
    }
}
