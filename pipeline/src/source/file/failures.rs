//! Paths that cannot be read now.
//!
//! Owns: [`Failures`], and [`reason`], the words for what is wrong and what to do about it.
//! Promises: each path is spoken of once for each reason, and again only after it was well in between.
//! Never: tries again; discovery does, with what is remembered here.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::status::{FileCounters, FileSourceStatus};

/// Why a file that this process writes is not read.
const OWN: &str =
    "logweir itself writes it, and reading it would never end; add it to `exclude` or write elsewhere";

/// Paths that cannot be read now, and why.
#[derive(Debug)]
pub(super) struct Failures {
    status: Arc<FileSourceStatus>,
    files: HashMap<PathBuf, String>,
    folders: HashMap<PathBuf, String>,
}

impl Failures {
    pub(super) fn new(status: Arc<FileSourceStatus>) -> Self {
        Self { status, files: HashMap::new(), folders: HashMap::new() }
    }

    /// A path cannot be opened.
    pub(super) fn note(&mut self, path: &Path, error: &io::Error) {
        let reason = reason(error);
        if self.files.get(path) != Some(&reason) {
            self.say(path, &reason);
            self.files.insert(path.to_owned(), reason);
        }
    }

    /// These and no other folders could not be listed.
    pub(super) fn note_folders(&mut self, failed: Vec<(PathBuf, io::Error)>) {
        let before = std::mem::take(&mut self.folders);
        for (folder, error) in failed {
            let reason = reason(&error);
            if before.get(&folder) != Some(&reason) {
                self.say(&folder, &reason);
            }
            self.folders.insert(folder, reason);
        }
    }

    /// A path leads to a file that this process writes.
    pub(super) fn note_own(&mut self, path: &Path) {
        if self.files.get(path).is_none_or(|reason| reason != OWN) {
            FileCounters::add(&self.status.counters.own_files, 1);
            tracing::warn!(path = %path.display(), reason = OWN, "a file is left alone");
            self.files.insert(path.to_owned(), OWN.to_owned());
        }
    }

    fn say(&self, path: &Path, reason: &str) {
        FileCounters::add(&self.status.counters.errors, 1);
        tracing::warn!(path = %path.display(), reason, "cannot read a path of a file source; trying again");
    }

    pub(super) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Forgets files that no glob leads to any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Path) -> bool) {
        self.files.retain(|path, _| wanted(path));
    }

    /// The files to try again.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.files.keys().cloned().collect()
    }

    /// Whether a folder can be listed again.
    pub(super) fn folder_is_back(&self) -> bool {
        self.folders.keys().any(|folder| std::fs::read_dir(folder).is_ok())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }
}

/// Whether more descriptors are wanted than the process or the system may have.
pub(super) fn is_starved(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// What is wrong, and what to do about it where that is known.
pub(super) fn reason(error: &io::Error) -> String {
    let remedy = match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => {
            "raise the limit of open files (`ulimit -n`, `LimitNOFILE=`) or lower max_open_files"
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            "let the user that runs logweir read the file and enter its folders (`chmod`, `setfacl`, or a group such as adm)"
        }
        Some(Errno::NOSPC) => "raise fs.inotify.max_user_watches",
        _ => return error.to_string(),
    };
    format!("{error}; {remedy}")
}
