//! The sending end of the output `file`.
//!
//! Owns: [`FileClient`], which appends payloads on a thread that may wait for the disk.
//! Promises: a payload is delivered when its lines are on disk.
//! Never: blocks the runtime.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::config::{FileConfig, FileOutputError};
use super::files::{Append, Files};
use super::journal::Written;
use crate::client::{Client, Document};
use crate::payload::Payload;
use crate::verdict::{Cause, Trouble, Verdict};

/// Appends payloads to files.
#[derive(Debug)]
pub struct FileClient {
    files: Arc<Mutex<Files>>,
}

impl FileClient {
    /// A client whose journal is `journal`, and what it says was written before. Unacknowledged tails are cut off.
    ///
    /// # Errors
    /// When the journal cannot be used or a tail cannot be cut off.
    pub fn new(config: &FileConfig, journal: &Path) -> Result<(Self, Arc<Written>), FileOutputError> {
        let (files, written) = Files::open(config, journal)?;
        Ok((Self { files: Arc::new(Mutex::new(files)) }, Arc::new(written)))
    }
}

impl Client for FileClient {
    const ORDERED: bool = true;

    async fn send(&self, payload: &Payload) -> Verdict {
        let (files, append) = (Arc::clone(&self.files), Append::of(payload));
        let append = move || files.lock().unwrap_or_else(PoisonError::into_inner).append(&append);
        match tokio::task::spawn_blocking(append).await {
            Ok(Ok(())) => Verdict::Delivered { soft_failures: 0 },
            Ok(Err(error)) => {
                let reason = format!("cannot write to {}: {error}", payload.target());
                Verdict::Retry(Trouble::new(Cause::Unreachable, reason))
            }
            Err(error) => Verdict::Retry(Trouble::new(Cause::Unexpected, error.to_string())),
        }
    }

    fn document<'a>(&self, item: &'a [u8]) -> Document<'a> {
        Document { id: "", json: item.trim_ascii_end() }
    }
}
