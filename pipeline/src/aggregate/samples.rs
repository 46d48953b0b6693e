//! What aggregates read of events.
//!
//! Owns: [`Reader`], which fields those are, and [`Samples`], what was read of a batch.
//! Promises: an event is read without a lock, and what is handed on is small; an event that lacks a field of the group is passed
//! over and counted; one whose time cannot be true counts at the time when it was read.
//! Never: keeps an event.

use logweir_parsers::KeyId;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::function::{ABSENT, Input};
use crate::event::{Batch, Origin};
use crate::matcher::Condition;
use crate::snapshot::{Decoder, Encoder, Saved};
use crate::watermark::{Arrival, TimeLimits};
use crate::window::Windows;

/// Longest value of a group, or that is kept, in bytes of JSON. A longer one stands for all that begin like it.
pub(super) const VALUE_BYTES_MAX: usize = 256;
/// What stands behind each value of a group: JSON never holds it, so neighbours stay apart, and groups sort by their values.
pub(super) const GROUP_END: u8 = 0;

/// By which of its times an event belongs to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTime {
    /// When it happened.
    Event,
    /// When it was read.
    Ingest,
}

/// What is read of events.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) condition: Option<Condition>,
    pub(super) by: Vec<KeyId>,
    pub(super) inputs: Vec<Input>,
    pub(super) time: WindowTime,
    pub(super) windows: Windows,
    pub(super) limits: TimeLimits,
    /// Makes hashes of groups unlike those of any other process, so that nobody can choose groups whose hashes collide.
    pub(super) seed: u64,
}

/// What was read of the events of a batch.
#[derive(Debug, Default)]
pub(super) struct Samples {
    heads: Vec<Head>,
    /// The inputs of each sample, one after the other.
    inputs: Vec<u64>,
    /// The groups, and the values that are text.
    text: Vec<u8>,
    /// Events for all of whose windows it is too late.
    pub(super) late: Vec<u32>,
    /// Events that lack a field of the group.
    pub(super) without_group: u64,
    /// Events whose times were too far ahead.
    pub(super) future: u64,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    hash: u128,
    time: i64,
    origin: Origin,
    group: (u32, u32),
}

/// What was read of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    pub(super) time: i64,
    pub(super) origin: Origin,
    /// Tells its group from all others.
    pub(super) hash: u128,
    /// The JSON of the group's values, each with [`GROUP_END`].
    pub(super) group: &'a [u8],
    pub(super) inputs: &'a [u64],
    text: &'a [u8],
}

/// The same, kept beyond its batch.
#[derive(Clone, Debug)]
pub(super) struct OwnedSample {
    time: i64,
    origin: Origin,
    hash: u128,
    group: u32,
    inputs: Box<[u64]>,
    /// The group, then the values that are text.
    text: Box<[u8]>,
}

impl OwnedSample {
    /// Where it stands among events.
    pub(super) fn place(&self) -> (i64, Origin) {
        (self.time, self.origin)
    }

    pub(super) fn as_sample(&self) -> Sample<'_> {
        let group = &self.text[..self.group as usize];
        Sample {
            time: self.time,
            origin: self.origin,
            hash: self.hash,
            group,
            inputs: &self.inputs,
            text: &self.text,
        }
    }
}

impl Saved for OwnedSample {
    const BYTES_MIN: usize = 60;

    fn save(&self, out: &mut Encoder<'_>) {
        out.i64(self.time);
        out.origin(self.origin);
        out.u128(self.hash);
        out.u32(self.group);
        out.list(self.inputs.iter());
        out.text(&self.text);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        let sample = Self {
            time: from.i64()?,
            origin: from.origin()?,
            hash: from.u128()?,
            group: from.u32()?,
            inputs: from.list()?.into(),
            text: from.text()?.into(),
        };
        (sample.group as usize <= sample.text.len()).then_some(sample)
    }
}

impl<'a> Sample<'a> {
    /// Copies it out of its batch.
    pub(super) fn into_owned(self, json: &[bool]) -> OwnedSample {
        let mut text = self.group.to_vec();
        let mut inputs = Box::<[u64]>::from(self.inputs);
        for (input, _) in json.iter().enumerate().filter(|(_, is_json)| **is_json) {
            if let Some(value) = self.json(input) {
                let start = text.len();
                text.extend_from_slice(value);
                inputs[input] = packed(start, text.len());
            }
        }
        let group = place(self.group.len());
        OwnedSample {
            time: self.time,
            origin: self.origin,
            hash: self.hash,
            group,
            inputs,
            text: text.into(),
        }
    }

    /// The number of an input, if the event has one.
    #[inline]
    pub(super) fn number(&self, input: usize) -> Option<f64> {
        let number = f64::from_bits(self.inputs[input]);
        (!number.is_nan()).then_some(number)
    }

    /// The JSON of an input, if the event has it.
    pub(super) fn json(&self, input: usize) -> Option<&'a [u8]> {
        match self.inputs[input] {
            ABSENT => None,
            packed => {
                let (start, end) = unpacked(packed);
                self.text.get(start..end)
            }
        }
    }
}

