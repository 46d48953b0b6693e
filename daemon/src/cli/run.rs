//! `logweir run`: the daemon.
//!
//! Owns: the command: what is said first, the wait for the end or a signal, the exit code.
//! Promises: with `--once` it exits with 0 only when every event is acknowledged; asked to end, it drains within
//! `shutdown_deadline`; asked twice, it ends at once.
//! Never: knows how the parts are wired.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use logweir_outputs::output::OutputKind;
use logweir_pipeline::installation::Installation;
use logweir_pipeline::parse::Grammar;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::ConfigArguments;
use crate::admin::{self, Overview};
use crate::config::Config;
use crate::config::sources::SourceKind;
use crate::exit::Exit;
use crate::logging::{self, LogLevel};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::topology::{End, Topology};

/// Arguments of `logweir run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Read everything that is there, then end; exit code 0 means that every event is acknowledged
    #[arg(long)]
    once: bool,
    /// How much is logged to standard error
    #[arg(long, value_enum, default_value = "info", env = "LOGWEIR_LOG_LEVEL")]
    log_level: LogLevel,
    #[command(flatten)]
    config: ConfigArguments,
}

impl Arguments {
    pub(super) fn execute(&self) -> anyhow::Result<Exit> {
        let Some(config) = self.config.load()? else {
            return Ok(Exit::Usage);
        };
        logging::start(self.log_level);
        let installation = match Installation::open(&config.settings.data_dir) {
            Ok(installation) => installation,
            Err(error) => {
                super::complain(&error.into());
                return Ok(Exit::DataDir);
            }
        };
        let runtime = runtime(config.settings.workers)?;
        let exit = runtime.block_on(self.run(&runtime, &config, installation));
        // What is still at work after the drain deadline must not keep the process.
        runtime.shutdown_background();
        exit
    }

    async fn run(
        &self,
        runtime: &Runtime,
        config: &Config,
        installation: Installation,
    ) -> anyhow::Result<Exit> {
        let mut signals = Signals::catch().context("cannot catch signals")?;
        let listener = admin::listen(config.admin).await?;
        let address = listener.as_ref().map(TcpListener::local_addr).transpose();
        let address = address.context("cannot tell the address of the admin interface")?;
        announce(config, address)?;
        let mut topology = Topology::start(config, installation, runtime.handle(), self.once)?;
        let overview = Arc::clone(&topology.overview);
        if let Some((listener, address)) = listener.zip(address) {
            tokio::spawn(admin::serve(listener, address, Arc::clone(&overview)));
        }
        let progress = Progress::start(self.once, config, &overview);
        let end = wait(&mut topology, &mut signals, config).await;
        progress.finish();
        Ok(self.judge(end, &overview))
    }

    /// The exit code, and a word on what was not delivered.
    fn judge(&self, waited: Waited, overview: &Overview) -> Exit {
        let (in_flight, rejected) =
            overview.ledger.counts().fold((0, 0), |(in_flight, rejected), (_, counts)| {
                (in_flight + counts.in_flight, rejected + counts.rejected)
            });
        match waited {
            Waited::Cut(reason) => {
                tracing::warn!(
                    in_flight,
                    "{reason}: events that no output has acknowledged stay where they are, and the next start reads them"
                );
                Exit::NotDrained
            }
            Waited::Ended(end) | Waited::Drained(end) if !end.failures.is_empty() || in_flight > 0 => {
                tracing::error!(in_flight, "ended with failures: {}", end.failures.join("; "));
                Exit::Failed
            }
            Waited::Drained(_) if self.once => {
                tracing::warn!("asked to end before everything was read; the next start goes on there");
                Exit::NotDrained
            }
            Waited::Ended(_) if self.once && rejected > 0 => {
                tracing::warn!(rejected, "events were refused; `logweir dead-letter list` shows them");
                Exit::DeadLettered
            }
            Waited::Ended(_) | Waited::Drained(_) => Exit::Success,
        }
    }
}

