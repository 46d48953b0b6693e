//! The job that stream engines are compared by: readings of sensors in a topic, their mean and count by sensor and minute in
//! another.
//!
//! Promises: every row is compared with sums that are made beside the generator; CPU time and memory are those of the
//! measured daemon alone, with what it remembers stored every second.
//! Never: counts a window that only the clock would close.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use logweir_benchmarks::Random;
use serde_json::Value;

use super::{Broker, Hub, SEED, name_of};
use crate::Workplace;
use crate::admin;
use crate::figures::{Figure, Measurement};
use crate::process;

const READINGS: u64 = 5_000_000;
const SENSORS: u64 = 10_000;
/// Event time of all readings, and how far one may be behind those before it, in milliseconds.
const SPAN: u64 = 30 * MINUTE;
const DISORDER: u64 = 5_000;
const LATENESS: u64 = 10_000;
const MINUTE: u64 = 60_000;
/// How long ago the first reading was: brokers delete what is much older.
const AGO: u64 = 120 * MINUTE;

/// Count, and sum in hundredths of a degree, by the end of the window, as a minute of the day, and the sensor.
type Rows = HashMap<(u64, u64), (u64, u64)>;

/// Topics, and what is to come of them.
struct Job {
    folder: tempfile::TempDir,
    binary: PathBuf,
    broker: String,
    rows: Rows,
}

/// Runs the job once.
pub(super) fn run(workplace: &Workplace, broker: &Broker) -> Result<Measurement> {
    let job = Job::fill(workplace, broker)?;
    let mut hub = job.start("windows", &job.windows()?)?;
    let expected = job.rows.len() as u64;
    hub.wait(&format!("{expected} results"), |admin| {
        let ledger = serde_json::from_str::<Value>(&admin::get(admin, "/api/ledger")?)?;
        Ok(ledger["sources"]["per_minute"]["delivered"].as_u64() >= Some(expected))
    })?;
    let wall_seconds = hub.started.elapsed().as_secs_f64();
    let (cpu_seconds, peak) = (hub.daemon.cpu_seconds()?, hub.daemon.peak_mebibytes()?);
    drop(hub);
    job.compare()?;
    Ok(Measurement::new(vec![
        (Figure::CpuPerMillion, cpu_seconds / (READINGS as f64 / 1e6)),
        (Figure::EventRate, READINGS as f64 / 1e3 / wall_seconds),
        (Figure::PeakMemory, peak),
    ]))
}

