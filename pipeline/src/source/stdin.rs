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

use super::file::lines::Framer;
use super::line_reader::{LineReader, Lines};
use super::{CHUNK_BYTES, SourceContext, random_id};
use crate::event::ConstantSet;
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
    let stream =
        Stream::new(random_id()?, Arc::clone(&context.meta), ConstantSet::default(), Position::default());
    let mut lines = LineReader::new(stream, Framer { max_line_bytes, multiline: None });
    while !context.stop.is_asked() {
        if !ready()? {
            continue;
        }
        let Some(held) = context.memory.acquire(CHUNK_BYTES, PATIENCE) else {
            continue;
        };
        match lines.read(input, Some(held))? {
            Lines::Batch(batch) => {
                if context.batches.send(*batch).is_err() {
                    return Ok(());
                }
            }
            Lines::Incomplete => {}
            Lines::Over => return Ok(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, EventFlags};
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
