//! The keys by which the source and the output `kafka` reach a cluster.
//!
//! Owns: [`KEYS`] and [`connection`], which makes a [`KafkaConnection`] of them.
//! Promises: a client can be made of what is decoded; a setting that is passed through is one that librdkafka takes.
//! Never: connects.

use std::collections::BTreeMap;
use std::time::Duration;

use logweir_pipeline::kafka::{
    KafkaConfigError, KafkaConnection, KafkaIdentity, KafkaSasl, KafkaSaslMechanism, KafkaTls, check_setting,
};
use toml::de::DeValue;

use super::decode::{Decoder, Found, Given};
use super::error::{Diagnostic, Place};
use super::schema::{Key, Table, table};
use super::secret::Secret;
use super::value::lists::Item;
use super::value::tables::{Named, named};
use super::value::{At, Content, Description, Value, Words};

/// The keys of a connection.
pub(super) const KEYS: &[&[Key]] = &[ConnectionKeys::KEYS, TlsKeys::KEYS, SaslKeys::KEYS];

table! {
    /// How to reach the cluster.
    struct ConnectionKeys {
        /// Brokers to begin with, each `host:port`; the cluster names the others.
        brokers: Vec<Broker>,
        /// What the logs and quotas of the brokers call this client.
        client_id: String = "logweir",
        /// How often the client tells the figures that `/metrics` shows of it: lag, queue, brokers. "0s": never.
        statistics_interval: Duration = "10s",
        /// More settings of librdkafka by their names there, such as { "socket.keepalive.enable" = true }, or
        /// { "debug" = "cgrp" }, whose lines are in the log of the level "debug". Those on which a
        /// promise of logweir rests, or that have a key of their own here, are refused.
        librdkafka: Option<Settings>,
    }
}

table! {
    /// Whom to trust, and how to prove who we are.
    struct TlsKeys {
        /// Whether to connect over TLS.
        tls: bool = false,
        /// Certificates (PEM) of authorities to trust instead of the system's.
        ca_file: Option<At<Content>>,
        /// Own certificate (PEM).
        client_certificate: Option<At<Content>>,
        /// Key of the own certificate (PEM).
        client_key: Option<At<Content>>,
    }
}

table! {
    /// Who we are.
    struct SaslKeys {
        /// User name for SASL.
        username: Option<At<String>>,
        /// Password for SASL.
        password: Option<At<Secret>>,
        /// How user and password are shown to the broker.
        sasl_mechanism: KafkaSaslMechanism = "scram-sha-512",
    }
}

impl Words for KafkaSaslMechanism {
    const WORDS: &'static [(&'static str, Self)] =
        &[("scram-sha-512", Self::ScramSha512), ("scram-sha-256", Self::ScramSha256), ("plain", Self::Plain)];
}

/// The address of a broker.
struct Broker(At<String>);

impl Item for Broker {
    const NAMES: (&str, &str) =
        ("address or list", "an address or a list of addresses, such as \"127.0.0.1:9092\"");

    fn from_text(text: At<String>, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(text))
    }
}

/// Settings of librdkafka with their values.
struct Settings(Named<String>);

impl Value for Settings {
    fn describe() -> Description {
        Description::new("table of settings", "a table of settings, such as { \"linger.ms\" = 20 }")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        named(given, decoder, setting).map(Self)
    }
}