impl Job {
    /// Generates readings and takes them into a new topic of six partitions.
    fn fill(workplace: &Workplace, broker: &Broker) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("windows-").tempdir_in(&workplace.folder)?;
        let rows = write_readings(&folder.path().join("readings.json"))?;
        let (binary, broker) = (workplace.binary.clone(), broker.address().to_owned());
        let job = Self { folder, binary, broker, rows };
        let edge = format!(
            r#"data_dir = "{folder}/edge"

[sources.files]
type = "file"
paths = ["{folder}/readings.json"]
parse = "json"

[outputs.bus]
type = "kafka"
inputs = ["files"]
brokers = ["{broker}"]
topic = "{name}"
key = "{{sensor}}"
encoding = "raw"
create_topics = {{ partitions = 6, replication = 1 }}
"#,
            folder = job.folder.path().display(),
            broker = job.broker,
            name = name_of(&job.folder)?,
        );
        let config = job.folder.path().join("edge.toml");
        std::fs::write(&config, edge)?;
        process::run_once(&job.binary, &config, &job.folder.path().join("edge.err"))?;
        Ok(job)
    }

    /// The measured config.
    fn windows(&self) -> Result<String> {
        Ok(format!(
            r#"
[sources.readings]
type = "kafka"
brokers = ["{broker}"]
topics = ["{name}"]
group = "{name}"
parse = "json"

[aggregates.per_minute]
inputs = ["readings"]
by = ["sensor"]
window = {{ tumbling = "1m" }}
lateness = "{lateness}s"
compute = {{ count = "count", mean = {{ avg = "temperature" }} }}

[outputs.results]
type = "kafka"
inputs = ["per_minute"]
brokers = ["{broker}"]
topic = "{name}-results"
encoding = "json"
create_topics = {{ partitions = 6, replication = 1 }}
"#,
            broker = self.broker,
            name = name_of(&self.folder)?,
            lateness = LATENESS / 1_000,
        ))
    }

    fn start(&self, name: &str, body: &str) -> Result<Hub> {
        Hub::start(&self.binary, self.folder.path(), name, body)
    }

    /// Reads the results back and compares each row.
    fn compare(&self) -> Result<()> {
        let path = self.folder.path().join("results.ndjson");
        let body = format!(
            r#"
[sources.results]
type = "kafka"
brokers = ["{broker}"]
topics = ["{name}-results"]
group = "{name}-results"
parse = "json"

[outputs.file]
type = "file"
inputs = ["results"]
path = "{path}"
"#,
            broker = self.broker,
            name = name_of(&self.folder)?,
            path = path.display(),
        );
        let mut reader = self.start("reader", &body)?;
        let expected = self.rows.len() as u64;
        reader.wait("the results", |admin| {
            let ledger = admin::ledger(admin)?;
            Ok(ledger.delivered >= expected && ledger.in_flight == 0)
        })?;
        let mut found = Rows::new();
        for line in std::fs::read_to_string(&path)?.lines() {
            let (key, row) = row(line).with_context(|| format!("no result: {line}"))?;
            if self.rows.contains_key(&key) {
                ensure!(found.insert(key, row).is_none(), "a window came twice: {line}");
            }
        }
        ensure!(found == self.rows, "{} of {expected} rows came, and not all are right", found.len());
        Ok(())
    }
}

/// Window and row of a result.
fn row(line: &str) -> Option<((u64, u64), (u64, u64))> {
    let document = serde_json::from_str::<Value>(line).ok()?;
    let end = minute_of_day(document["@timestamp"].as_str()?)?;
    let sensor = document["sensor"].as_str()?.strip_prefix("sensor-")?.parse().ok()?;
    let count = document["logweir.metrics.count"].as_u64()?;
    let mean = document["logweir.metrics.mean"].as_f64()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // degrees above zero
    let sum = (mean * count as f64 * 100.0).round() as u64;
    Some(((end, sensor), (count, sum)))
}

/// The minute of a time such as `2026-11-24T10:31:00.000Z`.
fn minute_of_day(time: &str) -> Option<u64> {
    let number = |place: Range<usize>| time.get(place)?.parse::<u64>().ok();
    Some(number(11..13)? * 60 + number(14..16)?)
}

/// Writes the readings, and gives the rows of the windows that they close by themselves.
fn write_readings(path: &Path) -> Result<Rows> {
    // The clock of this program, which no daemon's clock is measured by.
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
    let start = (u64::try_from(now.as_millis())? - AGO) / MINUTE * MINUTE;
    let last = start + (SPAN - LATENESS) / MINUTE * MINUTE;
    let (mut random, mut rows, mut line) = (Random::new(SEED), Rows::new(), String::new());
    let mut file = BufWriter::new(File::create(path)?);
    for number in 0..READINGS {
        let time = start + DISORDER + number * SPAN / READINGS - random.below(DISORDER);
        let (sensor, hundredths) = (random.below(SENSORS), 1_500 + random.below(1_500));
        line.clear();
        writeln!(
            line,
            r#"{{"@timestamp":{}.{:03},"sensor":"sensor-{sensor:05}","temperature":{}.{:02},"humidity":{},"battery":3.{:02},"site":"hall-7"}}"#,
            time / 1_000,
            time % 1_000,
            hundredths / 100,
            hundredths % 100,
            30 + random.below(40),
            random.below(100),
        )?;
        file.write_all(line.as_bytes())?;
        let end = time / MINUTE * MINUTE + MINUTE;
        if end <= last {
            let row = rows.entry((end / MINUTE % (24 * 60), sensor)).or_default();
            *row = (row.0 + 1, row.1 + hundredths);
        }
    }
    file.flush()?;
    Ok(rows)
}
