//! `cargo run --release -p logweir-benchmarks -- [--runs N] [--megabytes N] [case…]`: the figures of logweir.
//!
//! Owns the command line. Promises: the release binary is built first, the sink and every measured run are processes
//! of their own so that their figures do not mix, each figure is the median of the runs, and a result file with the
//! facts of the machine is left under `tests/benchmarks/results/`. Never: a figure from a run that lost a line.

mod cases;
mod figures;
mod live;
mod machine;
mod network;
mod process;
mod report;
mod throughput;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cases::{CASES, Case, Kind};
use figures::Measurement;

/// What the command line asks for.
struct Settings {
    runs: usize,
    megabytes: u64,
    cases: Vec<&'static Case>,
}

/// Where things are.
struct Workplace {
    binary: PathBuf,
    /// Generated inputs and data directories, under the target directory.
    folder: PathBuf,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(process::SINK_COMMAND) => process::serve_sink(),
        Some(process::MEASURE_COMMAND) => process::measure_command(&arguments[1..]),
        _ => run_cases(&parse_arguments(&arguments)?),
    }
}

fn parse_arguments(arguments: &[String]) -> Result<Settings> {
    let mut settings = Settings { runs: 3, megabytes: 200, cases: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "--runs" => settings.runs = number().context("--runs needs a number")? as usize,
            "--megabytes" => settings.megabytes = number().context("--megabytes needs a number")?,
            name => {
                let Some(case) = CASES.iter().find(|case| case.name == name) else {
                    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
                    bail!("no case is named {name}; there are {}", names.join(", "));
                };
                settings.cases.push(case);
            }
        }
    }
    ensure!(settings.runs > 0, "--runs must be at least 1");
    if settings.cases.is_empty() {
        settings.cases = CASES.iter().collect();
    }
    Ok(settings)
}

fn run_cases(settings: &Settings) -> Result<()> {
    let workplace = prepare()?;
    let mut results = Vec::new();
    for &case in &settings.cases {
        let mut runs = Vec::with_capacity(settings.runs);
        for run in 1..=settings.runs {
            write!(std::io::stderr(), "\r{}: run {run} of {} ", case.name, settings.runs)?;
            runs.push(run_case(case, settings, &workplace).with_context(|| format!("case {}", case.name))?);
        }
        writeln!(std::io::stderr())?;
        results.push((case, Measurement::median(&runs)));
    }
    let table = report::table(&results);
    write!(std::io::stdout(), "{table}")?;
    let path = report::save(settings, &table)?;
    writeln!(std::io::stdout(), "\nwritten to {}", path.display())?;
    Ok(())
}

fn run_case(case: &Case, settings: &Settings, workplace: &Workplace) -> Result<Measurement> {
    match case.kind {
        Kind::Throughput { format, parse } => throughput::run(workplace, format, parse, settings.megabytes),
        Kind::Routed => throughput::run_routed(workplace, settings.megabytes),
        Kind::Paced { idle_files, lines_per_second } => {
            live::run_paced(workplace, idle_files, lines_per_second)
        }
        Kind::Start { files } => live::run_start(workplace, files),
        Kind::SyslogTcp { connections } => network::run_tcp(workplace, connections, settings.megabytes),
        Kind::SyslogUdp { per_second, seconds } => network::run_udp(workplace, per_second, seconds),
        Kind::IdleConnections { connections } => network::run_idle(workplace, connections),
    }
}

/// Builds the binary under test beside this one.
fn prepare() -> Result<Workplace> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    let target = own.ancestors().nth(2).context("this program is not in a target directory")?.to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "logweir", "--target-dir"])
        .arg(&target)
        .current_dir(workspace_root())
        .status()
        .context("cargo could not be started")?;
    ensure!(built.success(), "the release binary of logweir did not build");
    let folder = target.join("benchmarks");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    Ok(Workplace { binary: target.join("release/logweir"), folder })
}

/// The root of the workspace that this crate was built from.
fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
