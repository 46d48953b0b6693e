//! Whether a section says what it said before.
//!
//! Owns: [`fingerprint`].
//! Promises: the same for the same keys and values, however they are laid out and whatever stands around them, in any release.
//! Never: knows a key.

use std::fmt::Write;

use logweir_pipeline::watermark::TimeLimits;
use toml::de::DeValue;
use xxhash_rust::xxh3::xxh3_64;

use super::decode::Found;

/// A hash of what a section says, and of the times that all share.
pub(super) fn fingerprint(found: &Found<'_>, time: TimeLimits) -> u64 {
    let TimeLimits { lateness, idle_after, future_limit } = time;
    let mut text = format!("{lateness} {idle_after} {future_limit}");
    for entry in &found.entries {
        write(Some(entry.key.value), entry.value.value, &mut text);
    }
    xxh3_64(text.as_bytes())
}

/// Appends a value; texts stand with their lengths, so that none looks like several.
fn write(key: Option<&str>, value: &DeValue<'_>, text: &mut String) {
    let mut add = |kind: &str, value: &str| {
        let key = key.unwrap_or_default();
        // Writing to a string cannot fail.
        write!(text, "\n{} {key} {kind} {} {value}", key.len(), value.len()).unwrap_or_default();
    };
    match value {
        DeValue::String(value) => add("text", value),
        DeValue::Integer(value) => add("integer", &format!("{} {}", value.radix(), value.as_str())),
        DeValue::Float(value) => add("float", value.as_str()),
        DeValue::Boolean(value) => add("boolean", &value.to_string()),
        DeValue::Datetime(value) => add("time", &value.to_string()),
        DeValue::Array(items) => {
            add("list", &items.len().to_string());
            items.iter().for_each(|item| write(None, item.get_ref(), text));
        }
        DeValue::Table(table) => {
            add("table", &table.len().to_string());
            table.iter().for_each(|(key, item)| write(Some(key.get_ref()), item.get_ref(), text));
        }
    }
}