impl Samples {
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.inputs.clear();
        self.text.clear();
        self.late.clear();
        (self.without_group, self.future) = (0, 0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Sample<'_>> {
        let width = self.inputs.len().checked_div(self.heads.len()).unwrap_or(0);
        self.heads.iter().enumerate().map(move |(number, head)| Sample {
            time: head.time,
            origin: head.origin,
            hash: head.hash,
            group: &self.text[head.group.0 as usize..head.group.1 as usize],
            inputs: &self.inputs[number * width..(number + 1) * width],
            text: &self.text,
        })
    }
}

impl Reader {
    /// Reads the selected events, which come in the order of their input.
    pub(super) fn read(&self, batch: &Batch, selected: &[u32], arrival: &mut Arrival, samples: &mut Samples) {
        samples.clear();
        for &event in selected {
            self.read_event(batch, event, arrival, samples);
        }
    }

    #[inline]
    fn read_event(&self, batch: &Batch, event: u32, arrival: &mut Arrival, samples: &mut Samples) {
        let index = event as usize;
        let (time, is_its_own) = match self.time {
            WindowTime::Event => self.limits.believed(batch.events[index].timestamp, batch.read_at),
            WindowTime::Ingest => (batch.read_at, true),
        };
        let watermark = arrival.watermark();
        if is_its_own {
            arrival.observe(time);
        }
        if self.condition.as_ref().is_some_and(|condition| !condition.is_true(batch, index)) {
            return;
        }
        samples.future += u64::from(!is_its_own);
        if self.windows.is_late(time, watermark) {
            samples.late.push(event);
            return;
        }
        let start = samples.text.len();
        for key in &self.by {
            let value = samples.text.len();
            if !batch.push_json(index, *key, &mut samples.text) {
                samples.text.truncate(start);
                samples.without_group += 1;
                return;
            }
            cut(&mut samples.text, value);
            samples.text.push(GROUP_END);
        }
        let group = (place(start), place(samples.text.len()));
        let hash = xxh3_128_with_seed(&samples.text[start..], self.seed);
        let origin = batch.origin(&batch.events[index]);
        samples.heads.push(Head { hash, time, origin, group });
        for input in &self.inputs {
            let value = input.read(batch, index, &mut samples.text);
            samples.inputs.push(value);
        }
    }
}

impl Input {
    #[inline]
    fn read(&self, batch: &Batch, index: usize, text: &mut Vec<u8>) -> u64 {
        match self {
            Self::Number(key) => batch.number(index, *key).unwrap_or(f64::NAN).to_bits(),
            Self::Truth(condition) => u64::from(condition.is_true(batch, index)),
            Self::Hash(keys) => {
                let start = text.len();
                let all = keys.iter().all(|key| {
                    let is_there = batch.push_json(index, *key, text);
                    text.push(GROUP_END);
                    is_there
                });
                let hash = if all { xxh3_64(&text[start..]).min(ABSENT - 1) } else { ABSENT };
                text.truncate(start);
                hash
            }
            Self::Json(key) => {
                let start = text.len();
                if !batch.push_json(index, *key, text) {
                    return ABSENT;
                }
                cut(text, start);
                packed(start, text.len())
            }
        }
    }
}

/// Cuts a JSON value at the end of the text that is too long: a text becomes a shorter text, anything else a text of its
/// beginning.
fn cut(text: &mut Vec<u8>, start: usize) {
    if text.len() - start <= VALUE_BYTES_MAX {
        return;
    }
    let value = String::from_utf8_lossy(&text[start..]).into_owned();
    let whole = serde_json::from_str::<String>(&value).unwrap_or(value);
    let mut end = VALUE_BYTES_MAX / 2;
    loop {
        let shorter = &whole[..whole.floor_char_boundary(end)];
        let json = serde_json::Value::from(shorter).to_string();
        if json.len() <= VALUE_BYTES_MAX || end == 0 {
            text.truncate(start);
            text.extend_from_slice(json.as_bytes());
            return;
        }
        end /= 2;
    }
}

fn place(at: usize) -> u32 {
    // A batch's groups are far below 4 GiB: they are at most 257 bytes a field.
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn packed(start: usize, end: usize) -> u64 {
    u64::from(place(start)) << 32 | u64::from(place(end))
}

fn unpacked(packed: u64) -> (usize, usize) {
    let [start, end] = [packed >> 32, packed & u64::from(u32::MAX)];
    (usize::try_from(start).unwrap_or_default(), usize::try_from(end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_stay_json() {
        for long in [
            "\"".to_owned() + &"x".repeat(1000) + "\"",
            format!("\"{}\"", "\\u0001".repeat(300)),
            format!("[{}1]", "1,".repeat(400)),
        ] {
            let mut text = b"before".to_vec();
            text.extend_from_slice(long.as_bytes());
            cut(&mut text, 6);
            let cut = serde_json::from_slice::<String>(&text[6..]).unwrap();
            assert!(text.len() - 6 <= VALUE_BYTES_MAX && cut.len() > 10, "{cut}");
        }
    }
}
