//! Whole files, read once from their beginnings to their ends, by whoever asks for the next batch.
//!
//! Owns: [`Replay`].
//! Promises: the files keep step: the next batch is of the file whose event time has come least far, so that windows over several
//! files need no more memory than over one; compressed files are read like others.
//! Never: remembers a position, waits, or starts a thread.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use logweir_parsers::key;
use xxhash_rust::xxh3::xxh3_64;

use super::file::Multiline;
use super::file::gzip::Gzip;
use super::file::lines::Framer;
use super::line_reader::{LineReader, Lines};
use crate::event::{Batch, ConstantSet, ConstantValue};
use crate::stream::{Position, SourceMeta, Stream};

/// Bytes of a compressed file that are read at once.
const COMPRESSED_BYTES: usize = 64 * 1024;

/// Files that are read in step.
pub struct Replay {
    inputs: Vec<Input>,
}

struct Input {
    path: PathBuf,
    content: Box<dyn Read>,
    lines: LineReader,
    /// How far its event time has come.
    reached: i64,
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ReplayError {
    path: PathBuf,
    source: io::Error,
}

/// How lines become events.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// Bytes of a line that are kept.
    pub max_line_bytes: usize,
    /// How lines are joined to events, if they are.
    pub multiline: Option<Multiline>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// A batch.
    Batch(Box<Batch>),
    /// The stream with this number is over.
    Over(u64),
}

impl Replay {
    /// Opens the files.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(
        paths: &[PathBuf],
        meta: &Arc<SourceMeta>,
        config: &ReplayConfig,
    ) -> Result<Self, ReplayError> {
        let open = |path: &PathBuf| {
            Input::open(path, meta, config).map_err(|source| ReplayError { path: path.clone(), source })
        };
        Ok(Self { inputs: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// The numbers of the streams that are not over.
    pub fn streams(&self) -> impl Iterator<Item = u64> {
        self.inputs.iter().map(|input| input.lines.stream().id())
    }

    /// The next batch, or the end of a file; `None` when all are over.
    ///
    /// # Errors
    /// When a file cannot be read on.
    pub fn read(&mut self) -> Result<Option<Next>, ReplayError> {
        let first = self.inputs.iter().enumerate().min_by_key(|(_, input)| input.reached);
        let Some((place, _)) = first else { return Ok(None) };
        let input = &mut self.inputs[place];
        loop {
            match input.lines.read(&mut input.content, None) {
                Ok(Lines::Batch(batch)) => return Ok(Some(Next::Batch(batch))),
                Ok(Lines::Incomplete) => {}
                Ok(Lines::Over) => {
                    return Ok(Some(Next::Over(self.inputs.remove(place).lines.stream().id())));
                }
                Err(source) => return Err(ReplayError { path: input.path.clone(), source }),
            }
        }
    }

    /// How far the event time of a stream has come.
    pub fn reached(&mut self, stream: u64, time: i64) {
        let input = self.inputs.iter_mut().find(|input| input.lines.stream().id() == stream);
        input.into_iter().for_each(|input| input.reached = input.reached.max(time));
    }
}

impl Input {
    fn open(path: &Path, meta: &Arc<SourceMeta>, config: &ReplayConfig) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let mut head = Vec::new();
        file.by_ref().take(3).read_to_end(&mut head)?;
        let is_compressed = Gzip::is_gzip(&head);
        let whole = io::Cursor::new(head).chain(file);
        let content: Box<dyn Read> = if is_compressed {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_BYTES, whole)))
        } else {
            Box::new(whole)
        };
        let mut constants = ConstantSet::default();
        let name = path.to_string_lossy();
        constants.add(key::LOG_FILE_PATH, "log.file.path", ConstantValue::Text(name.to_string()));
        let id = xxh3_64(name.as_bytes());
        let stream = Stream::new(id, Arc::clone(meta), constants, Position::default());
        let framer = Framer { max_line_bytes: config.max_line_bytes, multiline: config.multiline.clone() };
        let lines = LineReader::new(stream, framer);
        Ok(Self { path: path.to_owned(), content, lines, reached: i64::MIN })
    }
}

/// Leaves only the events whose times are in the range.
pub fn keep_times(batch: &mut Batch, times: &Range<i64>) {
    batch.events.retain(|event| times.contains(&event.timestamp));
}
