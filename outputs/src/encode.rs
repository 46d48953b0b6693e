//! What a lane needs of an output: to write one event.
//!
//! Owns: [`Encode`].
//! Promises: an encoder is plain code that touches no clock, file or socket, so its tests compare strings.
//! Never: changes an event.

use std::sync::Arc;

use logweir_pipeline::event::Writer;
use logweir_pipeline::{Batch, Event};

/// The encoding end of an output, one a worker.
pub trait Encode: Send {
    /// The events that follow are of this batch. Returns whether [`Encode::is_stored`] has to be asked.
    fn begin(&mut self, batch: &Batch) -> bool;

    /// Whether the output has this event already, from before a restart.
    fn is_stored(&self, _event: &Event) -> bool {
        false
    }

    /// The most targets in one payload.
    fn targets_max(&self) -> usize {
        usize::MAX
    }

    /// Where the event goes; asked of each event before it is encoded. Equal targets are best the same `Arc`.
    fn target(&mut self, batch: &Batch, index: usize) -> &Arc<str>;

    /// Writes the event. `target` is given when it differs from the one of the payload.
    fn encode(&mut self, batch: &Batch, event: &Event, target: Option<&str>, out: &mut Writer);
}
