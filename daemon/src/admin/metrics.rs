//! `/metrics`: the figures as OpenMetrics text.
//!
//! Owns: the names and meaning of all metrics; each begins with `logweir_`.
//! Promises: figures are read when they are asked for, so nobody pays for them otherwise.
//! Never: puts a line's text or a path into a label, so the number of series is bounded by the config; the host names of
//! syslog, and the partitions and brokers of Kafka, have bounds of their own.

#[cfg(feature = "kafka")]
mod kafka;
mod operators;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logweir_outputs::status::{OutputCounts, OutputStatus};
use logweir_pipeline::ledger::Counts;
use logweir_pipeline::source::file::FileCounters;
use logweir_pipeline::source::syslog::ListenerStatus;
use logweir_pipeline::transform::PlacedStep;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Overview;

/// The content type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A figure of one source.
type SourceFigure = fn(&Counts) -> u64;
/// A figure of one step of a transform.
type StepFigure = fn(&PlacedStep) -> u64;
/// A figure of one file source.
type FileFigure = fn(&FileCounters) -> &AtomicU64;
/// A figure of one listener of a syslog source.
type ListenerFigure = fn(&ListenerStatus) -> u64;
/// A figure of one output.
type OutputFigure = fn(&OutputCounts) -> u64;

const SOURCE_COUNTERS: &[(&str, &str, SourceFigure)] = &[
    ("events_read", "Events read", |counts| counts.read),
    ("events_delivered", "Events that every output has", |counts| counts.delivered),
    ("events_rejected", "Events that an output refused; the dead letter has them", |counts| counts.rejected),
    ("events_unparsed", "Events that no grammar took; they are delivered as they are", |counts| {
        counts.unparsed
    }),
    ("events_invalid_utf8", "Events with invalid UTF-8", |counts| counts.invalid_utf8),
    ("read_bytes", "Bytes read", |counts| counts.bytes),
];

const STEP_COUNTERS: &[(&str, &str, StepFigure)] = &[
    (
        "step_events_failed",
        "Events on which a step failed; they are delivered and say so",
        PlacedStep::failed,
    ),
    (
        "step_keys_forgotten",
        "Keys that a step forgot before their time, for want of room",
        PlacedStep::forgotten,
    ),
    (
        "step_events_dropped",
        "Events that a step dropped, pieces of lines too; events_dropped counts the lines that nobody got",
        PlacedStep::dropped,
    ),
    ("step_events_made", "Events that a step made of others", PlacedStep::made),
];

const OUTPUT_COUNTERS: &[(&str, &str, OutputFigure)] = &[
    ("output_events_delivered", "Events that the output's store has", |counts| counts.delivered),
    ("output_events_already_stored", "Events that the store had from before a restart", |counts| {
        counts.already_stored
    }),
    ("output_events_rejected", "Events that the store refused for good", |counts| counts.rejected),
    ("output_events_soft_failed", "Events that the store took but could not index", |counts| {
        counts.soft_failures
    }),
    ("output_events_retried", "Events sent again", |counts| counts.retried),
    ("output_requests", "Requests sent", |counts| counts.requests),
    ("output_sent_bytes", "Bytes of request bodies sent", |counts| counts.bytes),
];

const FILE_COUNTERS: &[(&str, &str, FileFigure)] = &[
    ("files_rotated", "Files that were renamed or deleted, read to their end and closed", |files| {
        &files.rotated
    }),
    ("files_truncated", "Files that were cut short or written anew in place", |files| &files.truncated),
    ("files_lost_bytes_possible", "Bytes cut off or given up unread that are in no copy", |files| {
        &files.lost_bytes_possible
    }),
    ("lines_cut", "Lines that were longer than the limit", |files| &files.cut_lines),
    ("files_own", "Paths left alone because logweir itself writes there", |files| &files.own_files),
    ("files_errors", "Paths that could not be listed, opened or read", |files| &files.errors),
];

const FILE_GAUGES: &[(&str, &str, FileFigure)] = &[
    ("files_held", "Renamed or deleted files that are still open", |files| &files.held),
    ("files_held_bytes", "Bytes of the deleted ones among them, still taken on the disk", |files| {
        &files.held_bytes
    }),
];

const LISTENER_COUNTERS: &[(&str, &str, ListenerFigure)] = &[
    ("syslog_messages", "Messages received", |listener| listener.messages.load(Ordering::Relaxed)),
    ("syslog_received_bytes", "Bytes received, framing included", |listener| {
        listener.bytes.load(Ordering::Relaxed)
    }),
    ("syslog_messages_cut", "Messages that were longer than the limit or without their end", |listener| {
        listener.cut.load(Ordering::Relaxed)
    }),
    ("syslog_connections_accepted", "Connections accepted", |listener| {
        listener.accepted.load(Ordering::Relaxed)
    }),
    ("syslog_connections_refused", "Connections refused because too many were open", |listener| {
        listener.refused.load(Ordering::Relaxed)
    }),
    ("syslog_connections_failed", "Connections that ended in an error", |listener| {
        listener.failed.load(Ordering::Relaxed)
    }),
    ("syslog_kernel_drops", "Datagrams that the kernel dropped at a full receive buffer", |listener| {
        listener.kernel_drops()
    }),
];

