//! Events through the real parse, transforms and ways of a config, into its aggregates and into no output.
//!
//! Owns: [`Backtest`].
//! Promises: the results are those of a daemon that reads the same events; they come in the order in which their windows are
//! over, and at the end every window is; the clock of the wall closes none.
//! Never: starts a thread, or opens a file or a store.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logweir_pipeline::aggregate::{Aggregate, AggregateScratch};
use logweir_pipeline::event::ConstantSet;
use logweir_pipeline::parse::Parser;
use logweir_pipeline::router::{Router, Way};
use logweir_pipeline::source::replay::keep_times;
use logweir_pipeline::source::results::batches;
use logweir_pipeline::worker::{Lane, Unreached};
use logweir_pipeline::{Batch, Ledger, Memory, Position, SourceMeta, Stream};

use crate::config::Config;
use crate::topology::{aggregates, source_meta, ways};

/// Whether events on this way may reach an aggregate.
pub(crate) fn takes(way: &Way, config: &Config) -> bool {
    way.all_lanes().into_iter().any(|lane| lane >= config.outputs.len())
}

/// Events of one source on their way into aggregates, on one thread.
pub(crate) struct Backtest {
    parser: Parser,
    router: Router,
    ways: Vec<Way>,
    lanes: Vec<Box<dyn Lane>>,
    results: Vec<Results>,
    source: Arc<SourceMeta>,
    memory: Arc<Memory>,
}

/// An aggregate, and the stream of its results.
struct Results {
    aggregate: Arc<Aggregate>,
    stream: Arc<Stream>,
    offset: u64,
    /// Whether other aggregates take its results.
    goes_on: bool,
}

impl Backtest {
    /// The source with this description, in a config that has aggregates which it feeds.
    pub(crate) fn new(config: &Config, ledger: &mut Ledger, source: Arc<SourceMeta>) -> Self {
        let ways = ways(config);
        let results = aggregates(config).filter_map(|(index, aggregate)| {
            let meta = Arc::new(source_meta(index, config.used_sources().nth(index)?, ledger));
            let stream = Stream::new(index as u64, meta, ConstantSet::default(), Position::default());
            let goes_on = takes(&ways[index], config);
            let aggregate = Arc::new(Aggregate::new(aggregate.clone()));
            Some(Results { aggregate, stream, offset: 0, goes_on })
        });
        let results = results.collect::<Vec<_>>();
        let outputs = config.outputs.iter().map(|_| Box::new(Unreached) as Box<dyn Lane>);
        let aggregates = results.iter().map(|results| {
            let aggregate = Arc::clone(&results.aggregate);
            Box::new(AggregateLane { aggregate, scratch: AggregateScratch::default() }) as Box<dyn Lane>
        });
        Self {
            parser: Parser::new(Arc::clone(&config.keys)),
            router: Router::new(Arc::clone(&config.keys)),
            ways,
            lanes: outputs.chain(aggregates).collect(),
            results,
            source,
            memory: Memory::new(usize::MAX),
        }
    }

    /// Makes a stream known to the aggregates that its events may reach.
    pub(crate) fn announce(&self, stream: u64) {
        let reached = self.takers_of(self.source.index);
        reached.into_iter().for_each(|taker| self.results[taker].aggregate.announce(stream, 0));
    }

    /// The aggregates that the events of a source may reach.
    fn takers_of(&self, source: usize) -> Vec<usize> {
        let outputs = self.lanes.len() - self.results.len();
        self.ways[source].all_lanes().into_iter().filter_map(|lane| lane.checked_sub(outputs)).collect()
    }

    /// Takes a batch along its way, prints what that brings about, and says how far event time has come.
    pub(crate) fn take(
        &mut self,
        mut batch: Batch,
        times: &Range<i64>,
        out: &mut impl Write,
    ) -> io::Result<i64> {
        self.parser.parse(&mut batch);
        let reached = batch.events.iter().map(|event| event.timestamp).max().unwrap_or(i64::MIN);
        keep_times(&mut batch, times);
        self.route(self.source.index, batch);
        self.print(out)?;
        Ok(reached)
    }

    /// Each aggregate, in the order of the config.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &Aggregate> {
        self.results.iter().map(|results| &*results.aggregate)
    }

    fn route(&mut self, source: usize, mut batch: Batch) {
        self.router.route(&self.ways[source], &mut batch, &mut self.lanes);
        self.parser.recycle(batch).done();
    }

    /// A stream is over; prints what that brings about.
    pub(crate) fn forget(&mut self, stream: u64, out: &mut impl Write) -> io::Result<()> {
        self.results.iter().for_each(|results| {
            results.aggregate.forget(stream, 0);
        });
        self.print(out)
    }

    /// Closes every window, those of an aggregate after those of the aggregates whose results it takes.
    pub(crate) fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut open = (0..self.results.len()).collect::<Vec<_>>();
        while !open.is_empty() {
            let fed =
                open.iter().flat_map(|&number| self.takers_of(self.results[number].stream.source().index));
            let fed = fed.collect::<Vec<_>>();
            let (now, later) = open.into_iter().partition::<Vec<_>, _>(|number| !fed.contains(number));
            for number in now {
                self.results[number].aggregate.end();
                self.print(out)?;
            }
            open = later;
        }
        Ok(())
    }

    /// Prints the results that are ready, and gives them to the aggregates that take them.
    fn print(&mut self, out: &mut impl Write) -> io::Result<()> {
        for number in 0..self.results.len() {
            let ready = self.results[number].aggregate.take_ready();
            out.write_all(&ready.lines)?;
            let Results { stream, offset, goes_on: true, .. } = &mut self.results[number] else { continue };
            let source = stream.source().index;
            let followers = batches(&ready, stream, offset, &self.memory).collect::<Vec<_>>();
            for mut batch in followers {
                self.parser.parse(&mut batch);
                self.route(source, batch);
            }
        }
        Ok(())
    }
}

/// A lane into an aggregate on the same thread. Time does not pass by itself.
struct AggregateLane {
    aggregate: Arc<Aggregate>,
    scratch: AggregateScratch,
}

impl Lane for AggregateLane {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        self.aggregate.observe(batch, selected, 0, &mut self.scratch);
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}
