//! The log of the process, on standard error.
//!
//! Owns: setting `tracing` up: lines for people on a terminal, JSON otherwise; the message of a panic.
//! Promises: normal operation says nothing after the first lines; a place in the code that says the same again and
//! again is cut short ([`rate_limit`]).
//! Never: logs a line of a user's log or a secret.

mod rate_limit;

use std::io::{self, IsTerminal};
use std::panic;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use rate_limit::RateLimited;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What needs someone to act
    Error,
    /// What someone should look at
    Warn,
    /// Changes of state
    Info,
    /// What helps to find a fault
    Debug,
    /// Everything
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Starts the log. Libraries of others speak only when something is wrong.
pub(crate) fn start(level: LogLevel) {
    let level = LevelFilter::from(level);
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("logweir", level);
    // It calls it an error that a consumer with a fatal error, which is told, cannot say goodbye.
    let targets = targets.with_target("rdkafka::consumer::base_consumer", LevelFilter::OFF);
    let layer = fmt::layer().with_writer(io::stderr);
    let layer = if io::stderr().is_terminal() {
        layer
            .event_format(RateLimited::new(format().compact().with_target(false), rate_limit::for_people))
            .boxed()
    } else {
        layer
            .fmt_fields(format::JsonFields::new())
            .event_format(RateLimited::new(format().json().flatten_event(true), rate_limit::as_json))
            .boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
    // A library that asks by `log_enabled!` and is told no makes the filter swallow the next event of its thread, whoever
    // logs it. What the filter would not let through is therefore not asked for.
    log::set_max_level(log::LevelFilter::Warn);
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let reason = panic.payload_as_str().unwrap_or("unknown");
        tracing::error!(thread, place, "a fault in logweir itself: {reason}; please report it");
    }));
}
