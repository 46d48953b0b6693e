//! The keys of a rule that have state.
//!
//! Owns: [`KeyTable`]: slots in pages that never move, the index of them by key, the lists of free and of waiting slots,
//! and who is let in when all slots are taken.
//! Promises: never more keys than `max_keys`. When it is full, a key gets a slot at its second hit, that of the stalest
//! among a few that are far from firing, or else among those that are near; never that of one that has fired.
//! Never: keeps a key's text; knows what a state means.

use hashbrown::HashTable;

use super::doorkeeper::Doorkeeper;
use super::wheel::{END, Wheel};

/// The most slots: links have a bit to spare.
pub(super) const KEYS_MAX: u32 = 2_000_000_000;

const PAGE_BITS: u32 = 10;
const PAGE: usize = 1 << PAGE_BITS;
/// Set in the link of a slot that is free.
const FREE: u32 = 1 << 31;
/// Slots of which one is given away.
const SAMPLE: u32 = 16;

/// How hard it is to part with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Below half of the threshold.
    Far,
    /// From half of it on.
    Near,
    /// It has fired and is not armed again, or must be remembered for another reason.
    Kept,
}

#[derive(Debug)]
struct Slot<S> {
    /// Not an `u128`, which would be aligned to 16 bytes.
    key: [u32; 4],
    /// The next slot in its list.
    next: u32,
    state: S,
}

/// A slot that was given to a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) slot: u32,
    /// Whether the wheel has the slot already.
    pub(super) waits: bool,
}

/// State by key.
#[derive(Debug)]
pub(super) struct KeyTable<S> {
    index: HashTable<u32>,
    pages: Vec<Vec<Slot<S>>>,
    slots: u32,
    free: u32,
    max_keys: u32,
    hand: u32,
    doorkeeper: Option<Doorkeeper>,
    pub(super) wheel: Wheel,
    pub(super) evicted: u64,
    pub(super) refused: u64,
}

fn parts(key: u128) -> [u32; 4] {
    [0, 32, 64, 96].map(|shift| (key >> shift) as u32)
}

fn whole(parts: [u32; 4]) -> u128 {
    parts.iter().rev().fold(0, |key, part| key << 32 | u128::from(*part))
}

fn hash(parts: [u32; 4]) -> u64 {
    u64::from(parts[1]) << 32 | u64::from(parts[0])
}

impl<S: Default> KeyTable<S> {
    pub(super) fn new(max_keys: u32) -> Self {
        Self {
            index: HashTable::new(),
            pages: Vec::new(),
            slots: 0,
            free: END,
            max_keys,
            hand: 0,
            doorkeeper: None,
            wheel: Wheel::new(),
            evicted: 0,
            refused: 0,
        }
    }

    fn slot(&self, slot: u32) -> &Slot<S> {
        &self.pages[(slot >> PAGE_BITS) as usize][slot as usize % PAGE]
    }

    fn slot_mut(&mut self, slot: u32) -> &mut Slot<S> {
        &mut self.pages[(slot >> PAGE_BITS) as usize][slot as usize % PAGE]
    }

    pub(super) fn state(&self, slot: u32) -> &S {
        &self.slot(slot).state
    }

    pub(super) fn state_mut(&mut self, slot: u32) -> &mut S {
        &mut self.slot_mut(slot).state
    }

    pub(super) fn key(&self, slot: u32) -> u128 {
        whole(self.slot(slot).key)
    }

    pub(super) fn next(&self, slot: u32) -> u32 {
        self.slot(slot).next
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes, without what states hold elsewhere.
    pub(super) fn bytes(&self) -> usize {
        self.pages.iter().map(|page| page.capacity() * size_of::<Slot<S>>()).sum::<usize>()
            + self.pages.capacity() * size_of::<Vec<Slot<S>>>()
            + self.index.allocation_size()
            + self.doorkeeper.as_ref().map_or(0, |_| Doorkeeper::BYTES)
    }

    /// The slots with a key, in the order of memory.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> {
        (0..self.slots).filter(|&slot| self.slot(slot).next & FREE == 0)
    }

