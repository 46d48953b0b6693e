//! Files over an edge into Kafka, and from there over a hub into the sink: the cost of both halves, the memory of a hub
//! whose store is dead, the time until a hub that joins has its first record; windows from topic to topic.
//!
//! Promises: CPU time and memory are those of the measured daemon alone; a figure counts only if every line of the files
//! became a document in the sink once, and is delivered as the hub's ledger tells.
//! Never: waits without a deadline.

mod broker;
mod windows;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
pub(crate) use broker::Broker;
use logweir_benchmarks::generate::{self, LineFormat};
use logweir_benchmarks::pace::{pause_until, wait_for};
use logweir_benchmarks::ports::free_port;

use crate::Workplace;
use crate::admin::{self, Ledger};
use crate::figures::{Figure, Measurement};
use crate::process::{self, Daemon, SinkProcess, Used};

const PATIENCE: Duration = Duration::from_secs(180);
/// The seed of the first file; results of two days compare the same bytes.
const SEED: u64 = 20_261_123;
/// The lines of a file have one key: this many fill as many partitions, if no two of the keys fall together.
const FILES: u64 = 3;
/// What goes through a new broker, so that no case pays for its start or for the compiling of its code.
const WARM_UP_MEGABYTES: u64 = 400;
/// Enough to have a first record.
const JOIN_MEGABYTES: u64 = 3;

