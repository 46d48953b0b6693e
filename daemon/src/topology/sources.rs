//! Sources in the wiring.
//!
//! Owns: the start of every source, and what there is to see of them.
//! Promises: a source whose events go nowhere is not started; one that cannot start is named.
//! Never: reads anything itself.

use std::sync::Arc;

use anyhow::Context;
#[cfg(feature = "kafka")]
use logweir_outputs::output::Output;
use logweir_pipeline::checkpoint::Checkpoints;
use logweir_pipeline::installation::Installation;
#[cfg(feature = "kafka")]
use logweir_pipeline::kafka::transaction::Transaction;
use logweir_pipeline::router::Way;
use logweir_pipeline::source::file::{FileSource, FileSourceStatus};
#[cfg(feature = "kafka")]
use logweir_pipeline::source::kafka::{KafkaSource, KafkaSourceStatus};
use logweir_pipeline::source::syslog::{SyslogSource, SyslogStatus};
use logweir_pipeline::source::{BatchSender, SourceContext, stdin};
use logweir_pipeline::{Ledger, Memory, SourceMeta, Stop};

use super::results::{OwnedResults, listeners};
use super::stage::Stage;
use super::{own_files, source_meta};
#[cfg(feature = "kafka")]
use crate::config;
use crate::config::Config;
use crate::config::sources::SourceKind;

/// What sources are started with. Its sender goes with it: the workers' inboxes close when the last source is gone.
pub(super) struct SourceStarter<'a> {
    pub(super) batches: BatchSender,
    pub(super) ways: &'a [Way],
    pub(super) results: &'a [OwnedResults],
    pub(super) memory: &'a Arc<Memory>,
    pub(super) stop: &'a Stop,
    pub(super) once: bool,
    pub(super) checkpoints: &'a Arc<Checkpoints>,
    #[cfg(feature = "kafka")]
    pub(super) outputs: &'a [Output],
}

/// The running sources, and what there is to see of them.
pub(super) struct StartedSources {
    pub(super) sources: Stage,
    pub(super) ledger: Ledger,
    pub(super) files: Vec<(String, Arc<FileSourceStatus>)>,
    pub(super) syslog: Vec<(String, Arc<SyslogStatus>)>,
    #[cfg(feature = "kafka")]
    pub(super) kafka: Vec<(String, Arc<KafkaSourceStatus>)>,
}

impl SourceStarter<'_> {
    /// Starts the sources whose events go somewhere.
    pub(super) fn start(
        self,
        config: &Config,
        installation: &Installation,
    ) -> anyhow::Result<StartedSources> {
        let own_files = own_files::own_files(config, installation.data_dir())?;
        let mut started = StartedSources {
            sources: Stage::default(),
            ledger: Ledger::default(),
            files: Vec::new(),
            syslog: Vec::new(),
            #[cfg(feature = "kafka")]
            kafka: Vec::new(),
        };
        for (index, source) in config.used_sources().enumerate() {
            let listeners = listeners(&self.ways[index], config, self.results);
            #[cfg(feature = "kafka")]
            let is_watched = !listeners.is_empty();
            let context = SourceContext {
                meta: Arc::new(SourceMeta { listeners, ..source_meta(index, source, &mut started.ledger) }),
                batches: self.batches.clone(),
                memory: Arc::clone(self.memory),
                stop: self.stop.clone(),
                once: self.once,
            };
            match &source.kind {
                SourceKind::File(file) => {
                    let file = FileSource::new((**file).clone(), Arc::clone(self.checkpoints), installation)
                        .with_context(|| format!("cannot start the source `{}`", source.name))?
                        .leaving_alone(&own_files);
                    started.files.push((source.name.clone(), file.status()));
                    started.sources.spawn(&source.name, self.stop, move || {
                        file.run(context)?;
                        Ok(())
                    })?;
                }
                &SourceKind::Stdin { max_line_bytes } => {
                    let (end_of_input, ends_the_run) = (self.stop.clone(), !self.once);
                    started.sources.spawn(&source.name, self.stop, move || {
                        stdin::run(&context, max_line_bytes).context("cannot read standard input")?;
                        if ends_the_run {
                            end_of_input.ask();
                        }
                        Ok(())
                    })?;
                }
                SourceKind::Syslog(_) if self.once => {
                    anyhow::bail!(
                        "the source `{}` listens and so has no end: run without --once",
                        source.name
                    )
                }
                #[cfg(feature = "kafka")]
                SourceKind::Kafka(_) if self.once => {
                    anyhow::bail!(
                        "topics have no end: run without --once, or without the source `{}`",
                        source.name
                    )
                }
                #[cfg(feature = "kafka")]
                SourceKind::Kafka(kafka) => {
                    let kafka = KafkaSource::new((**kafka).clone(), context)
                        .with_context(|| format!("cannot start the source `{}`", source.name))?;
                    let kafka = match self.transaction(config, index) {
                        Some(transaction) => kafka.within(transaction),
                        None => kafka,
                    };
                    let kafka = if is_watched { kafka.behind(Arc::clone(self.checkpoints)) } else { kafka };
                    started.kafka.push((source.name.clone(), kafka.status()));
                    started.sources.spawn(&source.name, self.stop, move || Ok(kafka.run()?))?;
                }
                // Results are made by the workers.
                SourceKind::Aggregate(_) | SourceKind::Rule(_) | SourceKind::Sigma(_) => {}
                SourceKind::Syslog(syslog) => {
                    let syslog = SyslogSource::open((**syslog).clone(), context, &config.keys)
                        .with_context(|| format!("cannot start the source `{}`", source.name))?;
                    started.syslog.push((source.name.clone(), syslog.status()));
                    started.sources.spawn(&source.name, self.stop, move || Ok(syslog.run()?))?;
                }
            }
        }
        Ok(started)
    }
}

#[cfg(feature = "kafka")]
impl SourceStarter<'_> {
    /// The transactions in which the events of a source are written, if they are.
    fn transaction(&self, config: &Config, source: usize) -> Option<Arc<dyn Transaction>> {
        let (_, way) = config.routed_sources().nth(source)?;
        let output = config::transactions::output_of(way, &config.outputs)?;
        self.outputs.get(output)?.transaction.clone()
    }
}
