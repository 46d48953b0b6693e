//! Named sections: sources, transforms and outputs.
//!
//! Owns: [`Component`], a line of the tables of kinds of sources and of outputs, and the keys that name and feed them.
//! Promises: a new kind is one file with its keys and one line in its table.
//! Never: knows a kind.

use std::sync::Arc;

use logweir_pipeline::Keys;

use super::decode::{Decoder, Found};
use super::schema::{SectionKind, table};
use super::value::Description;
use super::value::lists::Input;

/// A kind of source or output, which is decoded to a `T`.
pub(crate) struct Component<T: 'static> {
    /// Its keys.
    pub(crate) section: SectionKind,
    /// Decodes its own keys; what is wrong goes to the decoder.
    pub(crate) decode: Decode<T>,
}

/// From a table of the config; the table of field names takes those that the config names.
pub(crate) type Decode<T> = fn(&Found<'_>, &Arc<Keys>, &mut Decoder<'_>) -> Option<T>;

/// The values of `type`.
pub(crate) fn types<T>(kinds: &'static [Component<T>]) -> impl Iterator<Item = &'static str> + Clone {
    kinds.iter().filter_map(|kind| kind.section.component)
}

/// The values of `type`, for the reference and the messages.
pub(crate) fn describe_types<T>(kinds: &'static [Component<T>]) -> Description {
    Description::words(types(kinds))
}

table! {
    /// The key of everything that takes events from another component.
    pub(crate) struct Fed {
        /// Names of the sources and transforms whose events it takes.
        inputs: Vec<Input>,
    }
}
