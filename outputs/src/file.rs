//! The output `file`: events as lines in files, each once also after kill -9.
//!
//! Owns: one file each for the configuration, path templates, the lines, the open files with their rotation, and the
//! journal of what is written.
//! Promises: a line is on disk before it is acknowledged; after a crash an unacknowledged tail is cut off, and what
//! the journal knows as written is not written again.
//! Never: writes outside the folder that the template's literal beginning names.

mod client;
mod config;
mod encode;
mod files;
mod journal;
mod rotate;
mod template;

pub use client::FileClient;
pub use config::{FileConfig, FileEncoding, FileOutputError};
pub use encode::FileEncoder;
pub use journal::Written;
pub use rotate::ROTATED_GLOB;
pub use template::{PathTemplate, TemplateError};

#[cfg(test)]
mod tests;