    pub(super) fn find(&self, key: u128) -> Option<u32> {
        let key = parts(key);
        self.index.find(hash(key), |&slot| self.slot(slot).key == key).copied()
    }

    /// A slot for a key that has none. `rank` says how hard it is to part with a state, and until when it means something;
    /// `lost` sees the state that goes.
    pub(super) fn admit(
        &mut self,
        key: u128,
        rank: impl Fn(&S) -> (Standing, i64),
        lost: impl FnOnce(&S),
    ) -> Option<Admitted> {
        let admitted = if self.index.len() < self.max_keys as usize {
            Some(Admitted { slot: self.take(), waits: false })
        } else if self.doorkeeper.get_or_insert_with(Doorkeeper::new).knows(key) {
            self.evict(rank, lost)
        } else {
            None
        };
        let Some(admitted) = admitted else {
            self.refused += 1;
            return None;
        };
        self.put(admitted.slot, key);
        Some(admitted)
    }

    /// A slot for a key that is to have one whatever it costs, up to `max_keys`.
    pub(super) fn admit_known(&mut self, key: u128) -> Option<Admitted> {
        (self.index.len() < self.max_keys as usize).then(|| {
            let slot = self.take();
            self.put(slot, key);
            Admitted { slot, waits: false }
        })
    }

    fn put(&mut self, slot: u32, key: u128) {
        let key = parts(key);
        self.slot_mut(slot).key = key;
        let pages = &self.pages;
        let hasher = |slot: &u32| hash(pages[(slot >> PAGE_BITS) as usize][*slot as usize % PAGE].key);
        self.index.insert_unique(hash(key), slot, hasher);
    }

    fn take(&mut self) -> u32 {
        if self.free != END {
            let slot = self.free;
            let link = &mut self.slot_mut(slot).next;
            let next = *link & !FREE;
            *link = END;
            self.free = next;
            return slot;
        }
        let slot = self.slots;
        if slot as usize == self.pages.len() * PAGE {
            self.pages.push(Vec::with_capacity(PAGE.min(self.max_keys as usize)));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(Slot { key: [0; 4], next: END, state: S::default() });
        }
        self.slots += 1;
        slot
    }

    /// Frees the slot of one key for another. It stays in its list, which comes up before the new key is due: that came
    /// later, and is remembered for as long.
    fn evict(&mut self, rank: impl Fn(&S) -> (Standing, i64), lost: impl FnOnce(&S)) -> Option<Admitted> {
        let sample = (0..SAMPLE.min(self.slots)).map(|step| (self.hand + step) % self.slots);
        let taken = sample.filter(|&slot| self.slot(slot).next & FREE == 0);
        let victim = taken.map(|slot| (rank(self.state(slot)), slot)).min();
        self.hand = (self.hand + SAMPLE) % self.slots.max(1);
        let ((standing, _), slot) = victim?;
        if standing == Standing::Kept {
            return None;
        }
        self.unlist(slot);
        lost(self.state(slot));
        *self.state_mut(slot) = S::default();
        self.evicted += 1;
        Some(Admitted { slot, waits: true })
    }

    fn unlist(&mut self, slot: u32) {
        let hash = hash(self.slot(slot).key);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
    }

    /// Takes the slot from its key; it must be in no list.
    pub(super) fn remove(&mut self, slot: u32) {
        self.unlist(slot);
        let free = self.free;
        let place = self.slot_mut(slot);
        place.state = S::default();
        place.next = FREE | free;
        self.free = slot;
    }

    /// Puts a slot that is in no list into the one that comes up when it is due.
    pub(super) fn wait(&mut self, slot: u32, due: i64) {
        let next = std::mem::replace(self.wheel.list(due), slot);
        self.slot_mut(slot).next = next;
    }
}
