//! `truncate`: shortens long texts.
//!
//! Owns: [`TruncateFields`].
//! Promises: cuts on a character boundary; says so in `log.flags`, as the source does of a line that it cut, unless the
//! event has that field; numbers, lists and objects stay whole.
//! Never: copies a text that stands in the batch as it is.

use logweir_parsers::{KeyId, key};

use super::{Bench, Step, read};
use crate::event::{Batch, Span, Value};

/// Shortens each of these fields to so many bytes.
#[derive(Debug)]
pub struct TruncateFields(pub Vec<(KeyId, u32)>);

impl Step for TruncateFields {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let mut flags = None;
        for &(field, bytes) in &self.0 {
            for index in selected.iter().map(|&index| index as usize) {
                let Some(value) = shortened(batch, index, field, bytes, bench) else { continue };
                batch.set(index, field, value);
                if batch.get(index, key::LOG_FLAGS).is_none() {
                    let flags = *flags.get_or_insert_with(|| batch.make_json(b"[\"truncated\"]"));
                    batch.set(index, key::LOG_FLAGS, flags);
                }
            }
        }
    }
}

/// The beginning of a text that is too long.
fn shortened(batch: &mut Batch, index: usize, key: KeyId, bytes: u32, bench: &mut Bench) -> Option<Value> {
    let value = batch.get(index, key);
    match value {
        Some(Value::Text(span) | Value::MadeText(span)) if span.len > bytes => {
            let len = boundary(batch.text(value?)?, bytes);
            let span = Span { len, ..span };
            Some(if matches!(value, Some(Value::Text(_))) {
                Value::Text(span)
            } else {
                Value::MadeText(span)
            })
        }
        Some(Value::Json(_) | Value::MadeJson(_)) if batch.text(value?)?.first() != Some(&b'"') => None,
        Some(Value::JsonText(_) | Value::Json(_) | Value::MadeJson(_)) | None => {
            let text = read::text_of(batch, index, key, value, &mut bench.room)?;
            if text.len() <= bytes as usize {
                return None;
            }
            let len = boundary(text, bytes) as usize;
            bench.made.clear();
            bench.made.extend_from_slice(&text[..len]);
            Some(batch.make_text(&bench.made))
        }
        Some(_) => None,
    }
}

/// The greatest length up to `bytes` that cuts no character: what follows it does not go on with one.
fn boundary(text: &[u8], bytes: u32) -> u32 {
    let is_inside = |len: u32| text.get(len as usize).is_some_and(|byte| byte & 0xc0 == 0x80);
    let least = bytes.saturating_sub(3);
    (least..=bytes).rev().find(|len| !is_inside(*len)).unwrap_or(bytes)
}
