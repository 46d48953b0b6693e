//! The config: TOML files in, a config that can run out.
//!
//! Owns: the two steps, raw ([`raw`]) and checked ([`checked`]), the keys of each section as one struct ([`schema`] says
//! how) and how mistakes are told ([`error`]).
//! Promises: all mistakes at once, each with file, line, span, what was expected and the nearest right name; no
//! secret is ever printed.
//! Never: starts anything.

mod aggregates;
pub(crate) mod cases;
pub(crate) mod checked;
mod component;
mod conditions;
mod decode;
pub(crate) mod error;
mod expand;
mod fingerprint;
mod formats;
mod graph;
#[cfg(feature = "kafka")]
mod kafka;
mod leftovers;
mod nearest;
pub(crate) mod outputs;
mod raw;
pub(crate) mod reference;
mod routes;
mod rules;
mod schema;
pub(crate) mod secret;
pub(crate) mod settings;
pub(crate) mod sources;
mod time;
#[cfg(feature = "kafka")]
pub(crate) mod transactions;
mod transforms;
pub(crate) mod units;
pub(crate) mod value;
mod ways;

use std::path::PathBuf;

pub(crate) use checked::Config;
pub(crate) use conditions::parse as parse_condition;
pub(crate) use error::Report;
pub(crate) use nearest::nearest;
pub(crate) use raw::ConfigFile;
pub(crate) use ways::{Branch, Way};

/// Loads the config of these files and folders. The report holds what is wrong, and warnings; without a config it
/// holds at least one error.
pub(crate) fn load(paths: &[PathBuf]) -> (Option<Config>, Report) {
    load_with(paths, &|name| std::env::var(name).ok())
}

fn load_with(paths: &[PathBuf], environment: &dyn Fn(&str) -> Option<String>) -> (Option<Config>, Report) {
    let (files, mut diagnostics) = raw::read_files(paths);
    if !diagnostics.is_empty() {
        return (None, Report { files, diagnostics });
    }
    let (config, found) = checked::check(&files, environment);
    diagnostics.extend(found);
    let report = Report { files, diagnostics };
    (config.filter(|_| report.errors() == 0), report)
}

#[cfg(test)]
mod tests;
