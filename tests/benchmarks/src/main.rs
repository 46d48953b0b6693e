//! `cargo run --release -p logweir-benchmarks -- [--runs N] [--megabytes N] [case…]`: the figures of logweir.
//!
//! Owns the command line. Promises: the release binary is built first, the sink and every measured run are processes
//! of their own so that their figures do not mix, each figure is the median of the runs, and a result file with the
//! facts of the machine is left under `tests/benchmarks/results/`; where a machine lacks what some cases need, they fail if
//! they were asked for and else are called not run. Never: a figure from a run that lost a line.

mod admin;
mod cases;
mod figures;
mod kafka;
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
use kafka::Broker;
use logweir_benchmarks::servers::java;
use logweir_benchmarks::servers::kafka::Installation;

/// What the command line asks for.
struct Settings {
    runs: usize,
    megabytes: u64,
    cases: Vec<&'static Case>,
    /// Whether the cases were asked for; else they are all that there are.
    named: bool,
}

/// Where things are.
struct Workplace {
    binary: PathBuf,
    /// Generated inputs and data directories, under the target directory.
    folder: PathBuf,
    /// The target directory.
    target: PathBuf,
}

/// The results, and the cases that could not be run with the reason.
#[derive(Default)]
struct Results {
    measured: Vec<(&'static Case, Measurement)>,
    not_run: Vec<(&'static Case, String)>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(process::SINK_COMMAND) => process::serve_sink(&arguments[1..]),
        Some(process::MEASURE_COMMAND) => process::measure_command(&arguments[1..]),
        _ => run_cases(&parse_arguments(&arguments)?),
    }
}

fn parse_arguments(arguments: &[String]) -> Result<Settings> {
    let mut settings = Settings { runs: 3, megabytes: 200, cases: Vec::new(), named: true };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "--runs" => settings.runs = number().context("--runs needs a number")? as usize,
            "--megabytes" => settings.megabytes = number().context("--megabytes needs a number")?,
            name => {
                let before = settings.cases.len();
                settings.cases.extend(CASES.iter().filter(|case| case.is_meant_by(name)));
                if settings.cases.len() == before {
                    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
                    bail!("no case is named {name}; there are {}", names.join(", "));
                }
            }
        }
    }
    ensure!(settings.runs > 0, "--runs must be at least 1");
    if settings.cases.is_empty() {
        settings.named = false;
        settings.cases = CASES.iter().collect();
    }
    Ok(settings)
}

fn run_cases(settings: &Settings) -> Result<()> {
    let workplace = prepare()?;
    let mut results = Results::default();
    // One broker for all cases that need it, started at the first of them.
    let mut broker = None;
    for &case in &settings.cases {
        if matches!(case.kind, Kind::Kafka(_)) && broker.is_none() {
            let installation = java::cache(&workplace.target)
                .and_then(|cache| Installation::fetch(&cache))
                .map(Installation::optimized);
            match installation {
                Ok(installation) => broker = Some(start_broker(&installation, &workplace)?),
                Err(error) if settings.named => return Err(error.context(format!("case {}", case.name))),
                Err(error) => {
                    results.not_run.push((case, format!("{error:#}")));
                    continue;
                }
            }
        }
        let mut runs = Vec::with_capacity(settings.runs);
        for run in 1..=settings.runs {
            write!(std::io::stderr(), "\r{}: run {run} of {} ", case.name, settings.runs)?;
            let measurement = run_case(case, settings, &workplace, broker.as_ref());
            runs.push(measurement.with_context(|| format!("case {}", case.name))?);
        }
        writeln!(std::io::stderr())?;
        results.measured.push((case, Measurement::median(&runs)));
    }
    let table = report::table(&results);
    write!(std::io::stdout(), "{table}")?;
    let path = report::save(settings, &table)?;
    writeln!(std::io::stdout(), "\nwritten to {}", path.display())?;
    Ok(())
}

/// A broker that has been used.
fn start_broker(installation: &Installation, workplace: &Workplace) -> Result<Broker> {
    writeln!(std::io::stderr(), "starting Kafka")?;
    let broker = Broker::start(installation, workplace)?;
    kafka::warm_up(workplace, &broker).context("the first records through Kafka")?;
    Ok(broker)
}

fn run_case(
    case: &Case,
    settings: &Settings,
    workplace: &Workplace,
    broker: Option<&Broker>,
) -> Result<Measurement> {
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
        Kind::Kafka(scenario) => {
            let broker = broker.context("no Kafka was started")?;
            kafka::run(scenario, workplace, broker, settings.megabytes)
        }
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
    Ok(Workplace { binary: target.join("release/logweir"), folder, target })
}

/// The root of the workspace that this crate was built from.
fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
