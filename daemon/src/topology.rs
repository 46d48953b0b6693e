//! The wiring: this file reads in the order in which data flows.
//!
//! Owns: every thread and task of a running pipeline, from the sources to the drivers of the outputs.
//! Promises: stopping walks the same order: sources end, their channels close, workers flush and end, drivers drain,
//! positions are stored. Each stage ends because the one before is gone.
//! Never: decides what happens to an event.

mod own_files;
mod results;
mod sources;
mod stage;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use crossbeam_channel::Receiver;
use logweir_outputs::dead_letter::{DeadLetter, DeadLetterConfig};
use logweir_outputs::driver::DriverEnd;
use logweir_outputs::output::{Output, OutputDependencies};
use logweir_pipeline::checkpoint::Checkpoints;
use logweir_pipeline::event::Constants;
use logweir_pipeline::installation::Installation;
use logweir_pipeline::router::{Branch, Way};
use logweir_pipeline::source::BatchSender;
use logweir_pipeline::tap::Taps;
use logweir_pipeline::worker::{Unreached, Worker};
use logweir_pipeline::{Batch, Keys, Ledger, Memory, SourceMeta, Stop};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

use crate::admin::Overview;
use crate::config::sources::Source;
use crate::config::{self, Config};
pub(crate) use results::operators;
use results::{OwnedResults, ResultsContext, all_results};
use sources::SourceStarter;
use stage::Stage;

/// Batches that wait before each worker: enough to keep it busy, few enough to cost little.
const INBOX_BATCHES: usize = 2;

/// How a driver's task ended.
type DriverResult = Result<DriverEnd, JoinError>;

/// A running pipeline.
#[derive(Debug)]
pub(crate) struct Topology {
    /// What there is to see of it.
    pub(crate) overview: Arc<Overview>,
    /// The request to end it.
    pub(crate) stop: Stop,
    sources: Stage,
    workers: Stage,
    /// What makes results of events, and the workers that those go through.
    results: Stage,
    drivers: JoinSet<(String, DriverResult)>,
    checkpoints: Arc<Checkpoints>,
    flusher: Stage,
    flusher_stop: Stop,
    _installation: Installation,
}

/// How a pipeline ended: what went wrong, if anything.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// What went wrong, one sentence each.
    pub(crate) failures: Vec<String>,
}

impl Topology {
    /// Starts everything. The drivers run on `runtime`.
    pub(crate) fn start(
        config: &Config,
        installation: Installation,
        runtime: &Handle,
        once: bool,
    ) -> anyhow::Result<Self> {
        let stop = Stop::default();
        let memory = Memory::new(config.settings.memory);
        let checkpoints = Checkpoints::open(installation.data_dir());
        // Drivers wait for data from here on; an output that cannot work is refused before anything is read.
        let outputs = spawn_outputs(config, &memory, &installation, runtime)?;
        let statuses = outputs.iter().map(|output| Arc::clone(&output.status)).collect();

        let (batches, inboxes) = channels(config.settings.workers);
        let ways = ways(config);
        let results = all_results(config, &ways, &memory, &checkpoints)?;
        let starter = SourceStarter {
            batches,
            ways: &ways,
            results: &results,
            memory: &memory,
            stop: &stop,
            once,
            checkpoints: &checkpoints,
            #[cfg(feature = "kafka")]
            outputs: &outputs,
        };
        let mut started = starter.start(config, &installation)?;
        let names = config.used_sources().map(|source| source.name.as_str());
        let outputs_by_lane = config.outputs.iter().map(|output| output.name.clone()).collect();
        let taps = Taps::new(names.zip(&ways), outputs_by_lane);
        let starter =
            WorkerStarter { ways, keys: &config.keys, taps: &taps, outputs: &outputs, results: &results };
        let workers = starter.start(inboxes, &stop)?;
        let context = ResultsContext { memory: &memory, stop: &stop, once };
        let watched = results.iter().map(|own| Arc::clone(own.results.operator())).collect();
        let results = starter.start_results(config, &mut started.ledger, &context)?;
        let drivers = collect_drivers(outputs, config);

        let (mut flusher, flusher_stop) = (Stage::default(), Stop::default());
        let (flushed, flusher_stopped) = (Arc::clone(&checkpoints), flusher_stop.clone());
        flusher.spawn("checkpoints", &stop, move || {
            flushed.run(&flusher_stopped);
            Ok(())
        })?;

        let sources = started.sources;
        let transforms = config.transforms.clone();
        let stopped = stop.clone();
        let overview = Arc::new(Overview {
            ledger: started.ledger,
            files: started.files,
            syslog: started.syslog,
            #[cfg(feature = "kafka")]
            kafka: started.kafka,
            transforms,
            operators: watched,
            outputs: statuses,
            memory,
            taps,
            keys: Arc::clone(&config.keys),
            tap_access: config.admin.tap,
            stop: stopped,
        });
        let _installation = installation;
        Ok(Self {
            overview,
            stop,
            sources,
            workers,
            results,
            drivers,
            checkpoints,
            flusher,
            flusher_stop,
            _installation,
        })
    }