/// All metrics of this moment.
pub(super) fn text(overview: &Arc<Overview>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("logweir");
    registry.register_collector(Box::new(Figures(Arc::clone(overview))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Figures(Arc<Overview>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.sources(&mut encoder)?;
        self.steps(&mut encoder)?;
        self.files(&mut encoder)?;
        self.listeners(&mut encoder)?;
        operators::write(&self.0.operators, &mut encoder)?;
        self.outputs(&mut encoder)?;
        #[cfg(feature = "kafka")]
        {
            kafka::sources(&self.0.kafka, &mut encoder)?;
            kafka::outputs(&self.0.outputs, &mut encoder)?;
        }
        self.process(&mut encoder)
    }
}

impl Figures {
    fn sources(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sources = self.0.ledger.counts().collect::<Vec<_>>();
        for (name, help, figure) in SOURCE_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (source, counts) in &sources {
                let labels = [("source", *source)];
                ConstCounter::new(figure(counts)).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Events that a step of a transform dropped";
        let mut family = encoder.encode_descriptor("events_dropped", help, None, MetricType::Counter)?;
        for (source, counts) in &sources {
            for (step, number) in &counts.dropped {
                let labels = [("source", *source), ("step", step)];
                ConstCounter::new(*number).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Events read and not yet settled";
        let mut family = encoder.encode_descriptor("events_in_flight", help, None, MetricType::Gauge)?;
        for (source, counts) in &sources {
            gauge(counts.in_flight).encode(family.encode_family(&[("source", *source)])?)?;
        }
        Ok(())
    }

    fn steps(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, figure) in STEP_COUNTERS {
            // Steps of one kind in one transform share a name.
            let mut sums = BTreeMap::<&str, u64>::new();
            for step in self.0.transforms.iter().flat_map(|transform| &transform.steps) {
                *sums.entry(&step.name).or_default() += figure(step);
            }
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (step, sum) in sums {
                ConstCounter::new(sum).encode(family.encode_family(&[("step", step)])?)?;
            }
        }
        Ok(())
    }

    fn files(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut figures = Vec::new();
        for (source, status) in &self.0.files {
            let files = status.files();
            let lag = files.iter().map(|file| file.lag).sum::<u64>();
            figures.push((source.as_str(), files.len() as u64, lag, &status.counters));
        }
        let mut family =
            encoder.encode_descriptor("files", "Files that are read", None, MetricType::Gauge)?;
        for (source, files, ..) in &figures {
            gauge(*files).encode(family.encode_family(&[("source", *source)])?)?;
        }
        let help = "Bytes in files that are not yet acknowledged";
        let mut family = encoder.encode_descriptor("files_lag_bytes", help, None, MetricType::Gauge)?;
        for (source, _, lag, _) in &figures {
            gauge(*lag).encode(family.encode_family(&[("source", *source)])?)?;
        }
        for (name, help, figure) in FILE_GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (source, .., counters) in &figures {
                let value = figure(counters).load(Ordering::Relaxed);
                gauge(value).encode(family.encode_family(&[("source", *source)])?)?;
            }
        }
        for (name, help, figure) in FILE_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (source, .., counters) in &figures {
                let value = figure(counters).load(Ordering::Relaxed);
                ConstCounter::new(value).encode(family.encode_family(&[("source", *source)])?)?;
            }
        }
        Ok(())
    }

    fn listeners(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut listeners = Vec::new();
        for (source, status) in &self.0.syslog {
            for listener in &status.listeners {
                listeners.push((source.as_str(), listener.listen.to_string(), listener));
            }
        }
        for (name, help, figure) in LISTENER_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (source, listen, listener) in &listeners {
                let labels = [("source", *source), ("listen", listen.as_str())];
                ConstCounter::new(figure(listener)).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Connections that are open";
        let mut family = encoder.encode_descriptor("syslog_connections", help, None, MetricType::Gauge)?;
        for (source, listen, listener) in &listeners {
            let labels = [("source", *source), ("listen", listen.as_str())];
            gauge(listener.open.load(Ordering::Relaxed)).encode(family.encode_family(&labels)?)?;
        }
        let help = "Time of receipt less the time that the host's last message named";
        let unit = Unit::Seconds;
        let mut family =
            encoder.encode_descriptor("syslog_clock_skew", help, Some(&unit), MetricType::Gauge)?;
        for (source, status) in &self.0.syslog {
            for (host, seconds) in status.clock_skew.seconds() {
                let labels = [("source", source.as_str()), ("host", host.as_str())];
                ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn outputs(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let outputs = self.0.outputs.iter().map(|status| (status, status.counts())).collect::<Vec<_>>();
        for (name, help, figure) in OUTPUT_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (status, counts) in &outputs {
                ConstCounter::new(figure(counts)).encode(family.encode_family(&labels(status))?)?;
            }
        }
        let help = "Requests under way";
        let mut family =
            encoder.encode_descriptor("output_requests_in_flight", help, None, MetricType::Gauge)?;
        for (status, counts) in &outputs {
            gauge(counts.in_flight as u64).encode(family.encode_family(&labels(status))?)?;
        }
        let help = "1 for the state that the output is in";
        let mut family = encoder.encode_descriptor("output_state", help, None, MetricType::Gauge)?;
        for (status, _) in &outputs {
            let [output, kind] = labels(status);
            gauge(1).encode(family.encode_family(&[output, kind, ("state", status.state().name())])?)?;
        }
        Ok(())
    }

    fn process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let memory = &self.0.memory;
        let resident = resident_bytes();
        for (name, help, value) in [
            ("memory_used_bytes", "Memory of events on their way", memory.in_use() as u64),
            ("memory_limit_bytes", "Limit of that memory", memory.limit() as u64),
            ("process_resident_memory_bytes", "Resident memory of the process", resident),
        ] {
            let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge(value).encode(family)?;
        }
        let mut family = encoder.encode_descriptor("build", "The version", None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

fn labels(status: &OutputStatus) -> [(&'static str, &str); 2] {
    [("output", status.name()), ("kind", status.kind())]
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Resident memory as the kernel counts it; 0 where it does not say.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}
