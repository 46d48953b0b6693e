//! One file from its first byte to its last, as fast as it goes.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::generate::{self, LineFormat};

use crate::Workplace;
use crate::figures::{Figure, Measurement};
use crate::process::{self, SinkProcess};

/// The seed of every generated input: results of two days compare the same bytes.
const SEED: u64 = 20_261_123;

/// Reads one generated file into a sink and checks that every line arrived.
pub(crate) fn run(
    workplace: &Workplace,
    format: LineFormat,
    parse: &str,
    megabytes: u64,
) -> Result<Measurement> {
    let input = workplace.folder.join(format!("{format:?}-{megabytes}.log").to_lowercase());
    let lines = generate::write_file(&input, format, SEED, megabytes * 1_000_000)?;
    // Once through the page cache: the disk is not what is measured.
    let bytes = io::copy(&mut File::open(&input)?, &mut io::sink())?;

    let sink = SinkProcess::start()?;
    let data = tempfile::tempdir_in(&workplace.folder)?;
    let config = data.path().join("benchmark.toml");
    write_config(&config, data.path(), &input.display().to_string(), parse, &sink.url())?;
    let used = process::run_once(&workplace.binary, &config, &data.path().join("log"))?;
    let arrived = sink.documents()?;
    ensure!(arrived == lines, "{lines} lines were written, {arrived} documents arrived");
    Ok(Measurement::new(vec![
        (Figure::CpuPerGigabyte, used.cpu_seconds / (bytes as f64 / 1e9)),
        (Figure::Throughput, bytes as f64 / 1e6 / used.wall_seconds),
        (Figure::PeakMemory, used.peak_kibibytes as f64 / 1024.0),
    ]))
}

/// Writes the config of a run: one source, one output, nothing tuned.
pub(crate) fn write_config(config: &Path, data: &Path, paths: &str, parse: &str, url: &str) -> Result<()> {
    let text = format!(
        r#"data_dir = "{}"

[admin]
listen = "127.0.0.1:0"

[sources.benchmark]
type = "file"
paths = ["{paths}"]
parse = "{parse}"

[outputs.sink]
type = "elasticsearch"
inputs = ["benchmark"]
urls = ["{url}"]
"#,
        data.join("data").display()
    );
    std::fs::write(config, text).with_context(|| format!("{} could not be written", config.display()))
}