    /// Waits until everything has ended, in the order of the data.
    pub(crate) async fn finish(&mut self) -> End {
        let mut end = End::default();
        self.sources_ended(&mut end).await;
        self.workers.ended(&mut end).await;
        self.results.ended(&mut end).await;
        while let Some(driver) = self.drivers.join_next().await {
            self.note_driver(driver, &mut end);
        }
        self.flush(&mut end).await;
        end
    }

    /// Waits for the sources. An output that ends before them ends the run: nobody would take their events.
    async fn sources_ended(&mut self, end: &mut End) {
        loop {
            tokio::select! {
                () = self.sources.ended(end) => return,
                Some(driver) = self.drivers.join_next() => self.note_driver(driver, end),
            }
        }
    }

    fn note_driver(&self, driver: Result<(String, DriverResult), JoinError>, end: &mut End) {
        let failure = match driver {
            Ok((_, Ok(DriverEnd::Drained))) => return,
            Ok((name, Ok(DriverEnd::Closed(reason)))) => format!("the output `{name}` has ended: {reason}"),
            Ok((name, Err(error))) => format!("the driver of the output `{name}` failed: {error}"),
            Err(error) => format!("the driver of an output failed: {error}"),
        };
        tracing::error!("{failure}");
        end.failures.push(failure);
        self.stop.ask();
    }

    /// Ends the flusher and stores the positions once more, after the last acknowledgement.
    async fn flush(&mut self, end: &mut End) {
        self.flusher_stop.ask();
        self.flusher.ended(end).await;
        if let Err(error) = self.checkpoints.flush() {
            end.failures.push(error.to_string());
        }
    }

    /// Stores the positions that are acknowledged now, for an end before everything is.
    pub(crate) fn store_positions(&self) {
        if let Err(error) = self.checkpoints.flush() {
            tracing::warn!("{error}");
        }
    }
}

/// A sender to all workers, and each worker's inbox.
fn channels(workers: usize) -> (BatchSender, Vec<Receiver<Batch>>) {
    let (senders, inboxes) = (0..workers).map(|_| crossbeam_channel::bounded(INBOX_BATCHES)).unzip();
    (BatchSender::new(senders), inboxes)
}

/// What workers are started with.
struct WorkerStarter<'a> {
    ways: Vec<Way>,
    keys: &'a Arc<Keys>,
    taps: &'a Arc<Taps>,
    outputs: &'a [Output],
    results: &'a [OwnedResults],
}

impl WorkerStarter<'_> {
    /// Starts a worker for each inbox, with a lane to each output and aggregate.
    fn start(&self, inboxes: Vec<Receiver<Batch>>, stop: &Stop) -> anyhow::Result<Stage> {
        let mut workers = Stage::default();
        let is_source = |source: &usize| !self.results.iter().any(|results| results.source == *source);
        let sources = (0..self.ways.len()).filter(is_source).collect::<Vec<_>>();
        for (number, inbox) in inboxes.into_iter().enumerate() {
            self.spawn(&mut workers, &format!("worker-{number}"), inbox, &sources, stop)?;
        }
        Ok(workers)
    }

    /// Starts a worker for the events of these sources.
    fn spawn(
        &self,
        stage: &mut Stage,
        name: &str,
        inbox: Receiver<Batch>,
        sources: &[usize],
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let mut lanes = self.outputs.iter().map(|output| output.lanes.lane()).collect::<Vec<_>>();
        let reached =
            sources.iter().flat_map(|source| self.ways[*source].all_lanes()).collect::<BTreeSet<_>>();
        for own in self.results {
            let is_reached = reached.contains(&lanes.len());
            lanes.push(if is_reached { own.results.lane() } else { Box::new(Unreached) });
        }
        let worker = Worker::new(inbox, Arc::clone(self.keys), self.ways.clone(), lanes);
        let worker = worker.tapped(Arc::clone(self.taps));
        stage.spawn(name, stop, move || {
            worker.run();
            Ok(())
        })
    }
}

