//! The search beside a path for files that were renamed away from it.
//!
//! Owns: the part of [`Discovery`] that makes up for names that changed between two looks.
//! Promises: a file that was written under a path and renamed before anyone looked is found, as long as its new name
//! begins with the old one, as log rotation has it; one that was read before is found under any name in its folder.
//! Never: takes a file that was made before the one last seen, or that a glob finds anyway.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::open;
use super::discover::{Discovery, Over};
use super::handover::{Found, Known, Message};
use super::identity::Facts;
use super::pattern::PathSet;
use crate::checkpoint::FileId;

/// What a path led to before.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// The files that were read under it.
    pub(super) files: Vec<FileId>,
    /// When the newest of them was made, of two that followed each other quickly the older; in nanoseconds since
    /// 1970-01-01T00:00:00Z, 0 when unknown.
    pub(super) birth: i64,
    /// Whether its successors were looked for. They are looked for twice: a folder that is listed while its names
    /// change may hide one.
    pub(super) looked: bool,
    /// When the newest of them was made, likewise.
    pub(super) newest: i64,
}

impl Discovery {
    /// Looks beside paths that lead elsewhere now for files that were written under them and never seen.
    pub(super) fn search_beside(&mut self) -> Result<(), Over> {
        let mut by_folder: HashMap<PathBuf, Vec<Arc<Path>>> = HashMap::new();
        for path in std::mem::take(&mut self.touched) {
            let Some(lost) = self.lost.get(&path) else {
                continue;
            };
            let name = self.names.get(&path);
            let is_as_before = name.is_some_and(|name| lost.files.contains(&name.id));
            if is_as_before && lost.files.iter().all(|&id| self.known.contains(id)) {
                self.lost.remove(&path);
            } else if let Some(folder) = path.parent() {
                by_folder.entry(folder.to_owned()).or_default().push(path);
            }
        }
        for (folder, touched) in by_folder {
            for found in find(&folder, &touched, &self.lost, &self.paths, &self.known) {
                if self.known.add(found.facts.id) {
                    self.tell(Message::Found(found))?;
                }
            }
            for path in touched.iter().filter(|path| self.names.contains_key(*path)) {
                match self.lost.get_mut(path) {
                    Some(lost) if !lost.looked => lost.looked = true,
                    _ => drop(self.lost.remove(path)),
                }
            }
        }
        for found in std::mem::take(&mut self.held_back) {
            self.tell(Message::Found(found))?;
        }
        Ok(())
    }
}

/// The files in the folder that were read under one of the paths, or were made after those and carry such a name; in
/// the order in which they were made, each with the path it was written under.
fn find(
    folder: &Path,
    touched: &[Arc<Path>],
    lost: &HashMap<Arc<Path>, Lost>,
    paths: &PathSet,
    known: &Known,
) -> Vec<Found> {
    let by_name = touched.iter().filter_map(|path| Some((path.file_name()?, (path, lost.get(path)?))));
    let by_name = by_name.collect::<HashMap<_, _>>();
    let by_number =
        by_name.values().flat_map(|&(path, lost)| lost.files.iter().map(move |id| (id.inode, (path, lost))));
    let by_number = by_number.collect::<HashMap<_, _>>();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let by_name = originals(&name).find_map(|original| by_name.get(original));
        let Some((path, lost)) = by_name.or_else(|| by_number.get(&entry.ino())) else { continue };
        let location = entry.path();
        if paths.matches(&location) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let facts = Facts::from(&metadata);
        let wanted = lost.files.contains(&facts.id) || (lost.birth != 0 && facts.birth >= lost.birth);
        if !metadata.is_file()
            || !wanted
            || known.contains(facts.id)
            || paths.own.contains(&location, facts.id)
        {
            continue;
        }
        if let Ok((file, facts)) = open(&location) {
            let (path, location) = (Arc::clone(path), location.into());
            found.push(Found { file, facts, path, location, listed: false });
        }
    }
    found.sort_by_key(|found| found.facts.birth);
    found
}

/// The names from which a rotation may have made this one: `access.log` for `access.log.1` or `access.log-20261123`.
/// Compressed files hold other bytes and are not meant.
pub(super) fn originals(name: &OsStr) -> impl Iterator<Item = &OsStr> {
    let bytes = name.as_bytes();
    let compressed = [".gz", ".xz", ".bz2", ".zst"].iter().any(|suffix| bytes.ends_with(suffix.as_bytes()));
    let ends = (1..bytes.len()).filter(move |&end| !compressed && matches!(bytes[end], b'.' | b'-' | b'_'));
    ends.map(|end| OsStr::from_bytes(&bytes[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_begin_with_the_original() {
        for (name, rotated) in [
            ("access.log.1", true),
            ("access.log-20261123", true),
            ("access.log", false),
            ("access.log2", false),
            ("access.log.1.gz", false),
            ("error.log.1", false),
        ] {
            let found = originals(OsStr::new(name)).any(|original| original == "access.log");
            assert_eq!(found, rotated, "{name}");
        }
    }
}
