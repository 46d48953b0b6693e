//! One file from its first byte to its last, as fast as it goes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::generate::{self, LineFormat};

use crate::Workplace;
use crate::figures::{Figure, Measurement};
use crate::process::{self, SinkProcess, Used};

/// The seed of every generated input: results of two days compare the same bytes.
const SEED: u64 = 20_261_123;

/// What stands between source and output in [`run_routed`], as the configs of a web fleet have it.
const STEPS_AND_ROUTES: &str = r#"
[transforms.clean]
inputs = ["benchmark"]
steps = [
  { drop = { "url.path" = "/healthz" } },
  { set = { "service.name" = "shop", "labels.team" = "web" } },
  { rename = { "user_agent.original" = "labels.browser" } },
  { truncate = { "url.original" = "512B" } },
  { remove = ["http.version"] },
]

[routes.split]
inputs = ["clean"]
failed = { "http.response.status_code|gte" = 500 }
"#;

/// A file of log lines for the input of a run.
struct Input {
    path: PathBuf,
    lines: u64,
    bytes: u64,
}

impl Input {
    fn prepare(workplace: &Workplace, format: LineFormat, megabytes: u64) -> Result<Self> {
        let path = workplace.folder.join(format!("{format:?}-{megabytes}.log").to_lowercase());
        let lines = generate::write_file(&path, format, SEED, megabytes * 1_000_000)?;
        // Once through the page cache: the disk is not what is measured.
        let bytes = io::copy(&mut File::open(&path)?, &mut io::sink())?;
        Ok(Self { path, lines, bytes })
    }

    /// Reads the file into a sink and checks that every line arrived.
    fn read(&self, workplace: &Workplace, parse: &str, between: &str, inputs: &str) -> Result<Used> {
        let sink = SinkProcess::start()?;
        let data = tempfile::tempdir_in(&workplace.folder)?;
        let config = data.path().join("benchmark.toml");
        let path = self.path.display().to_string();
        write_config(&config, data.path(), &path, parse, (between, inputs), &sink.url())?;
        let used = process::run_once(&workplace.binary, &config, &data.path().join("log"))?;
        let arrived = sink.documents()?;
        ensure!(arrived == self.lines, "{} lines were written, {arrived} documents arrived", self.lines);
        Ok(used)
    }
}

/// Reads one generated file into a sink.
pub(crate) fn run(
    workplace: &Workplace,
    format: LineFormat,
    parse: &str,
    megabytes: u64,
) -> Result<Measurement> {
    let input = Input::prepare(workplace, format, megabytes)?;
    let (between, inputs) = DIRECTLY;
    let used = input.read(workplace, parse, between, inputs)?;
    Ok(Measurement::new(vec![
        (Figure::CpuPerGigabyte, used.cpu_seconds / (input.bytes as f64 / 1e9)),
        (Figure::Throughput, input.bytes as f64 / 1e6 / used.wall_seconds),
        (Figure::PeakMemory, used.peak_kibibytes as f64 / 1024.0),
    ]))
}

/// Reads one generated file with steps and routes on its way, and without, one after the other.
pub(crate) fn run_routed(workplace: &Workplace, megabytes: u64) -> Result<Measurement> {
    let input = Input::prepare(workplace, LineFormat::Nginx, megabytes)?;
    let plain = input.read(workplace, "nginx_access", DIRECTLY.0, DIRECTLY.1)?;
    let inputs = r#""split.failed", "split.rest""#;
    let routed = input.read(workplace, "nginx_access", STEPS_AND_ROUTES, inputs)?;
    Ok(Measurement::new(vec![(Figure::CpuRatio, routed.cpu_seconds / plain.cpu_seconds)]))
}

/// Nothing between source and output, and the output's input.
pub(crate) const DIRECTLY: (&str, &str) = ("", r#""benchmark""#);

/// Writes the config of a run: one source, what is between, one output with its inputs, nothing tuned.
pub(crate) fn write_config(
    config: &Path,
    data: &Path,
    paths: &str,
    parse: &str,
    (between, inputs): (&str, &str),
    url: &str,
) -> Result<()> {
    let text = format!(
        r#"data_dir = "{}"

[admin]
listen = "127.0.0.1:0"

[sources.benchmark]
type = "file"
paths = ["{paths}"]
parse = "{parse}"
{between}
[outputs.sink]
type = "elasticsearch"
inputs = [{inputs}]
urls = ["{url}"]
"#,
        data.join("data").display()
    );
    std::fs::write(config, text).with_context(|| format!("{} could not be written", config.display()))
}
