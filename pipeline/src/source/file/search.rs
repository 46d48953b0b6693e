//! What one search of the globs comes across.
//!
//! Owns: [`Search`], the visitor that gathers it and watches the folders on the way.
//! Promises: a folder is watched before it is listed.
//! Never: looks at a file.

use std::collections::HashSet;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

use super::pattern::Visitor;
use super::watch::Watcher;

/// What one search came across.
#[derive(Default)]
pub(super) struct Search {
    pub(super) names: Vec<(PathBuf, Option<(u64, FileType)>)>,
    pub(super) folders: HashSet<PathBuf>,
    /// Folders that could not be listed.
    pub(super) failed: Vec<(PathBuf, io::Error)>,
    pub(super) watch: Option<Watcher>,
    /// Folders that could not be watched.
    unwatched: Vec<(PathBuf, io::Error)>,
}

impl Search {
    /// A search with room for this many names.
    pub(super) fn expecting(names: usize) -> Self {
        Self { names: Vec::with_capacity(names), ..Self::default() }
    }

    /// Whether the search says nothing about this path, as a folder on the way could not be listed.
    pub(super) fn is_blind_to(&self, path: &Path) -> bool {
        self.failed.iter().any(|(folder, _)| path.starts_with(folder))
    }

    /// A folder that could be listed and not watched.
    pub(super) fn unwatched(&self) -> Option<&(PathBuf, io::Error)> {
        self.unwatched.iter().find(|(folder, _)| !self.is_blind_to(folder))
    }
}

impl Visitor for Search {
    fn name(&mut self, path: PathBuf, entry: Option<(u64, FileType)>) {
        self.names.push((path, entry));
    }

    fn folder(&mut self, path: &Path) {
        if !self.folders.insert(path.to_owned()) {
            return;
        }
        if let Some(Err(error)) = self.watch.as_mut().map(|watch| watch.watch(path))
            && error.kind() != io::ErrorKind::NotFound
        {
            self.unwatched.push((path.to_owned(), error));
        }
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        // The kind alone would lose the number, which tells what to do.
        let error = error
            .raw_os_error()
            .map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error);
        self.failed.push((path.to_owned(), error));
    }
}
