//! The facts of the machine that a figure is worth nothing without.

use std::fmt::Write;
use std::process::Command;

/// One Markdown list item a fact; what cannot be found out is called unknown.
pub(crate) fn facts() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let cores =
        std::thread::available_parallelism().map_or_else(|_| "unknown".into(), |cores| cores.to_string());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| "unknown".into());
    let facts = [
        ("processor", model.to_owned()),
        ("cores", cores),
        ("kernel", kernel.trim().to_owned()),
        ("compiler", output_of("rustc", &["--version"])),
        ("commit", output_of("git", &["describe", "--always", "--dirty"])),
    ];
    facts.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string does not fail.
        writeln!(text, "- {name}: {value}").ok();
        text
    })
}

/// Today in UTC, as `2026-11-23`.
pub(crate) fn today() -> String {
    output_of("date", &["--utc", "+%F"])
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(crate::workspace_root()).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".into(),
    }
}
