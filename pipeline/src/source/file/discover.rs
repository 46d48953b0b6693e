//! Discovery: which files there are.
//!
//! Owns: [`Discovery`], the thread that searches the globs, watches their folders and opens new files at once, so that
//! a file that is renamed or deleted a moment later is not missed.
//! Promises: a file is handed over once, however many names lead to it; one that cannot be opened is spoken of once and
//! tried again; a rotation that happened between two looks is made up for by a search beside the path.
//! Never: reads a file.

use std::collections::{HashMap, HashSet};
use std::fs::FileType;
use std::io::{self, PipeReader};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::content::{not_regular, open};
use super::failures::{Failures, is_starved, reason};
use super::handover::{Found, Known, Message};
use super::identity::Facts;
use super::pattern::PathSet;
use super::search::Search;
use super::siblings::Lost;
use super::status::FileSourceStatus;
use super::watch::{Change, Watcher};
use crate::checkpoint::FileId;

/// How often everything is searched while folders cannot be watched, and paths that failed are tried again.
const SEARCH_UNWATCHED_EVERY: Duration = Duration::from_secs(1);
/// The longest wait for a change, so that what needs none is done in time.
const WAIT_MAX: Timespec = Timespec { tv_sec: SEARCH_UNWATCHED_EVERY.as_secs().cast_signed(), tv_nsec: 0 };

/// Every so many searches all paths are looked at, whatever the listings of their folders say: what is mounted over a
/// file has another number than its entry there.
const LOOK_AT_ALL_AFTER: u32 = 6;
/// Paths that lead nowhere whose last file is remembered.
const LOST_MAX: usize = 16_384;

/// The reader is gone.
pub(super) struct Over;

/// The discovery thread.
#[derive(Debug)]
pub(super) struct Discovery {
    pub(super) paths: Arc<PathSet>,
    pub(super) known: Arc<Known>,
    pub(super) out: Sender<Message>,
    /// Comes to its end when the reader is gone, which ends a wait.
    over: PipeReader,
    pub(super) search_every: Duration,
    pub(super) names: HashMap<Arc<Path>, Name>,
    listed: HashMap<FileId, u32>,
    failures: Failures,
    watcher: Option<Watcher>,
    watch_failed: bool,
    /// What paths led to before: files may have been written under them since and renamed before anyone looked.
    pub(super) lost: HashMap<Arc<Path>, Lost>,
    /// The paths of `lost` that were touched since the last search beside them.
    pub(super) touched: HashSet<Arc<Path>>,
    /// New files that are told of after the search beside their paths.
    pub(super) held_back: Vec<Found>,
    started: bool,
    searches: u32,
    /// Whether a path was not there at the start.
    awaits_path: bool,
    /// In nanoseconds since 1970-01-01T00:00:00Z.
    started_at: i64,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) id: FileId,
    birth: i64,
    /// The number in the folder's listing; on layered file systems another than the file's own.
    entry: Option<NonZeroU64>,
}

impl Discovery {
    /// `lost` are the files that were read before the start, by the path they had then.
    pub(super) fn new(
        paths: Arc<PathSet>,
        out: Sender<Message>,
        status: Arc<FileSourceStatus>,
        known: Arc<Known>,
        over: PipeReader,
        search_every: Duration,
        lost: HashMap<Arc<Path>, Lost>,
    ) -> Self {
        let watcher = Watcher::new();
        if let Err(error) = &watcher {
            tracing::warn!(%error, "folders cannot be watched; searching them every second instead");
        }
        let watch_failed = watcher.is_err();
        Self {
            paths,
            known,
            out,
            over,
            search_every,
            names: HashMap::new(),
            listed: HashMap::new(),
            failures: Failures::new(status),
            watcher: watcher.ok(),
            watch_failed,
            touched: lost.keys().cloned().collect(),
            lost,
            held_back: Vec::new(),
            started: false,
            searches: 0,
            awaits_path: false,
            started_at: crate::time::now(),
        }
    }

    /// Discovers until the reader is gone; with `once`, searches one time.
    pub(super) fn run(mut self, once: bool) {
        // Both ways it is over.
        let (Ok(()) | Err(Over)) = self.discover(once);
    }

