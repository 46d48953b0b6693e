//! The output `email`: mails by SMTP, made above all for alerts.
//!
//! Owns: one file each for the configuration, the mail and the sending.
//! Promises: mails go one at a time, in the order of their events; each has a `Message-ID` that follows from the identity of
//! its first event; credentials are in no message and go over no connection that can be read on the way.
//! Never: takes an answer of a later hop (a mail that comes back) for one of the server.
//!
//! Events stand in a payload as those of a webhook do: identity, a JSON object with subject and text, document.

mod client;
mod config;
mod message;

pub use client::EmailClient;
pub use config::{EmailConfig, EmailConfigError};

#[cfg(test)]
mod tests;
