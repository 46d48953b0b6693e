//! Settings of librdkafka that a config may not pass through.
//!
//! Owns: their names, each with what to do instead.
//! Promises: a setting is refused by its name, whatever its value, and also with the prefix of settings of topics.
//! Never: judges the value of a setting.

use super::KafkaConfigError;

/// Settings of librdkafka that a config cannot pass through, and what to do instead.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use `brokers`"),
    ("metadata.broker.list", "use `brokers`"),
    ("client.id", "use `client_id`"),
    ("security.protocol", "use `tls` and `username`"),
    ("ssl.ca.location", "use `ca_file`"),
    ("ssl.ca.pem", "use `ca_file`"),
    ("ssl.certificate.location", "use `client_certificate`"),
    ("ssl.certificate.pem", "use `client_certificate`"),
    ("ssl.key.location", "use `client_key`"),
    ("ssl.key.pem", "use `client_key`"),
    ("sasl.mechanism", "use `sasl_mechanism`"),
    ("sasl.mechanisms", "use `sasl_mechanism`"),
    ("sasl.username", "use `username`"),
    ("sasl.password", "use `password`"),
    ("plugin.library.paths", "it would load foreign code"),
    ("statistics.interval.ms", "use `statistics_interval`"),
    ("log.queue", "logweir sets it itself"),
    ("enabled_events", "logweir needs the reports of all records"),
    ("delivery.report.only.error", "logweir needs the reports of all records"),
    ("test.mock.num.brokers", "its brokers keep nothing"),
    ("queue.buffering.max.ms", "use `linger.ms`"),
    ("enable.idempotence", "without it records could stand there twice"),
    ("enable.gapless.guarantee", "one refused record would end the output"),
    ("acks", "only records that all replicas have are acknowledged"),
    ("request.required.acks", "only records that all replicas have are acknowledged"),
    ("transactional.id", "use `transactional_id`"),
    ("retries", "logweir tries again without end"),
    ("message.send.max.retries", "logweir tries again without end"),
    ("delivery.timeout.ms", "logweir tries again without end"),
    ("message.timeout.ms", "logweir tries again without end"),
    ("compression.codec", "use `compression`"),
    ("compression.type", "use `compression`"),
    ("group.id", "use `group`"),
    ("group.instance.id", "use `group_instance_id`"),
    ("group.protocol", "use `group_protocol`"),
    ("auto.offset.reset", "use `start` and `on_lost_position`"),
    ("enable.auto.commit", "positions move only over what is acknowledged"),
    ("auto.commit.enable", "positions move only over what is acknowledged"),
    ("enable.auto.offset.store", "positions move only over what is acknowledged"),
    ("enable.partition.eof", "logweir sets it itself"),
    ("isolation.level", "logweir reads only what is committed"),
];

/// Whether a config may pass this setting through.
///
/// # Errors
/// When it is reserved.
pub fn check_setting(key: &str) -> Result<(), KafkaConfigError> {
    // librdkafka takes settings of topics with this prefix too.
    let name = key.strip_prefix("topic.").filter(|name| is_reserved(name).is_some()).unwrap_or(key);
    match is_reserved(name) {
        Some(reason) => Err(KafkaConfigError::Reserved { key: key.to_owned(), reason }),
        None => Ok(()),
    }
}

fn is_reserved(key: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == key).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_settings_are_refused_by_name() {
        for (key, _) in RESERVED {
            for key in [(*key).to_owned(), format!("topic.{key}")] {
                let error = check_setting(&key).unwrap_err();
                assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
            }
        }
        for key in ["socket.keepalive.enable", "topic.no.such.setting", "no.such.setting"] {
            assert_eq!(check_setting(key), Ok(()));
        }
    }
}
