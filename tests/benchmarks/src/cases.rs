//! The measured cases and what each must reach, as one table.

use std::time::Duration;

use logweir_benchmarks::generate::LineFormat;

use crate::figures::{Figure, Limit};
use crate::kafka::Scenario;

/// One named case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
    pub(crate) limits: &'static [Limit],
}

/// How a case is driven.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// One file read to its end by `run --once`.
    Throughput { format: LineFormat, parse: &'static str },
    /// One file of nginx lines, with steps and routes on their way and without.
    Routed,
    /// A daemon that follows one growing file beside idle ones.
    Paced { idle_files: u64, lines_per_second: u64 },
    /// A daemon started over files that it has read before.
    Start { files: u64 },
    /// Syslog over TCP connections, as fast as it goes.
    SyslogTcp { connections: usize },
    /// Syslog over UDP at a rate.
    SyslogUdp { per_second: u64, seconds: u64 },
    /// TCP connections that sent one message each.
    IdleConnections { connections: u64 },
    /// Something that needs a broker.
    Kafka(Scenario),
}

impl Case {
    /// Whether a name is that of this case or of its family: `kafka` is all whose names begin with `kafka_`.
    pub(crate) fn is_meant_by(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

const fn limit(figure: Figure, must: f64, aim: Option<f64>) -> Limit {
    Limit { figure, must, aim }
}

/// Every case, in the order of the report.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "nginx",
        title: "nginx combined, parsed to ECS, `_id`, `_bulk` create",
        kind: Kind::Throughput { format: LineFormat::Nginx, parse: "nginx_access" },
        limits: &[
            limit(Figure::CpuPerGigabyte, 2.9, Some(2.0)),
            limit(Figure::Throughput, 250.0, Some(350.0)),
            limit(Figure::PeakMemory, 48.0, Some(32.0)),
        ],
    },
    Case {
        name: "json",
        title: "JSON application log (273 B)",
        kind: Kind::Throughput { format: LineFormat::Json, parse: "json" },
        limits: &[limit(Figure::CpuPerGigabyte, 2.2, Some(1.6))],
    },
    Case {
        name: "syslog5424",
        title: "syslog 5424 lines in a file",
        kind: Kind::Throughput { format: LineFormat::Syslog5424, parse: "syslog" },
        limits: &[limit(Figure::CpuPerGigabyte, 2.8, Some(2.0))],
    },
    Case {
        name: "raw",
        title: "raw line",
        kind: Kind::Throughput { format: LineFormat::Raw, parse: "raw" },
        limits: &[limit(Figure::CpuPerGigabyte, 2.0, Some(1.4))],
    },
    Case {
        name: "routed",
        title: "nginx, 5 steps, 2 routes, against the same without",
        kind: Kind::Routed,
        limits: &[limit(Figure::CpuRatio, 1.25, None)],
    },
    Case {
        name: "idle10k",
        title: "10,000 idle files and one at 1,000 lines/s",
        kind: Kind::Paced { idle_files: 10_000, lines_per_second: 1_000 },
        limits: &[limit(Figure::CpuShare, 2.0, Some(1.0)), limit(Figure::PeakMemory, 64.0, Some(40.0))],
    },
    Case {
        name: "rate10k",
        title: "one file at 10,000 lines/s",
        kind: Kind::Paced { idle_files: 0, lines_per_second: 10_000 },
        limits: &[limit(Figure::CpuShare, 1.0, None), limit(Figure::PeakMemory, 24.0, None)],
    },
    Case {
        name: "start10k",
        title: "start with 10,000 files already checkpointed",
        kind: Kind::Start { files: 10_000 },
        limits: &[limit(Figure::FirstLine, 1.0, None)],
    },
    Case {
        name: "syslog_tcp",
        title: "TCP syslog 5424, 250 B, four connections",
        kind: Kind::SyslogTcp { connections: 4 },
        limits: &[limit(Figure::CpuPerGigabyte, 2.9, None)],
    },
    Case {
        name: "syslog_udp",
        title: "UDP syslog 5424, 250 B, 200,000 messages/s for 10 s, loopback",
        kind: Kind::SyslogUdp { per_second: 200_000, seconds: 10 },
        limits: &[limit(Figure::LostMessages, 0.0, None)],
    },
    Case {
        name: "connections10k",
        title: "10,000 idle TCP connections",
        kind: Kind::IdleConnections { connections: 10_000 },
        limits: &[limit(Figure::PeakMemory, 64.0, None)],
    },
    Case {
        name: "kafka_edge_json",
        title: "nginx files to Kafka, `json`, 3 partitions",
        kind: Kind::Kafka(Scenario::Edge { encoding: "json" }),
        limits: &[limit(Figure::CpuPerMillion, 2.8, Some(2.4)), limit(Figure::EventRate, 300.0, None)],
    },
    Case {
        name: "kafka_edge_ndjson",
        title: "nginx files to Kafka, `ndjson`, 3 partitions",
        kind: Kind::Kafka(Scenario::Edge { encoding: "ndjson" }),
        limits: &[limit(Figure::CpuPerMillion, 1.5, Some(1.1)), limit(Figure::EventRate, 600.0, None)],
    },
    Case {
        name: "kafka_hub_json",
        title: "Kafka `json` to `_bulk`",
        kind: Kind::Kafka(Scenario::Hub { encoding: "json" }),
        limits: &[limit(Figure::CpuPerMillion, 2.2, Some(1.6))],
    },
    Case {
        name: "kafka_hub_ndjson",
        title: "Kafka `ndjson` to `_bulk`",
        kind: Kind::Kafka(Scenario::Hub { encoding: "ndjson" }),
        limits: &[limit(Figure::CpuPerMillion, 1.2, Some(0.8))],
    },
    Case {
        name: "kafka_dead_sink",
        title: "hub of 100 partitions, the sink dead for a minute",
        kind: Kind::Kafka(Scenario::DeadSink { partitions: 100, dead: Duration::from_secs(60) }),
        limits: &[limit(Figure::PeakMemory, 128.0, None)],
    },
    Case {
        name: "kafka_join",
        title: "start of a hub that joins its group (KIP-848)",
        kind: Kind::Kafka(Scenario::Join),
        limits: &[limit(Figure::FirstRecord, 1.0, None)],
    },
    Case {
        name: "kafka_windows",
        title: "mean and count by sensor and minute of 5,000,000 JSON readings, 6 partitions, topic to topic",
        kind: Kind::Kafka(Scenario::Windows),
        limits: &[
            limit(Figure::CpuPerMillion, 1.8, Some(1.4)),
            limit(Figure::EventRate, 600.0, None),
            limit(Figure::PeakMemory, 64.0, None),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_its_case_or_its_family() {
        let meant = |name| CASES.iter().filter(|case| case.is_meant_by(name)).count();
        assert_eq!([meant("kafka"), meant("kafka_join"), meant("syslog")], [7, 1, 2]);
        assert_eq!([meant("json"), meant("kaf"), meant("")], [1, 0, 0]);
    }
}
