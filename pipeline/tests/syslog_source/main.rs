//! The syslog source on real sockets: one named test for each thing that senders do.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // the helpers of tests may panic as tests may

mod datagram;
mod lab;
mod places;
mod stream;
mod tls;
