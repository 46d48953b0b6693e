//! The connection to a Kafka cluster, which the source and the output `kafka` share.
//!
//! Owns: [`KafkaConnection`], what it takes to reach a cluster, and its errors.
//! Promises: a setting on which a promise of logweir rests can't be changed behind its back; the debug form of a
//! connection, and every error, holds no secret.
//! Never: connects, or reads a file; the caller gives certificates as text.

pub mod headers;
mod reserved;
pub mod topic_name;
pub mod transaction;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

pub use reserved::check_setting;

/// How to reach a Kafka cluster.
#[derive(Clone)]
pub struct KafkaConnection {
    /// Brokers to begin with, each `host:port`; the cluster names the others.
    pub brokers: Vec<String>,
    /// What the brokers' logs call us.
    pub client_id: String,
    /// Certificates; none for connections without TLS.
    pub tls: Option<KafkaTls>,
    /// Who we are; none when nobody asks.
    pub sasl: Option<KafkaSasl>,
    /// How often a client tells its figures; zero for never.
    pub statistics_interval: Duration,
    /// More settings of librdkafka, by their names there.
    pub librdkafka: BTreeMap<String, String>,
}

/// Certificates, as PEM.
#[derive(Clone, Default)]
pub struct KafkaTls {
    /// Authorities to trust instead of the system's.
    pub authorities: Option<String>,
    /// Our own certificate and its private key.
    pub identity: Option<KafkaIdentity>,
}

/// Our own certificate, as PEM.
#[derive(Clone)]
pub struct KafkaIdentity {
    /// The certificate, with those between it and its authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// A user and a password.
#[derive(Clone)]
pub struct KafkaSasl {
    /// How they are shown to the broker.
    pub mechanism: KafkaSaslMechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// How a user and a password are shown to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaSaslMechanism {
    /// As they are (RFC 4616).
    Plain,
    /// By a challenge (RFC 5802) with SHA-256.
    ScramSha256,
    /// By a challenge (RFC 5802) with SHA-512.
    #[default]
    ScramSha512,
}

/// What is wrong with a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaConfigError {
    /// There is no broker.
    #[error("brokers is empty; name at least one, such as 127.0.0.1:9092")]
    NoBroker,
    /// Not the address of a broker.
    #[error("broker {place} is not host:port: {reason}")]
    BadBroker {
        /// Its place in the list, from 1.
        place: usize,
        /// The cause.
        reason: &'static str,
    },
    /// A setting that cannot be passed through.
    #[error("the setting `{key}` of librdkafka is reserved: {reason}")]
    Reserved {
        /// Its name.
        key: String,
        /// What to do instead, or why.
        reason: &'static str,
    },
    /// A setting that librdkafka does not take.
    #[error("librdkafka does not take the setting `{key}`: {reason}")]
    Setting {
        /// Its name.
        key: String,
        /// The cause in its words; never of a setting that may hold a secret.
        reason: String,
    },
    /// A client cannot be made.
    #[error("cannot set up the Kafka client: {0}")]
    Client(String),
}

impl Default for KafkaConnection {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            client_id: "logweir".to_owned(),
            tls: None,
            sasl: None,
            statistics_interval: Duration::from_secs(10),
            librdkafka: BTreeMap::new(),
        }
    }
}