/// How the wait for the end came out.
enum Waited {
    /// Every stage has ended by itself.
    Ended(End),
    /// Every stage has ended because the process was asked to end.
    Drained(End),
    /// Not all was drained, for this reason.
    Cut(&'static str),
}

/// How many workers a thread that sends can serve: on loopback sending takes a quarter of the time of a worker with JSON
/// lines, and two fifths with syslog, whose documents are long beside their lines.
const WORKERS_PER_SENDER: usize = 2;

/// Few threads serve what waits, since each hand-over between two of them wakes a processor; what computes has
/// threads of its own.
fn runtime(workers: usize) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(workers.div_ceil(WORKERS_PER_SENDER))
        .max_blocking_threads(8)
        .thread_name("io")
        .enable_all();
    builder.build().context("cannot start the runtime")
}

/// Waits for the end: by itself, or asked for and then within the deadline.
async fn wait(topology: &mut Topology, signals: &mut Signals, config: &Config) -> Waited {
    let stop = topology.stop.clone();
    let deadline = config.settings.shutdown_deadline;
    let cut = {
        let mut finished = pin!(topology.finish());
        let signal = tokio::select! {
            end = &mut finished => return Waited::Ended(end),
            signal = signals.asked_to_end() => signal,
        };
        tracing::info!("{signal}: ending within {deadline:?}; a second signal ends at once");
        stop.ask();
        tokio::select! {
            ended = timeout(deadline, finished) => match ended {
                Ok(end) => return Waited::Drained(end),
                Err(_) => "the outputs did not take everything before the shutdown deadline",
            },
            _ = signals.asked_to_end() => "asked a second time to end",
        }
    };
    topology.store_positions();
    Waited::Cut(cut)
}

/// Says what is read, what is written, where the admin interface and the data are: on a terminal as lines for
/// people, in the log otherwise.
fn announce(config: &Config, admin: Option<SocketAddr>) -> io::Result<()> {
    let mut lines = Vec::new();
    for source in config.used_sources() {
        let what = match &source.kind {
            SourceKind::File(file) => file.paths.join(", "),
            #[cfg(feature = "kafka")]
            SourceKind::Kafka(kafka) => format!("{} as {}", kafka.topic_names().join(", "), kafka.group),
            SourceKind::Stdin { .. } => "standard input".to_owned(),
            SourceKind::Syslog(syslog) => {
                syslog.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            SourceKind::Aggregate(aggregate) => {
                lines.push(("watches", format!("{}: {}", source.name, aggregate.windows)));
                continue;
            }
            SourceKind::Sigma(sigma) => {
                let (rules, correlations) = (sigma.rules(), sigma.correlations());
                let text = format!("{}: {rules} rules and {correlations} correlations of Sigma", source.name);
                lines.push(("watches", text));
                continue;
            }
            SourceKind::Rule(rule) => {
                lines.push(("watches", format!("{}: {}", source.name, rule.text.title)));
                continue;
            }
        };
        let formats = source.formats.iter().map(Grammar::name).collect::<Vec<_>>().join(", ");
        lines.push(("reads", format!("{}: {what} as {formats}", source.name)));
    }
    for output in &config.outputs {
        let what = match &output.kind {
            OutputKind::Elasticsearch(elasticsearch) => elasticsearch.urls.join(", "),
            #[cfg(feature = "kafka")]
            OutputKind::Kafka(kafka) => format!("{} of {}", kafka.topic, kafka.connection.brokers.join(", ")),
            OutputKind::Webhook(webhook) => webhook.address(),
            #[cfg(feature = "email")]
            OutputKind::Email(email) => format!("{} by {}", email.to.join(", "), email.server),
            OutputKind::File(file) => file.path.clone(),
            OutputKind::Console(_) => "standard output".to_owned(),
        };
        lines.push(("writes", format!("{}: {} {what}", output.name, output.kind.name())));
    }
    let admin = admin.map_or_else(|| "off".to_owned(), |address| format!("http://{address}"));
    lines.push(("admin", admin));
    lines.push(("data", config.settings.data_dir.display().to_string()));
    if !io::stderr().is_terminal() {
        for (what, text) in lines {
            tracing::info!("{what} {text}");
        }
        return Ok(());
    }
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "logweir {}", env!("CARGO_PKG_VERSION"))?;
    for (what, text) in lines {
        writeln!(stderr, "  {what:<7} {text}")?;
    }
    Ok(())
}
