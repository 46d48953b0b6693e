//! Aggregates and rules in the wiring.
//!
//! Owns: the threads of what makes events of others, and of the workers that those go through.
//! Promises: an aggregate or a rule is over when all who could bring it events are.
//! Never: computes a result.

use std::sync::Arc;

use anyhow::Context;
use logweir_pipeline::operator::Operator;
use logweir_pipeline::router::Way;
use logweir_pipeline::source::results::Results;
use logweir_pipeline::source::{BatchSender, SourceContext};
use logweir_pipeline::{Ledger, Memory, SourceMeta, Stop, StreamListener};

use super::stage::Stage;
use super::{INBOX_BATCHES, WorkerStarter, source_meta};
use crate::config::Config;

/// An aggregate or a rule of the config at work.
pub(super) struct OwnedResults {
    /// The place of its results among the sources.
    pub(super) source: usize,
    pub(super) results: Arc<Results>,
}

/// What sources of results are started with.
pub(super) struct ResultsContext<'a> {
    pub(super) memory: &'a Arc<Memory>,
    pub(super) stop: &'a Stop,
    pub(super) once: bool,
}

impl WorkerStarter<'_> {
    /// Starts what makes results of events, and for the results of each aggregate a worker of its own: it ends when the
    /// aggregate does, and with it the lanes to aggregates of its results.
    pub(super) fn start_results(
        &self,
        config: &Config,
        ledger: &mut Ledger,
        context: &ResultsContext<'_>,
    ) -> anyhow::Result<Stage> {
        let mut stage = Stage::default();
        let mut contexts = Vec::new();
        for own in self.results {
            let Some(source) = config.used_sources().nth(own.source) else { continue };
            let (sender, inbox) = crossbeam_channel::bounded(INBOX_BATCHES);
            let listeners = listeners(&self.ways[own.source], config, self.results);
            contexts.push(SourceContext {
                meta: Arc::new(SourceMeta { listeners, ..source_meta(own.source, source, ledger) }),
                batches: BatchSender::new(vec![sender]),
                memory: Arc::clone(context.memory),
                stop: context.stop.clone(),
                once: context.once,
            });
            self.spawn(&mut stage, &format!("results-{}", source.name), inbox, &[own.source], context.stop)?;
        }
        // Only now are there all lanes, without which an aggregate would be over.
        for (own, context) in self.results.iter().zip(contexts) {
            let (results, stop) = (Arc::clone(&own.results), context.stop.clone());
            let name = context.meta.name.clone();
            stage.spawn(&name, &stop, move || results.run(&context).context("cannot send results"))?;
        }
        Ok(stage)
    }
}

/// The aggregates and rules that events on this way may reach: they hear of the streams of the source.
pub(super) fn listeners(
    way: &Way,
    config: &Config,
    results: &[OwnedResults],
) -> Vec<Arc<dyn StreamListener>> {
    let reached =
        way.all_lanes().into_iter().filter_map(|lane| results.get(lane.checked_sub(config.outputs.len())?));
    reached.map(|own| Arc::clone(&own.results) as Arc<dyn StreamListener>).collect()
}

/// The aggregates and rules whose results go somewhere, in the order of their lanes.
pub(super) fn all_results(config: &Config, memory: &Arc<Memory>) -> Vec<OwnedResults> {
    let results =
        |(source, operator)| OwnedResults { source, results: Results::new(operator, Arc::clone(memory)) };
    operators(config).into_iter().map(results).collect()
}

/// The aggregates and rules whose results go somewhere, each new, with the place of those results among the sources.
pub(crate) fn operators(config: &Config) -> Vec<(usize, Arc<dyn Operator>)> {
    let sources = config.used_sources().enumerate();
    sources.filter_map(|(source, used)| Some((source, Arc::from(used.kind.operator()?)))).collect()
}
