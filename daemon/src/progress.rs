//! The progress bar of `run --once`.
//!
//! Owns: [`Progress`].
//! Promises: drawn on standard error, only when that is a terminal and no events are printed on it.
//! Never: slows anything down: it looks a few times a second.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use logweir_outputs::output::OutputKind;
use tokio::task::JoinHandle;

use crate::admin::Overview;
use crate::config::Config;

/// How often the bar is drawn.
const INTERVAL: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{bar:16} {bytes}/{total_bytes}, {msg}, {eta} left";

/// A progress bar, or none.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Option<(ProgressBar, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to draw, when there is a terminal for it.
    pub(crate) fn start(once: bool, config: &Config, overview: &Arc<Overview>) -> Self {
        let prints = config.outputs.iter().any(|output| matches!(output.kind, OutputKind::Console(_)));
        let events_on_terminal = prints && io::stdout().is_terminal();
        if !once || !io::stderr().is_terminal() || events_on_terminal {
            return Self { shown: None };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let drawing = tokio::spawn(draw(bar.clone(), Arc::clone(overview)));
        Self { shown: Some((bar, drawing)) }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some((bar, drawing)) = self.shown {
            drawing.abort();
            bar.finish_and_clear();
        }
    }
}

async fn draw(bar: ProgressBar, overview: Arc<Overview>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut lines_before = 0;
    loop {
        ticks.tick().await;
        let (mut lines, mut errors, mut read) = (0, 0, 0);
        for (_, counts) in overview.ledger.counts() {
            lines += counts.read;
            errors += counts.unparsed + counts.rejected;
            read += counts.bytes;
        }
        let files = overview.files.iter().flat_map(|(_, status)| status.files());
        let left = files.map(|file| file.size.saturating_sub(file.read)).sum::<u64>();
        bar.set_length(read + left);
        bar.set_position(read);
        let per_second = (lines - lines_before) * 1000 / INTERVAL.as_millis() as u64;
        lines_before = lines;
        bar.set_message(format!("{per_second} lines/s, {errors} errors"));
    }
}
