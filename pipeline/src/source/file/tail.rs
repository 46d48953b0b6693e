//! One file: where reading stands, and the next piece of it.
//!
//! Owns: [`Tail`].
//! Promises: nothing is read past a line that is incomplete; before any byte is used, the bytes in front of it are
//! compared with those that stood there before, so a file that was written anew in place is noticed; a line longer
//! than the limit takes constant memory.
//! Never: decides when to read, nor what a changed file means.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffers::{Buffer, Buffers, PATIENCE};
use super::content::Content;
use super::encoding::Text;
use super::identity::{self, Facts, marker_len};
use super::lines::{End, Framer, Place, is_hole};
use super::status::{FileCounters, FileSourceStatus, Progress};
use super::turn::Turn;
use crate::checkpoint::{FileId, Head};
use crate::event::{Batch, Event, EventFlags};
use crate::source::{BatchSender, CHUNK_BYTES};
use crate::stream::{Position, Stream};

/// What all files of a source are read with.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) framer: Framer,
    pub(super) buffers: Buffers,
    pub(super) batches: BatchSender,
    pub(super) status: Arc<FileSourceStatus>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) id: FileId,
    /// The path that its lines were written under.
    pub(super) path: Arc<Path>,
    /// The path that leads to it now, as far as known.
    pub(super) location: Arc<Path>,
    /// `None` while the file is closed to save descriptors.
    pub(super) content: Option<Content>,
    /// `None` until the identity is stored.
    pub(super) stream: Option<Arc<Stream>>,
    pub(super) generation: u32,
    pub(super) birth: i64,
    pub(super) head: Head,
    pub(super) text: Text,
    /// The beginning of the first line that is not read yet.
    pub(super) position: Position,
    /// Where events end by decision, in order; behind the position those that are not acknowledged.
    pub(super) cuts: Vec<u64>,
    /// How far the line at `position` was searched for its end without one, when it is longer than the limit.
    pub(super) scanned: u64,
    /// Bytes to read at once; more than a chunk only for a long line.
    window: usize,
    /// Bytes of the events of the last batch, on average.
    bytes_per_event: usize,
    /// What was tried last: the size of the file then, and what was to become of its end.
    pub(super) tried: Option<(u64, End)>,
    /// Whether the file was written since the bytes before the position were last compared.
    unverified: bool,
    /// Bytes of the content; `u64::MAX` while that of a compressed file is unknown.
    pub(super) size: u64,
    /// The largest size seen since its stream began.
    pub(super) largest: u64,
    /// Bytes of the file.
    pub(super) disk_size: u64,
    pub(super) modified: i64,
    pub(super) compressed: bool,
    /// Whether it was compared with what is known; a compressed file waits for it until it is complete.
    pub(super) decided: bool,
    /// Whether its identity or a cut waits to be stored.
    pub(super) storing: bool,
    /// What was last said to be wrong with it.
    pub(super) complaint: Option<Box<str>>,
    /// When it was last seen to have changed, or found, and whether it has changed since it was found.
    pub(super) changed_at: Instant,
    pub(super) changed: bool,
    /// Whether a path of the source leads to it.
    pub(super) listed: bool,
    /// Whether it has no name at all any more, and since when that is known.
    pub(super) deleted: bool,
    pub(super) deleted_at: Option<Instant>,
    /// Whether it is read often.
    pub(super) hot: bool,
    /// The time between the last two looks, and when the last was.
    pub(super) wait: Duration,
    pub(super) looked_at: Instant,
    pub(super) progress: Arc<Progress>,
}

impl Tail {
    pub(super) fn new(
        path: Arc<Path>,
        location: Arc<Path>,
        content: Content,
        facts: Facts,
        now: Instant,
    ) -> Self {
        let progress = Progress::new(&path);
        Self {
            id: facts.id,
            path,
            location,
            compressed: content.is_compressed(),
            size: content.len(facts.size),
            content: Some(content),
            stream: None,
            generation: 0,
            birth: facts.birth,
            head: Head::default(),
            text: Text::default(),
            position: Position::default(),
            cuts: Vec::new(),
            scanned: 0,
            window: CHUNK_BYTES,
            bytes_per_event: 256,
            tried: None,
            unverified: false,
            largest: 0,
            disk_size: facts.size,
            decided: false,
            storing: false,
            complaint: None,
            modified: facts.modified,
            changed_at: now,
            changed: false,
            listed: true,
            deleted: facts.links == 0,
            deleted_at: None,
            hot: false,
            wait: Duration::ZERO,
            looked_at: now,
            progress,
        }
    }

    /// Begins again at the first byte, as another stream.
    pub(super) fn begin_again(&mut self, generation: u32) {
        self.stream = None;
        self.generation = generation;
        self.head = Head::default();
        self.largest = 0;
        self.cuts.clear();
        self.go_to(Position::default());
        self.progress.set_stream(None);
    }

