//! The figures of aggregates and rules.
//!
//! Owns: their names and meaning.
//! Promises: their number is bounded by the config.
//! Never: puts a group into a label.

use std::fmt;
use std::sync::Arc;

use logweir_pipeline::operator::{Operator, OperatorStatus};
use logweir_pipeline::time::{SECOND, now};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::gauge;

/// A figure of one aggregate or rule; its name begins with `aggregate_` or `rule_`.
type Figure = fn(&OperatorStatus) -> u64;

const COUNTERS: &[(&str, &str, Figure)] = &[
    ("results", "Results or alerts made", |status| status.counts.documents),
    ("events_late", "Events that came too late to count", |status| status.counts.late),
    ("events_without_field", "Events that lack a field that is asked for", |status| {
        status.counts.without_field
    }),
    ("events_future", "Events whose times were too far ahead; they count at the time of reading", |status| {
        status.counts.future
    }),
    ("events_refused", "Events of groups for which there was no room", |status| status.counts.refused),
];

const GAUGES: &[(&str, &str, Figure)] = &[
    ("groups", "Groups with state", |status| status.groups as u64),
    ("state_bytes", "Memory of that state, about", |status| status.bytes as u64),
];

/// Writes the figures of all aggregates, then of all rules.
pub(super) fn write(operators: &[Arc<dyn Operator>], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    for kind in ["aggregate", "rule"] {
        let of_kind = operators.iter().filter(|operator| operator.kind() == kind);
        let statuses = of_kind.map(|operator| (&**operator.name(), operator.status()));
        write_kind(kind, &statuses.collect::<Vec<_>>(), encoder)?;
    }
    Ok(())
}

fn write_kind(
    kind: &'static str,
    statuses: &[(&str, OperatorStatus)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    for (name, help, figure) in COUNTERS {
        let name = format!("{kind}_{name}");
        let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (operator, status) in statuses {
            ConstCounter::new(figure(status)).encode(family.encode_family(&[(kind, *operator)])?)?;
        }
    }
    for (name, help, figure) in GAUGES {
        let name = format!("{kind}_{name}");
        let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (operator, status) in statuses {
            gauge(figure(status)).encode(family.encode_family(&[(kind, *operator)])?)?;
        }
    }
    let name = format!("{kind}_watermark_lag");
    let help = "Time on the wall clock less the watermark";
    let unit = Unit::Seconds;
    let mut family = encoder.encode_descriptor(&name, help, Some(&unit), MetricType::Gauge)?;
    let now = now();
    for (operator, status) in statuses {
        if let Some(watermark) = status.watermark {
            let lag = ConstGauge::new(now.saturating_sub(watermark) / SECOND);
            lag.encode(family.encode_family(&[(kind, *operator)])?)?;
        }
    }
    Ok(())
}
