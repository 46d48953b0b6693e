//! The step `lookup`.
//!
//! Owns: its keys.
//! Promises: the table was read once, and has the columns, before anything starts.
//! Never: touches an event.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::transform::{Lookup, LookupConfig, Step};

use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::schema::table;
use super::super::value::{At, Bytes};
use super::{IntoStepTable, Renames, each, intern};

table! {
    /// The keys of the step `lookup`.
    pub(super) struct LookupKeys {
        /// Name of the field whose value is looked up.
        field: At<String>,
        /// The table: CSV with a header, or a JSON list of objects where the name ends in `.json`.
        file: At<PathBuf>,
        /// Column in which the value is looked up.
        column: String,
        /// Fields to set and the columns that they are set from.
        set: At<Renames>,
        /// How often the file is looked at; it is read again when it changed.
        reload_after: Duration = "10s",
        /// Size of the largest file that is read.
        bytes_max: Bytes<u64, 1> = "64MiB",
    }
}

impl IntoStepTable for LookupKeys {
    fn into_step(self, _: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        let field = intern(&self.field.value, self.field.place, keys, decoder);
        let set = each(self.set.value.0, self.set.place, decoder, |decoder, (name, column), place| {
            Some((intern(&name, place, keys, decoder)?, column))
        });
        let At { value: file, place } = self.file;
        let path = file.display().to_string();
        let config = LookupConfig {
            field: field?,
            file,
            column: self.column,
            set: set?,
            reload_after: self.reload_after,
            bytes_max: self.bytes_max.0,
        };
        match Lookup::new(config) {
            Ok(step) => Some(Box::new(step)),
            Err(error) => {
                decoder.report(Diagnostic::error(format!("`lookup` cannot use `{path}`: {error}")).at(
                    place,
                    "expected a table that this user may read, with the columns that the step names",
                ));
                None
            }
        }
    }
}
