//! The step `parse`.
//!
//! Owns: its keys.
//! Promises: the formats that it names exist.
//! Never: touches an event.

use std::sync::Arc;

use logweir_pipeline::Keys;
use logweir_pipeline::parse::Grammars;
use logweir_pipeline::transform::{ParseField, Step};

use super::super::decode::Decoder;
use super::super::error::Place;
use super::super::schema::table;
use super::super::value::At;
use super::{IntoStepTable, intern};

table! {
    /// The keys of `parse`.
    pub(super) struct ParseKeys {
        /// The field with the text.
        field: At<String>,
        /// Its format, or formats to try in order; "auto": that of the program that wrote the event.
        format: Grammars,
    }
}

impl IntoStepTable for ParseKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let field = intern(&self.field.value, self.field.place, keys, decoder)?;
        Some(Box::new(ParseField::new(field, self.format)))
    }
}
