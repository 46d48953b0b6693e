//! Files that this process writes itself, and therefore never reads.
//!
//! Owns: [`OwnFiles`].
//! Promises: a file that the process logs to is recognised by its number, and its rotated copies by their names; what
//! outputs write by its name with all links resolved, so also what they wrote before an earlier start. Reading never
//! feeds on what reading causes.
//! Never: opens a file.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use globset::GlobMatcher;

use super::identity::Facts;
use super::pattern::{PatternError, compile};
use super::siblings::originals;
use crate::checkpoint::FileId;

/// Files that this process writes itself.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles {
    logs: Vec<FileId>,
    names: Vec<GlobMatcher>,
}

impl OwnFiles {
    /// Adds the file that this descriptor writes to, such as standard error. Anything but a regular file is no matter.
    pub fn add_log(&mut self, descriptor: impl AsFd) {
        // What cannot be looked at is closed, and nobody writes to it.
        let file = descriptor.as_fd().try_clone_to_owned().map(File::from);
        if let Ok(metadata) = file.and_then(|file| file.metadata())
            && metadata.is_file()
        {
            self.logs.push(Facts::from(&metadata).id);
        }
    }

    /// Adds the files below `folder` whose names match a glob. The folder need not exist yet.
    ///
    /// # Errors
    /// When the glob is invalid.
    pub fn add_names(&mut self, folder: &Path, names: &str) -> Result<(), PatternError> {
        let folder = resolved(folder).to_string_lossy().into_owned();
        let glob = format!("{}/{names}", globset::escape(folder.trim_end_matches('/')));
        self.names.push(compile(&glob)?.compile_matcher());
        Ok(())
    }

    /// Whether the file with this number, found under this path, is one of them.
    pub(super) fn contains(&self, path: &Path, id: FileId) -> bool {
        self.logs.contains(&id) || self.is_rotated_log(path) || self.has_name(path)
    }

    /// Whether the name is one that a rotation gives to the file that the process logs to.
    fn is_rotated_log(&self, path: &Path) -> bool {
        if self.logs.is_empty() {
            return false;
        }
        originals(path.file_name().unwrap_or_default()).any(|original| {
            let metadata = std::fs::metadata(path.with_file_name(original));
            metadata.is_ok_and(|metadata| self.logs.contains(&Facts::from(&metadata).id))
        })
    }

    fn has_name(&self, path: &Path) -> bool {
        if self.names.is_empty() {
            return false;
        }
        // A path that leads nowhere by now is not opened either.
        let path = path.canonicalize();
        path.is_ok_and(|path| self.names.iter().any(|name| name.is_match(&path)))
    }
}

/// The folder without links, as far as it exists.
fn resolved(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for ancestor in folder.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), folder.strip_prefix(ancestor)) {
            return real.join(rest);
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(own: &OwnFiles, path: &Path) -> bool {
        own.contains(path, Facts::from(&std::fs::metadata(path).unwrap()).id)
    }

    #[test]
    fn what_a_descriptor_writes_to_is_known_under_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let log = File::create(path("daemon.log")).unwrap();
        let mut files = OwnFiles::default();
        files.add_log(&log);
        std::fs::hard_link(path("daemon.log"), path("other.log")).unwrap();
        for (name, expected) in
            [("daemon.log", true), ("other.log", true), ("daemon.log.1", true), ("app.log", false)]
        {
            if !path(name).try_exists().unwrap() {
                std::fs::write(path(name), "").unwrap();
            }
            assert_eq!(own(&files, &path(name)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_no_matter() {
        let mut files = OwnFiles::default();
        files.add_log(File::open("/dev/null").unwrap());
        assert!(files.logs.is_empty());
    }

    #[test]
    fn names_are_compared_without_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut files = OwnFiles::default();
        std::fs::create_dir(path("real [1]")).unwrap();
        std::os::unix::fs::symlink(path("real [1]"), path("link")).unwrap();
        files.add_names(&path("link/later"), "*.ndjson").unwrap();
        std::fs::create_dir(path("real [1]/later")).unwrap();
        for (name, expected) in [
            ("real [1]/later/a.ndjson", true),
            ("link/later/a.ndjson", true),
            ("real [1]/later/a.log", false),
            ("real [1]/a.ndjson", false),
        ] {
            std::fs::write(path(name), "").unwrap();
            assert_eq!(own(&files, &path(name)), expected, "{name}");
        }
        std::os::unix::fs::symlink(path("link/later/a.ndjson"), path("current.log")).unwrap();
        assert!(own(&files, &path("current.log")));
    }
}
