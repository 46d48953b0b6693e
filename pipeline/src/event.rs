//! The event model: one flat batch a chunk of source bytes.
//!
//! Owns: [`Batch`] and the spans, fields and keys it is made of; the pieces that transforms make of events; the sink that
//! grammars fill; the JSON writer.
//! Promises: no allocation and no destructor per event or per field; text stays in the chunk until an output
//! writes it once.
//! Never: parses a format or talks to a store.

mod batch;
mod constants;
mod escape;
mod field;
mod json;
mod keys;
mod origin;
mod piece;
mod scalar;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

pub use batch::{Batch, Event, EventFlags, Snapshot};
pub(crate) use batch::{Storage, close as close_span};
pub use constants::{ConstantSet, ConstantValue, Constants};
pub use field::{Field, Span, Value};
pub use json::JsonEncoder;
pub use keys::{KeyTable, Keys};
pub use origin::{Origin, OwnOrigin};
pub(crate) use piece::{PiecePlace, characters};
pub use sink::EventSink;
pub(crate) use sink::{MEMBERS, MadeText, SinkParts};
pub use writer::Writer;
