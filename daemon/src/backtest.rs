//! Events through the real parse, transforms and ways of a config, into its aggregates and rules and into no output.
//!
//! Owns: [`Backtest`].
//! Promises: the results are those of a daemon that reads the same events; they come in the order in which their windows are
//! over, and at the end every window is; the clock of the wall closes none.
//! Never: starts a thread, or opens a file or a store.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logweir_pipeline::event::ConstantSet;
use logweir_pipeline::operator::{Operator, Scratch};
use logweir_pipeline::parse::Parser;
use logweir_pipeline::router::{Router, Way};
use logweir_pipeline::source::replay::keep_times;
use logweir_pipeline::source::results::batches;
use logweir_pipeline::worker::{Lane, Unreached};
use logweir_pipeline::{Batch, Ledger, Memory, Position, SourceMeta, Stream};

use crate::config::Config;
use crate::topology::{operators, source_meta, ways};

/// Whether events on this way may reach an aggregate or a rule.
pub(crate) fn takes(way: &Way, config: &Config) -> bool {
    way.all_lanes().into_iter().any(|lane| lane >= config.outputs.len())
}

/// Events of one source on their way into aggregates and rules, on one thread.
pub(crate) struct Backtest {
    parser: Parser,
    router: Router,
    ways: Vec<Way>,
    lanes: Vec<Box<dyn Lane>>,
    results: Vec<Results>,
    source: Arc<SourceMeta>,
    memory: Arc<Memory>,
}

/// An aggregate or a rule, and the stream of its results.
struct Results {
    operator: Arc<dyn Operator>,
    stream: Arc<Stream>,
    /// Whether others take its results.
    goes_on: bool,
}

impl Backtest {
    /// The source with this description, in a config that has aggregates or rules which it feeds.
    pub(crate) fn new(config: &Config, ledger: &mut Ledger, source: Arc<SourceMeta>) -> Self {
        let ways = ways(config);
        let results = operators(config).into_iter().filter_map(|(index, operator)| {
            let meta = Arc::new(source_meta(index, config.used_sources().nth(index)?, ledger));
            let stream = Stream::new(index as u64, meta, ConstantSet::default(), Position::default());
            let goes_on = takes(&ways[index], config);
            Some(Results { operator, stream, goes_on })
        });
        let results = results.collect::<Vec<_>>();
        let outputs = config.outputs.iter().map(|_| Box::new(Unreached) as Box<dyn Lane>);
        let operators = results.iter().map(|results| {
            let operator = Arc::clone(&results.operator);
            Box::new(OperatorLane { operator, scratch: Scratch::default() }) as Box<dyn Lane>
        });
        Self {
            parser: Parser::new(Arc::clone(&config.keys)),
            router: Router::new(Arc::clone(&config.keys)),
            ways,
            lanes: outputs.chain(operators).collect(),
            results,
            source,
            memory: Memory::new(usize::MAX),
        }
    }

    /// Makes a stream known to those that its events may reach.
    pub(crate) fn announce(&self, stream: u64) {
        let reached = self.takers_of(self.source.index);
        reached.into_iter().for_each(|taker| self.results[taker].operator.announce(stream, 0));
    }

    /// The aggregates and rules that the events of a source may reach.
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

    /// Each aggregate and rule, in the order of the config.
    pub(crate) fn operators(&self) -> impl Iterator<Item = &dyn Operator> {
        self.results.iter().map(|results| &*results.operator)
    }

    fn route(&mut self, source: usize, mut batch: Batch) {
        self.router.route(&self.ways[source], &mut batch, &mut self.lanes);
        self.parser.recycle(batch).done();
    }

    /// A stream is over; prints what that brings about.
    pub(crate) fn forget(&mut self, stream: u64, out: &mut impl Write) -> io::Result<()> {
        self.results.iter().for_each(|results| {
            results.operator.forget(stream, true, 0);
        });
        self.print(out)
    }

    /// Ends the time, for each aggregate or rule after those whose results it takes.
    pub(crate) fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut open = (0..self.results.len()).collect::<Vec<_>>();
        while !open.is_empty() {
            let fed =
                open.iter().flat_map(|&number| self.takers_of(self.results[number].stream.source().index));
            let fed = fed.collect::<Vec<_>>();
            let (now, later) = open.into_iter().partition::<Vec<_>, _>(|number| !fed.contains(number));
            for number in now {
                self.results[number].operator.end();
                self.print(out)?;
            }
            open = later;
        }
        Ok(())
    }

    /// Prints the results that are ready, and gives them to those that take them.
    fn print(&mut self, out: &mut impl Write) -> io::Result<()> {
        for number in 0..self.results.len() {
            let ready = self.results[number].operator.take_ready();
            out.write_all(&ready.lines)?;
            let Results { stream, goes_on: true, .. } = &self.results[number] else { continue };
            let source = stream.source().index;
            let followers = batches(&ready, stream, &self.memory).collect::<Vec<_>>();
            for mut batch in followers {
                self.parser.parse(&mut batch);
                self.route(source, batch);
            }
        }
        Ok(())
    }
}

/// A lane into an aggregate or a rule on the same thread. Time does not pass by itself.
struct OperatorLane {
    operator: Arc<dyn Operator>,
    scratch: Scratch,
}

impl Lane for OperatorLane {
    fn has_room(&mut self, _: Duration) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch, selected: &[u32]) {
        self.operator.observe(batch, selected, 0, &mut self.scratch);
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn flush(&mut self) {}
}
