//! What users get wrong, and what files hold that no log should: each message says what, where and what to do.

mod configs;
mod contents;
mod files;

use std::path::Path;
use std::process::Output;

use crate::support::daemon::logweir;

/// Runs `logweir check` over a config.
fn check(config: &Path) -> Output {
    logweir(["check".as_ref(), config.as_os_str()])
}

/// Everything a finished command said.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
