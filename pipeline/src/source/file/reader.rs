//! The reader thread: which file is read when.
//!
//! Owns: [`Reader`], the hot list, and the end of a file's life.
//! Promises: files that grow are read in turns of at most [`QUANTUM`]; a file that was renamed or deleted is read to
//! its end before it is closed, unless the config gives deleted ones up (`held.rs`).
//! Never: sends a line before its stream's identity is stored, nor one whose end was decided before that is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::buffers::PATIENCE;
use super::config::FileConfig;
use super::content::Content;
use super::cuts::WantedCut;
use super::failures::{is_starved, reason};
use super::handover::{Known, Message};
use super::history::History;
use super::identity::Naming;
use super::lines::End;
use super::schedule::{WAIT_MAX, WAIT_MIN, ending, is_idle, wait_for_bytes};
use super::status::{FileCounters, FileState};
use super::tail::{Reading, Tail};
use super::turn::Turn;
use crate::checkpoint::{Checkpoints, FileId, Record};
use crate::event::Batch;
use crate::source::{PipelineEnded, SourceContext};
use crate::stream::{Starting, Stream};

/// Bytes that one file is read for before it is the next one's turn.
const QUANTUM: u64 = 1024 * 1024;
/// How long the thread sleeps at most before it looks around.
const SLEEP_MAX: Duration = WAIT_MAX;
/// Messages taken before files are read again.
const MESSAGES_AT_ONCE: usize = 1024;
/// How long a renamed file is kept open after it last grew, for writers that have not noticed.
const RENAMED_KEPT: Duration = Duration::from_secs(60);
/// How long a file that cannot be read is left alone at first, and at most.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long files wait after something about them could not be stored.
pub(super) const STORE_RETRY: Duration = Duration::from_millis(500);
/// How often records of files that are there are told to be, and old ones are forgotten.
const HISTORY_EVERY: Duration = Duration::from_secs(3600);

/// The reader thread.
pub(super) struct Reader {
    pub(super) config: FileConfig,
    pub(super) context: SourceContext,
    pub(super) reading: Reading,
    pub(super) naming: Naming,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) known: Arc<Known>,
    pub(super) history: History,
    pub(super) messages: Receiver<Message>,
    /// Whether this source has never started before, as far as is stored.
    pub(super) first_start: bool,
    /// Whether it is stored that it has.
    pub(super) start_stored: bool,
    /// Boxed, so that a table that grows is small.
    pub(super) tails: HashMap<u64, Box<Tail>>,
    pub(super) by_file: HashMap<FileId, u64>,
    pub(super) by_stream: HashMap<u64, u64>,
    pub(super) next_number: u64,
    pub(super) due: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Streams whose identity is to be stored before their first line leaves.
    pub(super) unstored: Vec<(u64, Record, Arc<Stream>)>,
    /// Cuts that are to be stored before the events that they end leave, and when they are.
    pub(super) wanted_cuts: Vec<WantedCut>,
    pub(super) cuts_due_at: Instant,
    /// When storing is tried again after it failed.
    pub(super) store_again_at: Option<Instant>,
    /// A batch that its worker has not taken yet. Nothing is read before it is.
    pub(super) waiting: Option<Box<Batch>>,
    /// The one compressed file that is open: each takes some MiB.
    pub(super) decompressing: Option<u64>,
    /// Whether everything that was there at the start has been told.
    pub(super) searched: bool,
    /// Stands for the files that have no stream yet, until those that were there at the start have one.
    pub(super) starting: Option<Starting>,
    pub(super) idle_looked_at: Instant,
    pub(super) history_looked_at: Instant,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Return,
}

impl Reader {
    /// Reads until the stop is asked for, nobody takes batches any more, or, with `once`, everything is read.
    pub(super) fn run(mut self) {
        self.read_on();
        // What was read goes out with the rest; without workers nobody takes it.
        if let Some(batch) = self.waiting.take() {
            drop(self.reading.batches.send(*batch));
        }
    }

    fn read_on(&mut self) {
        loop {
            if self.context.stop.is_asked() || self.take_messages() == Next::Return {
                return;
            }
            let now = Instant::now();
            self.store_cuts(now);
            if self.read_due(now) == Next::Return {
                return;
            }
            self.store_identities();
            self.store_start();
            self.look_for_unknown_streams();
            if now.duration_since(self.idle_looked_at) >= self.config.idle_check_every {
                self.look_at_idle(now);
            }
            if now.duration_since(self.history_looked_at) >= HISTORY_EVERY || self.history.is_full() {
                self.tidy_history(now);
            }
            if self.context.once && self.searched && self.tails.is_empty() && self.messages.is_empty() {
                return;
            }
        }
    }

