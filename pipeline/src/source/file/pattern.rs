//! The paths of a source: globs, compiled, and the search for what they name.
//!
//! Owns: [`PathSet`].
//! Promises: only folders that a glob can lead to are listed; a file that is excluded is never opened; a circle of
//! linked folders ends.
//! Never: opens a file.

use std::ffi::OsString;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::own::OwnFiles;

/// Folders that `**` descends at most.
const DEPTH_MAX: usize = 64;
/// Alternatives that the braces of one glob may stand for.
const ALTERNATIVES_MAX: usize = 256;

/// A glob that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is no glob.
    #[error("{glob:?} is not a valid glob: {reason}")]
    Invalid {
        /// The text.
        glob: String,
        /// What is wrong.
        reason: String,
    },
    /// The working folder of a relative path is unknown.
    #[error("cannot make {glob:?} an absolute path: {source}")]
    Relative {
        /// The text.
        glob: String,
        /// The reason.
        source: io::Error,
    },
}

/// The paths of a source.
#[derive(Debug)]
pub(super) struct PathSet {
    patterns: Vec<Vec<Part>>,
    include: GlobSet,
    exclude: GlobSet,
    /// What is left alone though it matches.
    pub(super) own: Arc<OwnFiles>,
}

#[derive(Debug)]
enum Part {
    Literal(OsString),
    Name(GlobMatcher),
    AnyDepth,
}

/// What a search comes across.
pub(super) trait Visitor {
    /// A name that fits; what it leads to is unknown. `entry` is the number and type in the folder's listing.
    fn name(&mut self, path: PathBuf, entry: Option<(u64, FileType)>);
    /// A folder in which names that fit may appear.
    fn folder(&mut self, path: &Path);
    /// A folder that cannot be listed.
    fn failed(&mut self, path: &Path, error: &io::Error);
}

impl PathSet {
    pub(super) fn new(paths: &[String], exclude: &[String]) -> Result<Self, PatternError> {
        let mut patterns = Vec::new();
        let mut include = GlobSetBuilder::new();
        for path in paths {
            let path = absolute(path)?;
            for alternative in expand_braces(&path)? {
                include.add(compile(&alternative)?);
                patterns.push(parts(&alternative)?);
            }
        }
        let mut excluded = GlobSetBuilder::new();
        for path in exclude {
            let glob = match path {
                anywhere if anywhere.starts_with("**/") => anywhere.clone(),
                // A glob without a folder means the name alone.
                name if !name.contains('/') => format!("**/{name}"),
                path => absolute(path)?,
            };
            excluded.add(compile(&glob)?);
        }
        let built =
            |set: GlobSetBuilder| set.build().map_err(|error| invalid(&paths.join(", "), &error.to_string()));
        Ok(Self { patterns, include: built(include)?, exclude: built(excluded)?, own: Arc::default() })
    }

    /// Whether this path is one to read.
    pub(super) fn matches(&self, path: &Path) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }

    /// Searches the file system for all names that fit.
    pub(super) fn search(&self, visitor: &mut impl Visitor) {
        for parts in &self.patterns {
            self.descend(Path::new("/"), parts, 0, visitor);
        }
    }

    fn descend(&self, folder: &Path, parts: &[Part], depth: usize, visitor: &mut impl Visitor) {
        let Some((part, rest)) = parts.split_first() else {
            return;
        };
        match part {
            Part::Literal(name) => self.enter_literal(folder, name, rest, depth, visitor),
            Part::Name(glob) => self.list(folder, visitor, &mut |this, entry, visitor| {
                if glob.is_match(entry.file_name()) {
                    this.enter_entry(entry, rest, depth, visitor);
                }
            }),
            Part::AnyDepth => {
                self.descend(folder, rest, depth, visitor);
                if depth < DEPTH_MAX {
                    self.list(folder, visitor, &mut |this, entry, visitor| {
                        // Links to folders are not followed here, so that a circle of them has no end to reach.
                        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                            this.descend(&entry.path(), parts, depth + 1, visitor);
                        }
                    });
                }
            }
        }
    }

    fn enter_literal(
        &self,
        folder: &Path,
        name: &OsString,
        rest: &[Part],
        depth: usize,
        visitor: &mut impl Visitor,
    ) {
        let path = folder.join(name);
        if rest.is_empty() {
            visitor.folder(folder);
            if !self.exclude.is_match(&path) {
                visitor.name(path, None);
            }
        } else {
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.descend(&path, rest, depth, visitor),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    visitor.failed(folder, &error);
                }
                // It may become a folder.
                Ok(_) | Err(_) => visitor.folder(folder),
            }
        }
    }

    fn enter_entry(
        &self,
        entry: &std::fs::DirEntry,
        rest: &[Part],
        depth: usize,
        visitor: &mut impl Visitor,
    ) {
        let path = entry.path();
        if !rest.is_empty() {
            if path.is_dir() {
                self.descend(&path, rest, depth, visitor);
            }
        } else if !self.exclude.is_match(&path) {
            let listed = entry.file_type().ok().map(|kind| (entry.ino(), kind));
            visitor.name(path, listed);
        }
    }

    fn list<V: Visitor>(
        &self,
        folder: &Path,
        visitor: &mut V,
        each: &mut dyn FnMut(&Self, &std::fs::DirEntry, &mut V),
    ) {
        // Watched before it is listed: what appears in between is seen twice rather than never.
        visitor.folder(folder);
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return visitor.failed(folder, &error),
        };
        for entry in entries {
            match entry {
                Ok(entry) => each(self, &entry, visitor),
                Err(error) => return visitor.failed(folder, &error),
            }
        }
    }
}

