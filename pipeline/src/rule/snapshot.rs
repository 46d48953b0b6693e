//! State as bytes.
//!
//! Owns: [`Encoder`] and [`Decoder`], little-endian numbers one after another, and the checksum around them.
//! Promises: a decoder never reads past its bytes and never panics; bytes that a checksum does not fit are refused.
//! Never: knows what the numbers mean.

use xxhash_rust::xxh3::xxh3_64;

use crate::event::Origin;

/// Why bytes are not taken over as state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another release wrote it.
    #[error("state of version {0} cannot be read")]
    Version(u8),
    /// The rule was changed.
    #[error("the state belongs to a rule with other settings")]
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
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.out.push(number);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    /// A length, which has a bound far below.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(super) fn i64(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(super) fn f64(&mut self, number: f64) {
        self.u64(number.to_bits());
    }

    pub(super) fn origin(&mut self, origin: Origin) {
        self.u64(origin.stream);
        self.u64(origin.offset);
    }

    /// Appends the checksum of all that was appended.
    pub(super) fn finish(self) {
        let checksum = xxh3_64(&self.out[self.start..]);
        self.out.extend_from_slice(&checksum.to_le_bytes());
    }
}

/// Takes numbers from the front.
#[derive(Debug)]
pub(super) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// The numbers in front of the checksum, if that fits.
    pub(super) fn checked(bytes: &'a [u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_LEN>()?;
        (xxh3_64(body) == u64::from_le_bytes(*checksum)).then_some(Self(body))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[number]| number)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length that is not above `most`.
    pub(super) fn length(&mut self, most: usize) -> Option<usize> {
        self.u32().map(|length| length as usize).filter(|&length| length <= most)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(super) fn origin(&mut self) -> Option<Origin> {
        Some(Origin { stream: self.u64()?, offset: self.u64()? })
    }
}
