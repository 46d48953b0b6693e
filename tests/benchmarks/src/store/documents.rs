//! What the store knows: documents by `_id`, the lines they came from, and counts of everything that happened.
//!
//! Promises: a document is stored at most once per `_id`; a line number that stands in two documents is told as
//! doubled. Never: network.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::answer::{self, ItemAnswer};
use super::faults::{Fate, Faults};
use crate::generate::NUMBER_MARKER;

/// One stored document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its `_id`.
    pub id: String,
    /// The data stream it was created in.
    pub index: String,
    /// The JSON as it was sent.
    pub source: Vec<u8>,
}

/// What happened so far, in requests and items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bulk requests that reached the documents or a whole-request fault.
    pub requests: u64,
    /// Items answered 201.
    pub created: u64,
    /// Items answered 409: a repeat of what was stored already.
    pub conflicts: u64,
    /// Items answered 429.
    pub too_many_requests: u64,
    /// Items answered 503.
    pub unavailable: u64,
    /// Items answered 400 by the plan.
    pub rejected: u64,
    /// Items answered 400 because the document itself is wrong; a correct client has none.
    pub malformed: u64,
    /// Requests answered 503 as a whole.
    pub whole_unavailable: u64,
    /// Requests whose connection was cut after storing.
    pub cut: u64,
}

/// How a range of numbered lines fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Neither stored nor rejected by plan.
    pub lost: Vec<u64>,
    /// Stored more than once, under different ids.
    pub doubled: Vec<u64>,
    /// Rejected by plan for ever.
    pub rejected: Vec<u64>,
    /// Stored, but outside the range, or without a number.
    pub strangers: u64,
}

/// The store's memory.
#[derive(Debug, Default)]
pub(super) struct Documents {
    stored: HashMap<String, Document>,
    seen: HashSet<String>,
    rejected: HashMap<String, Option<u64>>,
    counts: Counts,
}

impl Documents {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn stored(&self) -> &HashMap<String, Document> {
        &self.stored
    }

    pub(super) fn rejected_documents(&self) -> u64 {
        self.rejected.len() as u64
    }

    /// Counts a request and gives its number, from 1.
    pub(super) fn begin_request(&mut self) -> u64 {
        self.counts.requests += 1;
        self.counts.requests
    }

    pub(super) fn count_whole_unavailable(&mut self) {
        self.counts.whole_unavailable += 1;
    }

    pub(super) fn count_cut(&mut self) {
        self.counts.cut += 1;
    }

    pub(super) fn verdict(&self, expected: Range<u64>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut times: HashMap<u64, u32> = HashMap::with_capacity(self.stored.len());
        for document in self.stored.values() {
            match line_number(&document.source).filter(|number| expected.contains(number)) {
                Some(number) => *times.entry(number).or_default() += 1,
                None => verdict.strangers += 1,
            }
        }
        let rejected: HashSet<u64> = self.rejected.values().copied().flatten().collect();
        for number in expected {
            match times.get(&number) {
                Some(1) => {}
                Some(_) => verdict.doubled.push(number),
                None if rejected.contains(&number) => verdict.rejected.push(number),
                None => verdict.lost.push(number),
            }
        }
        verdict
    }

    /// Takes the body of one bulk request and gives the answer's body.
    ///
    /// Like Elasticsearch, an error in the framing refuses the request as a whole.
    pub(super) fn take_bulk(
        &mut self,
        faults: &Faults,
        default_index: &str,
        body: &[u8],
        short: bool,
    ) -> Result<Vec<u8>, String> {
        if !body.ends_with(b"\n") {
            return Err("The bulk request must be terminated by a newline [\\n]".into());
        }
        let mut lines = body[..body.len() - 1].split(|&byte| byte == b'\n');
        let mut answers = Vec::new();
        while let Some(line) = lines.next() {
            let action: Action = serde_json::from_slice(line)
                .map_err(|error| format!("Malformed action/metadata line: {error}"))?;
            let target = action.create;
            let source = lines.next().ok_or("the last action line has no document")?;
            let index = target.index.unwrap_or_else(|| default_index.to_owned());
            let id = target.id.unwrap_or_else(|| format!("auto-{}", self.counts.created));
            let outcome = self.take_document(faults, &index, &id, source);
            answers.push(ItemAnswer { index, id, outcome });
        }
        Ok(answer::bulk(&answers, short))
    }

    fn take_document(&mut self, faults: &Faults, index: &str, id: &str, source: &[u8]) -> answer::Outcome {
        use answer::Outcome;

        if let Err(reason) = check_document(source) {
            self.counts.malformed += 1;
            return Outcome::Rejected(reason);
        }
        let is_first = self.seen.insert(id.to_owned());
        match faults.fate(id) {
            Fate::TooManyRequestsOnce if is_first => {
                self.counts.too_many_requests += 1;
                return Outcome::TooManyRequests;
            }
            Fate::UnavailableOnce if is_first => {
                self.counts.unavailable += 1;
                return Outcome::Unavailable;
            }
            Fate::Rejected => {
                self.counts.rejected += 1;
                self.rejected.insert(id.to_owned(), line_number(source));
                return Outcome::Rejected("failed to parse field [planned] of type [long]".into());
            }
            _ => {}
        }
        if self.stored.contains_key(id) {
            self.counts.conflicts += 1;
            return Outcome::Conflict;
        }
        self.counts.created += 1;
        let document = Document { id: id.to_owned(), index: index.to_owned(), source: source.to_vec() };
        self.stored.insert(id.to_owned(), document);
        Outcome::Created
    }
}

/// The action line. Data streams take `create` only, so nothing else is known here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    create: Target,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    #[serde(rename = "_index")]
    index: Option<String>,
    #[serde(rename = "_id")]
    id: Option<String>,
}

/// The number behind the first [`NUMBER_MARKER`] of a document.
pub(crate) fn line_number(source: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(source, NUMBER_MARKER.as_bytes())? + NUMBER_MARKER.len();
    let digits = source[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Refuses what Elasticsearch refuses in a data stream whatever its mapping says.
fn check_document(source: &[u8]) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(source);
    let keys = UniqueKeys.deserialize(&mut deserializer).and_then(|keys| deserializer.end().map(|()| keys));
    let keys = keys.map_err(|error| format!("failed to parse: {error}"))?;
    if !keys.contains("@timestamp") {
        return Err("data stream timestamp field [@timestamp] is missing".into());
    }
    Ok(())
}

/// Reads an object and fails on a repeated key at its top level.
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = HashSet<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = HashSet<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if let Some(repeated) = keys.replace(key) {
                return Err(serde::de::Error::custom(format_args!("Duplicate field '{repeated}'")));
            }
        }
        Ok(keys)
    }
}