fn invalid(glob: &str, reason: &str) -> PatternError {
    PatternError::Invalid { glob: glob.to_owned(), reason: reason.to_owned() }
}

fn absolute(glob: &str) -> Result<String, PatternError> {
    if glob.is_empty() {
        return Err(invalid(glob, "it is empty"));
    }
    let path = std::path::absolute(glob)
        .map_err(|source| PatternError::Relative { glob: glob.to_owned(), source })?;
    path.into_os_string().into_string().map_err(|_| invalid(glob, "the working folder's name is not UTF-8"))
}

pub(super) fn compile(glob: &str) -> Result<globset::Glob, PatternError> {
    let built = GlobBuilder::new(glob).literal_separator(true).build();
    built.map_err(|error| invalid(glob, &error.kind().to_string()))
}

fn parts(glob: &str) -> Result<Vec<Part>, PatternError> {
    let names = glob.split('/').filter(|name| !name.is_empty());
    names
        .map(|name| match name {
            "**" => Ok(Part::AnyDepth),
            name if name.contains(['*', '?', '[', '\\']) => Ok(Part::Name(compile(name)?.compile_matcher())),
            name => Ok(Part::Literal(name.into())),
        })
        .collect()
}

/// The globs that one with braces stands for: alternatives may differ in folders, so they are searched apart.
fn expand_braces(glob: &str) -> Result<Vec<String>, PatternError> {
    let Some(open) = glob.find('{') else {
        return Ok(vec![glob.to_owned()]);
    };
    let (mut depth, mut starts, mut close) = (0_usize, vec![open + 1], None);
    for (index, byte) in glob.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                close = Some(index);
                break;
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => starts.push(index + 1),
            _ => {}
        }
    }
    let Some(close) = close else {
        return Err(invalid(glob, "a brace is not closed"));
    };
    let mut expanded = Vec::new();
    for (number, &start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).map_or(close, |next| next - 1);
        let alternative = format!("{}{}{}", &glob[..open], &glob[start..end], &glob[close + 1..]);
        expanded.extend(expand_braces(&alternative)?);
        if expanded.len() > ALTERNATIVES_MAX {
            return Err(invalid(glob, "its braces stand for too many alternatives"));
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Found(Vec<PathBuf>);

    impl Visitor for Found {
        fn name(&mut self, path: PathBuf, _: Option<(u64, FileType)>) {
            self.0.push(path);
        }
        fn folder(&mut self, _: &Path) {}
        fn failed(&mut self, _: &Path, _: &io::Error) {}
    }

    #[test]
    fn globs_find_what_they_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log", "c.txt", "one/a.log", "one/two/a.log", "one/two/b.gz"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let circle = dir.path().join("one/two/circle");
        std::os::unix::fs::symlink(dir.path(), circle).unwrap();
        for (globs, exclude, expected) in [
            ("*.log", "", "a.log b.log"),
            ("a.log", "", "a.log"),
            ("?.txt", "", "c.txt"),
            ("**/a.log", "", "a.log one/a.log one/two/a.log"),
            ("**/*", "**/*.gz *.txt", "a.log b.log one one/a.log one/two one/two/a.log one/two/circle"),
            ("{one,one/two}/*.{log,gz}", "", "one/a.log one/two/a.log one/two/b.gz"),
            ("[ab].log", "**/b.log", "a.log"),
            ("missing/*.log", "", ""),
        ] {
            let glob = format!("{}/{globs}", dir.path().display());
            let exclude = exclude.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let paths = PathSet::new(&[glob], &exclude).unwrap();
            let mut found = Found::default();
            paths.search(&mut found);
            let mut names = found.0;
            names.retain(|path| globs.contains("**/*") || path.is_file());
            names.retain(|path| path.symlink_metadata().is_ok());
            names.sort();
            let names = names.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap());
            assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "{globs}");
        }
    }

    #[test]
    fn invalid_globs_are_told() {
        for glob in ["", "/var/log/[", "/var/{log"] {
            let message = PathSet::new(&[glob.to_owned()], &[]).unwrap_err().to_string();
            assert!(message.contains("not a valid glob"), "{message}");
        }
    }
}
