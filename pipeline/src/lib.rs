//! The pipeline of logweir: sources, the event batch, transforms, windows and rules, acks and positions.
//!
//! Owns: everything between a grammar and an output.
//! Promises: every event read is delivered, dropped by a named transform, dead-lettered, or still in flight; the
//! ledger shows it.
//! Never: talks to a store; only `source`, and a `lookup` step its table, opens files.

pub mod ack;
pub mod aggregate;
pub mod buffers;
pub mod checkpoint;
pub mod event;
pub mod installation;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod ledger;
pub mod matcher;
pub mod memory;
pub mod operator;
pub mod parse;
mod reorder;
pub mod router;
pub mod rule;
pub mod sigma;
pub mod snapshot;
pub mod source;
pub mod stop;
pub mod stream;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod time;
pub mod transform;
pub mod watermark;
pub mod window;
pub mod worker;
pub mod zone;

pub use ack::Ack;
pub use event::{Batch, Event, Keys};
pub use ledger::Ledger;
pub use memory::Memory;
pub use stop::Stop;
pub use stream::{Position, SourceMeta, Starting, Stream, StreamListener};