    /// Goes on at this position.
    pub(super) fn go_to(&mut self, position: Position) {
        self.position = position;
        self.scanned = 0;
        self.window = CHUNK_BYTES;
        self.tried = None;
    }

    /// Reads the file as a compressed one from now on.
    pub(super) fn decompress(&mut self) {
        self.content = self.content.take().map(Content::decompressed);
        (self.compressed, self.decided) = (true, false);
    }

    /// Takes note of what the kernel tells now.
    pub(super) fn note(&mut self, facts: Facts, now: Instant) {
        if facts.size != self.disk_size || facts.modified != self.modified {
            self.changed_at = now;
            (self.changed, self.unverified) = (true, true);
        }
        self.disk_size = facts.size;
        self.size = self.content.as_ref().map_or(self.size, |content| content.len(facts.size));
        self.modified = facts.modified;
        self.deleted = facts.links == 0;
        self.show();
    }

    /// Tells others how far it is.
    pub(super) fn show(&mut self) {
        let size = if self.size == u64::MAX { self.position.offset } else { self.size };
        self.largest = self.largest.max(size);
        self.progress.set(size, self.position.offset);
    }

    /// Bytes that are not read, or not complete.
    pub(super) fn unread(&self) -> u64 {
        self.size.saturating_sub(self.position.offset)
    }

    /// Whether there is nothing to be had by reading now with this end.
    pub(super) fn is_exhausted(&self, end: End) -> bool {
        self.unread() == 0 || self.tried == Some((self.size, end))
    }