impl KafkaConnection {
    /// The settings for librdkafka. Producers and consumers add theirs with [`with_defaults`], so that what the config
    /// passes through comes before.
    ///
    /// # Errors
    /// When a broker's address, or a setting that is passed through, cannot be used.
    pub fn client_config(&self) -> Result<ClientConfig, KafkaConfigError> {
        if self.brokers.is_empty() {
            return Err(KafkaConfigError::NoBroker);
        }
        for (index, broker) in self.brokers.iter().enumerate() {
            let bad = |reason| KafkaConfigError::BadBroker { place: index + 1, reason };
            check_broker(broker).map_err(bad)?;
        }
        let mut config = ClientConfig::new();
        for (key, value) in &self.librdkafka {
            check_setting(key)?;
            config.set(key, value);
        }
        // Who asks librdkafka for what helps to find a fault gets it, in the log's level "debug". Of its notices a source
        // learns that an answer was lost.
        let is_debugged = self.librdkafka.contains_key("debug");
        config.set_log_level(if is_debugged { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Notice });
        config.set("bootstrap.servers", self.brokers.join(","));
        config.set("client.id", &self.client_id);
        config.set("security.protocol", self.security_protocol());
        if let Some(tls) = &self.tls {
            tls.set(&mut config);
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", sasl.mechanism.name());
            config.set("sasl.username", &sasl.username);
            config.set("sasl.password", &sasl.password);
        }
        check_settings(&config)?;
        Ok(config)
    }

    /// Makes a producer or consumer tell its figures.
    pub fn set_statistics(&self, config: &mut ClientConfig) {
        config.set("statistics.interval.ms", self.statistics_interval.as_millis().to_string());
    }

    fn security_protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }
}

impl KafkaTls {
    fn set(&self, config: &mut ClientConfig) {
        if let Some(authorities) = &self.authorities {
            config.set("ssl.ca.pem", authorities);
        }
        if let Some(identity) = &self.identity {
            config.set("ssl.certificate.pem", &identity.certificate);
            config.set("ssl.key.pem", &identity.key);
        }
    }
}

impl KafkaSaslMechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Adds settings that the config has not set itself.
pub fn with_defaults(config: &mut ClientConfig, defaults: &[(&str, &str)]) {
    for (key, value) in defaults {
        if config.get(key).is_none() {
            config.set(*key, *value);
        }
    }
}

/// Whether librdkafka knows all settings and takes their values. Nothing connects.
///
/// # Errors
/// The setting that it does not take.
pub fn check_settings(config: &ClientConfig) -> Result<(), KafkaConfigError> {
    config.create_native_config().map(drop).map_err(|error| match error {
        KafkaError::ClientConfig(_, reason, key, _) => {
            let may_be_secret = ["password", "secret", "pem", "jaas"].iter().any(|word| key.contains(word));
            let reason = if may_be_secret { "its value is not valid".to_owned() } else { reason };
            KafkaConfigError::Setting { key, reason }
        }
        error => KafkaConfigError::Client(error.to_string()),
    })
}

/// Checks that an address is `host:port`, or a host alone, which has port 9092.
fn check_broker(broker: &str) -> Result<(), &'static str> {
    if broker.contains("://") {
        return Err("it has a scheme; `tls` says how to connect");
    }
    if broker.is_empty() || broker.contains([',', '/', '@']) || broker.contains(char::is_whitespace) {
        return Err("it is empty or has characters that a host cannot have");
    }
    // An address of IPv6 stands in brackets, and the port behind them.
    let port = match broker.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("its bracket has no partner")?.1.strip_prefix(':'),
        None => broker.split_once(':').map(|(_, port)| port),
    };
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Err("its port is no number from 1 to 65535"),
        _ => Ok(()),
    }
}

impl fmt::Debug for KafkaConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, client_id, tls, sasl, statistics_interval, librdkafka } = self;
        formatter
            .debug_struct("KafkaConnection")
            .field("brokers", brokers)
            .field("client_id", client_id)
            .field("tls", tls)
            .field("sasl", sasl)
            .field("statistics_interval", statistics_interval)
            .field("librdkafka", &librdkafka.keys())
            .finish()
    }
}

impl fmt::Debug for KafkaTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorities, identity } = self;
        formatter
            .debug_struct("KafkaTls")
            .field("authorities", &authorities.is_some())
            .field("identity", &identity.is_some())
            .finish()
    }
}

impl fmt::Debug for KafkaIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KafkaIdentity(…)")
    }
}

