//! The sending: a mail to the server, its answer to the verdict.
//!
//! Owns: [`EmailClient`] and what answers of SMTP mean (RFC 5321 section 4.2).
//! Promises: 4yz is sent again, 5yz is refused, and what is wrong with who we are waits for someone to change it; no more
//! mails than the limit allows, those that are sent again included.
//! Never: keeps a connection between two mails.

use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Identity, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport, Tokio1Executor};
use tokio::time::timeout;

use super::config::{EmailConfig, EmailConfigError, Protection, Server};
use super::message::{Addresses, compose};
use crate::client::{Client, Document};
use crate::http::{self, Auth};
use crate::payload::Payload;
use crate::rate::RateLimit;
use crate::secrets::Secrets;
use crate::verdict::{Cause, Refusal, Trouble, Verdict};
use crate::webhook::Part;

/// Answers that say that we must say who we are, or that it was wrong (RFC 4954 section 6).
const UNAUTHORIZED: [u16; 4] = [530, 534, 535, 538];

/// Sends mails.
pub struct EmailClient {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    addresses: Addresses,
    /// Host and port, for messages.
    label: String,
    request_timeout: Duration,
    secrets: Secrets,
    rate: Option<RateLimit>,
}

impl EmailClient {
    /// A client for this configuration.
    ///
    /// # Errors
    /// When an address or a certificate cannot be used.
    pub fn new(config: &EmailConfig) -> Result<Self, EmailConfigError> {
        let server = config.parsed_server()?;
        let addresses = Addresses { from: config.sender()?, to: config.recipients()? };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls(config, &server)?)
            .timeout(Some(config.request_timeout));
        let mut password = None;
        if let Auth::Basic { user, password: text } = &config.auth {
            transport = transport.credentials(Credentials::new(user.clone(), text.clone()));
            password = Some(text.as_str());
        }
        Ok(Self {
            transport: transport.build(),
            addresses,
            label: format!("{}:{}", server.host, server.port),
            request_timeout: config.request_timeout,
            secrets: Secrets::new(password.into_iter()),
            rate: config.rate.map(RateLimit::new),
        })
    }

    fn judge(&self, error: &Error) -> Verdict {
        let reason = format!("{}: {}", self.label, self.secrets.quote(error.to_string().as_bytes()));
        let again = |cause, reason: String| Verdict::Retry(Trouble::new(cause, reason));
        match error.status().map(u16::from) {
            Some(status) if UNAUTHORIZED.contains(&status) => {
                let remedy = "; check `username` and `password` of the output, then restart";
                again(Cause::Unauthorized, reason + remedy)
            }
            Some(status) if error.is_permanent() => {
                Verdict::Refused(Refusal { status, label: format!("status {status}"), reason })
            }
            Some(_) => again(Cause::Overload, reason),
            None if error.is_timeout() => again(Cause::Overload, reason),
            None if error.is_client() => again(Cause::Unexpected, reason),
            None => again(Cause::Unreachable, http::with_remedy(reason, "server")),
        }
    }
}

impl Client for EmailClient {
    const ORDERED: bool = true;

    async fn send(&self, payload: &Payload) -> Verdict {
        let mail = match compose(&self.addresses, payload) {
            Ok(mail) => mail,
            Err(error) => return Verdict::Retry(Trouble::new(Cause::Unexpected, error.to_string())),
        };
        if let Some(rate) = &self.rate {
            rate.wait().await;
        }
        match timeout(self.request_timeout, self.transport.send(mail)).await {
            Ok(Ok(_)) => Verdict::Delivered { soft_failures: 0 },
            Ok(Err(error)) => self.judge(&error),
            Err(_) => {
                let reason = format!("{}: no answer within {:?}", self.label, self.request_timeout);
                Verdict::Retry(Trouble::new(Cause::Overload, reason))
            }
        }
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        let Part { id, document, .. } = Part::of(item);
        Document { id: str::from_utf8(&item[id]).unwrap_or_default(), json: &item[document] }
    }
}

fn tls(config: &EmailConfig, server: &Server) -> Result<Tls, EmailConfigError> {
    let bad_pem = |error: Error| EmailConfigError::BadPem(error.to_string());
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &config.tls.authorities {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem).map_err(bad_pem)?);
    }
    if let Some(pem) = &config.tls.identity {
        parameters = parameters.identify_with(Identity::from_pem(pem, pem).map_err(bad_pem)?);
    }
    let parameters = || parameters.build().map_err(bad_pem);
    Ok(match server.protection {
        Protection::None => Tls::None,
        Protection::Tls => Tls::Wrapper(parameters()?),
        Protection::StartTls => Tls::Required(parameters()?),
    })
}
