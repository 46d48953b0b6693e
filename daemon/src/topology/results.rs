//! Aggregates and rules in the wiring.
//!
//! Owns: the threads of what makes events of others, and of the workers that those go through.
//! Promises: an aggregate or a rule is over when all who could bring it events are.
//! Never: computes a result.

use std::collections::HashMap;
use std::sync::Arc;

use logweir_pipeline::checkpoint::{Checkpoints, Keeper};
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
            stage.spawn(&name, &stop, move || {
                results.run(&context);
                Ok(())
            })?;
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

/// The aggregates and rules whose results go somewhere, in the order of their lanes, with what they remembered at the end of the
/// last run; from now on that is stored with the positions.
pub(super) fn all_results(
    config: &Config,
    ways: &[Way],
    memory: &Arc<Memory>,
    checkpoints: &Checkpoints,
) -> anyhow::Result<Vec<OwnedResults>> {
    let operators = config.used_sources().enumerate().filter(|(_, used)| used.kind.is_made());
    let operators = operators.collect::<Vec<_>>();
    let mut states = if operators.is_empty() { HashMap::new() } else { checkpoints.states()? };
    let mut all = Vec::new();
    for (source, used) in operators {
        let saved = states.remove(&used.name);
        let operator = || used.kind.operator();
        if let Some(results) = Results::new(operator, used.settings, saved.as_deref(), Arc::clone(memory))? {
            all.push(OwnedResults { source, results });
        }
    }
    checkpoints.keep(takers_first(config, ways, &all));
    Ok(all)
}

/// Who takes the results of another comes before it: their states are stored in this order.
fn takers_first(config: &Config, ways: &[Way], all: &[OwnedResults]) -> Vec<Arc<dyn Keeper>> {
    let mut open = (0..all.len()).collect::<Vec<_>>();
    let mut keepers = Vec::<Arc<dyn Keeper>>::new();
    while !open.is_empty() {
        let feeds_one_that_is_open = |number: &usize| {
            let lanes = ways[all[*number].source].all_lanes();
            lanes.iter().any(|lane| {
                let taker = lane.checked_sub(config.outputs.len());
                taker.is_some_and(|taker| taker != *number && open.contains(&taker))
            })
        };
        let (later, now) = open.iter().copied().partition::<Vec<_>, _>(feeds_one_that_is_open);
        // The config has no circles; if it had, their order would not matter.
        let now = if now.is_empty() { open.clone() } else { now };
        keepers.extend(now.iter().map(|number| Arc::clone(&all[*number].results) as Arc<dyn Keeper>));
        open = later.into_iter().filter(|number| !now.contains(number)).collect();
    }
    keepers
}

/// The aggregates and rules whose results go somewhere, each new, with the place of those results among the sources.
pub(crate) fn operators(config: &Config) -> Vec<(usize, Arc<dyn Operator>)> {
    let sources = config.used_sources().enumerate();
    sources.filter_map(|(source, used)| Some((source, Arc::from(used.kind.operator()?)))).collect()
}
