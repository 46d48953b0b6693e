//! What discovery and the reader have between them.
//!
//! Owns: [`Message`], what discovery tells, and [`Known`], the files that the reader has.
//! Promises: a file is known from before it is told of until the reader has closed it for good.
//! Never: holds a lock while a file is opened or read.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::identity::Facts;
use crate::checkpoint::FileId;

/// What the reader is told.
#[derive(Debug)]
pub(super) enum Message {
    /// A file that was not known.
    Found(Found),
    /// A name now leads to a known file.
    Named(FileId, Arc<Path>),
    /// No name of the source leads to this file any more.
    Unlisted(FileId),
    /// Everything that was there at the start has been told.
    Searched,
}

/// A file that was not known.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) facts: Facts,
    /// The path that its lines were written under.
    pub(super) path: Arc<Path>,
    /// The path that it was found at.
    pub(super) location: Arc<Path>,
    /// Whether a path of the source leads to it; false for a file that was renamed away before it was seen.
    pub(super) listed: bool,
}

/// The files that the reader has: discovery adds, the reader removes what it has closed for good.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: Mutex<HashSet<FileId>>,
    /// Whether a file could not be opened because too many are open.
    starved: AtomicBool,
}

impl Known {
    pub(super) fn add(&self, id: FileId) -> bool {
        self.locked().insert(id)
    }

    pub(super) fn remove(&self, id: FileId) {
        self.locked().remove(&id);
    }

    pub(super) fn contains(&self, id: FileId) -> bool {
        self.locked().contains(&id)
    }

    /// A file could not be opened because too many are open.
    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::Relaxed);
    }

    /// Whether descriptors were short since the last call.
    pub(super) fn is_starved(&self) -> bool {
        self.starved.swap(false, Ordering::Relaxed)
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<FileId>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
