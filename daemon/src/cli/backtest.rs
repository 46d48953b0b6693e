//! `logweir backtest`: the aggregates and rules of a config over old files.
//!
//! Owns: the command: which files, source, format and times are meant, and the summary.
//! Promises: results stand alone on standard output, a document a line; everything else is said on standard error.
//! Never: opens a socket or a store, or remembers a position.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use logweir_parsers::timestamp::rfc3339;
use logweir_parsers::{Context, Zone};
use logweir_pipeline::parse::Grammar;
use logweir_pipeline::source::replay::{Next, Replay, ReplayConfig};
use logweir_pipeline::{Ledger, SourceMeta};

use super::ConfigArguments;
use crate::backtest::{Backtest, takes};
use crate::config::Config;
use crate::config::nearest;
use crate::config::sources::{Source, SourceKind};
use crate::exit::Exit;
use crate::topology::{source_meta, ways};

/// Longest line where the source does not say.
const LINE_BYTES_MAX: usize = 1024 * 1024;
const TEMPLATE: &str = "{bar:16} {bytes}/{total_bytes}, {msg}, {eta} left";

/// Arguments of `logweir backtest`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// A file of lines, plain or compressed by gzip; may stand several times
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The source that the lines are taken to come from; needed where several feed aggregates
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The format of the lines, instead of those of the source
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Only events from this time on, such as 2026-11-23T08:30:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

fn time(text: &str) -> Result<i64, String> {
    let context = Context::new(0, Zone::UTC);
    rfc3339(text.as_bytes(), &context)
        .ok_or_else(|| "expected a time such as 2026-11-23T08:30:00Z".to_owned())
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some(config) = self.config.load()? else {
            return Ok(Exit::Usage);
        };
        let (index, source) = self.source(&config)?;
        let mut ledger = Ledger::default();
        let mut meta = source_meta(index, source, &mut ledger);
        if let Some(format) = &self.format {
            meta.formats = vec![self.format(format, &config)?];
        }
        let meta = Arc::new(meta);
        let mut replay = Replay::open(&self.input, &meta, &lines_of(source))?;
        let mut backtest = Backtest::new(&config, &mut ledger, Arc::clone(&meta));
        replay.streams().for_each(|stream| backtest.announce(stream));
        let times = self.since.unwrap_or(i64::MIN)..self.until.unwrap_or(i64::MAX);
        let mut out = BufWriter::new(io::stdout().lock());
        let progress = self.progress()?;
        while let Some(next) = replay.read()? {
            match next {
                Next::Batch(batch) => {
                    let stream = batch.stream.id();
                    progress.inc(batch.chunk.len() as u64);
                    let reached = backtest.take(*batch, &times, &mut out)?;
                    replay.reached(stream, reached);
                }
                Next::Over(stream) => backtest.forget(stream, &mut out)?,
            }
        }
        backtest.end(&mut out)?;
        out.flush()?;
        progress.finish_and_clear();
        io::stderr().write_all(summary(&meta, &backtest).as_bytes())?;
        Ok(Exit::Success)
    }

    /// The source that the lines are taken to come from, and its place.
    fn source<'c>(&self, config: &'c Config) -> anyhow::Result<(usize, &'c Source)> {
        let sources = config.used_sources().enumerate().zip(ways(config));
        let feeding = sources.filter(|((_, source), way)| takes(way, config) && !source.kind.is_made());
        let feeding = feeding.map(|(source, _)| source).collect::<Vec<_>>();
        let names = feeding.iter().map(|(_, source)| format!("`{}`", source.name)).collect::<Vec<_>>();
        match (&self.source, &feeding[..]) {
            (_, []) => {
                bail!("nothing feeds an aggregate whose results go somewhere, so there is nothing to compute")
            }
            (None, [one]) => Ok(*one),
            (None, _) => {
                bail!("several sources feed aggregates: name one of {} by --source", names.join(", "))
            }
            (Some(name), _) => match feeding.iter().find(|(_, source)| source.name == *name) {
                Some(found) => Ok(*found),
                None => bail!("no source called `{name}` feeds an aggregate: there are {}", names.join(", ")),
            },
        }
    }

    fn format(&self, name: &str, config: &Config) -> anyhow::Result<Grammar> {
        let known = logweir_parsers::Format::by_name(name).map(Grammar::from);
        let own = || {
            config.formats.iter().find(|format| format.name == name).map(|own| Grammar::Own(Arc::clone(own)))
        };
        if let Some(grammar) = known.or_else(own) {
            return Ok(grammar);
        }
        let names = logweir_parsers::FORMATS.iter().map(|format| format.name());
        let near = nearest(name, names.chain(config.formats.iter().map(|format| &*format.name)));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        bail!("no format is called `{name}`{near} `logweir config-reference formats` tells of all")
    }

    /// A bar, where somebody looks and it does not stand among the results.
    fn progress(&self) -> anyhow::Result<ProgressBar> {
        if !io::stderr().is_terminal() || io::stdout().is_terminal() {
            return Ok(ProgressBar::hidden());
        }
        let sizes = self.input.iter().map(|path| Ok(path.metadata()?.len()));
        let bar =
            ProgressBar::new(sizes.sum::<io::Result<u64>>().context("cannot tell the sizes of the files")?);
        bar.set_style(ProgressStyle::with_template(TEMPLATE)?);
        Ok(bar)
    }
}

fn lines_of(source: &Source) -> ReplayConfig {
    match &source.kind {
        SourceKind::File(file) => {
            ReplayConfig { max_line_bytes: file.max_line_bytes, multiline: file.multiline.clone() }
        }
        SourceKind::Stdin { max_line_bytes } => {
            ReplayConfig { max_line_bytes: *max_line_bytes, multiline: None }
        }
        _ => ReplayConfig { max_line_bytes: LINE_BYTES_MAX, multiline: None },
    }
}

/// What became of the events.
fn summary(meta: &SourceMeta, backtest: &Backtest) -> String {
    let counts = meta.ledger.counts();
    let mut summary = format!("{} events read, {} not parsed", counts.read, counts.unparsed);
    for aggregate in backtest.operators() {
        let counts = aggregate.status().counts;
        let name = aggregate.name();
        write!(summary, "\n{name}: {} results, {} events late", counts.documents, counts.late)
            .unwrap_or_default();
        for (number, what) in [
            (counts.without_field, "without a field that is asked for"),
            (counts.future, "with a time too far ahead"),
            (counts.refused, "of groups beyond `max_keys`"),
        ] {
            if number > 0 {
                write!(summary, ", {number} {what}").unwrap_or_default();
            }
        }
    }
    summary.push('\n');
    summary
}
