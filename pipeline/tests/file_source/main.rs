//! The file source on a real file system: one named test for each thing that files do.

mod basics;
mod lab;
mod rotation;
