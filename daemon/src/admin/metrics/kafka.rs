//! The figures of Kafka's two ends.
//!
//! Owns: the names and meaning of the metrics `kafka_` and `output_kafka_`.
//! Promises: a source shows at most [`PARTITIONS_MAX`] partitions one by one, and the sum of all always; the output bounds
//! its brokers.
//! Never: asks a cluster; the clients tell their figures every `statistics_interval`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logweir_outputs::kafka::{BrokerStatistics, ProducerStatistics};
use logweir_outputs::status::OutputStatus;
use logweir_pipeline::source::kafka::{KafkaSourceStatus, PartitionStatus};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::{gauge, labels};

/// Most partitions of a source with a series of their own; the first by topic and number.
const PARTITIONS_MAX: usize = 1000;

/// A counter of one Kafka source.
type SourceCounter = fn(&KafkaSourceStatus) -> &AtomicU64;
/// A gauge of the producer of one Kafka output.
type ProducerGauge = fn(&ProducerStatistics) -> u64;
/// A figure of a producer about one broker.
type BrokerFigure = fn(&BrokerStatistics) -> u64;
/// A time of one broker in seconds, if there is one.
type BrokerTime = fn(&BrokerStatistics) -> Option<f64>;

const SOURCE_COUNTERS: &[(&str, &str, SourceCounter)] = &[
    ("kafka_rebalances", "Changes of which partitions this member of the group has", |source| {
        &source.rebalances
    }),
    (
        "kafka_position_resets",
        "Positions whose records were gone, so that reading went on elsewhere; records that nobody read may be lost",
        |source| &source.position_resets,
    ),
    (
        "kafka_possibly_lost_records",
        "Records that were gone or passed over at such positions, as far as they can be counted",
        |source| &source.possibly_lost_records,
    ),
    ("kafka_null_values", "Records without a value, which are no events", |source| &source.null_values),
    ("kafka_pauses", "Times that partitions were paused because nobody took their records", |source| {
        &source.pauses
    }),
    ("kafka_commit_failures", "Positions that the group did not take; they are told again", |source| {
        &source.commit_failures
    }),
];

const PRODUCER_GAUGES: &[(&str, &str, ProducerGauge)] = &[
    ("output_kafka_queue_records", "Records that the producer has and no report of", |producer| {
        producer.queue_records
    }),
    ("output_kafka_queue_bytes", "Bytes of those records", |producer| producer.queue_bytes),
];

const BROKER_COUNTERS: &[(&str, &str, BrokerFigure)] = &[
    ("output_kafka_broker_requests", "Requests sent to the broker", |broker| broker.requests),
    ("output_kafka_broker_request_errors", "Requests that could not be sent", |broker| broker.errors),
    ("output_kafka_broker_request_retries", "Requests sent again", |broker| broker.retries),
    ("output_kafka_broker_request_timeouts", "Requests that got no answer in time", |broker| broker.timeouts),
    ("output_kafka_broker_connects", "Connections to the broker that were begun", |broker| broker.connects),
    ("output_kafka_broker_disconnects", "Connections to the broker that ended", |broker| broker.disconnects),
];

const BROKER_TIMES: &[(&str, &str, BrokerTime)] = &[
    (
        "output_kafka_broker_round_trip_p50",
        "Time that half of the broker's answers did not exceed, of those since the figures before",
        |broker| broker.round_trip.map(|round_trip| round_trip.p50),
    ),
    (
        "output_kafka_broker_round_trip_p99",
        "Time that 99 of 100 answers of the broker did not exceed, of those since the figures before",
        |broker| broker.round_trip.map(|round_trip| round_trip.p99),
    ),
];

/// The figures of Kafka sources.
pub(super) fn sources(
    sources: &[(String, Arc<KafkaSourceStatus>)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let partitions = sources.iter().map(|(name, status)| (name.as_str(), status.partitions()));
    let partitions = partitions.collect::<Vec<_>>();
    let help = "Partitions that this member of the group has";
    let mut family = encoder.encode_descriptor("kafka_partitions", help, None, MetricType::Gauge)?;
    for (source, partitions) in &partitions {
        gauge(partitions.len() as u64).encode(family.encode_family(&[("source", *source)])?)?;
    }
    let help = "Records that are not yet settled, in all partitions that this member has";
    let mut family = encoder.encode_descriptor("kafka_lag_records", help, None, MetricType::Gauge)?;
    for (source, partitions) in &partitions {
        let lag = partitions.values().filter_map(PartitionStatus::lag).sum();
        gauge(lag).encode(family.encode_family(&[("source", *source)])?)?;
    }
    let help = "Records of a partition that are not yet settled; the first 1,000 partitions of a source";
    let mut family =
        encoder.encode_descriptor("kafka_partition_lag_records", help, None, MetricType::Gauge)?;
    for (source, partitions) in &partitions {
        for ((topic, partition), status) in partitions.iter().take(PARTITIONS_MAX) {
            let Some(lag) = status.lag() else { continue };
            let partition = partition.to_string();
            let labels = [("source", *source), ("topic", topic), ("partition", &partition)];
            gauge(lag).encode(family.encode_family(&labels)?)?;
        }
    }
    for (name, help, counter) in SOURCE_COUNTERS {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (source, status) in sources {
            let value = counter(status).load(Ordering::Relaxed);
            ConstCounter::new(value).encode(family.encode_family(&[("source", source.as_str())])?)?;
        }
    }
    Ok(())
}

/// The figures of Kafka outputs whose producers have told some.
pub(super) fn outputs(outputs: &[Arc<OutputStatus>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let producers = outputs.iter().filter_map(|status| Some((labels(status), status.producer()?)));
    let producers = producers.collect::<Vec<_>>();
    for (name, help, figure) in PRODUCER_GAUGES {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, producer) in &producers {
            gauge(figure(producer)).encode(family.encode_family(labels)?)?;
        }
    }
    let mut brokers = Vec::new();
    for ([output, kind], producer) in &producers {
        for (name, broker) in &producer.brokers {
            brokers.push(([*output, *kind, ("broker", name.as_str())], broker));
        }
    }
    let help = "1 while there is a connection to the broker";
    let mut family = encoder.encode_descriptor("output_kafka_broker_up", help, None, MetricType::Gauge)?;
    for (labels, broker) in &brokers {
        gauge(broker.is_connected.into()).encode(family.encode_family(labels)?)?;
    }
    for (name, help, figure) in BROKER_COUNTERS {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, broker) in &brokers {
            ConstCounter::new(figure(broker)).encode(family.encode_family(labels)?)?;
        }
    }
    for (name, help, time) in BROKER_TIMES {
        let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (labels, broker) in &brokers {
            let Some(seconds) = time(broker) else { continue };
            ConstGauge::new(seconds).encode(family.encode_family(labels)?)?;
        }
    }
    Ok(())
}