    /// The first bytes of the file.
    pub(super) fn first_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; identity::HEAD_BYTES];
        let len = match &mut self.content {
            Some(content) => content.read_at(0, &mut bytes)?,
            None => 0,
        };
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Whether this is a compressed file whose content surely ends at this offset.
    pub(super) fn is_complete_at(&mut self, offset: u64) -> io::Result<bool> {
        match &mut self.content {
            Some(Content::Gzip(gzip)) => gzip.trailer_tells(offset),
            _ => Ok(false),
        }
    }

    /// The marker of a place in the file as it is now; `None` when the file does not reach it.
    pub(super) fn marker_at(&mut self, offset: u64) -> io::Result<Option<u64>> {
        let len = marker_len(offset);
        let mut bytes = [0; identity::MARKER_BYTES];
        let Some(content) = &mut self.content else {
            return Ok(None);
        };
        let read = content.read_at(offset - len as u64, &mut bytes[..len])?;
        Ok((read == len).then(|| identity::marker(&bytes[..len])))
    }

    /// Reads and sends up to about `quantum` bytes. `end` applies to the end of the file.
    pub(super) fn read(&mut self, reading: &Reading, stream: &Arc<Stream>, quantum: u64, end: End) -> Turn {
        if std::mem::take(&mut self.unverified) {
            self.tried = None;
            // What is unread is compared as it is read; a file of the same length may be another all the same.
            if self.unread() == 0 && self.size == self.position.offset {
                match self.marker_at(self.position.offset) {
                    Ok(marker) if self.size > 0 && marker != Some(self.position.marker) => {
                        return Turn::Rewritten;
                    }
                    Ok(_) => {}
                    Err(error) => return Turn::Failed(error),
                }
            }
        }
        let begin = self.position.offset.max(self.scanned);
        while self.position.offset.max(self.scanned) - begin < quantum {
            if self.size < self.position.offset.max(self.scanned) {
                return Turn::Rewritten;
            }
            if self.is_exhausted(end) {
                return Turn::AtEnd;
            }
            let step = if self.scanned > self.position.offset {
                self.scan_long_line(reading, stream, end)
            } else {
                self.read_chunk(reading, stream, end)
            };
            match step {
                Ok(()) => self.show(),
                Err(turn) => return turn,
            }
        }
        Turn::More
    }

    /// Reads the next chunk, and sends what is complete in it, or ends at a cut.
    fn read_chunk(&mut self, reading: &Reading, stream: &Arc<Stream>, end: End) -> Result<(), Turn> {
        let before = marker_len(self.position.offset);
        let cut = self.next_cut();
        let unread = usize::try_from(cut.unwrap_or(self.size) - self.position.offset).unwrap_or(usize::MAX);
        let len = unread.min(self.window - identity::MARKER_BYTES);
        let (buffer, filled) = self.fill(reading, before + len)?;
        let chunk = &buffer.bytes[before..filled];
        let reached = self.position.offset + chunk.len() as u64;
        let at_cut = cut == Some(reached);
        let taken = self.frame(reading, chunk, if at_cut { End::CloseLine } else { End::Open });
        if taken.consumed > 0 {
            self.window = CHUNK_BYTES;
            let marker = identity::marker(&buffer.bytes[..before + taken.consumed]);
            let offset = self.position.offset + taken.consumed as u64;
            return self.send(reading, stream, buffer, before, taken, Position { offset, marker });
        }
        let mut result = Ok(());
        if at_cut {
            // Nothing ends here: the file is another than it was.
            self.cuts.retain(|&other| other != reached);
        } else if reached < self.size {
            self.widen(reading, chunk);
        } else if end == End::Open {
            self.tried = Some((self.size, end));
        } else {
            result = self.close_end(self.frame(reading, chunk, end).consumed as u64, end);
        }
        buffer.give_back();
        result
    }

    /// Fills a buffer with the bytes from just before the position on, and makes sure that those are still the same.
    pub(super) fn fill(&mut self, reading: &Reading, len: usize) -> Result<(Buffer, usize), Turn> {
        let mut buffer = reading.buffers.take(len).ok_or(Turn::NoMemory)?;
        let before = marker_len(self.position.offset);
        let Some(content) = &mut self.content else {
            return Err(Turn::AtEnd);
        };
        let filled = content.read_at(self.position.offset - before as u64, &mut buffer.bytes[..len])?;
        let same = before == 0
            || (filled >= before && identity::marker(&buffer.bytes[..before]) == self.position.marker);
        if !same {
            buffer.give_back();
            return Err(Turn::Rewritten);
        }
        if filled < len {
            // The end came before it was expected: the length of a compressed file, or a file cut short just now.
            self.size = self.position.offset + (filled - before) as u64;
        }
        Ok((buffer, filled))
    }

    /// A whole window holds no complete event: a hole is passed over, a long line gets a larger window, and one longer
    /// than the limit is searched for its end.
    fn widen(&mut self, reading: &Reading, chunk: &[u8]) {
        let limit = reading.framer.event_bytes_max() + 2 * self.text.unit() + identity::MARKER_BYTES;
        if is_hole(chunk) {
            self.position.offset += chunk.len() as u64;
            self.position.marker = identity::marker(chunk);
        } else if self.window < limit {
            self.window = (self.window * 2).min(limit);
        } else {
            let unit = self.text.unit();
            self.scanned = self.position.offset + (chunk.len() / unit * unit) as u64;
        }
    }

    fn frame(&self, reading: &Reading, chunk: &[u8], end: End) -> Taken {
        let place = Place { offset: self.position.offset, read_at: crate::time::now() };
        let mut taken = Taken { read_at: place.read_at, ..Taken::default() };
        let framer = &reading.framer;
        if self.text == Text::Utf8 && framer.multiline.is_none() {
            taken.events.reserve(chunk.len() / self.bytes_per_event + 4);
            taken.consumed = framer.frame_lines(chunk, place, end, &mut taken.events);
            return taken;
        }
        // A window at its limit gets no larger: the lines that fill it are the event.
        let full = chunk.len() + identity::MARKER_BYTES >= self.window;
        let at_limit = full && self.window > CHUNK_BYTES && self.window >= framer.event_bytes_max();
        let end = if end == End::Open && at_limit { End::CloseEvent } else { end };
        taken.consumed = framer.frame(self.text, chunk, place, end, &mut taken.decoded, &mut taken.events);
        taken
    }

    /// Sends what was taken out of the buffer, and moves the position to `next`.
    pub(super) fn send(
        &mut self,
        reading: &Reading,
        stream: &Arc<Stream>,
        buffer: Buffer,
        before: usize,
        taken: Taken,
        next: Position,
    ) -> Result<(), Turn> {
        let bytes = next.offset - self.position.offset;
        self.go_to(next);
        if taken.events.is_empty() {
            buffer.give_back();
            return Ok(());
        }
        self.bytes_per_event = (taken.consumed / taken.events.len()).max(1);
        let cut = taken.events.iter().filter(|event| event.flags.contains(EventFlags::CUT)).count();
        if cut > 0 {
            FileCounters::add(&reading.status.counters.cut_lines, cut as u64);
        }
        let ack = stream.begin(next, taken.events.len() as u64, bytes);
        let chunk = if self.text == Text::Utf8 {
            buffer.share(before, before + taken.consumed)
        } else {
            buffer.replace(taken.decoded)
        };
        let batch = Batch::new(chunk, taken.events, Arc::clone(stream), taken.read_at, ack);
        match reading.batches.send_within(batch, PATIENCE)? {
            Some(batch) => Err(Turn::Full(Box::new(batch))),
            None => Ok(()),
        }
    }
}

/// What a chunk gave.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) consumed: usize,
    pub(super) events: Vec<Event>,
    /// The text, when it is not the chunk itself.
    pub(super) decoded: Vec<u8>,
    pub(super) read_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Record;
    use crate::source::file::history::Known;

    /// Thousands of files are common, and each has one of these for as long as it is there.
    #[test]
    fn what_is_kept_of_each_file_is_small() {
        for (what, bytes, most) in [
            ("a tail", size_of::<Tail>(), 320),
            ("a known stream", size_of::<Known>(), 160),
            ("a record", size_of::<Record>(), 144),
            ("a stream", size_of::<Stream>(), 176),
            ("progress", size_of::<Progress>(), 64),
        ] {
            assert!(bytes <= most, "{what} takes {bytes} bytes, more than {most}");
        }
    }
}
