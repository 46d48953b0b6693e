//! What a step remembers of the keys that it met lately.
//!
//! Owns: [`Recent`], a map with a bound.
//! Promises: never more than the keys it was made for; each call is O(1) over time.
//! Never: looks at a clock.

use std::collections::HashMap;

use foldhash::quality::RandomState;

/// A map of the keys met lately, in two generations: when the newer one is full, the older one is forgotten.
#[derive(Debug)]
pub(super) struct Recent<T> {
    newer: HashMap<u128, T, RandomState>,
    older: HashMap<u128, T, RandomState>,
    generation: usize,
}

impl<T> Recent<T> {
    /// A map of at most so many keys, two at least.
    pub(super) fn new(keys_max: usize) -> Self {
        Self { newer: HashMap::default(), older: HashMap::default(), generation: (keys_max / 2).max(1) }
    }

    /// What is remembered of a key. One of the older generation moves to the newer one, if there is room.
    pub(super) fn get(&mut self, key: u128) -> Option<&mut T> {
        if self.newer.len() < self.generation
            && let Some(value) = self.older.remove(&key)
        {
            self.newer.insert(key, value);
        }
        match self.newer.get_mut(&key) {
            Some(value) => Some(value),
            None => self.older.get_mut(&key),
        }
    }

    /// Remembers a new key. Returns how many keys had to be forgotten for it that `is_live`.
    pub(super) fn insert(&mut self, key: u128, value: T, is_live: impl Fn(&T) -> bool) -> u64 {
        let mut forgotten = 0;
        if self.newer.len() >= self.generation {
            forgotten = self.older.values().filter(|value| is_live(value)).count() as u64;
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(key, value);
        forgotten
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_stays_below_the_bound_and_what_is_used_is_kept() {
        let mut recent = Recent::new(100);
        let mut forgotten = recent.insert(0, 7, |_| true);
        for key in 1..10_000 {
            assert_eq!(recent.get(0), Some(&mut 7));
            forgotten += recent.insert(key, 1, |_| true);
            assert!(recent.len() <= 100, "{}", recent.len());
        }
        assert_eq!(forgotten + recent.len() as u64, 10_000);
        assert_eq!(recent.get(1), None);
    }
}
