//! Source `stdin`: one stream of lines, over when the input is.
//!
//! Owns: [`run`].
//! Promises: every byte up to the end of input is in an event; a last line without line end is one too.
//! Never: knows its place again: what is not acknowledged when the process ends is for the writer to send again.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::file::lines::{End, Framer, Place};
use super::{CHUNK_BYTES, SourceContext};
use crate::buffers::BufferPool;
use crate::event::{Batch, ConstantSet};
use crate::memory::Held;
use crate::stream::{Position, Stream};

/// How long to wait for input or memory before looking whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads standard input to its end, or until the stop is asked for or the pipeline ends. Of a line longer than
/// `max_line_bytes` the rest is cut off and the event marked.
///
/// # Errors
/// When it cannot be read.
pub fn run(context: &SourceContext, max_line_bytes: usize) -> io::Result<()> {
    let input = io::stdin();
    let ready = || {
        let timeout =
            Timespec::try_from(PATIENCE).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    // Unbuffered, so that nothing is left where `ready` cannot see it.
    let mut file = File::from(input.as_fd().try_clone_to_owned()?);
    read_lines(context, max_line_bytes, &mut file, ready)
}

fn read_lines(
    context: &SourceContext,
    max_line_bytes: usize,
    input: &mut impl Read,
    ready: impl Fn() -> io::Result<bool>,
) -> io::Result<()> {
    let mut lines = Lines::new(context, max_line_bytes)?;
    while !context.stop.is_asked() {
        if !ready()? {
            continue;
        }
        let Some(held) = context.memory.acquire(CHUNK_BYTES, PATIENCE) else {
            continue;
        };
        match input.read(&mut lines.buffer[lines.filled..]) {
            Ok(0) => {
                lines.send(End::CloseLine, held);
                return Ok(());
            }
            Ok(read) => {
                lines.filled += read;
                if !lines.send(End::Open, held) {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The bytes that are read and not sent.
struct Lines<'a> {
    context: &'a SourceContext,
    framer: Framer,
    pool: Arc<BufferPool>,
    stream: Arc<Stream>,
    buffer: Vec<u8>,
    filled: usize,
    offset: u64,
    /// The end of a line that was cut is still to come, and is passed over.
    cutting: bool,
}

impl<'a> Lines<'a> {
    fn new(context: &'a SourceContext, max_line_bytes: usize) -> io::Result<Self> {
        let mut id = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut id)?;
        let start = Position::default();
        let stream =
            Stream::new(u64::from_be_bytes(id), Arc::clone(&context.meta), ConstantSet::default(), start);
        let pool = BufferPool::new(4);
        let buffer = pool.take(CHUNK_BYTES);
        let framer = Framer { max_line_bytes, multiline: None };
        Ok(Self { context, framer, pool, stream, buffer, filled: 0, offset: 0, cutting: false })
    }

    /// Sends what is complete and keeps the rest. Says whether anyone takes it.
    fn send(&mut self, end: End, held: Held) -> bool {
        self.pass_over_cut_line();
        let place = Place { offset: self.offset, read_at: crate::time::now() };
        let mut events = Vec::new();
        let filled = &self.buffer[..self.filled];
        let mut consumed = self.framer.frame_lines(filled, place, end, &mut events);
        if consumed == 0 && self.filled > self.framer.max_line_bytes {
            consumed = self.framer.frame_lines(filled, place, End::CloseLine, &mut events).max(self.filled);
            self.cutting = true;
        }
        if consumed == 0 {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            return true;
        }
        let mut next = self.pool.take(CHUNK_BYTES.max(self.filled - consumed + 1));
        next[..self.filled - consumed].copy_from_slice(&self.buffer[consumed..self.filled]);
        let chunk = std::mem::replace(&mut self.buffer, next);
        self.filled -= consumed;
        self.offset += consumed as u64;
        if events.is_empty() {
            return true;
        }
        let position = Position { offset: self.offset, marker: 0 };
        let ack = self.stream.begin(position, events.len() as u64, consumed as u64);
        let chunk = self.pool.share(chunk, consumed, Some(held));
        let batch = Batch::new(chunk, events, Arc::clone(&self.stream), place.read_at, ack);
        self.context.batches.send(batch).is_ok()
    }

    fn pass_over_cut_line(&mut self) {
        if !self.cutting {
            return;
        }
        let line_feed = memchr::memchr(b'\n', &self.buffer[..self.filled]);
        let passed = line_feed.map_or(self.filled, |place| place + 1);
        self.buffer.copy_within(passed..self.filled, 0);
        self.filled -= passed;
        self.offset += passed as u64;
        self.cutting = line_feed.is_none();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventFlags;
    use crate::memory::Memory;
    use crate::source::BatchSender;
    use crate::stop::Stop;

    const LINE_BYTES_MAX: usize = 300_000;

    /// Gives so many bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(buffer.len());
            self.0.read(&mut buffer[..len])
        }
    }

    fn read(input: &[u8], at_once: usize) -> Vec<(Vec<u8>, u64, bool)> {
        let (sender, batches) = crossbeam_channel::bounded(4);
        let context = SourceContext {
            meta: Arc::new(crate::testing::source(ConstantSet::default())),
            batches: BatchSender::new(vec![sender]),
            memory: Memory::new(64 * 1024 * 1024),
            stop: Stop::default(),
            once: true,
        };
        let worker = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for batch in batches {
                lines.extend(batch.events.iter().map(|event| {
                    let cut = event.flags.contains(EventFlags::CUT);
                    (event.line.of(&batch.chunk).to_vec(), event.offset, cut)
                }));
                let Batch { ack, .. } = batch;
                ack.done();
            }
            lines
        });
        read_lines(&context, LINE_BYTES_MAX, &mut Drip(input, at_once), || Ok(true)).unwrap();
        drop(context);
        worker.join().unwrap()
    }

    #[test]
    fn every_line_comes_however_the_input_drips() {
        let input = b"one\ntwo\r\n\nlast";
        let expected = [(&b"one"[..], 0), (b"two", 4), (b"", 9), (b"last", 10)];
        let expected = expected.map(|(line, offset)| (line.to_vec(), offset, false));
        for at_once in [1, 2, 3, 5, 100] {
            assert_eq!(read(input, at_once), expected, "{at_once} at once");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_and_the_next_is_whole() {
        let mut input = vec![b'x'; 3 * LINE_BYTES_MAX];
        input.extend_from_slice(b"\nnext\n");
        for at_once in [100_000, CHUNK_BYTES, usize::MAX] {
            let lines = read(&input, at_once);
            let shape =
                lines.iter().map(|(line, offset, cut)| (line.len(), *offset, *cut)).collect::<Vec<_>>();
            let next = 3 * LINE_BYTES_MAX as u64 + 1;
            assert_eq!(shape, [(LINE_BYTES_MAX, 0, true), (4, next, false)]);
        }
    }
}
