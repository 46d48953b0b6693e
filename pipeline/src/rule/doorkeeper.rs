//! Who is let into a full table.
//!
//! Owns: two Bloom filters of half a mebibyte, the younger of which learns.
//! Promises: of keys that come once, all but a few in a hundred stay outside; a key that comes again within the next
//! [`KEYS_PER_GENERATION`] new keys is let in.
//! Never: forgets a key that it saw among the last [`KEYS_PER_GENERATION`].

/// Blocks of a filter, one cache line each.
const BLOCKS: usize = 8192;
const BLOCK_BITS: u64 = 512;
/// Keys that a filter learns before it becomes the elder one: eight bits a key.
pub(super) const KEYS_PER_GENERATION: u32 = 1 << 19;

type Block = [u64; 8];

/// Remembers keys that have no slot.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    young: Vec<Block>,
    old: Vec<Block>,
    learned: u32,
}

impl Doorkeeper {
    /// Bytes that one takes.
    pub(super) const BYTES: usize = 2 * BLOCKS * size_of::<Block>();

    pub(super) fn new() -> Self {
        Self { young: vec![[0; 8]; BLOCKS], old: vec![[0; 8]; BLOCKS], learned: 0 }
    }

    /// Whether the key came before; it has come now.
    pub(super) fn knows(&mut self, key: u128) -> bool {
        // The table's index goes by the lower half.
        let hash = (key >> 64) as u64;
        let block = hash as usize % BLOCKS;
        let bits = [13, 22, 31].map(|shift| (hash >> shift) % BLOCK_BITS);
        let has = |block: &Block| bits.iter().all(|bit| block[(bit / 64) as usize] >> (bit % 64) & 1 == 1);
        if has(&self.young[block]) {
            return true;
        }
        let known = has(&self.old[block]);
        for bit in bits {
            self.young[block][(bit / 64) as usize] |= 1 << (bit % 64);
        }
        self.learned += 1;
        if self.learned == KEYS_PER_GENERATION {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.fill([0; 8]);
            self.learned = 0;
        }
        known
    }
}