    /// Holds back those who watch event time until every file that was there at the start has its stream: a compressed one
    /// gets it when it is known not to be a copy of another.
    fn look_for_unknown_streams(&mut self) {
        let has_none =
            |tail: &Tail| tail.stream.is_none() && (tail.compressed || tail.position.offset < tail.size);
        if self.starting.is_some() && self.searched && !self.tails.values().any(|tail| has_none(tail)) {
            self.starting = None;
        }
    }

    /// Takes what discovery has told, waiting for it until the next file is due.
    fn take_messages(&mut self) -> Next {
        let sleep = self.due.peek().map_or(SLEEP_MAX, |Reverse((due, _))| {
            due.saturating_duration_since(Instant::now()).min(SLEEP_MAX)
        });
        let mut message = match self.messages.recv_timeout(sleep) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            // Discovery has ended: with `once` all is told, otherwise the stop was asked for.
            Err(RecvTimeoutError::Disconnected) => {
                self.searched = true;
                if self.context.stop.wait(sleep) {
                    return Next::Return;
                }
                None
            }
        };
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(told) = message.take().or_else(|| self.messages.try_recv().ok()) else { break };
            self.take(told);
        }
        Next::GoOn
    }

    fn take(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::Found(found) => self.admit(found, now),
            Message::Named(id, path) => match self.by_file.get(&id).copied() {
                Some(number) => {
                    if let Some(tail) = self.tails.get_mut(&number) {
                        (tail.location, tail.listed) = (path, true);
                        tail.progress.set_state(FileState::Active);
                    }
                }
                // The file was closed for good a moment ago, and has a name again.
                None => self.reopen(path, now),
            },
            Message::Unlisted(id) => {
                if let Some(&number) = self.by_file.get(&id)
                    && let Some(tail) = self.tails.get_mut(&number)
                {
                    tail.listed = false;
                    tail.progress.set_state(FileState::Rotated);
                    self.heat(number, now);
                }
            }
            Message::Searched => self.searched = true,
        }
    }

    /// Puts a file on the hot list, due now.
    pub(super) fn heat(&mut self, number: u64, now: Instant) {
        if let Some(tail) = self.tails.get_mut(&number)
            && !tail.hot
        {
            (tail.hot, tail.wait) = (true, WAIT_MIN);
            self.due.push(Reverse((now, number)));
        }
    }

    fn read_due(&mut self, now: Instant) -> Next {
        if let Some(batch) = self.waiting.take() {
            match self.reading.batches.send_within(*batch, PATIENCE) {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    self.waiting = Some(Box::new(batch));
                    return Next::GoOn;
                }
                Err(PipelineEnded) => return Next::Return,
            }
        }
        while let Some(&Reverse((due, number))) = self.due.peek() {
            if due > now || self.context.stop.is_asked() {
                break;
            }
            self.due.pop();
            match self.visit(number, Instant::now()) {
                Visit::Again(wait) => self.due.push(Reverse((Instant::now() + wait, number))),
                Visit::Stuck => {
                    // The wait was long already: whoever is next would wait as long.
                    self.due.push(Reverse((Instant::now(), number)));
                    return Next::GoOn;
                }
                Visit::Rest => self.rest(number),
                Visit::Close => self.close(number),
                Visit::Ended => return Next::Return,
            }
        }
        Next::GoOn
    }

    /// One turn of one file.
    fn visit(&mut self, number: u64, now: Instant) -> Visit {
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        if tail.content.is_none() {
            match self.wake(number, now) {
                Ok(Next::GoOn) => {}
                Ok(Next::Return) => return Visit::Close,
                Err(error) => return self.failed(number, &error, now),
            }
        }
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        let facts = tail.content.as_ref().map(Content::facts);
        match facts {
            Some(Ok(facts)) => tail.note(facts, now),
            Some(Err(error)) => return self.failed(number, &error, now),
            None => return Visit::Close,
        }
        let end = ending(&self.config, tail, self.context.once, now);
        if !tail.decided {
            return if tail.compressed {
                self.decide_compressed(number, now)
            } else {
                self.judge(number, now)
            };
        }
        let Some(stream) = tail.stream.clone() else {
            return self.identify(number, end, now);
        };
        if tail.storing {
            return Visit::Again(WAIT_MIN);
        }
        let end = self.end_allowed(number, end, now);
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        let begin = tail.position.offset;
        match tail.read(&self.reading, &stream, QUANTUM, end) {
            Turn::More => Visit::Again(Duration::ZERO),
            Turn::AtEnd => {
                let read = tail.position.offset - begin;
                self.at_end(number, read, end, now)
            }
            Turn::Cut(offset) => self.cut(number, offset, now),
            Turn::NoMemory => Visit::Stuck,
            Turn::Full(batch) => {
                self.waiting = Some(batch);
                Visit::Stuck
            }
            Turn::Rewritten => {
                self.rewritten(number, now);
                Visit::Again(Duration::ZERO)
            }
            Turn::Failed(error) => self.failed(number, &error, now),
            Turn::Ended => Visit::Ended,
        }
    }

    /// Everything complete is read: when to look again, or whether this was the last time.
    pub(super) fn at_end(&mut self, number: u64, read: u64, end: End, now: Instant) -> Visit {
        if self.grow_head(number) == Next::Return {
            self.rewritten(number, now);
            return Visit::Again(Duration::ZERO);
        }
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        tail.complaint = None;
        let quiet = now.duration_since(tail.changed_at);
        let settled = tail.is_exhausted(End::CloseLine);
        if self.context.once && (settled || end == End::CloseLine) {
            return Visit::Close;
        }
        let kept = if tail.deleted { self.config.rotate_grace } else { RENAMED_KEPT };
        if !tail.listed && quiet >= kept && end == End::CloseLine {
            return Visit::Close;
        }
        if tail.listed && settled && !tail.deleted && is_idle(&self.config, tail, quiet) {
            return Visit::Rest;
        }
        let since = now.duration_since(tail.looked_at);
        tail.looked_at = now;
        tail.wait = match read {
            0 => (tail.wait * 2).clamp(WAIT_MIN, WAIT_MAX),
            read => wait_for_bytes(since, read),
        };
        Visit::Again(tail.wait)
    }

    pub(super) fn failed(&mut self, number: u64, error: &std::io::Error, now: Instant) -> Visit {
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        if is_starved(error) {
            self.known.starve();
        }
        let reason = reason(error);
        if tail.complaint.as_deref() != Some(&*reason) {
            FileCounters::add(&self.reading.status.counters.errors, 1);
            tracing::warn!(path = %tail.location.display(), reason, "cannot read a file; trying again");
            tail.complaint = Some(reason.into());
        }
        let over = self.context.once || (!tail.listed && now.duration_since(tail.changed_at) >= RENAMED_KEPT);
        tail.wait = (tail.wait * 2).clamp(RETRY_MIN, RETRY_MAX);
        let wait = tail.wait;
        self.release(number);
        // A handle that a file server has forgotten, or a disk that came back: a new descriptor may work.
        self.sleep(number);
        if over { Visit::Close } else { Visit::Again(wait) }
    }

    /// Lets another compressed file be read.
    pub(super) fn release(&mut self, number: u64) {
        if self.decompressing == Some(number) {
            self.decompressing = None;
        }
    }

    /// Ends a file's life here. Its record stays, should it come back.
    pub(super) fn close(&mut self, number: u64) {
        let Some(tail) = self.tails.remove(&number) else {
            return;
        };
        if tail.content.is_some() {
            FileCounters::subtract(&self.reading.status.counters.open, 1);
        }
        if !tail.listed {
            FileCounters::add(&self.reading.status.counters.rotated, 1);
        }
        if let Some(stream) = &tail.stream {
            self.by_stream.remove(&stream.id());
            self.remember(&tail, stream.id(), false);
        }
        self.by_file.remove(&tail.id);
        self.known.remove(tail.id);
        self.reading.status.remove(number);
    }

    /// Notes in the history and in the checkpoints what is known of a stream now.
    pub(super) fn remember(&mut self, tail: &Tail, stream: u64, has_file: bool) {
        let last_seen = crate::time::now();
        self.history.change(stream, |known| {
            (known.record.position, known.record.last_seen) = (tail.position, last_seen);
            (known.record.head, known.record.file) = (tail.head, tail.id);
            known.record.cuts.clone_from(&tail.cuts);
            known.has_file = has_file;
        });
        if let Some(known) = self.history.get(stream) {
            let record = known.record.clone();
            self.checkpoints.update(stream, |stored| {
                let cuts = std::mem::take(&mut stored.cuts);
                *stored = Record { position: stored.position, cuts, ..record };
            });
        }
    }
}

/// What comes after a turn.
#[derive(Debug)]
pub(super) enum Visit {
    Again(Duration),
    Stuck,
    Rest,
    Close,
    Ended,
}
