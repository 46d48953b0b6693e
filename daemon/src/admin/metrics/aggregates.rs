//! The figures of aggregates.
//!
//! Owns: their names and meaning.
//! Promises: their number is bounded by the config.
//! Never: puts a group into a label.

use std::fmt;
use std::sync::Arc;

use logweir_pipeline::aggregate::{Aggregate, AggregateStatus};
use logweir_pipeline::time::{SECOND, now};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::gauge;

/// A figure of one aggregate.
type Figure = fn(&AggregateStatus) -> u64;

const COUNTERS: &[(&str, &str, Figure)] = &[
    ("aggregate_results", "Results of windows that are over", |status| status.counts.documents),
    ("aggregate_events_late", "Events for all of whose windows it was too late", |status| status.counts.late),
    ("aggregate_events_without_group", "Events that lack a field of the group", |status| {
        status.counts.without_group
    }),
    (
        "aggregate_events_future",
        "Events whose times were too far ahead; they count at the time of reading",
        |status| status.counts.future,
    ),
    ("aggregate_events_refused", "Events of groups for which there was no room", |status| {
        status.counts.refused
    }),
];

const GAUGES: &[(&str, &str, Figure)] = &[
    ("aggregate_groups", "Groups in windows that are not over", |status| status.groups as u64),
    ("aggregate_state_bytes", "Memory of those windows, about", |status| status.bytes as u64),
];

/// Writes the figures of all aggregates.
pub(super) fn write(aggregates: &[Arc<Aggregate>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let statuses = aggregates.iter().map(|aggregate| (&**aggregate.name(), aggregate.status()));
    let statuses = statuses.collect::<Vec<_>>();
    for (name, help, figure) in COUNTERS {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (aggregate, status) in &statuses {
            let labels = [("aggregate", *aggregate)];
            ConstCounter::new(figure(status)).encode(family.encode_family(&labels)?)?;
        }
    }
    for (name, help, figure) in GAUGES {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (aggregate, status) in &statuses {
            gauge(figure(status)).encode(family.encode_family(&[("aggregate", *aggregate)])?)?;
        }
    }
    let help = "Time on the wall clock less the watermark";
    let unit = Unit::Seconds;
    let mut family =
        encoder.encode_descriptor("aggregate_watermark_lag", help, Some(&unit), MetricType::Gauge)?;
    let now = now();
    for (aggregate, status) in &statuses {
        if let Some(watermark) = status.watermark {
            let lag = ConstGauge::new(now.saturating_sub(watermark) / SECOND);
            lag.encode(family.encode_family(&[("aggregate", *aggregate)])?)?;
        }
    }
    Ok(())
}