/// The value of a setting, as librdkafka reads it.
fn setting(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<String> {
    match given.value {
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => decoder.text(given),
    }
}

/// The connection of a source or an output; what is wrong goes to the decoder.
pub(super) fn connection(found: &Found<'_>, decoder: &mut Decoder<'_>) -> Option<KafkaConnection> {
    let keys = ConnectionKeys::decode(found, decoder);
    let tls = TlsKeys::decode(found, decoder).and_then(|keys| tls(keys, decoder));
    let sasl = SaslKeys::decode(found, decoder).and_then(|keys| sasl(keys, decoder));
    let ConnectionKeys { brokers, client_id, statistics_interval, librdkafka } = keys?;
    let settings = librdkafka.map_or_else(Vec::new, |settings| settings.0);
    let reserved = settings.iter().filter_map(|At { value: (key, _), place }| {
        check_setting(key).err().map(|error| wrong_setting(&error, *place))
    });
    let reserved = reserved.collect::<Vec<_>>();
    if !reserved.is_empty() {
        decoder.diagnostics.extend(reserved);
        return None;
    }
    let place_of = |key: &str| settings.iter().find(|At { value, .. }| value.0 == key).map(|at| at.place);
    let librdkafka = settings.iter().map(|At { value: (key, value), .. }| (key.clone(), value.clone()));
    let connection = KafkaConnection {
        brokers: brokers.iter().map(|broker| broker.0.value.clone()).collect(),
        client_id,
        tls: tls?,
        sasl: sasl?,
        statistics_interval,
        librdkafka: librdkafka.collect::<BTreeMap<_, _>>(),
    };
    if let Err(error) = connection.client_config() {
        decoder.report(match &error {
            KafkaConfigError::BadBroker { place, .. } => {
                let place = brokers.get(place - 1).map_or(found.name.place, |broker| broker.0.place);
                Diagnostic::error(error.to_string())
                    .at(place, "expected an address, such as \"kafka-1:9092\"")
            }
            KafkaConfigError::Setting { key, .. } => {
                wrong_setting(&error, place_of(key).unwrap_or(found.name.place))
            }
            _ => Diagnostic::error(error.to_string()).at(found.name.place, "this cannot be used"),
        });
        return None;
    }
    Some(connection)
}

fn wrong_setting(error: &KafkaConfigError, place: Place) -> Diagnostic {
    let label = match error {
        KafkaConfigError::Reserved { .. } => "this cannot be passed through",
        _ => "expected a setting that librdkafka has, with a value that it takes",
    };
    Diagnostic::error(error.to_string()).at(place, label)
}

/// Certificates need `tls`.
fn tls(keys: TlsKeys, decoder: &mut Decoder<'_>) -> Option<Option<KafkaTls>> {
    let TlsKeys { tls, ca_file, client_certificate, client_key } = keys;
    let given =
        [("ca_file", &ca_file), ("client_certificate", &client_certificate), ("client_key", &client_key)];
    let first = given.into_iter().find_map(|(key, content)| Some((key, content.as_ref()?.place)));
    match (tls, first) {
        (false, None) => return Some(None),
        (false, Some((key, place))) => {
            decoder.report(
                Diagnostic::error(format!("`{key}` without `tls = true`"))
                    .at(place, "expected `tls = true` beside it"),
            );
            return None;
        }
        (true, _) => {}
    }
    let identity = match (client_certificate, client_key) {
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (pem(certificate, decoder), pem(key, decoder));
            Some(KafkaIdentity { certificate: certificate?, key: key? })
        }
        (None, None) => None,
        (Some(one), None) => return without("client_certificate", one.place, "client_key", decoder),
        (None, Some(one)) => return without("client_key", one.place, "client_certificate", decoder),
    };
    let authorities = match ca_file {
        Some(content) => Some(pem(content, decoder)?),
        None => None,
    };
    Some(Some(KafkaTls { authorities, identity }))
}

/// A file that must be PEM, which is text.
fn pem(At { value, place }: At<Content>, decoder: &mut Decoder<'_>) -> Option<String> {
    let text = String::from_utf8(value.0).ok().filter(|text| text.contains("-----BEGIN "));
    if text.is_none() {
        decoder.report(Diagnostic::error("the file is not PEM").at(place, "expected a PEM file"));
    }
    text
}

fn sasl(keys: SaslKeys, decoder: &mut Decoder<'_>) -> Option<Option<KafkaSasl>> {
    match (keys.username, keys.password) {
        (Some(username), Some(password)) => Some(Some(KafkaSasl {
            mechanism: keys.sasl_mechanism,
            username: username.value,
            password: password.value.expose().to_owned(),
        })),
        (None, None) => Some(None),
        (Some(username), None) => without("username", username.place, "password", decoder),
        (None, Some(password)) => without("password", password.place, "username", decoder),
    }
}

/// Says that a key lacks the other with which it belongs.
fn without<T>(key: &str, place: Place, missing: &str, decoder: &mut Decoder<'_>) -> Option<T> {
    decoder.report(
        Diagnostic::error(format!("`{key}` without `{missing}`"))
            .at(place, format!("expected `{missing}` beside it")),
    );
    None
}
