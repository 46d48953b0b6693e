//! Transforms: named lists of steps that change or drop events.
//!
//! Owns: [`Transform`], [`Step`], the seam between a transform and one file a step below `transform/`, and [`Bench`],
//! what a worker lends to the steps.
//! Promises: a step costs nothing on fields that it does not touch, and touches only the events that are selected. An
//! event on which a step fails is kept: it says so in `event.kind` and `error.message`, and the step counts it.
//! Never: sees more than one batch. What a step remembers of earlier ones has a bound.

mod convert;
mod copy;
mod dedupe;
mod drop;
mod findings;
mod flatten;
mod geoip;
mod keep;
mod key_hash;
mod loaded_file;
mod lookup;
mod members;
mod parse;
mod read;
mod recent;
mod redact;
mod remove;
mod rename;
mod sample;
mod set;
mod severity;
mod split;
mod template;
#[cfg(test)]
mod tests;
mod throttle;
mod truncate;
mod user_agent;
mod when;

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logweir_parsers::{KeyId, key};

use crate::event::{Batch, Field, KeyTable, Keys, Value};
use crate::matcher::Condition;
use crate::parse::Scratch;

pub use convert::{ConvertFields, FieldType, TimeFormat, TimeFormatError};
pub use copy::CopyFields;
pub use dedupe::Dedupe;
pub use drop::DropEvents;
pub use flatten::FlattenFields;
pub use geoip::{GeoIp, GeoIpConfig, GeoIpError};
pub use keep::{KeepFields, KeepPattern};
pub use loaded_file::FileError;
pub use lookup::{Lookup, LookupConfig, LookupError};
pub use parse::ParseField;
pub use read::text;
pub use redact::{Redact, RedactAction, RedactKind};
pub use remove::RemoveFields;
pub use rename::RenameFields;
pub use sample::Sample;
pub use set::{SetFields, SetValue};
pub use severity::NormalizeSeverity;
pub use split::Split;
pub use template::{Template, TemplateError};
pub use throttle::Throttle;
pub use truncate::TruncateFields;
pub use user_agent::{ParseUserAgent, UserAgentConfig, UserAgentError};
pub use when::When;

/// One thing done to each event. All workers share a step.
pub trait Step: fmt::Debug + Send + Sync {
    /// Does it to the selected events. Those that it drops are selected no more; the others keep their order. A step that
    /// makes more events of one drops none: the first of them takes the place of that one, and the others, which stand
    /// behind all events that there were, follow it in the selection.
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench);

    /// Whether events may come out other than they went in; not so for a step that only drops.
    fn changes_events(&self) -> bool {
        true
    }

    /// What it asks of an event before it does something to it.
    fn conditions(&self) -> Vec<&Condition> {
        Vec::new()
    }
}

/// A step at its place in a transform.
#[derive(Debug)]
pub struct PlacedStep {
    /// `TRANSFORM.STEP`: the ledger's name for what it drops.
    pub name: Arc<str>,
    step: Box<dyn Step>,
    failed: AtomicU64,
    forgotten: AtomicU64,
    dropped: AtomicU64,
    made: AtomicU64,
}

impl PlacedStep {
    /// Takes the selected events through the step.
    pub fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        (bench.failed, bench.forgotten) = (0, 0);
        let (events, before) = (batch.events.len(), selected.len());
        bench.step.clone_from(&self.name);
        self.step.apply(batch, selected, bench);
        for (counter, events) in [
            (&self.failed, bench.failed),
            (&self.forgotten, bench.forgotten),
            (&self.dropped, before.saturating_sub(selected.len()) as u64),
            (&self.made, (batch.events.len() - events) as u64),
        ] {
            if events > 0 {
                counter.fetch_add(events, Ordering::Relaxed);
            }
        }
    }

    /// What it asks of an event before it does something to it, one after the other as long as the answer is yes.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Condition> {
        self.step.conditions()
    }

    /// Events on which it failed since the start.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Keys that it had to forget before their time, for want of room, since the start.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// Events that it dropped since the start, on each way by which they came. The ledger counts lines that nobody got.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Events that it made beyond those that it got, since the start.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// A named list of steps.
