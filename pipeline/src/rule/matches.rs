//! What rules read of events.
//!
//! Owns: [`Reader`], which fields those are, and [`Match`], an event that a rule is about, with what an alert shows of it.
//! Promises: an event is read without a lock; one that lacks a field that is asked for is passed over and counted; one whose
//! time cannot be true counts at the time when it was read.
//! Never: keeps a batch.

use std::cmp::Reverse;
use std::sync::Arc;

use logweir_parsers::{KeyId, key};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::Hit;
use crate::event::{Batch, Origin};
use crate::matcher::Condition;
use crate::snapshot::{Decoder, Encoder, Saved};
use crate::watermark::{Arrival, TimeLimits};

/// What stands behind each value of a group: JSON never holds it, so neighbours stay apart.
pub(super) const GROUP_END: u8 = 0;
/// Bytes of a line that an alert shows.
const LINE_BYTES_MAX: usize = 1024;

/// What is read of events.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) condition: Option<Condition>,
    pub(super) by: Vec<KeyId>,
    pub(super) reads: Reads,
    pub(super) limits: TimeLimits,
    /// Makes hashes of groups unlike those of any other process, so that nobody can choose groups whose hashes collide.
    pub(super) seed: u64,
}

/// What a kind of rule reads beside time and group.
#[derive(Clone, Debug)]
pub enum Reads {
    /// Nothing.
    Nothing,
    /// The number in a field.
    Number(KeyId),
    /// The values of some fields together.
    Value(Vec<KeyId>),
    /// Which of some conditions are true; an event of which none is true is none of the rule's.
    Steps(Vec<Condition>),
    /// Whether a condition is true.
    Part(Condition),
}

/// An event that a rule is about. Most of them are never shown, so what an alert shows is kept as it was read.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) key: u128,
    pub(super) hit: Hit,
    /// The group, then the line.
    text: Box<[u8]>,
    group_len: u32,
    /// The JSON of the path of its file; empty when it has none. Neighbours share it.
    path: Arc<[u8]>,
    /// Its offset in its stream.
    offset: u64,
}

/// What was read of the events of a batch.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    pub(super) found: Vec<Match>,
    pub(super) late: u64,
    pub(super) without_field: u64,
    pub(super) future: u64,
    text: Vec<u8>,
    path: SharedPath,
}

/// The path of the file of the last event that was read.
#[derive(Debug)]
pub(super) struct SharedPath(Arc<[u8]>);

impl Default for SharedPath {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl Reader {
    /// Reads the selected events, which come in the order of their input.
    pub(super) fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, matches: &mut Matches) {
        matches.found.clear();
        (matches.late, matches.without_field, matches.future) = (0, 0, 0);
        for &event in selected {
            self.read_event(batch, event as usize, arrival, matches);
        }
    }

    #[inline]
    fn read_event(&self, batch: &Batch, index: usize, arrival: &mut Arrival, matches: &mut Matches) {
        let event = &batch.events[index];
        let (time, is_its_own) = self.limits.believed(event.timestamp, batch.read_at);
        let watermark = arrival.watermark();
        if is_its_own {
            arrival.observe(time);
        }
        if self.condition.as_ref().is_some_and(|condition| !condition.is_true(batch, index)) {
            return;
        }
        let mut hit = Hit::new(time, batch.origin(event));
        match self.reads.read(batch, index, &mut hit, &mut matches.text) {
            Read::Found => {}
            Read::Other => return,
            Read::Lacks => {
                matches.without_field += 1;
                return;
            }
        }
        matches.future += u64::from(!is_its_own);
        if time < watermark {
            matches.late += 1;
            return;
        }
        matches.text.clear();
        for key in &self.by {
            if !batch.push_json(index, *key, &mut matches.text) {
                matches.without_field += 1;
                return;
            }
            matches.text.push(GROUP_END);
        }
        let key = xxh3_128_with_seed(&matches.text, self.seed);
        matches.found.push(Match::new(key, hit, batch, index, &mut matches.text, &mut matches.path));
    }
}

/// What reading an event gave.
enum Read {
    Found,
    /// It is none of the rule's.
    Other,
    /// It lacks a field.
    Lacks,
}

