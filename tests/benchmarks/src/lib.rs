//! What measures and tortures logweir from outside: generated logs, two `_bulk` servers, real ones, a clock to pace by.
//!
//! Owns: the deterministic line generator, the sink that costs next to nothing (for figures), and the store that
//! remembers everything and misbehaves by plan (for scenarios), the recipes of real servers (for both). Promises: no async runtime and no part of logweir
//! itself, so that neither a figure nor a verdict depends on the code under test. Never: asserts; callers do.

pub mod generate;
mod http;
pub mod pace;
pub mod ports;
mod random;
pub mod servers;
pub mod sink;
pub mod store;

pub use random::Random;
