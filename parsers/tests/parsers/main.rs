//! The grammars from outside: cases as data, and what must hold for any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)] // this is how a test fails

mod cases;
mod linear;
mod oracle;
mod patterns;
mod properties;
mod recorder;
