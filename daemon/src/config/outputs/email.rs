//! `type = "email"`.
//!
//! Owns: the keys of an email output and their checked values.
//! Promises: a client can be made of what is decoded; subject and text are templates that can be filled in.
//! Never: connects.

use std::sync::Arc;
use std::time::Duration;

use logweir_outputs::email::{EmailClient, EmailConfig, EmailConfigError};
use logweir_outputs::http::Auth;
use logweir_outputs::output::OutputKind;
use logweir_pipeline::Keys;

use super::super::decode::{Decoder, Found};
use super::super::error::Diagnostic;
use super::super::schema::{Key, Table, table};
use super::super::secret::Secret;
use super::super::value::{At, Integer};
use super::rate::{Rate, rate};
use super::template::template;
use super::{Target, http};

pub(super) const KEYS: &[&[Key]] = &[MailKeys::KEYS, http::KEYS[1]];

table! {
    /// Who writes what to whom.
    struct MailKeys {
        /// Server to send by: `smtps://host` (TLS), `starttls://host` (TLS after the greeting) or `smtp://host` (no TLS), with a port
        /// if it is not 465, 587 or 25.
        server: At<String>,
        /// User name for the server.
        username: Option<At<String>>,
        /// Password for the server.
        password: Option<At<Secret>>,
        /// Address of the sender, such as "logweir <logweir@example.com>".
        from: At<String>,
        /// Addresses of the recipients.
        to: Vec<At<String>>,
        /// Subject; `{rule.name}` stands for a field, `{event.id}` for the identity of the event. Of mails with several events,
        /// that of the first.
        subject: At<String> = "{message}",
        /// Text of an event, in which `{source.ip}` stands for a field. Absent: all fields, one a line.
        body: Option<At<String>>,
        /// How long events are gathered for one mail. Absent: a mail for each event.
        gather: Option<Duration>,
        /// Most events of one mail.
        events_max: Integer<usize, 1, 1000> = 100,
        /// Most mails in a time, such as { requests = 10, per = "1h" }; what is too early waits. Absent: no limit.
        rate: Rate,
        /// Time for one mail, connection included.
        request_timeout: Duration = "60s",
    }
}

pub(super) fn target(found: &Found<'_>, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Target> {
    let mail = MailKeys::decode(found, decoder);
    let tls = http::tls(found, decoder);
    let mail = mail?;
    let filled = |name: &str, text: &At<String>, decoder: &mut Decoder<'_>| {
        template(&format!("`{name}`"), &text.value, false, text.place, keys, decoder)
    };
    let subject = filled("subject", &mail.subject, decoder);
    let text = match &mail.body {
        Some(body) => Some(filled("body", body, decoder)?),
        None => None,
    };
    let auth = auth(mail.username, mail.password, decoder);
    let rate = rate(mail.rate, decoder);
    let config = EmailConfig {
        server: mail.server.value,
        auth: auth?,
        tls: tls?,
        from: mail.from.value,
        to: mail.to.iter().map(|address| address.value.clone()).collect(),
        subject: subject?,
        text,
        gather: mail.gather,
        events_max: mail.events_max.0,
        rate: rate?,
        request_timeout: mail.request_timeout,
    };
    if let Err(error) = EmailClient::new(&config) {
        let place = match &error {
            EmailConfigError::BadServer(_) | EmailConfigError::PasswordInClear => mail.server.place,
            EmailConfigError::BadFrom(_) => mail.from.place,
            EmailConfigError::BadTo { place, .. } => {
                mail.to.get(place - 1).map_or(found.name.place, |address| address.place)
            }
            EmailConfigError::NoTo | EmailConfigError::BadPem(_) => found.name.place,
        };
        decoder.report(Diagnostic::error(error.to_string()).at(place, "this cannot be used"));
        return None;
    }
    Some(Target::of(OutputKind::Email(config), 1))
}

fn auth(user: Option<At<String>>, password: Option<At<Secret>>, decoder: &mut Decoder<'_>) -> Option<Auth> {
    match (user, password) {
        (Some(user), Some(password)) => {
            Some(Auth::Basic { user: user.value, password: password.value.expose().to_owned() })
        }
        (Some(user), None) => http::without("username", user.place, "password", decoder),
        (None, Some(password)) => http::without("password", password.place, "username", decoder),
        (None, None) => Some(Auth::None),
    }
}