    fn discover(&mut self, once: bool) -> Result<(), Over> {
        self.search()?;
        self.started = true;
        // What is wrong with a path was said already.
        if self.names.is_empty() && !self.awaits_path && self.failures.is_empty() {
            tracing::info!("waiting for a file that matches the paths of a file source");
        }
        self.tell(Message::Searched)?;
        let mut changes = Vec::new();
        let mut searched_at = Instant::now();
        let mut retried_at = searched_at;
        if once {
            return Ok(());
        }
        loop {
            let search = self.wait(&mut changes)?;
            let every = if self.watch_failed { SEARCH_UNWATCHED_EVERY } else { self.search_every };
            let now = Instant::now();
            let retry = now.duration_since(retried_at) >= SEARCH_UNWATCHED_EVERY;
            let folder_is_back = retry && self.failures.folder_is_back();
            if search || folder_is_back || now.duration_since(searched_at) >= every {
                self.search()?;
                (searched_at, retried_at) = (now, now);
            } else if retry {
                for path in self.failures.files() {
                    self.look(&path, None)?;
                }
                let again =
                    self.lost.iter().filter(|(_, lost)| lost.looked).map(|(path, _)| Arc::clone(path));
                self.touched.extend(again);
                self.search_beside()?;
                retried_at = now;
            }
        }
    }

