//! `type = "console"`.
//!
//! Owns: the keys of a console output and their checked values.
//! Promises: nothing beyond what all outputs do.
//! Never: writes to the console.

use std::sync::Arc;

use logweir_outputs::console::{ConsoleConfig, ConsoleEncoding};
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::schema::{Table, table};
use super::super::value::Words;
use super::Target;

table! {
    /// The key of a console output.
    pub(super) struct ConsoleKeys {
        /// "short" is a coloured line for people; "auto" is that on a terminal and NDJSON otherwise.
        format: ConsoleEncoding = "auto",
    }
}

impl Words for ConsoleEncoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("short", Self::Short), ("ndjson", Self::Json)];
}

pub(super) fn target(found: &Found<'_>, _: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let encoding = ConsoleKeys::decode(found, decoder)?.format;
    Some(Target::of(OutputKind::Console(ConsoleConfig { encoding }), 1))
}
