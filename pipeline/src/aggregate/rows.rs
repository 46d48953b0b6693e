//! The groups of a window, or of a part of one, and what is kept of each.
//!
//! Owns: [`Rows`].
//! Promises: adding an event allocates only when its group is new, or for what sketches hold; two parts merge to the whole, in
//! any order; no more groups than the bound.
//! Never: knows times, but those of first and last values.

use hashbrown::HashTable;

use super::column::{Cell, Column};
use super::function::Kept;
use super::samples::Sample;
use crate::snapshot::{Decoder, Encoder};

/// Groups and what is kept of them. A group's row is its number.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    index: HashTable<u32>,
    hashes: Vec<u128>,
    /// Where the name of each group ends in `names`.
    ends: Vec<u32>,
    names: Vec<u8>,
    columns: Vec<Column>,
}

/// There is no room for another group.
#[derive(Debug)]
pub(super) struct Full;

impl Rows {
    pub(super) fn new(kept: &[Kept]) -> Self {
        let columns = kept.iter().map(|kept| Column::new(*kept)).collect();
        let (hashes, ends, names) = (Vec::new(), Vec::new(), Vec::new());
        Self { index: HashTable::new(), hashes, ends, names, columns }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The JSON of the values of a row's group.
    pub(super) fn group(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.names[start as usize..self.ends[row] as usize]
    }

    pub(super) fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        self.columns[column].cell(row)
    }

    /// Adds an event to its group.
    #[inline]
    pub(super) fn add(&mut self, sample: &Sample<'_>, groups_max: usize) -> Result<(), Full> {
        let row = match self.row(sample.hash) {
            Some(row) => row,
            None if self.len() >= groups_max => return Err(Full),
            None => self.insert(sample.hash, sample.group)?,
        };
        self.columns.iter_mut().for_each(|column| column.add(row, sample));
        Ok(())
    }

    /// Adds what the other has kept. Groups for which there is no room are left out; says how many.
    pub(super) fn merge(&mut self, other: &Self, groups_max: usize) -> u64 {
        let mut left_out = 0;
        for (row, hash) in other.hashes.iter().enumerate() {
            let own = match self.row(*hash) {
                Some(own) => Ok(own),
                None if self.len() >= groups_max => Err(Full),
                None => self.insert(*hash, other.group(row)),
            };
            match own {
                Ok(own) => {
                    let columns = self.columns.iter_mut().zip(&other.columns);
                    columns.for_each(|(column, other)| column.merge(own, other, row));
                }
                Err(Full) => left_out += 1,
            }
        }
        left_out
    }

    /// The rows in the order of their groups.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let mut rows = (0..self.len()).collect::<Vec<_>>();
        rows.sort_unstable_by(|one, other| self.group(*one).cmp(self.group(*other)));
        rows
    }

    pub(super) fn save(&self, out: &mut Encoder<'_>) {
        out.list(self.hashes.iter());
        self.ends.iter().for_each(|end| out.u32(*end));
        out.text(&self.names);
        self.columns.iter().for_each(|column| column.save(out));
    }

    /// Those that an aggregate which keeps the same has saved.
    pub(super) fn load(kept: &[Kept], from: &mut Decoder<'_>) -> Option<Self> {
        let mut rows = Self::new(kept);
        let hashes = from.list::<u128>()?;
        let ends = (0..hashes.len()).map(|_| from.u32()).collect::<Option<Vec<_>>>()?;
        let names = from.text()?;
        let mut start = 0;
        for (hash, end) in hashes.into_iter().zip(ends) {
            rows.insert(hash, names.get(start..end as usize)?).ok()?;
            start = end as usize;
        }
        let len = rows.len();
        rows.columns.iter_mut().all(|column| column.load(len, from).is_some()).then_some(rows)
    }

    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        let row = size_of::<u32>() * 2 + 1 + size_of::<u128>();
        let columns = self.columns.iter().map(Column::bytes).sum::<usize>();
        self.hashes.capacity() * row + self.names.capacity() + columns
    }

    #[inline]
    fn row(&self, hash: u128) -> Option<usize> {
        self.index.find(short(hash), |row| self.hashes[*row as usize] == hash).map(|row| *row as usize)
    }

    #[cold]
    fn insert(&mut self, hash: u128, group: &[u8]) -> Result<usize, Full> {
        let row = self.len();
        let number = u32::try_from(row).map_err(|_| Full)?;
        let end = u32::try_from(self.names.len() + group.len()).map_err(|_| Full)?;
        self.names.extend_from_slice(group);
        self.ends.push(end);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.index.insert_unique(short(hash), number, |row| short(hashes[*row as usize]));
        self.columns.iter_mut().for_each(Column::push);
        Ok(row)
    }
}

/// The part of a hash by which the table finds its place.
#[inline]
fn short(hash: u128) -> u64 {
    #[allow(clippy::cast_possible_truncation)]
    let short = hash as u64;
    short
}
