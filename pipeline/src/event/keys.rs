//! Field names and their numbers.
//!
//! Owns: [`Keys`], the process-wide table, and [`KeyTable`], one worker's copy of it.
//! Promises: a key has one number for the life of the process; a worker that met a key before finds it without a
//! lock; the table never grows past its limit, whatever the input (a flood of invented keys costs no memory).
//! Never: forgets a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::quality::RandomState;
use logweir_parsers::{KeyId, format::Shape, key::KNOWN};

use super::writer::Label;

/// Longest key that gets a number, in bytes. A longer one is written as it is but cannot be addressed.
const KEY_BYTES_MAX: usize = 256;

/// The process-wide table of keys.
#[derive(Debug)]
pub struct Keys {
    entries: Mutex<Vec<Arc<Entry>>>,
    limit: usize,
}

#[derive(Debug)]
struct Entry {
    name: Box<[u8]>,
    /// `,"name":"` with the name escaped: as it stands before a text; without its last byte, before any other value.
    label: Label,
}

impl Keys {
    /// A table with the well-known keys, for at most `limit` keys met at run time (65,000 at most).
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        let entries = KNOWN.iter().map(|name| Arc::new(Entry::new(name.as_bytes()))).collect::<Vec<_>>();
        let limit = (entries.len() + limit).min(usize::from(u16::MAX));
        Arc::new(Self { entries: Mutex::new(entries), limit })
    }

    /// The number of a key that the config names, or `None` when the table is full.
    #[must_use]
    pub fn intern(self: &Arc<Self>, name: &str) -> Option<KeyId> {
        KeyTable::new(Arc::clone(self)).intern(name.as_bytes())
    }

    /// Finds or adds `name`, after entries that other workers added since `known`.
    fn intern_after(&self, known: &mut Vec<Arc<Entry>>, name: &[u8]) -> Option<usize> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let first_new = known.len();
        known.extend(entries[first_new..].iter().cloned());
        if let Some(found) = entries[first_new..].iter().position(|entry| *entry.name == *name) {
            return Some(first_new + found);
        }
        if entries.len() >= self.limit {
            return None;
        }
        let entry = Arc::new(Entry::new(name));
        entries.push(Arc::clone(&entry));
        known.push(entry);
        Some(entries.len() - 1)
    }
}

impl Entry {
    fn new(name: &[u8]) -> Self {
        let mut json = b",\"".to_vec();
        super::escape::append_escaped(name, &mut json);
        json.extend_from_slice(b"\":\"");
        Self { name: name.into(), label: Label::new(&json) }
    }
}

/// One worker's copy of the table: look-ups without a lock.
#[derive(Debug)]
pub struct KeyTable {
    keys: Arc<Keys>,
    entries: Vec<Arc<Entry>>,
    numbers: HashMap<Box<[u8]>, KeyId, RandomState>,
    /// For each key, the one that was asked for after it last time: lines of one log have their keys in one order.
    followers: Vec<KeyId>,
    last: KeyId,
    full: bool,
    /// What grammars remember of the lines that this worker parsed, and of the fields that it parsed again.
    shapes: [Shape; 2],
}

impl KeyTable {
    /// A copy of the table as it stands.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        let first = KeyId(0);
        let (entries, numbers, followers) = (Vec::new(), HashMap::default(), Vec::new());
        let mut table =
            Self { keys, entries, numbers, followers, last: first, full: false, shapes: Default::default() };
        table.entries = table.keys.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        table.index_from(0);
        table
    }

    /// The number of `name`, given now if need be; `None` when it is too long or the table is full.
    #[inline]
    pub fn intern(&mut self, name: &[u8]) -> Option<KeyId> {
        let follower = self.followers[usize::from(self.last.0)];
        if *self.entries[usize::from(follower.0)].name == *name {
            self.last = follower;
            return Some(follower);
        }
        let id = match self.numbers.get(name) {
            Some(&id) => id,
            None => self.intern_slowly(name)?,
        };
        self.followers[usize::from(self.last.0)] = id;
        self.last = id;
        Some(id)
    }

    /// What grammars remember of the lines so far, or of the fields that are parsed again.
    #[inline]
    pub(super) fn shape(&mut self, is_field: bool) -> &mut Shape {
        &mut self.shapes[usize::from(is_field)]
    }

    /// Whether the copy has this key; a key that it lacks came from another worker.
    #[inline]
    #[must_use]
    pub fn has(&self, key: KeyId) -> bool {
        usize::from(key.0) < self.entries.len()
    }

    /// `,"name":"`, as an output writes it before a text; without its last byte, before any other value. A key that
    /// the copy lacks came from another worker.
    #[inline]
    #[must_use]
    pub(super) fn label(&self, key: KeyId) -> Option<&Label> {
        self.entries.get(usize::from(key.0)).map(|entry| &entry.label)
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self, key: KeyId) -> &[u8] {
        self.entries.get(usize::from(key.0)).map_or(b"?", |entry| &entry.name)
    }

    /// Brings in the keys that other workers added.
    pub fn refresh(&mut self) {
        let first_new = self.entries.len();
        let keys = self.keys.entries.lock().unwrap_or_else(PoisonError::into_inner);
        self.entries.extend(keys[first_new..].iter().cloned());
        drop(keys);
        self.index_from(first_new);
    }

    #[cold]
    fn intern_slowly(&mut self, name: &[u8]) -> Option<KeyId> {
        if name.len() > KEY_BYTES_MAX || self.full {
            return None;
        }
        let first_new = self.entries.len();
        let found = self.keys.intern_after(&mut self.entries, name);
        self.full = found.is_none();
        self.index_from(first_new);
        found.and_then(|number| u16::try_from(number).ok()).map(KeyId)
    }

    fn index_from(&mut self, first: usize) {
        for (number, entry) in self.entries.iter().enumerate().skip(first) {
            if let Ok(number) = u16::try_from(number) {
                self.numbers.insert(entry.name.clone(), KeyId(number));
            }
        }
        self.followers.resize(self.entries.len(), KeyId(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Writer;

    #[test]
    fn two_workers_agree_on_numbers() {
        let keys = Keys::new(10);
        let (mut one, mut two) = (KeyTable::new(Arc::clone(&keys)), KeyTable::new(Arc::clone(&keys)));
        let a = one.intern(b"a");
        assert_eq!(two.intern(b"b").map(|id| id.0), a.map(|id| id.0 + 1));
        assert_eq!(two.intern(b"a"), a);
        one.refresh();
        assert_eq!(one.intern(b"b"), two.intern(b"b"));
        let mut out = Writer::default();
        out.push_label(one.label(a.unwrap()).unwrap(), 0);
        assert_eq!(out.as_slice(), b",\"a\":\"");
    }

    #[test]
    fn a_flood_of_keys_stops_at_the_limit() {
        let keys = Keys::new(3);
        let mut table = KeyTable::new(keys);
        let given = (0..1000).filter_map(|n| table.intern(format!("k{n}").as_bytes())).count();
        assert_eq!(given, 3);
        assert_eq!(table.intern(b"k0").map(|key| usize::from(key.0)), Some(KNOWN.len()));
        assert_eq!(table.intern(&[b'x'; KEY_BYTES_MAX + 1]), None);
    }
}
