//! The configuration of the output `email`.
//!
//! Owns: [`EmailConfig`] and what can be wrong with it.
//! Promises: its debug form and its errors hold no secret.
//! Never: reads an environment or a secret's file; the caller gives values.

use std::net::IpAddr;
use std::time::Duration;

use lettre::address::AddressError;
use lettre::message::Mailbox;
use logweir_pipeline::transform::Template;
use reqwest::Url;

use crate::http::{Auth, Tls};
use crate::lane::LaneConfig;
use crate::rate::RateConfig;
use crate::webhook::Body;

/// The members of what the encoder writes of an event.
pub(super) const SUBJECT: &str = "subject";
pub(super) const TEXT: &str = "text";

/// The configuration of the output `email`.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// The server: `smtps://host` (TLS), `starttls://host` (TLS after a greeting) or `smtp://host` (no TLS), with a port if it
    /// is not the usual one.
    pub server: String,
    /// How to say who we are; a user and a password, or nothing.
    pub auth: Auth,
    /// Certificates.
    pub tls: Tls,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The subject of a mail.
    pub subject: Template,
    /// Its text. Without it, all fields of the event.
    pub text: Option<Template>,
    /// How long events are gathered for one mail. Without it, each has its own.
    pub gather: Option<Duration>,
    /// Most events of one mail.
    pub events_max: usize,
    /// How many mails there may be.
    pub rate: Option<RateConfig>,
    /// The time for one mail, connection included.
    pub request_timeout: Duration,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum EmailConfigError {
    /// Not an address of a server.
    #[error("`server` is no address such as smtps://mail.example.com: {0}")]
    BadServer(String),
    /// Credentials would go over a connection that can be read on the way.
    #[error(
        "the password would go over smtp:// in the clear; use smtps:// or starttls://, or a server on this host"
    )]
    PasswordInClear,
    /// The sender is no address.
    #[error("`from` is no mail address: {0}")]
    BadFrom(AddressError),
    /// A recipient is none.
    #[error("recipient {place} is no mail address: {reason}")]
    BadTo {
        /// Its place in the list, from 1.
        place: usize,
        /// The cause.
        reason: AddressError,
    },
    /// There is no recipient.
    #[error("`to` is empty; name at least one address")]
    NoTo,
    /// A certificate or key cannot be used.
    #[error("the certificates under tls are not PEM that can be used: {0}")]
    BadPem(String),
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Tls,
    StartTls,
    None,
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
}

impl EmailConfig {
    /// When a mail is complete.
    pub(crate) fn lane(&self, lane: LaneConfig) -> LaneConfig {
        match self.gather {
            Some(flush_after) => {
                let batch_events = lane.batch_events.min(self.events_max);
                LaneConfig { flush_after, batch_events, ..lane }
            }
            None => lane.one_event(),
        }
    }

    /// What the encoder writes of an event.
    pub(crate) fn letter(&self) -> Body {
        let text = self.text.clone().map(|text| (TEXT.to_owned(), Body::Text(text)));
        let subject = (SUBJECT.to_owned(), Body::Text(self.subject.clone()));
        Body::Table([subject].into_iter().chain(text).collect())
    }

    pub(super) fn parsed_server(&self) -> Result<Server, EmailConfigError> {
        let bad = |reason: &str| EmailConfigError::BadServer(reason.to_owned());
        let url = Url::parse(&self.server).map_err(|error| bad(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it holds a user or password; put them under `username` and `password`"));
        }
        let (protection, usual_port) = match url.scheme() {
            "smtps" => (Protection::Tls, 465),
            "starttls" => (Protection::StartTls, 587),
            "smtp" => (Protection::None, 25),
            _ => return Err(bad("it does not begin with smtps://, starttls:// or smtp://")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if protection == Protection::None && !matches!(self.auth, Auth::None) && !is_loopback(&host) {
            return Err(EmailConfigError::PasswordInClear);
        }
        Ok(Server { host, port: url.port().unwrap_or(usual_port), protection })
    }

    pub(super) fn sender(&self) -> Result<Mailbox, EmailConfigError> {
        self.from.parse().map_err(EmailConfigError::BadFrom)
    }

    pub(super) fn recipients(&self) -> Result<Vec<Mailbox>, EmailConfigError> {
        let parse = |(index, text): (usize, &String)| {
            text.parse().map_err(|reason| EmailConfigError::BadTo { place: index + 1, reason })
        };
        let to = self.to.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() { Err(EmailConfigError::NoTo) } else { Ok(to) }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
