//! `user_agent`: the browser, system and device that a client says it is.
//!
//! Owns: [`ParseUserAgent`] and the fields that it sets.
//! Promises: the file is read again when it changes; one that cannot be used leaves the one from before in force; what no
//! expression takes gives nothing; only the beginning of a text is looked at.
//! Never: has expressions of its own: they age.

#[cfg(feature = "user-agent")]
mod expressions;
#[cfg(not(feature = "user-agent"))]
#[path = "user_agent/no_expressions.rs"]
mod expressions;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logweir_parsers::KeyId;
use xxhash_rust::xxh3::xxh3_128;

use super::findings::{Caches, set};
use super::loaded_file::{FileError, LoadedFile, read_file};
use super::{Bench, Step, read};
use crate::event::Batch;
use expressions::Expressions;

/// Bytes of a text that are looked at; no browser says as much.
const TEXT_BYTES_MAX: usize = 2048;

/// What reading of clients' names needs to know.
#[derive(Clone, Debug)]
pub struct UserAgentConfig {
    /// The field with what the client says.
    pub field: KeyId,
    /// The fields that are set, in the order of [`ParseUserAgent::FIELDS`].
    pub set: Vec<KeyId>,
    /// The expressions: YAML in the form of uap-core.
    pub regexes: PathBuf,
    /// How often the file is looked at.
    pub reload_after: Duration,
    /// The largest file that is read, in bytes.
    pub bytes_max: u64,
    /// Texts that each worker remembers.
    pub cache_max: usize,
}

/// Why expressions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UserAgentError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is something else.
    #[error("it is not of the form of uap-core's regexes.yaml: {0}")]
    Form(String),
    /// This build cannot read such files.
    #[error("this build cannot read it: build with the feature `user-agent`")]
    NotBuilt,
    /// An expression cannot be used.
    #[error("it has an expression that cannot be used: {0}")]
    Expression(String),
}

/// Sets fields by what a client says it is.
pub struct ParseUserAgent {
    config: UserAgentConfig,
    expressions: LoadedFile<Expressions>,
    caches: Caches<Expressions>,
}

impl ParseUserAgent {
    /// What is set, as in ECS.
    pub const FIELDS: [&str; 6] = [
        "user_agent.name",
        "user_agent.version",
        "user_agent.os.name",
        "user_agent.os.version",
        "user_agent.os.full",
        "user_agent.device.name",
    ];

    /// Reads the expressions.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or does not hold expressions.
    pub fn new(config: UserAgentConfig) -> Result<Self, UserAgentError> {
        let load = |path: &Path| load(path, config.bytes_max);
        let expressions = LoadedFile::new(config.regexes.clone(), config.reload_after, load)?;
        Ok(Self { expressions, caches: Caches::new(config.cache_max), config })
    }
}

impl fmt::Debug for ParseUserAgent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ParseUserAgent").field("config", &self.config).finish_non_exhaustive()
    }
}

fn load(path: &Path, bytes_max: u64) -> Result<Expressions, UserAgentError> {
    Expressions::from_yaml(&read_file(path, bytes_max)?)
}

impl Step for ParseUserAgent {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let expressions = self.expressions.get(batch.read_at, |path| load(path, self.config.bytes_max));
        let mut cache = self.caches.take(expressions);
        for index in selected.iter().map(|&index| index as usize) {
            let Some(text) = read::text(batch, index, self.config.field, &mut bench.room) else { continue };
            let text = &text[..text.len().min(TEXT_BYTES_MAX)];
            let find = |known: &Expressions| Some(known.findings(&String::from_utf8_lossy(text)));
            if let Some(findings) = cache.get(xxh3_128(text), find) {
                set(findings, &self.config.set, batch, index);
            }
        }
        self.caches.give_back(cache);
    }
}
