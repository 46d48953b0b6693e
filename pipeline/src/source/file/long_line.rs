//! Lines that are longer than the limit.
//!
//! Owns: the part of a [`Tail`] that finds the end of such a line and sends its beginning.
//! Promises: constant memory, whatever the line's length; the event is marked as cut; the position moves only when the
//! line's end was found, so a restart begins at its beginning again.
//! Never: looks at a line that fits.

use std::sync::Arc;

use super::encoding::Text;
use super::identity::marker_len;
use super::lines::End;
use super::tail::{Reading, Tail, Taken};
use super::turn::Turn;
use crate::event::{Batch, EventFlags, Span};
use crate::source::CHUNK_BYTES;
use crate::stream::{Position, Stream};

impl Tail {
    /// Searches on for the end of a line that is longer than the limit.
    pub(super) fn scan_long_line(
        &mut self,
        reading: &Reading,
        stream: &Arc<Stream>,
        end: End,
    ) -> Result<(), Turn> {
        let cut = self.next_cut();
        let buffer = reading.buffers.take(CHUNK_BYTES);
        let mut buffer = buffer.ok_or(Turn::NoMemory)?;
        let Some(content) = &mut self.content else {
            return Err(Turn::AtEnd);
        };
        let len = cut.map_or(CHUNK_BYTES as u64, |cut| cut.saturating_sub(self.scanned));
        let len = usize::try_from(len).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let filled = content.read_at(self.scanned, &mut buffer.bytes[..len])?;
        let unit = self.text.unit();
        let found = self.text.find_line_feed(&buffer.bytes[..filled]);
        buffer.give_back();
        if let Some(place) = found {
            return self.send_long_line(reading, stream, self.scanned + (place + unit) as u64);
        }
        self.scanned += (filled / unit * unit) as u64;
        if let Some(cut) = cut.filter(|&cut| cut <= self.scanned) {
            return self.send_long_line(reading, stream, cut);
        }
        if filled < len {
            let closed = if end == End::CloseLine { self.scanned - self.position.offset } else { 0 };
            return self.close_end(closed, end);
        }
        Ok(())
    }

    /// Sends the beginning of a line that is longer than the limit, and goes on at `next`, after its end.
    fn send_long_line(&mut self, reading: &Reading, stream: &Arc<Stream>, next: u64) -> Result<(), Turn> {
        let before = marker_len(self.position.offset);
        let unit = self.text.unit();
        let max = reading.framer.max_line_bytes / unit * unit;
        let marker = self.marker_at(next)?.ok_or(Turn::Rewritten)?;
        let (buffer, filled) = self.fill(reading, before + max)?;
        let mut taken = Taken { read_at: crate::time::now(), ..Taken::default() };
        let mut len = filled - before;
        if self.text != Text::Utf8 {
            self.text.decode(&buffer.bytes[before..filled], &mut taken.decoded);
            len = taken.decoded.len();
        }
        let line = Span { start: 0, len: u32::try_from(len).unwrap_or(u32::MAX) };
        taken.events.push(Batch::line(line, self.position.offset, taken.read_at, EventFlags::CUT));
        taken.consumed = filled - before;
        self.send(reading, stream, buffer, before, taken, Position { offset: next, marker })
    }
}
