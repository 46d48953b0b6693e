//! Source `file`: tails files through rotation, truncation and restarts.
//!
//! Owns: [`FileSource`], its two threads, and the modules below: discovery finds and opens files, the reader decides
//! when each is read, a tail reads one, the framer cuts lines.
//! Promises: every line of every file is sent once, in the order of its file; a position moves when the outputs are
//! done with a line; after a restart reading goes on where that was.
//! Never: changes or removes a file; never keeps a writer waiting.

mod admit;
mod buffers;
mod config;
mod content;
mod copies;
mod cuts;
mod discover;
pub(super) mod encoding;
mod failures;
pub(super) mod gzip;
mod handover;
mod held;
mod history;
mod identity;
mod idle;
pub(super) mod lines;
mod long_line;
mod own;
mod pattern;
mod reader;
mod resume;
mod schedule;
mod search;
mod siblings;
mod status;
mod tail;
mod turn;
mod watch;

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use rustix::process::{Resource, getrlimit};

pub use config::{Encoding, FileConfig, Multiline, ReadFrom};
pub use own::OwnFiles;
pub use pattern::PatternError;
pub use status::{FileCounters, FileSourceStatus, FileState, FileStatus};

use crate::checkpoint::{CheckpointError, Checkpoints};
use crate::installation::Installation;
use crate::source::SourceContext;
use crate::stream::Starting;
use buffers::Buffers;
use discover::Discovery;
use handover::Known;
use history::History;
use identity::Naming;
use lines::Framer;
use pattern::PathSet;
use reader::Reader;
use tail::Reading;

/// Messages from discovery that may wait for the reader.
const MESSAGES_MAX: usize = 1024;
/// How long to wait before the checkpoints are asked for again.
const RECORDS_RETRY: Duration = Duration::from_millis(500);

/// A file source that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum FileSourceError {
    /// One of its globs cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A thread cannot be started.
    #[error("cannot start the discovery thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A configured source of files.
#[derive(Debug)]
pub struct FileSource {
    config: FileConfig,
    paths: PathSet,
    checkpoints: Arc<Checkpoints>,
    installation: u128,
    status: Arc<FileSourceStatus>,
}

impl FileSource {
    /// A source with this config.
    ///
    /// # Errors
    /// When a glob is invalid.
    pub fn new(
        config: FileConfig,
        checkpoints: Arc<Checkpoints>,
        installation: &Installation,
    ) -> Result<Self, FileSourceError> {
        let paths = PathSet::new(&config.paths, &config.exclude)?;
        let status = Arc::default();
        Ok(Self { config, paths, checkpoints, installation: installation.id(), status })
    }

    /// The source, leaving alone what this process writes itself.
    #[must_use]
    pub fn leaving_alone(mut self, own: &Arc<OwnFiles>) -> Self {
        self.paths.own = Arc::clone(own);
        self
    }

    /// What the source tells about itself, also while it runs.
    #[must_use]
    pub fn status(&self) -> Arc<FileSourceStatus> {
        Arc::clone(&self.status)
    }

    /// Reads on this thread, and discovers on another, until the stop is asked for or the pipeline ends; with `once`,
    /// until everything that is there has been read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn run(self, context: SourceContext) -> Result<(), FileSourceError> {
        let name = context.meta.name.clone();
        let known = || Ok((self.checkpoints.records(&name)?, self.checkpoints.has_started(&name)?));
        let (records, has_started) = loop {
            match known() {
                Ok(known) => break known,
                // The store has said aloud what is wrong. Without it nobody knows where to go on.
                Err::<_, CheckpointError>(_) if context.stop.wait(RECORDS_RETRY) => return Ok(()),
                Err(_) => {}
            }
        };
        let (over, alive) = std::io::pipe()?;
        let (out, messages) = bounded(MESSAGES_MAX);
        let (known, history) = (Arc::<Known>::default(), History::new(records));
        let discovery = Discovery::new(
            Arc::new(self.paths),
            out,
            Arc::clone(&self.status),
            Arc::clone(&known),
            over,
            self.config.discover_every,
            history.lost(),
        );
        let starting = Starting::new(&context.meta, "files");
        let once = context.once;
        let thread = std::thread::Builder::new().name(format!("discover {name}"));
        let discovery = thread.spawn(move || discovery.run(once))?;
        let framer =
            Framer { max_line_bytes: self.config.max_line_bytes, multiline: self.config.multiline.clone() };
        let reading = Reading {
            framer,
            buffers: Buffers::new(&context.memory),
            batches: context.batches.clone(),
            status: self.status,
        };
        let mut config = self.config;
        config.max_open_files = config.max_open_files.min(open_files_allowed());
        let reader = Reader {
            naming: Naming { installation: self.installation, source: name.into() },
            config,
            context,
            reading,
            checkpoints: self.checkpoints,
            known,
            history,
            messages,
            first_start: !has_started,
            start_stored: false,
            tails: HashMap::new(),
            by_file: HashMap::new(),
            by_stream: HashMap::new(),
            next_number: 0,
            due: BinaryHeap::new(),
            unstored: Vec::new(),
            wanted_cuts: Vec::new(),
            cuts_due_at: Instant::now(),
            store_again_at: None,
            waiting: None,
            decompressing: None,
            searched: false,
            starting: Some(starting),
            idle_looked_at: Instant::now(),
            history_looked_at: Instant::now(),
        };
        reader.run();
        drop(alive);
        if discovery.join().is_err() {
            tracing::error!("the discovery thread has panicked");
        }
        Ok(())
    }
}

/// Files that this process may keep open for reading: half of what the system allows it, the rest is for sockets and
/// for files that are about to be closed.
fn open_files_allowed() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 2).unwrap_or(usize::MAX)
}
