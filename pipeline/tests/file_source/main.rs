//! The file source on a real file system: one named test for each thing that files do.

#![allow(clippy::unwrap_used)] // the helpers of tests may panic as tests may

mod basics;
mod content;
mod cuts;
mod figures;
mod held;
mod lab;
mod own;
mod permissions;
mod places;
mod rotation;
mod soak;
mod store;
mod truncation;
