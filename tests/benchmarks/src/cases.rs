//! The measured cases and what each must reach, as one table.

use logweir_benchmarks::generate::LineFormat;

use crate::figures::{Figure, Limit};

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
];
