//! The step `split`.
//!
//! Owns: its keys.
//! Promises: a list has a bound.
//! Never: touches an event.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{Split, Step};

use super::super::decode::Decoder;
use super::super::error::Place;
use super::super::schema::table;
use super::super::value::{At, Integer};
use super::{IntoStepTable, intern};

table! {
    /// The keys of the step `split`.
    pub(super) struct SplitKeys {
        /// Name of the field with the list: JSON, or a text that is JSON. An element takes its place.
        field: At<String>,
        /// Elements of a list; an event with a longer one stays whole and is marked.
        elements_max: Integer<usize, 1, 100_000> = 1000,
        /// Whether the members of an element that is an object become fields with dotted names.
        flatten: bool = true,
    }
}

impl IntoStepTable for SplitKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let field = intern(&self.field.value, self.field.place, keys, decoder)?;
        Some(Box::new(Split { field, elements_max: self.elements_max.0, flatten: self.flatten }))
    }
}
