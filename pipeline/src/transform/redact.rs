//! `redact`: hides what must not be stored.
//!
//! Owns: [`Redact`]: which finds are hidden in a value, and by what.
//! Promises: finds that touch are hidden as one; a value stays valid JSON, the texts within lists and objects are
//! searched too, escaped ones as what they mean; the same find gives the same hash under one key.
//! Never: shows the key; touches a field that it was not told of. `event.original` and a raw output have the line as it
//! was.

mod find;

use logweir_parsers::KeyId;
use regex::bytes::Regex;
use ring::hmac;

use super::members::value_len;
use super::{Bench, Step, read};
use crate::event::{Batch, ConstantValue, Value};
use find::Finder;

pub(super) use find::Find;
pub use find::RedactKind;

/// Bytes of a hash that are shown: enough that no two finds share one.
const HASH_BYTES: usize = 16;

/// What stands in the place of a find.
#[derive(Clone, Debug)]
pub enum RedactAction {
    /// The name of its kind, such as `[email]`.
    Mask,
    /// The name of its kind and its HMAC-SHA-256 under a key, so that equal finds can be told: `[email:1f3a…]`.
    Hash(hmac::Key),
    /// Nothing.
    Remove,
}

impl RedactAction {
    /// Hashes under this key.
    #[must_use]
    pub fn hash(key: &[u8]) -> Self {
        Self::Hash(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn append(&self, kind: &str, found: &[u8], out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = match self {
            Self::Remove => return,
            Self::Mask => None,
            Self::Hash(key) => Some(hmac::sign(key, found)),
        };
        out.push(b'[');
        out.extend_from_slice(kind.as_bytes());
        if let Some(hash) = hash {
            out.push(b':');
            let bytes = hash.as_ref().iter().take(HASH_BYTES);
            out.extend(bytes.flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]));
        }
        out.push(b']');
    }
}

/// Hides finds in these fields.
#[derive(Debug)]
pub struct Redact {
    fields: Vec<KeyId>,
    finders: Vec<Finder>,
    action: RedactAction,
}

impl Redact {
    /// Looks in the fields for these kinds of finds and for what the patterns match.
    ///
    /// # Errors
    /// When a built-in expression cannot be compiled, for want of memory.
    pub fn new(
        fields: Vec<KeyId>,
        kinds: &[RedactKind],
        patterns: Vec<Regex>,
        action: RedactAction,
    ) -> Result<Self, regex::Error> {
        let mut finders = kinds.iter().map(|kind| Finder::new(*kind)).collect::<Result<Vec<_>, _>>()?;
        finders.extend(patterns.into_iter().map(Finder::pattern));
        Ok(Self { fields, finders, action })
    }

    /// Writes the text to `out` with its finds hidden; nothing, and `None`, when there are none.
    fn hide(&self, text: &[u8], finds: &mut Vec<Find>, out: &mut Vec<u8>) -> Option<()> {
        finds.clear();
        self.finders.iter().for_each(|finder| finder.find(text, finds));
        if finds.is_empty() {
            return None;
        }
        finds.sort_unstable_by_key(|find| (find.start, std::cmp::Reverse(find.end)));
        let mut shown = 0;
        let mut rest = finds.iter().peekable();
        while let Some(first) = rest.next() {
            let mut end = first.end;
            while let Some(next) = rest.next_if(|next| next.start < end) {
                end = end.max(next.end);
            }
            out.extend_from_slice(&text[shown..first.start]);
            self.action.append(first.kind, &text[first.start..end], out);
            shown = end;
        }
        out.extend_from_slice(&text[shown..]);
        Some(())
    }

    /// The same for JSON, in its texts and numbers. What changes becomes a text.
    fn hide_in_json(&self, json: &[u8], bench: &mut Bench, out: &mut Vec<u8>) -> bool {
        let (mut at, mut is_changed) = (0, false);
        while let Some(byte) = json.get(at) {
            if !matches!(byte, b'"' | b'-' | b'0'..=b'9') {
                out.push(*byte);
                at += 1;
                continue;
            }
            let value = &json[at..at + value_len(&json[at..]).max(1)];
            let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            let text = inside.map_or(value, |inside| read::unescaped(inside, &mut bench.room));
            bench.made.clear();
            if self.hide(text, &mut bench.finds, &mut bench.made).is_some() {
                let hidden = String::from_utf8_lossy(&bench.made).into_owned();
                out.extend_from_slice(&ConstantValue::Text(hidden).to_json());
                is_changed = true;
            } else {
                out.extend_from_slice(value);
            }
            at += value.len();
        }
        is_changed
    }

    fn redact(&self, batch: &mut Batch, index: usize, key: KeyId, bench: &mut Bench) {
        let value = batch.get(index, key);
        let json = match value {
            Some(Value::Json(_) | Value::MadeJson(_)) => value.and_then(|value| batch.text(value)),
            Some(Value::Bool(_) | Value::Time(_)) => return,
            _ => None,
        };
        if let Some(json) = json.filter(|json| json.starts_with(b"{") || json.starts_with(b"[")) {
            let mut out = std::mem::take(&mut bench.other);
            out.clear();
            if self.hide_in_json(json, bench, &mut out) {
                let value = batch.make_json(&out);
                batch.set(index, key, value);
            }
            bench.other = out;
            return;
        }
        let Some(text) = read::text(batch, index, key, &mut bench.room) else { return };
        bench.made.clear();
        if self.hide(text, &mut bench.finds, &mut bench.made).is_some() {
            let value = batch.make_text(&bench.made);
            batch.set(index, key, value);
        }
    }
}

impl Step for Redact {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        for key in &self.fields {
            selected.iter().for_each(|&index| self.redact(batch, index as usize, *key, bench));
        }
    }
}
