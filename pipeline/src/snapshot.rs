//! State as bytes.
//!
//! Owns: [`Encoder`] and [`Decoder`], little-endian numbers one after another, the checksum around them, and [`Saved`], what can be
//! written and read that way.
//! Promises: a decoder never reads past its bytes, never panics, and takes no more memory than its bytes account for; bytes that
//! a checksum does not fit are refused.
//! Never: knows what the numbers mean.

use xxhash_rust::xxh3::xxh3_64;

use crate::event::Origin;

/// Why bytes are not taken over as state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another release wrote it.
    #[error("state of version {0} cannot be read")]
    Version(u8),
    /// What it belongs to was changed.
    #[error("the state belongs to other settings")]
    Settings,
    /// It is cut short, too long or changed.
    #[error("the state is damaged")]
    Damaged,
    /// More keys than the rule may have.
    #[error("the state has {keys} keys, more than `max_keys`")]
    Keys {
        /// How many it has.
        keys: u32,
    },
}

const CHECKSUM_LEN: usize = 8;

/// Appends numbers.
#[derive(Debug)]
pub(crate) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.out.push(number);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    /// A length, which has a bound far below.
    pub(crate) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn u128(&mut self, number: u128) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, number: f64) {
        self.u64(number.to_bits());
    }

    pub(crate) fn origin(&mut self, origin: Origin) {
        self.u64(origin.stream);
        self.u64(origin.offset);
    }

    /// Appends bytes with their length.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.u64(text.len() as u64);
        self.bytes(text);
    }

    /// Appends what `write` appends, with its length.
    pub(crate) fn nested(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        self.u64(0);
        write(self.out);
        let len = (self.out.len() - at - size_of::<u64>()) as u64;
        self.out[at..at + size_of::<u64>()].copy_from_slice(&len.to_le_bytes());
    }

    /// Appends items with their number.
    pub(crate) fn list<'i, T: Saved + 'i>(&mut self, items: impl ExactSizeIterator<Item = &'i T>) {
        self.u64(items.len() as u64);
        items.for_each(|item| item.save(self));
    }

    /// Appends the checksum of all that was appended.
    pub(crate) fn finish(self) {
        let checksum = xxh3_64(&self.out[self.start..]);
        self.out.extend_from_slice(&checksum.to_le_bytes());
    }
}

/// Takes numbers from the front.
#[derive(Debug)]
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// The numbers in these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The numbers in front of the checksum, if that fits.
    pub(crate) fn checked(bytes: &'a [u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_LEN>()?;
        (xxh3_64(body) == u64::from_le_bytes(*checksum)).then_some(Self(body))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that are left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[number]| number)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length that is not above `most`.
    pub(crate) fn length(&mut self, most: usize) -> Option<usize> {
        self.u32().map(|length| length as usize).filter(|&length| length <= most)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// Bytes behind their length.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u64()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }

    /// Items behind their number.
    pub(crate) fn list<T: Saved>(&mut self) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?).ok()?;
        // Each item is a byte at least, so that a number that is none allocates nothing.
        let mut items = Vec::with_capacity(count.min(self.0.len() / T::BYTES_MIN));
        for _ in 0..count {
            items.push(T::load(self)?);
        }
        Some(items)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(crate) fn origin(&mut self) -> Option<Origin> {
        Some(Origin { stream: self.u64()?, offset: self.u64()? })
    }
}

/// What can be written as bytes and read again.
pub(crate) trait Saved: Sized {
    /// How many bytes it takes at least; more than none.
    const BYTES_MIN: usize;

    fn save(&self, out: &mut Encoder<'_>);

    fn load(from: &mut Decoder<'_>) -> Option<Self>;
}

impl Saved for u64 {
    const BYTES_MIN: usize = 8;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u64(*self);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.u64()
    }
}

impl Saved for i64 {
    const BYTES_MIN: usize = 8;

    fn save(&self, out: &mut Encoder<'_>) {
        out.i64(*self);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.i64()
    }
}

impl Saved for u128 {
    const BYTES_MIN: usize = 16;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u128(*self);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.u128()
    }
}

impl Saved for f64 {
    const BYTES_MIN: usize = 8;

    fn save(&self, out: &mut Encoder<'_>) {
        out.f64(*self);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.f64()
    }
}

impl Saved for Origin {
    const BYTES_MIN: usize = 16;

    fn save(&self, out: &mut Encoder<'_>) {
        out.origin(*self);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        from.origin()
    }
}

impl<T: Saved> Saved for Option<T> {
    const BYTES_MIN: usize = 1;

    fn save(&self, out: &mut Encoder<'_>) {
        out.u8(u8::from(self.is_some()));
        self.iter().for_each(|item| item.save(out));
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        match from.u8()? {
            0 => Some(None),
            1 => T::load(from).map(Some),
            _ => None,
        }
    }
}