/// The names of the outputs, then of aggregates and rules, in the order of their lanes.
pub(crate) fn lane_names(config: &Config) -> Vec<&str> {
    let outputs = config.outputs.iter().map(|output| output.name.as_str());
    let made = config.used_sources().filter(|source| source.kind.is_made());
    outputs.chain(made.map(|source| source.name.as_str())).collect()
}

/// Gives up the right to make lanes, so that the drivers end with the workers' lanes.
fn collect_drivers(outputs: Vec<Output>, config: &Config) -> JoinSet<(String, DriverResult)> {
    let mut drivers = JoinSet::new();
    for (output, configured) in outputs.into_iter().zip(&config.outputs) {
        let (name, driver) = (configured.name.clone(), output.driver);
        drivers.spawn(async move { (name, driver.await) });
    }
    drivers
}

/// What is constant for a source.
pub(crate) fn source_meta(index: usize, source: &Source, ledger: &mut Ledger) -> SourceMeta {
    SourceMeta {
        index,
        name: source.name.clone(),
        formats: source.formats.clone(),
        parse_message: source.parse_message.clone(),
        constants: Constants::new(source.fields.clone(), source.dataset.as_deref(), &source.namespace)
            .of_formats(&source.formats),
        zone: source.zone.clone(),
        keep_original: source.keep_original,
        ledger: ledger.source(&source.name),
        listeners: Vec::new(),
    }
}

/// Where the events of each source that is used go, in their order.
pub(crate) fn ways(config: &Config) -> Vec<Way> {
    config.routed_sources().map(|(_, way)| resolved(way, config)).collect()
}

/// A way with what the config's names stand for. What changes events comes last, so that less has to be undone.
fn resolved(way: &config::Way, config: &Config) -> Way {
    let takers = lane_names(config).into_iter().enumerate();
    let lanes =
        takers.filter(|(_, name)| way.outputs.iter().any(|output| output == name)).map(|(index, _)| index);
    let branch = |branch: &config::Branch| {
        let mut ways = branch.ways.iter().map(|way| resolved(way, config)).collect::<Vec<_>>();
        if let Some(route) = config.routes.iter().find(|route| route.name == branch.name) {
            return Some(Branch::Route(Arc::clone(route), ways));
        }
        let transform = config.transforms.iter().find(|transform| *transform.name == *branch.name)?;
        Some(Branch::Transform(Arc::clone(transform), ways.pop()?))
    };
    let mut branches = way.branches.iter().filter_map(branch).collect::<Vec<_>>();
    branches.sort_by_key(Branch::changes_events);
    Way { lanes: lanes.collect(), branches }
}

/// Starts the outputs' drivers; lanes are made from what is returned.
fn spawn_outputs(
    config: &Config,
    memory: &Arc<Memory>,
    installation: &Installation,
    runtime: &Handle,
) -> anyhow::Result<Vec<Output>> {
    let dead_letter_config = DeadLetterConfig { max_bytes: config.dead_letter.bytes_max };
    let dead_letter = DeadLetter::open(&config.dead_letter.path, &dead_letter_config)?;
    let dependencies = OutputDependencies {
        memory: Arc::clone(memory),
        keys: Arc::clone(&config.keys),
        dead_letter: Some(dead_letter),
        data_dir: installation.data_dir().to_owned(),
        runtime: runtime.clone(),
    };
    let mut outputs = Vec::new();
    for output in &config.outputs {
        let spawned = Output::spawn(&output.name, &output.kind, output.config, &dependencies);
        outputs.push(spawned.with_context(|| format!("cannot start the output `{}`", output.name))?);
    }
    Ok(outputs)
}
