//! Log line grammars: bytes to fields.
//!
//! Owns: one grammar a format, in nom 8, the patterns of formats of one's own, and the names of the fields that they give.
//! Promises: pure functions, linear in the line's length, that never panic; a grammar takes a line whole or
//! says where it stopped.
//! Never: I/O, clocks, threads, async; allocation while a line is parsed. The crate is `no_std`, so the compiler
//! enforces most of it.
//!
//! To add a format: one file under `format/`, one line in the table in `format.rs`, cases as data under `testdata/`,
//! and a fuzz target. A test names what is missing.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod context;
pub mod format;
mod grammar;
pub mod key;
pub mod pattern;
pub mod preset;
pub mod reject;
mod search;
pub mod sink;
pub mod timestamp;
mod unescape;
pub mod zone;

pub use context::Context;
pub use format::{FORMATS, Format};
pub use key::KeyId;
pub use pattern::Pattern;
pub use preset::PresetId;
pub use reject::{Reject, Rejection};
pub use sink::Sink;
pub use zone::Zone;