/// How a case uses the broker.
#[derive(Clone, Copy)]
pub(crate) enum Scenario {
    /// Files into a topic.
    Edge { encoding: &'static str },
    /// A topic into the sink.
    Hub { encoding: &'static str },
    /// A topic into a sink that is dead for a while from the start.
    DeadSink { partitions: u64, dead: Duration },
    /// A topic with records, and a group without a member.
    Join,
    /// A topic of readings into a topic of what their windows come to.
    Windows,
}

/// A new topic.
struct Topic {
    encoding: &'static str,
    partitions: u64,
    /// More settings of the edge's output.
    more: &'static str,
}

/// A topic that an edge has filled.
struct Scene {
    /// Its name is the topic's and the group's.
    folder: tempfile::TempDir,
    binary: PathBuf,
    broker: String,
    /// How many events are in the topic.
    lines: u64,
    /// What the edge used for them.
    edge: Used,
}

/// A daemon that reads the topic.
struct Hub {
    started: Instant,
    daemon: Daemon,
    admin: SocketAddr,
    log: PathBuf,
}

impl Topic {
    /// Three partitions, nothing tuned.
    fn plain(encoding: &'static str) -> Self {
        Self { encoding, partitions: 3, more: "" }
    }
}

/// Sends a little through broker and group, so that both have been used.
pub(crate) fn warm_up(workplace: &Workplace, broker: &Broker) -> Result<()> {
    run(Scenario::Hub { encoding: "json" }, workplace, broker, WARM_UP_MEGABYTES).map(drop)
}

/// Runs one case.
pub(crate) fn run(
    scenario: Scenario,
    workplace: &Workplace,
    broker: &Broker,
    megabytes: u64,
) -> Result<Measurement> {
    let fill = |topic: &Topic, megabytes| Scene::fill(workplace, broker, topic, megabytes);
    match scenario {
        Scenario::Edge { encoding } => {
            let scene = fill(&Topic::plain(encoding), megabytes)?;
            // The hub proves that everything is there.
            scene.run_hub()?;
            let edge = &scene.edge;
            let peak = edge.peak_kibibytes as f64 / 1024.0;
            Ok(scene.figures(edge.cpu_seconds, edge.wall_seconds, peak))
        }
        Scenario::Hub { encoding } => fill(&Topic::plain(encoding), megabytes)?.run_hub(),
        Scenario::DeadSink { partitions, dead } => {
            let topic = Topic { encoding: "json", partitions, more: "key = \"{source.ip}\"" };
            fill(&topic, megabytes)?.run_hub_with_dead_sink(partitions, dead)
        }
        Scenario::Windows => windows::run(workplace, broker),
        Scenario::Join => fill(&Topic::plain("json"), JOIN_MEGABYTES)?.run_joining_hub(),
    }
}

impl Scene {
    /// Generates files and takes them into a new topic.
    fn fill(workplace: &Workplace, broker: &Broker, topic: &Topic, megabytes: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("topic-").tempdir_in(&workplace.folder)?;
        let mut lines = 0;
        for number in 0..FILES {
            let path = folder.path().join(format!("{number}.log"));
            let bytes = megabytes * 1_000_000 / FILES;
            lines += generate::write_file(&path, LineFormat::Nginx, SEED + number, bytes)?;
        }
        let config = folder.path().join("edge.toml");
        let text = format!(
            r#"data_dir = "{folder}/edge"

[admin]
listen = "127.0.0.1:0"

[sources.files]
type = "file"
paths = ["{folder}/*.log"]
parse = "nginx_access"

[outputs.bus]
type = "kafka"
inputs = ["files"]
brokers = ["{broker}"]
topic = "{name}"
encoding = "{encoding}"
create_topics = {{ partitions = {partitions}, replication = 1 }}
{more}
"#,
            folder = folder.path().display(),
            broker = broker.address(),
            name = name_of(&folder)?,
            encoding = topic.encoding,
            partitions = topic.partitions,
            more = topic.more,
        );
        std::fs::write(&config, text)?;
        let edge = process::run_once(&workplace.binary, &config, &folder.path().join("edge.err"))?;
        let (binary, broker) = (workplace.binary.clone(), broker.address().to_owned());
        Ok(Self { folder, binary, broker, lines, edge })
    }

    /// Reads the topic into a sink and gives the figures of the hub.
    fn run_hub(&self) -> Result<Measurement> {
        let sink = SinkProcess::start()?;
        let mut hub = self.start_hub(sink.address())?;
        let wall_seconds = self.wait_until_all_arrived(&mut hub, &sink)?;
        Ok(self.figures(hub.daemon.cpu_seconds()?, wall_seconds, hub.daemon.peak_mebibytes()?))
    }

    /// Reads the topic while nobody listens at the sink's address, and after a while into a sink there. It is dead from the
    /// start: one that had died on the way would have taken documents that nobody can count any more.
    fn run_hub_with_dead_sink(&self, partitions: u64, dead: Duration) -> Result<Measurement> {
        let sink = SinkProcess::start()?;
        let address = sink.address();
        drop(sink);
        let mut hub = self.start_hub(address)?;
        pause_until(hub.started + dead);
        let owned = admin::source(hub.admin, "bus")?["partitions"].as_array().map_or(0, Vec::len);
        ensure!(owned as u64 == partitions, "the hub has {owned} of {partitions} partitions");
        let ledger = admin::ledger(hub.admin)?;
        ensure!(ledger.in_flight > 0 && ledger.delivered == 0, "nothing waits for the sink: {ledger:?}");

        let sink = SinkProcess::start_at(address)?;
        self.wait_until_all_arrived(&mut hub, &sink)?;
        Ok(Measurement::new(vec![(Figure::PeakMemory, hub.daemon.peak_mebibytes()?)]))
    }

    /// Starts a hub and takes the time until its first records are documents.
    fn run_joining_hub(&self) -> Result<Measurement> {
        let sink = SinkProcess::start()?;
        let mut hub = self.start_hub(sink.address())?;
        hub.wait("the first document", |_| Ok(sink.documents()? > 0))?;
        let first = hub.started.elapsed().as_secs_f64();
        self.wait_until_all_arrived(&mut hub, &sink)?;
        Ok(Measurement::new(vec![(Figure::FirstRecord, first)]))
    }

    fn start_hub(&self, sink: SocketAddr) -> Result<Hub> {
        let body = format!(
            r#"
[sources.bus]
type = "kafka"
brokers = ["{broker}"]
topics = ["{name}"]
group = "{name}"
parse = "json"

[outputs.sink]
type = "elasticsearch"
inputs = ["bus"]
urls = ["http://{sink}"]
"#,
            broker = self.broker,
            name = name_of(&self.folder)?,
        );
        Hub::start(&self.binary, self.folder.path(), "hub", &body)
    }

    /// Waits until every line is a document in the sink and delivered in the ledger, each once. Gives the seconds until the
    /// sink had them.
    fn wait_until_all_arrived(&self, hub: &mut Hub, sink: &SinkProcess) -> Result<f64> {
        let what = format!("{} documents", self.lines);
        hub.wait(&what, |_| Ok(sink.documents()? >= self.lines))?;
        let wall_seconds = hub.started.elapsed().as_secs_f64();
        let expected = Ledger { read: self.lines, delivered: self.lines, in_flight: 0 };
        hub.wait(&format!("{expected:?}"), |admin| Ok(admin::ledger(admin)? == expected))?;
        let arrived = sink.documents()?;
        ensure!(arrived == self.lines, "{} lines were written, {arrived} documents arrived", self.lines);
        Ok(wall_seconds)
    }

    fn figures(&self, cpu_seconds: f64, wall_seconds: f64, peak_mebibytes: f64) -> Measurement {
        Measurement::new(vec![
            (Figure::CpuPerMillion, cpu_seconds / (self.lines as f64 / 1e6)),
            (Figure::EventRate, self.lines as f64 / 1e3 / wall_seconds),
            (Figure::PeakMemory, peak_mebibytes),
        ])
    }
}

impl Hub {
    /// Starts a daemon with a config, a data directory and a log of this name in the folder.
    fn start(binary: &Path, folder: &Path, name: &str, body: &str) -> Result<Self> {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let path = |ending: &str| folder.join(format!("{name}{ending}"));
        let text = format!("data_dir = {:?}\n\n[admin]\nlisten = \"{admin}\"\n{body}", path(""));
        let (config, log) = (path(".toml"), path(".err"));
        std::fs::write(&config, text)?;
        let started = Instant::now();
        let daemon = Daemon::start(binary, &config, &log)?;
        Ok(Self { started, daemon, admin, log })
    }

    /// Asks again and again whether `condition` holds; a question may fail while the hub starts.
    fn wait(&mut self, what: &str, condition: impl Fn(SocketAddr) -> Result<bool>) -> Result<()> {
        let met = wait_for(PATIENCE, || match self.daemon.ended() {
            Ok(None) => condition(self.admin).is_ok_and(|holds| holds).then_some(true),
            _ => Some(false),
        });
        let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
        ensure!(met == Some(true), "the hub came not to {what}: {:?}: {}", admin::ledger(self.admin), log());
        Ok(())
    }
}

fn name_of(folder: &tempfile::TempDir) -> Result<&str> {
    folder.path().file_name().and_then(|name| name.to_str()).context("a folder without a name")
}
