//! The real binary, on real files, against real and misbehaving servers: one test program.
//!
//! Promises: every test works in a folder of its own, waits for conditions with a deadline, and ends every process
//! it started. Never: reaches outside the machine except to fetch the servers' archives once.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "clippy's exemption for tests does not reach the helpers of a test program"
)]

mod bad_input;
mod config_tests;
mod documentation;
mod scenarios;
mod support;
mod tap;