#[derive(Debug)]
pub struct Transform {
    /// Its name in the config.
    pub name: Arc<str>,
    /// The steps, in order.
    pub steps: Vec<PlacedStep>,
}

impl Transform {
    /// A transform of these steps, each with the name of its kind.
    #[must_use]
    pub fn new(name: &str, steps: Vec<(&str, Box<dyn Step>)>) -> Self {
        let place = |(kind, step): (&str, Box<dyn Step>)| PlacedStep {
            name: format!("{name}.{kind}").into(),
            step,
            failed: AtomicU64::default(),
            forgotten: AtomicU64::default(),
            dropped: AtomicU64::default(),
            made: AtomicU64::default(),
        };
        Self { name: name.into(), steps: steps.into_iter().map(place).collect() }
    }

    /// Whether an event may come out of it other than it went in.
    #[must_use]
    pub fn changes_events(&self) -> bool {
        self.steps.iter().any(|step| step.step.changes_events())
    }
}

/// What a worker lends to the steps: its copy of the table of keys, and memory that lasts from batch to batch.
#[derive(Debug)]
pub struct Bench {
    keys: KeyTable,
    /// For the text of a value that does not stand anywhere as it is.
    room: Vec<u8>,
    /// For the text that a step makes.
    made: Vec<u8>,
    /// For a text that is made of several made ones.
    other: Vec<u8>,
    fields: Vec<Field>,
    scratch: Scratch,
    finds: Vec<redact::Find>,
    elements: Vec<split::Element>,
    /// For a selection in the making.
    selection: Vec<u32>,
    /// The events that a step with `when` is for, and those of them that it kept.
    when: (Vec<u32>, Vec<u32>),
    reason: String,
    /// The step that is at work.
    step: Arc<str>,
    failed: u64,
    forgotten: u64,
}

impl Bench {
    /// A bench for events whose keys are in `keys`.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        Self {
            keys: KeyTable::new(keys),
            room: Vec::new(),
            made: Vec::new(),
            other: Vec::new(),
            fields: Vec::new(),
            scratch: Scratch::default(),
            finds: Vec::new(),
            elements: Vec::new(),
            selection: Vec::new(),
            when: Default::default(),
            reason: String::new(),
            step: "".into(),
            failed: 0,
            forgotten: 0,
        }
    }

    /// Marks an event on which the step failed, as the parse stage marks a line that no grammar takes. The reason names
    /// the field and not its value, which may be a secret. A message that the event has is kept.
    #[cold]
    fn fail(&mut self, batch: &mut Batch, index: usize, field: KeyId, reason: &str) {
        self.failed += 1;
        let kind = batch.make_text(b"pipeline_error");
        batch.set(index, key::EVENT_KIND, kind);
        if batch.get(index, key::ERROR_MESSAGE).is_some() {
            return;
        }
        self.refresh_for(field);
        let name = String::from_utf8_lossy(self.keys.name(field));
        self.reason.clear();
        if write!(self.reason, "{}: `{name}` {reason}", self.step).is_ok() {
            let message = batch.make_text(self.reason.as_bytes());
            batch.set(index, key::ERROR_MESSAGE, message);
        }
    }

    /// Gives a value, which is that of the field `from`, to the field `to`. The event's own time takes a time only: another
    /// value is refused, and the event marked. Says whether it was taken.
    fn give(&mut self, batch: &mut Batch, index: usize, from: KeyId, to: KeyId, value: Value) -> bool {
        let is_taken = to != key::TIMESTAMP || matches!(value, Value::Time(_));
        if is_taken {
            batch.set(index, to, value);
        } else {
            self.fail(batch, index, from, "is not a time; `convert` makes it one");
        }
        is_taken
    }

    /// The name of a key, whoever gave it its number.
    fn name(&mut self, key: KeyId) -> &[u8] {
        self.refresh_for(key);
        self.keys.name(key)
    }

    fn refresh_for(&mut self, key: KeyId) {
        if !self.keys.has(key) {
            self.keys.refresh();
        }
    }
}
