//! Documents of an operator between their making and their arrival.
//!
//! Owns: [`Sent`].
//! Promises: a document that has not arrived is part of what is saved, and is sent again under the identity and at the place that
//! it had; no other document ever has that place.
//! Never: sends one.
//!
//! What is made after the last save may come in another order when it is made again. So each run has a stream of its own for what
//! it makes, and sends again in the old ones what these had under way.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Emitted;
use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder, Saved};

/// How far the documents of a stream have arrived: the stream's number and an offset.
pub type Arrived = (u64, u64);

/// Documents that were taken, and where the next ones stand.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Whether those that are under way are kept.
    keeps: bool,
    under_way: VecDeque<Arc<Emitted>>,
    /// The number of this run's stream, and the offset in it of the next document.
    stream: u64,
    next: u64,
}

impl Sent {
    /// Keeps what is under way from now on, and sends in this stream.
    pub(super) fn keep(&mut self, stream: u64) {
        (self.keeps, self.stream, self.next) = (true, stream, 0);
    }

    /// Gives documents their places.
    pub(super) fn send(&mut self, ready: Emitted) -> Arc<Emitted> {
        let ready = Arc::new(Emitted { stream: self.stream, offset: self.next, ..ready });
        self.next = ready.end();
        if self.keeps && !ready.ids.is_empty() {
            self.under_way.push_back(Arc::clone(&ready));
        }
        ready
    }

    /// What is under way.
    pub(super) fn under_way(&self) -> Vec<Arc<Emitted>> {
        self.under_way.iter().cloned().collect()
    }

    /// Forgets those that have arrived.
    pub(super) fn arrived(&mut self, arrived: &[Arrived]) {
        self.under_way.retain(|emitted| emitted.end() > offset_of(emitted.stream, arrived));
    }

    /// Bytes that are under way.
    pub(super) fn bytes(&self) -> usize {
        self.under_way.iter().map(|emitted| emitted.lines.len()).sum()
    }

    /// Appends all documents that have not arrived, those that are ready at last.
    pub(super) fn save(&self, arrived: &[Arrived], ready: &Emitted, out: &mut Encoder<'_>) {
        let ready = Emitted { stream: self.stream, offset: self.next, ..ready.clone() };
        let all = self.under_way.iter().map(|emitted| &**emitted).chain([&ready]);
        let unsent = all.map(|emitted| emitted.behind(offset_of(emitted.stream, arrived)));
        let unsent = unsent.filter(|emitted| !emitted.ids.is_empty()).collect::<Vec<_>>();
        out.list(unsent.iter());
    }

    /// The documents that had not arrived.
    pub(super) fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let under_way = from.list::<Emitted>()?.into_iter().map(Arc::new).collect();
        Some(Self { under_way, ..Self::default() })
    }
}

/// The offset before which all documents of a stream have arrived.
fn offset_of(stream: u64, arrived: &[Arrived]) -> u64 {
    arrived.iter().find(|(known, _)| *known == stream).map_or(0, |(_, offset)| *offset)
}

impl Emitted {
    /// The offset behind the last.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.lines.len() as u64
    }

    /// Those that do not stand before an offset.
    fn behind(&self, offset: u64) -> Self {
        let before = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let (before, lines) = self.lines.split_at(before.min(self.lines.len()));
        let ids = self.ids.iter().skip(memchr::memchr_iter(b'\n', before).count());
        Self {
            stream: self.stream,
            offset: self.offset + before.len() as u64,
            lines: lines.to_vec(),
            ids: ids.copied().collect(),
        }
    }
}

impl Saved for Emitted {
    const BYTES_MIN: usize = 32;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u64(self.stream);
        out.u64(self.offset);
        out.text(&self.lines);
        out.list(self.ids.iter());
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let (stream, offset) = (from.u64()?, from.u64()?);
        let (lines, ids) = (from.text()?.to_vec(), from.list::<Origin>()?);
        let fits = memchr::memchr_iter(b'\n', &lines).count() == ids.len();
        fits.then_some(Self { stream, offset, lines, ids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(lines: &[&str]) -> Emitted {
        let id = |line: &&str| Origin { stream: 1, offset: line.len() as u64 };
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let ids = lines.iter().map(id).collect();
        Emitted { lines: text.into_bytes(), ids, ..Emitted::default() }
    }

    /// Stream, offset, text and number of documents of what another run would send again.
    fn unsent(sent: &Sent, arrived: &[Arrived], ready: &Emitted) -> Vec<(u64, u64, String, usize)> {
        let mut bytes = Vec::new();
        sent.save(arrived, ready, &mut Encoder::new(&mut bytes));
        let sent = Sent::load(&mut Decoder::new(&bytes)).unwrap();
        let parts = sent.under_way.iter();
        let text = |emitted: &Emitted| String::from_utf8(emitted.lines.clone()).unwrap();
        parts.map(|emitted| (emitted.stream, emitted.offset, text(emitted), emitted.ids.len())).collect()
    }

    fn part(stream: u64, offset: u64, text: &str, documents: usize) -> (u64, u64, String, usize) {
        (stream, offset, text.to_owned(), documents)
    }

    #[test]
    fn what_has_not_arrived_is_saved_with_its_place() {
        let mut sent = Sent::default();
        sent.keep(7);
        sent.send(emitted(&["a", "bb"]));
        sent.keep(8);
        assert_eq!(sent.send(emitted(&["ccc"])).offset, 0);
        let (ready, none) = (emitted(&["d"]), Emitted::default());
        let later = [part(8, 0, "ccc\n", 1), part(8, 4, "d\n", 1)];
        let all = [&[part(7, 0, "a\nbb\n", 2)][..], &later].concat();
        assert_eq!(unsent(&sent, &[], &ready), all);
        assert_eq!(unsent(&sent, &[(8, 4), (7, 2)], &ready), [part(7, 2, "bb\n", 1), part(8, 4, "d\n", 1)]);
        sent.arrived(&[(7, 5)]);
        assert_eq!(sent.bytes(), 4);
        assert_eq!(unsent(&sent, &[(7, 5)], &ready), later);
        sent.arrived(&[(8, 4)]);
        assert_eq!(unsent(&sent, &[(8, 4)], &none), []);
    }
}