impl Reads {
    fn read(&self, batch: &Batch, index: usize, hit: &mut Hit, text: &mut Vec<u8>) -> Read {
        match self {
            Self::Nothing => {}
            Self::Number(key) => match batch.number(index, *key) {
                Some(number) => hit.number = number,
                None => return Read::Lacks,
            },
            Self::Value(keys) => {
                text.clear();
                for key in keys {
                    if !batch.push_json(index, *key, text) {
                        return Read::Lacks;
                    }
                    text.push(GROUP_END);
                }
                hit.value = xxh3_64(text);
            }
            Self::Steps(steps) => {
                let is_true =
                    |(number, step): (usize, &Condition)| u32::from(step.is_true(batch, index)) << number;
                hit.steps = steps.iter().enumerate().map(is_true).fold(0, |all, step| all | step);
                if hit.steps == 0 {
                    return Read::Other;
                }
            }
            Self::Part(condition) => hit.steps = u32::from(condition.is_true(batch, index)),
        }
        Read::Found
    }
}

impl Saved for Match {
    const BYTES_MIN: usize = 96;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u128(self.key);
        out.i64(self.hit.time);
        out.origin(self.hit.event);
        out.f64(self.hit.number);
        out.u64(self.hit.value);
        out.u32(self.hit.steps);
        out.text(&self.text);
        out.u32(self.group_len);
        out.text(&self.path);
        out.u64(self.offset);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let key = from.u128()?;
        let mut hit = Hit::new(from.i64()?, from.origin()?);
        (hit.number, hit.value, hit.steps) = (from.f64()?, from.u64()?, from.u32()?);
        let text = Box::<[u8]>::from(from.text()?);
        let (group_len, path, offset) = (from.u32()?, from.text()?.into(), from.u64()?);
        (group_len as usize <= text.len()).then_some(Self { key, hit, text, group_len, path, offset })
    }
}

impl Match {
    /// Where it stands among events.
    pub(super) fn place(&self) -> (i64, Origin) {
        (self.hit.time, self.hit.event)
    }

    /// Its place among those of its event and time: the last step first, since a step goes on from an event before its own.
    pub(super) fn rank(&self) -> (Reverse<u32>, u64, u64) {
        (Reverse(self.hit.steps), self.hit.value, self.hit.number.to_bits())
    }

    /// What is kept of an event. `text` holds its group, and is used up.
    pub(super) fn new(
        key: u128,
        hit: Hit,
        batch: &Batch,
        index: usize,
        text: &mut Vec<u8>,
        path: &mut SharedPath,
    ) -> Self {
        let event = &batch.events[index];
        let line = event.line.of(&batch.chunk);
        let group_len = text.len();
        text.extend_from_slice(&line[..line.len().min(LINE_BYTES_MAX)]);
        let kept = text.as_slice().into();
        text.clear();
        batch.push_json(index, key::LOG_FILE_PATH, text);
        if *path.0 != **text {
            path.0 = text.as_slice().into();
        }
        let group_len = u32::try_from(group_len).unwrap_or(0);
        Self { key, hit, text: kept, group_len, path: Arc::clone(&path.0), offset: event.offset }
    }

    /// A match that stands for others, of which this is the last if its line is known. `group` are the values of its group.
    pub(super) fn again(key: u128, hit: Hit, group: Vec<u8>, last: Option<&Self>) -> Self {
        let (mut text, mut path, mut offset) = (group, SharedPath::default().0, 0);
        let group_len = u32::try_from(text.len()).unwrap_or(0);
        if let Some(last) = last {
            text.extend_from_slice(&last.text[last.group_len as usize..]);
            (path, offset) = (Arc::clone(&last.path), last.offset);
        }
        Self { key, hit, text: text.into(), group_len, path, offset }
    }

    /// The JSON of the group's values, each with [`GROUP_END`].
    pub(super) fn group(&self) -> &[u8] {
        &self.text[..self.group_len as usize]
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }

    /// Appends what an alert shows of it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event.id\":\"");
        out.extend_from_slice(self.hit.event.text().as_bytes());
        out.extend_from_slice(b"\",\"event.original\":");
        let line = String::from_utf8_lossy(&self.text[self.group_len as usize..]);
        out.extend_from_slice(serde_json::Value::from(line).to_string().as_bytes());
        if !self.path.is_empty() {
            out.extend_from_slice(b",\"log.file.path\":");
            out.extend_from_slice(&self.path);
            out.extend_from_slice(b",\"log.offset\":");
            out.extend_from_slice(itoa::Buffer::new().format(self.offset).as_bytes());
        }
        out.push(b'}');
    }
}
