//! The output `webhook`: requests of JSON to any HTTP address, made above all for alerts.
//!
//! Owns: one file each for the configuration, the body, its encoder, the request and the meaning of its answer.
//! Promises: a body is valid JSON whatever the event holds; requests go one at a time, in the order of their events; what
//! must be kept secret (address, headers, credentials) is in no message, debug form or dead letter.
//! Never: follows a redirect.

mod answer;
mod body;
mod client;
mod config;
mod encode;

pub use body::Body;
pub use client::WebhookClient;
pub use config::{Method, PerRequest, WebhookConfig, WebhookConfigError};
#[cfg(feature = "email")]
pub(crate) use encode::Part;
pub use encode::WebhookEncoder;

#[cfg(test)]
mod tests;
