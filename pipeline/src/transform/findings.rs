//! What a step found out of a value, kept for the next event with that value.
//!
//! Owns: [`Finding`], [`Findings`] and [`Caches`], one cache for each worker that is at work.
//! Promises: no lock while events are looked at; a cache has a bound, and holds only what was found in the content that is
//! in force.
//! Never: knows where findings come from.

use std::sync::{Arc, Mutex, PoisonError};

use logweir_parsers::KeyId;

use super::recent::Recent;
use crate::event::{Batch, Value};

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding {
    /// A text.
    Text(Box<str>),
    /// A JSON value.
    Json(Box<str>),
    /// A whole number.
    Integer(i64),
}

/// The values of some of a step's fields, each with the field's place among them.
pub(super) type Findings = Vec<(usize, Finding)>;

/// Gives an event what was found; `keys` are the step's fields.
pub(super) fn set(findings: &Findings, keys: &[KeyId], batch: &mut Batch, index: usize) {
    for (place, finding) in findings {
        let value = match finding {
            Finding::Text(text) => batch.make_text(text.as_bytes()),
            Finding::Json(json) => batch.make_json(json.as_bytes()),
            Finding::Integer(number) => Value::Integer(*number),
        };
        if let Some(key) = keys.get(*place) {
            batch.set(index, *key, value);
        }
    }
}

/// What one worker found lately; `None` where it found that a value cannot be used.
#[derive(Debug)]
pub(super) struct Cache<T> {
    content: Arc<T>,
    found: Recent<Option<Findings>>,
}

impl<T> Cache<T> {
    /// What was found of this value, whose hash or whole is `key`; `find` looks for it when it is not known.
    pub(super) fn get(&mut self, key: u128, find: impl FnOnce(&T) -> Option<Findings>) -> Option<&Findings> {
        if self.found.get(key).is_none() {
            self.found.insert(key, find(&self.content), |_| false);
        }
        self.found.get(key)?.as_ref()
    }
}

/// The caches of a step that nobody uses just now.
#[derive(Debug)]
pub(super) struct Caches<T> {
    idle: Mutex<Vec<Cache<T>>>,
    values_max: usize,
}

impl<T> Caches<T> {
    /// Caches of at most so many values each.
    pub(super) fn new(values_max: usize) -> Self {
        Self { idle: Mutex::default(), values_max }
    }

    /// A cache of what was found in this content. The caller gives it back.
    pub(super) fn take(&self, content: Arc<T>) -> Cache<T> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|cache| Arc::ptr_eq(&cache.content, &content));
        idle.pop().unwrap_or_else(|| Cache { content, found: Recent::new(self.values_max) })
    }

    /// Takes a cache back.
    pub(super) fn give_back(&self, cache: Cache<T>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(cache);
    }
}
