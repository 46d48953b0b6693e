//! A kind and its keys.
//!
//! Owns: [`Kind`], the seam between the table and one file a kind; [`Keyed`], which finds a key's state, judges the windows
//! that ended, forgets keys and writes all of it down.
//! Promises: a hit sees its key as if the wheel had come round at that moment, so that the wheel decides on memory
//! and on when windows are judged, and never on how.
//! Never: knows what a kind asks for.

use std::fmt;
use std::hint::black_box;

use xxhash_rust::xxh3::xxh3_64;

use super::key_table::{Admitted, KeyTable, Standing};
use super::wheel::END;
use super::{Detector, Fired, Hit, Limits, RuleKind, SECOND, SnapshotError, Usage};
use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder};

/// The version of what [`Keyed::save`] writes.
const VERSION: u8 = 1;

/// Hits whose keys are looked up before the first of them is taken: a core waits for memory once for several look-ups, but
/// for each by itself when there is much to do between them.
const AHEAD: usize = 16;
/// Keys that a core's own caches have room for.
const CACHED_KEYS: usize = 10_000;

/// Takes what fires; the key is filled in afterwards.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Fired);

/// What a kind does with the state of one key.
pub(super) trait Kind: fmt::Debug + Send + 'static {
    /// What it remembers of a key; the default is that of a key never seen.
    type State: Default + fmt::Debug + Send;

    /// Takes a hit. Windows that ended before are judged already.
    fn hit(&self, state: &mut Self::State, hit: &Hit, emit: Emit<'_>);

    /// Judges what has ended at or before a time.
    fn settle(&self, _state: &mut Self::State, _until: i64, _emit: Emit<'_>) {}

    /// The first time at which the state is the same as none. `now` is a time from the last hit on, and not long after that.
    fn forget_at(&self, state: &Self::State, now: i64) -> i64;

    /// When there is next something to settle or to forget. It never moves to an earlier time.
    fn due(&self, state: &Self::State, now: i64) -> i64 {
        self.forget_at(state, now)
    }

    /// How hard it is to part with the state.
    fn standing(&self, state: &Self::State) -> Standing;

    /// Makes a key known without a hit. Whether that means something to the kind.
    fn register(&self, _state: &mut Self::State, _time: i64) -> bool {
        false
    }

    /// Whether a hit fires or not without regard to others.
    fn is_stateless(&self) -> bool {
        false
    }

    /// Bytes that the state holds elsewhere.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }

    fn write(&self, state: &Self::State, out: &mut Encoder<'_>);

    /// What [`Kind::write`] wrote, if it makes sense.
    fn read(&self, bytes: &mut Decoder<'_>) -> Option<Self::State>;
}

/// An event that nobody had.
pub(super) const NO_EVENT: Origin = Origin { stream: 0, offset: 0 };

/// Limits and settings that wait for their kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    limits: Limits,
    settings: u64,
}

impl Room {
    /// For a kind of these settings.
    pub(super) fn new(settings: &RuleKind, limits: Limits) -> Self {
        // `max_keys` may change without harm.
        Self { limits, settings: xxh3_64(format!("{settings:?} {:?}", limits.suppress).as_bytes()) }
    }

    pub(super) fn boxed<K: Kind>(&self, kind: K) -> Box<dyn Detector> {
        Box::new(Keyed {
            kind,
            table: KeyTable::new(self.limits.max_keys),
            heap: 0,
            now: i64::MIN,
            settings: self.settings,
            max_keys: self.limits.max_keys,
            lists: Vec::new(),
        })
    }
}

/// The detector of a kind.
#[derive(Debug)]
pub(super) struct Keyed<K: Kind> {
    kind: K,
    table: KeyTable<K::State>,
    /// Bytes that states hold outside of the table.
    heap: usize,
    /// The latest time heard of.
    now: i64,
    /// A hash of the rule's settings.
    settings: u64,
    max_keys: u32,
    /// Lists of keys that came up; empty between calls.
    lists: Vec<(i64, u32)>,
}

/// The keys of a snapshot, its time, and the bytes that states hold outside of the table.
type Decoded<K> = (KeyTable<<K as Kind>::State>, i64, usize);

impl<K: Kind> Keyed<K> {
    /// Judges and forgets what the wheel brings up.
    fn turn(&mut self, time: i64, fired: &mut Vec<Fired>) {
        self.now = self.now.max(time);
        if !self.table.wheel.is_behind(time) {
            return;
        }
        let mut lists = std::mem::take(&mut self.lists);
        self.table.wheel.turn(time, &mut lists);
        let before = fired.len();
        for (second, mut slot) in lists.drain(..) {
            while slot != END {
                let next = self.table.next(slot);
                self.look(slot, second.saturating_mul(SECOND), fired);
                slot = next;
            }
        }
        fired[before..].sort_unstable_by_key(|fired| (fired.end, fired.key, fired.part));
        self.lists = lists;
    }

    /// Looks at a key that came up at a time, and is in no list now. However far the watermark jumped, the key is taken from
    /// one time at which it is due to the next: states know times by what is not long after them.
    fn look(&mut self, slot: u32, mut time: i64, fired: &mut Vec<Fired>) {
        let key = self.table.key(slot);
        let state = self.table.state_mut(slot);
        let heap = self.kind.heap_bytes(state);
        loop {
            self.kind.settle(state, time, &mut |event| fired.push(Fired { key, ..event }));
            if time >= self.kind.forget_at(state, time) {
                self.table.remove(slot);
                self.heap = self.heap.saturating_sub(heap);
                return;
            }
            let due = self.kind.due(state, time);
            if due > self.now {
                self.heap = (self.heap + self.kind.heap_bytes(state)).saturating_sub(heap);
                self.table.wait(slot, due);
                return;
            }
            time = due.max(time.saturating_add(1));
        }
    }

    /// The slot of the key, with what ended before the hit judged.
    fn slot(&mut self, key: u128, now: i64, fired: &mut Vec<Fired>) -> Option<Admitted> {
        let Some(slot) = self.table.find(key) else {
            let (kind, heap) = (&self.kind, self.heap);
            let mut freed = 0;
            let rank = |state: &K::State| (kind.standing(state), kind.forget_at(state, now));
            let admitted = self.table.admit(key, rank, |state| freed = kind.heap_bytes(state));
            self.heap = heap.saturating_sub(freed);
            return admitted;
        };
        let state = self.table.state_mut(slot);
        let heap = self.kind.heap_bytes(state);
        self.kind.settle(state, now, &mut |event| fired.push(Fired { key, ..event }));
        if now >= self.kind.forget_at(state, now) {
            *state = K::State::default();
        }
        self.heap = (self.heap + self.kind.heap_bytes(state)).saturating_sub(heap);
        Some(Admitted { slot, waits: true })
    }

    fn decode(&self, bytes: &[u8]) -> Result<Decoded<K>, SnapshotError> {
        let mut bytes = Decoder::checked(bytes).ok_or(SnapshotError::Damaged)?;
        let version = bytes.u8().ok_or(SnapshotError::Damaged)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        if bytes.u64().ok_or(SnapshotError::Damaged)? != self.settings {
            return Err(SnapshotError::Settings);
        }
        self.decode_keys(&mut bytes)?.ok_or(SnapshotError::Damaged)
    }

    fn decode_keys(&self, bytes: &mut Decoder<'_>) -> Result<Option<Decoded<K>>, SnapshotError> {
        let (Some(now), Some(evicted), Some(refused), Some(keys)) =
            (bytes.i64(), bytes.u64(), bytes.u64(), bytes.u32())
        else {
            return Ok(None);
        };
        if keys > self.max_keys {
            return Err(SnapshotError::Keys { keys });
        }
        let mut table = KeyTable::new(self.max_keys);
        (table.evicted, table.refused) = (evicted, refused);
        let mut lists = Vec::new();
        table.wheel.turn(now, &mut lists);
        let mut heap = 0;
        for _ in 0..keys {
            let Some(key) = bytes.array().map(u128::from_le_bytes) else { return Ok(None) };
            let Some(state) = self.kind.read(bytes) else { return Ok(None) };
            let (None, Some(Admitted { slot, .. })) = (table.find(key), table.admit_known(key)) else {
                return Ok(None);
            };
            heap += self.kind.heap_bytes(&state);
            let due = self.kind.due(&state, now);
            *table.state_mut(slot) = state;
            table.wait(slot, due);
        }
        Ok(bytes.is_empty().then_some((table, now, heap)))
    }
}

impl<K: Kind> Detector for Keyed<K> {
    fn hit(&mut self, key: u128, hit: &Hit, fired: &mut Vec<Fired>) {
        // Time does not go back, whatever a caller says.
        let hit = &Hit { time: hit.time.max(self.now), ..*hit };
        if self.kind.is_stateless() {
            let mut none = K::State::default();
            return self.kind.hit(&mut none, hit, &mut |event| fired.push(Fired { key, ..event }));
        }
        self.turn(hit.time, fired);
        let Some(Admitted { slot, waits }) = self.slot(key, hit.time, fired) else { return };
        let state = self.table.state_mut(slot);
        let heap = self.kind.heap_bytes(state);
        self.kind.hit(state, hit, &mut |event| fired.push(Fired { key, ..event }));
        self.heap = (self.heap + self.kind.heap_bytes(state)).saturating_sub(heap);
        if !waits {
            let due = self.kind.due(state, hit.time);
            self.table.wait(slot, due);
        }
    }

    fn hits(&mut self, hits: &[(u128, Hit)], fired: &mut Vec<Fired>) {
        for hits in hits.chunks(AHEAD) {
            if self.table.len() > CACHED_KEYS {
                let find = |(key, _): &(u128, Hit)| self.table.find(*key).map(|slot| self.table.state(slot));
                let near = |state: &K::State| self.kind.standing(state) == Standing::Near;
                black_box(hits.iter().filter_map(find).filter(|state| near(state)).count());
            }
            hits.iter().for_each(|(key, hit)| self.hit(*key, hit, fired));
        }
    }

    fn advance(&mut self, watermark: i64, fired: &mut Vec<Fired>) {
        self.turn(watermark, fired);
    }

    fn register(&mut self, key: u128, time: i64) {
        let time = time.max(self.now);
        self.now = time;
        if !self.kind.register(&mut K::State::default(), time) {
            return;
        }
        let found = self.table.find(key).map(|slot| Admitted { slot, waits: true });
        match found.or_else(|| self.table.admit_known(key)) {
            Some(Admitted { slot, waits }) => {
                let state = self.table.state_mut(slot);
                self.kind.register(state, time);
                if !waits {
                    let due = self.kind.due(state, time);
                    self.table.wait(slot, due);
                }
            }
            None => self.table.refused += 1,
        }
    }

    fn usage(&self) -> Usage {
        Usage {
            keys: self.table.len(),
            bytes: self.table.bytes() + self.heap,
            evicted: self.table.evicted,
            refused: self.table.refused,
        }
    }

    fn save(&self, bytes: &mut Vec<u8>) {
        let mut out = Encoder::new(bytes);
        out.u8(VERSION);
        out.u64(self.settings);
        out.i64(self.now);
        out.u64(self.table.evicted);
        out.u64(self.table.refused);
        out.length(self.table.len());
        for slot in self.table.live() {
            out.bytes(&self.table.key(slot).to_le_bytes());
            self.kind.write(self.table.state(slot), &mut out);
        }
        out.finish();
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        (self.table, self.now, self.heap) = self.decode(bytes)?;
        Ok(())
    }
}
