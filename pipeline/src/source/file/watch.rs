//! Watches on folders.
//!
//! Owns: [`Watcher`], one `inotify` instance.
//! Promises: names that appear, move or vanish in a watched folder are told within milliseconds; when the kernel lost
//! some, that is told too.
//! Never: wakes because a file is written. The `notify` crate always subscribes to writes and opens, which at 10,000
//! lines a second costs more than reading them; `inotify` through `rustix` takes exactly the events named here.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// Bytes of events read at once.
const BUFFER_BYTES: usize = 16 * 1024;

/// Something happened in a watched folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A name there leads to something else than before, or to nothing.
    Name(PathBuf),
    /// Folders came or went, or events were lost: everything must be searched.
    Search,
}

/// One `inotify` instance.
#[derive(Debug)]
pub(super) struct Watcher {
    inotify: OwnedFd,
    folders: HashMap<i32, PathBuf>,
    watches: HashMap<PathBuf, i32>,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Watcher {
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        Ok(Self { inotify, folders: HashMap::new(), watches: HashMap::new(), buffer })
    }

    /// Watches a folder, if it is not watched yet.
    pub(super) fn watch(&mut self, folder: &Path) -> io::Result<()> {
        if self.watches.contains_key(folder) {
            return Ok(());
        }
        let events = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let watch = inotify::add_watch(&self.inotify, folder, events)?;
        if let Some(other_name) = self.folders.insert(watch, folder.to_owned()) {
            self.watches.remove(&other_name);
        }
        self.watches.insert(folder.to_owned(), watch);
        Ok(())
    }

    /// Watches only those folders for which `wanted` is true.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Path) -> bool) {
        let inotify = &self.inotify;
        let folders = &mut self.folders;
        self.watches.retain(|folder, &mut watch| {
            let keep = wanted(folder);
            if !keep {
                folders.remove(&watch);
                // A watch that is gone already is what is asked for.
                let (Ok(()) | Err(_)) = inotify::remove_watch(inotify, watch);
            }
            keep
        });
    }

    /// Adds what has happened to `changes`, without waiting.
    pub(super) fn take(&mut self, changes: &mut Vec<Change>) -> io::Result<()> {
        let mut events = inotify::Reader::new(&self.inotify, &mut self.buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            let lost_or_moved = ReadFlags::QUEUE_OVERFLOW | ReadFlags::ISDIR | ReadFlags::MOVE_SELF;
            if flags.contains(ReadFlags::IGNORED) {
                if let Some(folder) = self.folders.remove(&event.wd()) {
                    self.watches.remove(&folder);
                }
                changes.push(Change::Search);
            } else if flags.intersects(lost_or_moved) {
                if flags.contains(ReadFlags::MOVE_SELF)
                    && let Some(folder) = self.folders.remove(&event.wd())
                {
                    self.watches.remove(&folder);
                }
                changes.push(Change::Search);
            } else if let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), event.file_name()) {
                changes.push(Change::Name(folder.join(OsStr::from_bytes(name.to_bytes()))));
            }
        }
    }
}

/// Readable when something has happened.
impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_overflows_asks_for_a_search() {
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit = limit.trim().parse::<usize>().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let mut watcher = Watcher::new().unwrap();
        watcher.watch(folder.path()).unwrap();
        std::fs::write(&one, "").unwrap();
        // Each renaming is two events.
        for _ in 0..=limit / 4 {
            std::fs::rename(&one, &other).unwrap();
            std::fs::rename(&other, &one).unwrap();
        }
        let mut changes = Vec::new();
        watcher.take(&mut changes).unwrap();
        assert_eq!(changes.last(), Some(&Change::Search));
        assert_eq!(changes.iter().filter(|change| **change == Change::Search).count(), 1);
        // It is told of once; what happens next is told as always.
        changes.clear();
        std::fs::rename(&one, &other).unwrap();
        watcher.take(&mut changes).unwrap();
        assert_eq!(changes, [Change::Name(one), Change::Name(other)]);
    }
}