impl fmt::Debug for KafkaSasl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, username, password: _ } = self;
        formatter.debug_struct("KafkaSasl").field("mechanism", mechanism).field("username", username).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(brokers: &[&str]) -> KafkaConnection {
        let brokers = brokers.iter().map(|&broker| broker.to_owned()).collect();
        KafkaConnection { brokers, ..KafkaConnection::default() }
    }

    fn passing(key: &str, value: &str) -> Result<ClientConfig, KafkaConfigError> {
        let librdkafka = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        KafkaConnection { librdkafka, ..connection(&["127.0.0.1:9092"]) }.client_config()
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        for good in ["127.0.0.1:9092", "kafka", "kafka.example.org:1", "[::1]:9092", "[::1]"] {
            assert!(connection(&[good]).client_config().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a,b", "PLAINTEXT://a:9092", "a:", "a:0", "a:x", "a:70000", "[::1", "user@a"] {
            let error = connection(&["good:1", bad]).client_config().unwrap_err();
            assert!(matches!(error, KafkaConfigError::BadBroker { place: 2, .. }), "{bad}: {error}");
        }
        assert_eq!(connection(&[]).client_config().unwrap_err(), KafkaConfigError::NoBroker);
    }

    #[test]
    fn the_protocol_follows_from_certificates_and_users() {
        let sasl = KafkaSasl {
            mechanism: KafkaSaslMechanism::ScramSha512,
            username: "alice".to_owned(),
            password: "hunter2".to_owned(),
        };
        for (tls, sasl, expected) in [
            (None, None, "plaintext"),
            (Some(KafkaTls::default()), None, "ssl"),
            (None, Some(sasl.clone()), "sasl_plaintext"),
            (Some(KafkaTls::default()), Some(sasl), "sasl_ssl"),
        ] {
            let connection = KafkaConnection { tls, sasl, ..connection(&["a"]) };
            let config = connection.client_config().unwrap();
            assert_eq!(config.get("security.protocol"), Some(expected));
        }
    }

    #[test]
    fn reserved_settings_are_refused() {
        assert!(matches!(passing("group.id", "1"), Err(KafkaConfigError::Reserved { .. })));
        assert!(passing("socket.keepalive.enable", "true").is_ok());
    }

    #[test]
    fn librdkafka_says_what_it_does_not_take() {
        for (key, value) in [("no.such.setting", "1"), ("socket.timeout.ms", "soon")] {
            let error = passing(key, value).unwrap_err();
            assert!(matches!(&error, KafkaConfigError::Setting { key: told, .. } if told == key), "{error}");
        }
    }

    #[test]
    fn what_the_config_passes_through_comes_before_defaults() {
        let mut config = passing("linger.ms", "7").unwrap();
        with_defaults(&mut config, &[("linger.ms", "5"), ("batch.size", "1000")]);
        assert_eq!((config.get("linger.ms"), config.get("batch.size")), (Some("7"), Some("1000")));
    }

    #[test]
    fn nothing_prints_a_secret() {
        let identity = KafkaIdentity { certificate: "secret-1".to_owned(), key: "secret-2".to_owned() };
        let connection = KafkaConnection {
            tls: Some(KafkaTls { authorities: None, identity: Some(identity) }),
            sasl: Some(KafkaSasl {
                mechanism: KafkaSaslMechanism::Plain,
                username: "alice".to_owned(),
                password: "secret-3".to_owned(),
            }),
            librdkafka: BTreeMap::from([("ssl.key.password".to_owned(), "secret-4".to_owned())]),
            ..connection(&["a"])
        };
        let shown = format!("{connection:?}");
        assert!(!shown.contains("secret") && shown.contains("alice"), "{shown}");
    }

    #[test]
    fn every_compression_is_built_in() {
        for codec in ["gzip", "lz4", "zstd", "none"] {
            let mut config = connection(&["a"]).client_config().unwrap();
            config.set("compression.type", codec);
            assert_eq!(check_settings(&config), Ok(()), "{codec}");
        }
    }
}
