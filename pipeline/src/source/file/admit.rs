//! How a file comes to be read: its identity, where to begin, and what a changed file means.
//!
//! Owns: the part of [`Reader`] that admits files, stores identities, and judges files that were written anew, moved or
//! opened again.
//! Promises: a stream's identity is on the disk before its first line leaves; many new files share one commit.
//! Never: waits for a store that cannot be written; the new files wait, the others are read on.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logweir_parsers::format::Format;
use logweir_parsers::{key, preset};

use super::config::ReadFrom;
use super::content::{self, Content};
use super::encoding::Text;
use super::gzip::Gzip;
use super::handover::Found;
use super::identity::{self, first_line, marker_len};
use super::lines::{End, is_hole};
use super::reader::{Next, Reader, STORE_RETRY, Visit};
use super::resume::{Candidate, Decision, HEAD_BYTES_MIN, Why, decide};
use super::status::{FileCounters, FileState};
use super::tail::Tail;
use crate::checkpoint::Record;
use crate::event::{ConstantSet, ConstantValue};
use crate::source::CHUNK_BYTES;
use crate::stream::{Position, Stream};

/// How long to wait before looking again whether a file that seems to be a copy has become one.
const COPY_WAIT: Duration = Duration::from_millis(250);

impl Reader {
    /// Takes a file in.
    pub(super) fn admit(&mut self, found: Found, now: Instant) {
        if let Some(&number) = self.by_file.get(&found.facts.id) {
            if let Some(tail) = self.tails.get_mut(&number)
                && found.listed
            {
                (tail.location, tail.listed) = (found.location, true);
            }
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let mut tail = Tail::new(found.path, found.location, Content::new(found.file), found.facts, now);
        tail.listed = found.listed;
        let compressed = tail.compressed;
        FileCounters::add(&self.reading.status.counters.open, 1);
        self.by_file.insert(tail.id, number);
        self.reading.status.add(number, &tail.progress);
        self.tails.insert(number, Box::new(tail));
        // A compressed file may still be written; it is looked at in its turn.
        if compressed {
            return self.heat(number, now);
        }
        match self.judge(number, now) {
            Visit::Close => self.close(number),
            _ => self.heat(number, now),
        }
    }

    /// Decides where to begin in a file, and goes there. After an error it is tried again: a position is not guessed.
    pub(super) fn judge(&mut self, number: u64, now: Instant) -> Visit {
        let Some(mut tail) = self.tails.remove(&number) else { return Visit::Close };
        let mut truncated = None;
        let decision = self.decide(&mut tail);
        tail.decided = decision.is_ok();
        match &decision {
            Ok(Decision::Continue(stream)) => self.resume(number, &mut tail, *stream),
            Ok(Decision::Begin { generation, why }) => {
                tail.begin_again(*generation);
                self.say_why(&tail, *why);
                if let Why::Truncated(stream) = why {
                    truncated = Some(*stream);
                } else if self.first_start && !self.searched && self.config.read_from == ReadFrom::End {
                    let end = last_line_end(&mut tail).unwrap_or_default();
                    tail.go_to(end);
                }
            }
            Err(_) => {}
        }
        tail.show();
        self.tails.insert(number, tail);
        if let Some(stream) = truncated {
            self.recover_copy(number, stream, now);
        }
        match decision {
            Ok(_) => Visit::Again(Duration::ZERO),
            Err(error) => self.failed(number, &error, now),
        }
    }

    /// A compressed file is judged when it is complete, and when what it is a copy of is no longer read.
    pub(super) fn decide_compressed(&mut self, number: u64, now: Instant) -> Visit {
        let Some(tail) = self.tails.get_mut(&number) else { return Visit::Close };
        let changed = Duration::from_nanos(crate::time::now().saturating_sub(tail.modified).unsigned_abs());
        let complete = self.context.once || changed >= self.config.rotate_grace;
        let first_bytes = if complete { tail.first_bytes() } else { Ok(Vec::new()) };
        let first_bytes = match first_bytes {
            Ok(bytes) => bytes,
            Err(error) => return self.failed(number, &error, now),
        };
        let copy = self.tails.values().any(|other| {
            let long = other.head.len >= HEAD_BYTES_MIN && !other.compressed;
            long && self.naming.head_matches(other.head, &first_bytes)
        });
        if copy && self.context.once {
            return Visit::Close;
        }
        if copy || !complete {
            self.sleep(number);
            self.release(number);
            return Visit::Again(COPY_WAIT);
        }
        self.judge(number, now)
    }

    /// Opens a path again that leads to a file which was closed for good.
    pub(super) fn reopen(&mut self, path: Arc<Path>, now: Instant) {
        // When the path leads nowhere or elsewhere by now, discovery tells.
        if let Ok((file, facts)) = content::open(&path) {
            self.known.add(facts.id);
            let location = Arc::clone(&path);
            self.admit(Found { file, facts, path, location, listed: true }, now);
        }
    }

    /// Compares a file with all that is known.
    fn decide(&mut self, tail: &mut Tail) -> std::io::Result<Decision> {
        let first_bytes = tail.first_bytes()?;
        tail.text = Text::of(self.config.encoding, &first_bytes);
        // A file of the same number settles the matter, whatever others look like.
        let mut records = self.history.of_file(tail.id).collect::<Vec<_>>();
        if records.is_empty() {
            records = self.history.gone_with_head(&self.naming, &first_bytes).collect();
        }
        let mut candidates = Vec::new();
        let id = tail.id;
        for known in records {
            let record = &known.record;
            let head_matches = self.naming.head_matches(record.head, &first_bytes);
            let at = record.position;
            let complete = record.file == id && head_matches && tail.is_complete_at(at.offset)?;
            let marker_matches = complete || at.offset == 0 || tail.marker_at(at.offset)? == Some(at.marker);
            candidates.push(Candidate { record, alive: known.has_file, head_matches, marker_matches });
        }
        Ok(decide(tail.id, tail.size, &candidates))
    }

    fn say_why(&mut self, tail: &Tail, why: Why) {
        let path = tail.location.display();
        match why {
            Why::Unknown => tracing::debug!(%path, "reading a new file"),
            Why::NumberUsedAgain => {
                tracing::debug!(%path, "reading a new file that has the number of an old one");
            }
            Why::Ambiguous => {
                tracing::info!(%path, "a file resembles one that was read before, but not surely; \
                reading it from its beginning");
            }
            Why::Truncated(stream) => {
                let known = self.history.get(stream);
                let read = known.map_or(0, |known| known.record.position.offset);
                tracing::info!(%path, read, size = tail.size, "a file was cut short or written anew; reading it again");
                FileCounters::add(&self.reading.status.counters.truncated, 1);
            }
        }
    }

    /// Goes on with a stream that was read before.
    pub(super) fn resume(&mut self, number: u64, tail: &mut Tail, id: u64) {
        let Some(known) = self.history.get(id) else { return };
        let record = known.record.clone();
        // Written under this path then; the name may be another now.
        tail.path = Arc::clone(&record.path);
        let stream =
            known.stream.upgrade().unwrap_or_else(|| self.make_stream(id, &record.path, record.position));
        tail.generation = record.generation;
        tail.head = record.head;
        tail.go_to(record.position);
        tail.cuts = record.cuts;
        tail.progress.set_state(FileState::Active);
        tail.progress.set_stream(Some(Arc::clone(&stream)));
        tail.stream = Some(Arc::clone(&stream));
        self.by_stream.insert(id, number);
        let moved = record.file != tail.id;
        self.history.change(id, |known| {
            (known.has_file, known.stream) = (true, Arc::downgrade(&stream));
            (known.record.file, known.record.birth) = (tail.id, tail.birth);
        });
        if moved {
            let (file, birth) = (tail.id, tail.birth);
            self.checkpoints.update(id, |record| (record.file, record.birth) = (file, birth));
        }
        self.checkpoints.follow(&stream);
    }

    fn make_stream(&self, id: u64, path: &Path, start: Position) -> Arc<Stream> {
        let meta = &self.context.meta;
        let mut constants = ConstantSet::default();
        if meta.constants.set(Format::Raw.into(), preset::NONE).get(key::LOG_FILE_PATH).is_none() {
            let path = ConstantValue::Text(path.to_string_lossy().into_owned());
            constants.add(key::LOG_FILE_PATH, "log.file.path", path);
        }
        Stream::new(id, Arc::clone(meta), constants, start)
    }

    /// Gives a file its identity as soon as its first line is there; it is stored with those of others.
    pub(super) fn identify(&mut self, number: u64, end: End, now: Instant) -> Visit {
        let Some(tail) = self.tails.get_mut(&number) else {
            return Visit::Close;
        };
        if tail.storing {
            return Visit::Again(STORE_RETRY);
        }
        let first_bytes = match tail.first_bytes() {
            Ok(bytes) => bytes,
            Err(error) => return self.failed(number, &error, now),
        };
        if !tail.compressed && Gzip::is_gzip(&first_bytes) {
            // It was empty when it was opened.
            tail.decompress();
            return Visit::Again(COPY_WAIT);
        }
        if tail.size < tail.position.offset {
            tail.go_to(Position::default());
        }
        let line = match first_line(&first_bytes) {
            Some(line) => line,
            None if end == End::CloseLine && !first_bytes.is_empty() && !is_hole(&first_bytes) => {
                &first_bytes
            }
            None => return self.at_end(number, 0, end, now),
        };
        if self.copies_live_file(number, &first_bytes, now) {
            return Visit::Again(COPY_WAIT);
        }
        let Some(tail) = self.tails.get_mut(&number) else { return Visit::Close };
        tail.text = Text::of(self.config.encoding, &first_bytes);
        tail.head = self.naming.head(&first_bytes);
        let mut generation = tail.generation.max(self.history.next_generation(tail.id));
        // A stream that went on in a copy has another file now, but keeps its id.
        while self.history.get(self.naming.stream_id(tail.id, generation, line)).is_some() {
            generation = generation.saturating_add(1);
        }
        let record = Record {
            stream: self.naming.stream_id(tail.id, generation, line),
            source: Arc::clone(&self.naming.source),
            file: tail.id,
            birth: tail.birth,
            generation,
            head: tail.head,
            path: Arc::clone(&tail.path),
            position: tail.position,
            cuts: Vec::new(),
            last_seen: crate::time::now(),
        };
        (tail.generation, tail.storing) = (generation, true);
        let stream = self.make_stream(record.stream, &record.path, record.position);
        self.unstored.push((number, record, stream));
        Visit::Again(Duration::ZERO)
    }

    /// Takes a longer fingerprint of a file that has grown, as long as it is short. [`Next::Return`] when the file does
    /// not begin as it did.
    pub(super) fn grow_head(&mut self, number: u64) -> Next {
        let Some(tail) = self.tails.get_mut(&number) else { return Next::GoOn };
        let len = tail.head.len as usize;
        let Some(stream) = tail.stream.as_ref().map(|stream| stream.id()) else { return Next::GoOn };
        if len >= identity::HEAD_BYTES || tail.largest <= len as u64 {
            return Next::GoOn;
        }
        // What cannot be read now is met again, and said, by the next turn.
        let Ok(first_bytes) = tail.first_bytes() else { return Next::GoOn };
        if !self.naming.head_matches(tail.head, &first_bytes) {
            return Next::Return;
        }
        let head = self.naming.head(&first_bytes);
        tail.head = head;
        self.history.change(stream, |known| known.record.head = head);
        self.checkpoints.update(stream, |record| record.head = head);
        Next::GoOn
    }

    /// Stores the identities of new streams, all in one commit. On failure they wait; the store has said so.
    pub(super) fn store_identities(&mut self) {
        if self.unstored.is_empty() || self.store_again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let streams = self.unstored.iter().map(|(_, record, stream)| (record.clone(), Arc::clone(stream)));
        if self.checkpoints.put_durably(streams.collect()).is_err() {
            self.store_again_at = Some(Instant::now() + STORE_RETRY);
            return;
        }
        self.store_again_at = None;
        for (number, record, stream) in std::mem::take(&mut self.unstored) {
            let Some(tail) = self.tails.get_mut(&number) else {
                continue;
            };
            tail.progress.set_state(FileState::Active);
            tail.progress.set_stream(Some(Arc::clone(&stream)));
            tail.storing = false;
            tail.stream = Some(Arc::clone(&stream));
            self.by_stream.insert(record.stream, number);
            self.history.add(record, &stream);
        }
    }

    /// Stores that the source has started, also when there was nothing to read: what it does not know at its next start
    /// is newer than this one. Not before all that was there can be known again; until then a start is a first one.
    pub(super) fn store_start(&mut self) {
        let waits = self.store_again_at.is_some_and(|at| Instant::now() < at);
        if self.start_stored || !self.searched || waits {
            return;
        }
        // Where nothing was passed over, a beginning is found again without a record.
        let is_known = |tail: &Tail| {
            let has_place = tail.decided && (tail.stream.is_some() || tail.position.offset == 0);
            has_place || tail.complaint.is_some()
        };
        if self.tails.values().all(|tail| is_known(tail)) {
            let source = &self.naming.source;
            let stored = self.checkpoints.has_started(source).is_ok_and(|started| started)
                || self.checkpoints.start_durably(source).is_ok();
            self.start_stored = stored;
            self.store_again_at = (!stored).then(|| Instant::now() + STORE_RETRY);
        }
    }

    /// A file was cut short or written anew in place: what follows is another stream. When no path leads to the file, it
    /// is another's copy that overwrote it, and whoever needs that finds it.
    pub(super) fn rewritten(&mut self, number: u64, now: Instant) {
        let Some(mut tail) = self.tails.remove(&number) else { return };
        let unread = tail.largest.saturating_sub(tail.position.offset);
        if !tail.listed {
            FileCounters::add(&self.reading.status.counters.lost_bytes_possible, unread);
            self.tails.insert(number, tail);
            return self.close(number);
        }
        FileCounters::add(&self.reading.status.counters.truncated, 1);
        tracing::info!(path = %tail.location.display(), read = tail.position.offset, size = tail.size,
            "a file was cut short or written anew; reading it from its beginning");
        let stream = tail.stream.take().map(|stream| stream.id());
        if let Some(stream) = stream {
            // A cut that waits to be stored is one of the old stream.
            tail.storing = false;
            self.by_stream.remove(&stream);
            self.remember(&tail, stream, false);
        }
        tail.begin_again(self.history.next_generation(tail.id));
        self.tails.insert(number, tail);
        let recovered = stream.is_some_and(|stream| self.recover_copy(number, stream, now));
        if !recovered && unread > 0 {
            FileCounters::add(&self.reading.status.counters.lost_bytes_possible, unread);
        }
    }

    /// A file was opened again by its path: is it still the one it was?
    pub(super) fn check_identity(&mut self, number: u64, now: Instant) {
        let Some(tail) = self.tails.get_mut(&number) else {
            return;
        };
        let (head, at) = (tail.head, tail.position);
        let same_head = tail.first_bytes().map(|bytes| self.naming.head_matches(head, &bytes));
        let same_marker =
            at.offset == 0 || tail.marker_at(at.offset).is_ok_and(|marker| marker == Some(at.marker));
        if !(same_marker && same_head.unwrap_or(false)) {
            self.rewritten(number, now);
        }
    }
}

/// The place after the last complete line.
fn last_line_end(tail: &mut Tail) -> Option<Position> {
    let len = usize::try_from(tail.size).unwrap_or(usize::MAX).min(CHUNK_BYTES);
    let mut bytes = vec![0; len];
    let begin = tail.size - len as u64;
    let read = tail.content.as_mut()?.read_at(begin, &mut bytes).ok()?;
    // A last line of more than a chunk is passed over.
    let end = memchr::memrchr(b'\n', &bytes[..read]).map_or(read, |place| place + 1);
    let mut offset = begin + end as u64;
    if tail.text.unit() == 2 {
        offset += offset % 2;
    }
    let marker = tail.marker_at(offset).ok()??;
    debug_assert!(marker_len(offset) > 0 || offset == 0);
    Some(Position { offset, marker })
}
