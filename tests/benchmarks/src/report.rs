//! The table of results, on the terminal and in the tree.

use std::fmt::Write;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cases::Case;
use crate::figures::Figure;
use crate::{Results, Settings, machine, workspace_root};

/// One Markdown row a figure: what was measured, what it must be, what we aim at, and how it stands; below, what was not run.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::from("| case | measured | must | aim | verdict |\n|---|---|---|---|---|\n");
    for (case, measurement) in &results.measured {
        let mut title = case.title;
        for &(figure, value) in measurement.figures() {
            // Writing to a string does not fail.
            writeln!(text, "| {title} {}", row(case, figure, value)).ok();
            title = "";
        }
    }
    for (case, reason) in &results.not_run {
        writeln!(text, "\n{} was not run: {reason}", case.name).ok();
    }
    text
}

fn row(case: &Case, figure: Figure, value: f64) -> String {
    let unit = figure.unit();
    let Some(limit) = case.limits.iter().find(|limit| limit.figure == figure) else {
        return format!("| {value:.2} {unit} | | | |");
    };
    let verdict = match limit.aim {
        Some(aim) if figure.reaches(value, aim) => "aim reached",
        _ if figure.reaches(value, limit.must) => "must reached",
        _ => "**missed**",
    };
    let aim = limit.aim.map(|aim| aim.to_string()).unwrap_or_default();
    format!("| {value:.2} {unit} | {} | {aim} | {verdict} |", limit.must)
}

/// Writes the result file of this run, beside earlier ones of the same day, and gives its path.
pub(crate) fn save(settings: &Settings, table: &str) -> Result<PathBuf> {
    let names: Vec<_> = settings.cases.iter().map(|case| case.name).collect();
    let set = if names.len() == crate::CASES.len() { "all".to_owned() } else { names.join("-") };
    let today = machine::today();
    let text = format!(
        "# {set}, {today}\n\nMedian of {} runs, inputs of {} MB. Command:\n\n    cargo run --release -p logweir-benchmarks \
         -- --runs {} --megabytes {} {}\n\n{}\n{table}",
        settings.runs,
        settings.megabytes,
        settings.runs,
        settings.megabytes,
        names.join(" "),
        machine::facts(),
    );
    let folder = workspace_root().join("tests/benchmarks/results");
    std::fs::create_dir_all(&folder)?;
    for number in 1_u32.. {
        let place = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{today}-{set}{place}.md"));
        match File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes())) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            written => {
                written.with_context(|| format!("{} could not be written", path.display()))?;
                return Ok(path);
            }
        }
    }
    anyhow::bail!("every name of a result file is taken in {}", folder.display())
}