    /// Sleeps until something changes, or for as long as that may go unnoticed.
    fn sleep(&self) -> Result<(), Over> {
        let watcher = self.watcher.as_ref().map(|watcher| PollFd::new(watcher, PollFlags::IN));
        let mut waited_for =
            [PollFd::new(&self.over, PollFlags::IN)].into_iter().chain(watcher).collect::<Vec<_>>();
        match poll(&mut waited_for, Some(&WAIT_MAX)) {
            Ok(_) if !waited_for[0].revents().is_empty() => Err(Over),
            // What it can fail with passes: a signal, or memory that the kernel lacks for a moment.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Waits for changes and follows those of single names. Says whether everything must be searched.
    fn wait(&mut self, changes: &mut Vec<Change>) -> Result<bool, Over> {
        self.sleep()?;
        changes.clear();
        if let Some(watcher) = &mut self.watcher
            && let Err(error) = watcher.take(changes)
        {
            tracing::warn!(%error, "folders cannot be watched any more; searching them every second instead");
            (self.watcher, self.watch_failed) = (None, true);
        }
        let mut search = false;
        for change in changes.drain(..) {
            match change {
                Change::Search => search = true,
                Change::Name(path) if self.paths.matches(&path) => self.look(&path, None)?,
                Change::Name(_) => {}
            }
        }
        self.search_beside()?;
        Ok(search)
    }

    /// Searches all globs, and notices which names are gone.
    fn search(&mut self) -> Result<(), Over> {
        let mut search = Search::expecting(self.names.len());
        let watcher = &mut self.watcher;
        search.watch = watcher.take();
        let paths = Arc::clone(&self.paths);
        paths.search(&mut search);
        self.watcher = search.watch.take();
        if let Some(watcher) = &mut self.watcher {
            watcher.retain(|folder| search.folders.contains(folder));
        }
        self.note_watch_failure(&search);
        let look_at_all = self.searches.is_multiple_of(LOOK_AT_ALL_AFTER);
        self.searches = self.searches.wrapping_add(1);
        for (path, entry) in &search.names {
            let number = listed_number(*entry);
            let unchanged =
                number.is_some() && self.names.get(&**path).is_some_and(|name| name.entry == number);
            if !unchanged || look_at_all {
                self.look(path, *entry)?;
            }
        }
        let seen = search.names.iter().map(|(path, _)| path.as_path()).collect::<HashSet<_>>();
        let gone = self.names.keys().filter(|path| !seen.contains(&***path) && !search.is_blind_to(path));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.look(&path, None)?;
        }
        self.failures.retain(|path| seen.contains(path));
        self.failures.note_folders(search.failed);
        self.search_beside()
    }

    fn note_watch_failure(&mut self, search: &Search) {
        let unwatched = search.unwatched();
        if let Some((folder, error)) = unwatched
            && !self.watch_failed
        {
            let (folder, reason) = (folder.display(), reason(error));
            tracing::warn!(%folder, reason, "a folder cannot be watched; searching every second instead");
        }
        self.watch_failed = unwatched.is_some() || self.watcher.is_none();
    }

    /// Finds out what a path leads to now, and tells what is new about it.
    fn look(&mut self, path: &Path, entry: Option<(u64, FileType)>) -> Result<(), Over> {
        let facts = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => Facts::from(&metadata),
            Ok(metadata) => {
                // Folders that a glob happens to match are no news.
                if !metadata.is_dir() || entry.is_none() {
                    self.fail(path, &io::Error::other(not_regular(metadata.file_type())));
                }
                return self.unlist(path);
            }
            // What nobody may look at may still be there.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.fail(path, &error);
                return Ok(());
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.fail(path, &error);
                } else if self.started {
                    self.failures.forget(path);
                } else {
                    tracing::info!("waiting for {}: it does not exist yet", path.display());
                    self.awaits_path = true;
                }
                self.unlist(path)?;
                self.touch(path);
                return Ok(());
            }
        };
        let is_as_before = self.names.get(path).is_some_and(|name| name.id == facts.id);
        if !is_as_before && self.paths.own.contains(path, facts.id) {
            self.failures.note_own(path);
            return self.unlist(path);
        }
        if self.started && !self.names.contains_key(path) && self.lost.len() < LOST_MAX {
            // A path that is new since the start: others may have been written under it and renamed since then.
            let since_start = Lost { birth: self.started_at, newest: self.started_at, ..Lost::default() };
            self.lost.entry(path.into()).or_insert(since_start);
        }
        self.touch(path);
        let entry = listed_number(entry);
        match self.names.get_mut(path) {
            Some(name) if name.id == facts.id => {
                name.entry = entry.or(name.entry);
                self.failures.forget(path);
                return Ok(());
            }
            Some(_) => {
                self.unlist(path)?;
                self.touch(path);
            }
            None => {}
        }
        let name = Name { id: facts.id, birth: facts.birth, entry };
        if self.known.contains(facts.id) {
            let path = self.list(path, name);
            return self.tell(Message::Named(facts.id, path));
        }
        self.open(path, name)
    }

    /// Opens a file that is not known, and tells of it.
    fn open(&mut self, path: &Path, name: Name) -> Result<(), Over> {
        match open(path) {
            // The path may have been turned to another file since; the descriptor tells the truth.
            Ok((file, facts)) => {
                self.failures.forget(path);
                let path = self.list(path, Name { id: facts.id, birth: facts.birth, ..name });
                if self.known.add(facts.id) {
                    let beside = self.touched.contains(&path);
                    let location = Arc::clone(&path);
                    let found = Found { file, facts, path, location, listed: true };
                    if beside {
                        // First what was written under this path before: a position in the newest file must not be
                        // stored while an older one is unknown.
                        self.held_back.push(found);
                        return Ok(());
                    }
                    return self.tell(Message::Found(found));
                }
                self.tell(Message::Named(facts.id, path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                self.fail(path, &error);
                Ok(())
            }
        }
    }

    /// Notes what a path leads to. Everything that is kept of the file shares the path returned.
    fn list(&mut self, path: &Path, name: Name) -> Arc<Path> {
        let path = self.lost.get_key_value(path).map_or_else(|| path.into(), |(path, _)| Arc::clone(path));
        *self.listed.entry(name.id).or_default() += 1;
        self.names.insert(Arc::clone(&path), name);
        path
    }

    /// Asks for a search beside a path, if files were written under it before.
    fn touch(&mut self, path: &Path) {
        if let Some((path, _)) = self.lost.get_key_value(path) {
            self.touched.insert(Arc::clone(path));
        }
    }

    fn unlist(&mut self, path: &Path) -> Result<(), Over> {
        let Some(name) = self.names.remove(path) else {
            return Ok(());
        };
        if self.lost.len() < LOST_MAX {
            let lost = self.lost.entry(path.into()).or_default();
            let before = lost.files.last().copied();
            let birth = if before.is_some() && lost.birth != 0 { lost.newest } else { name.birth };
            let files = before.into_iter().chain([name.id]).collect();
            *lost = Lost { files, birth, newest: name.birth, looked: false };
        }
        let names = self.listed.entry(name.id).or_default();
        *names = names.saturating_sub(1);
        if *names == 0 {
            self.listed.remove(&name.id);
            self.tell(Message::Unlisted(name.id))?;
        }
        Ok(())
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        if is_starved(error) {
            self.known.starve();
        }
        self.failures.note(path, error);
    }

    pub(super) fn tell(&self, message: Message) -> Result<(), Over> {
        self.out.send(message).map_err(|_| Over)
    }
}

/// The number of a regular file in its folder's listing.
fn listed_number(entry: Option<(u64, FileType)>) -> Option<NonZeroU64> {
    entry.filter(|(_, kind)| kind.is_file()).and_then(|(number, _)| NonZeroU64::new(number))
}
