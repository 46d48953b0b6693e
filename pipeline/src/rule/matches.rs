//! What rules read of events.
//!
//! Owns: [`Reader`], which fields those are; [`Match`], an event that a rule is about, and [`Evidence`], what an alert shows of it.
//! Promises: an event is read without a lock; one that lacks a field that is asked for is passed over and counted; one whose
//! time cannot be true counts at the time when it was read.
//! Never: keeps a batch.

use logweir_parsers::{KeyId, key};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::Hit;
use crate::event::{Batch, Origin};
use crate::matcher::Condition;
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

/// An event that a rule is about.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) key: u128,
    pub(super) hit: Hit,
    /// The JSON of the group's values, each with [`GROUP_END`].
    pub(super) group: Box<[u8]>,
    pub(super) evidence: Evidence,
}

/// What an alert shows of an event.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    /// The line as JSON text.
    pub(super) line: Box<[u8]>,
    /// The path of its file as JSON text; empty when it has none.
    pub(super) path: Box<[u8]>,
    /// Its offset in its stream.
    pub(super) offset: u64,
}

/// What was read of the events of a batch.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    pub(super) found: Vec<Match>,
    pub(super) late: u64,
    pub(super) without_field: u64,
    pub(super) future: u64,
    text: Vec<u8>,
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
        let group = matches.text.as_slice().into();
        let evidence = Evidence::of(batch, index, &mut matches.text);
        matches.found.push(Match { key, hit, group, evidence });
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

impl Evidence {
    pub(super) fn of(batch: &Batch, index: usize, text: &mut Vec<u8>) -> Self {
        let event = &batch.events[index];
        let line = event.line.of(&batch.chunk);
        let line = String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES_MAX)]);
        text.clear();
        batch.push_json(index, key::LOG_FILE_PATH, text);
        Self {
            line: serde_json::Value::from(line).to_string().into_bytes().into(),
            path: text.as_slice().into(),
            offset: event.offset,
        }
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, id: Origin, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event.id\":\"");
        out.extend_from_slice(id.text().as_bytes());
        out.extend_from_slice(b"\",\"event.original\":");
        out.extend_from_slice(&self.line);
        if !self.path.is_empty() {
            out.extend_from_slice(b",\"log.file.path\":");
            out.extend_from_slice(&self.path);
            out.extend_from_slice(b",\"log.offset\":");
            out.extend_from_slice(itoa::Buffer::new().format(self.offset).as_bytes());
        }
        out.push(b'}');
    }
}
