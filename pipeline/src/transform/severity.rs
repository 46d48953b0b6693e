//! `severity`: the many names of levels on one scale.
//!
//! Owns: [`NormalizeSeverity`] and the table of names.
//! Promises: `log.level` is one of nine words, those that syslog events have, and `trace`; `event.severity` is the
//! number of RFC 5424, 0 the worst. ECS leaves `log.syslog.severity.code` to what came by syslog.
//! Never: guesses: an event with a name that is not in the table is marked and keeps its level.

use logweir_parsers::{KeyId, key};

use super::{Bench, Step, read};
use crate::event::{Batch, Value};

/// Reads a level from this field.
#[derive(Debug)]
pub struct NormalizeSeverity(pub KeyId);

/// The words, their numbers in RFC 5424, and what else they are called. `10` to `60` are those of bunyan and pino.
const LEVELS: [(&str, i64, &[&str]); 9] = [
    ("emergency", 0, &["emerg", "panic", "0"]),
    ("alert", 1, &["1"]),
    ("critical", 2, &["crit", "fatal", "f", "c", "2", "60"]),
    ("error", 3, &["err", "severe", "failure", "e", "3", "50"]),
    ("warning", 4, &["warn", "w", "4", "40"]),
    ("notice", 5, &["n", "5"]),
    ("info", 6, &["information", "informational", "log", "config", "i", "6", "30"]),
    ("debug", 7, &["dbg", "debug1", "verbose", "fine", "d", "7", "20"]),
    ("trace", 7, &["finer", "finest", "silly", "t", "v", "10"]),
];

fn level(name: &[u8]) -> Option<usize> {
    let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    LEVELS.iter().position(|(word, _, others)| is(word) || others.iter().any(|other| is(other)))
}

impl Step for NormalizeSeverity {
    fn apply(&self, batch: &mut Batch, selected: &mut Vec<u32>, bench: &mut Bench) {
        let mut words = [None; LEVELS.len()];
        for index in selected.iter().map(|&index| index as usize) {
            let Some(name) = read::text(batch, index, self.0, &mut bench.room) else { continue };
            let name = name.trim_ascii();
            let Some(level) = level(name) else {
                bench.fail(batch, index, self.0, "is not the name of a level");
                continue;
            };
            let (word, number, _) = LEVELS[level];
            if self.0 != key::LOG_LEVEL || name != word.as_bytes() {
                let word = *words[level].get_or_insert_with(|| batch.make_text(word.as_bytes()));
                batch.set(index, key::LOG_LEVEL, word);
            }
            batch.set(index, key::EVENT_SEVERITY, Value::Integer(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_level() {
        for (number, (word, _, others)) in LEVELS.iter().enumerate() {
            for name in others.iter().chain([word]) {
                assert_eq!(level(name.to_uppercase().as_bytes()), Some(number), "{name}");
            }
        }
        assert_eq!(level(b"loud"), None);
    }
}
