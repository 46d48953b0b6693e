//! The outputs of logweir: encode a batch, send it, judge each answer, retry or dead-letter, ack.
//!
//! Owns: the one driver loop of all outputs, the lanes that feed it, the dead letter, and one folder or file a kind
//! of output.
//! Promises: every event handed to a lane is delivered, or stands in the dead letter, before its batch is
//! acknowledged; a store that is away costs bounded memory and no event.
//! Never: changes an event.

pub mod client;
pub mod concurrency;
pub mod console;
pub mod dead_letter;
pub mod driver;
#[cfg(feature = "elasticsearch")]
pub mod elasticsearch;
#[cfg(feature = "email")]
pub mod email;
pub mod encode;
pub mod event_id;
pub mod file;
#[cfg(any(feature = "elasticsearch", feature = "webhook"))]
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lane;
pub mod output;
pub mod payload;
pub mod rate;
pub mod report;
pub mod retry;
#[cfg(feature = "webhook")]
mod secrets;
pub mod status;
pub mod verdict;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use output::{LaneFactory, Output, OutputConfig, OutputDependencies, OutputError, OutputKind};
pub use status::{OutputCounts, OutputState, OutputStatus};

#[cfg(test)]
mod testing;
