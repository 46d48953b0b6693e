//! What real servers need wherever they are started, for scenarios as for figures.
//!
//! Owns: finding a Java, fetching archives by Maven, the recipe of a Kafka cluster, and the shell that ends a server with this program.
//! Promises: a machine without Java or Maven is told what to install in one sentence; archives are fetched once.
//! Never: a server that this program did not start.

pub mod java;
pub mod kafka;
mod keeper;

pub use keeper::Keeper;
