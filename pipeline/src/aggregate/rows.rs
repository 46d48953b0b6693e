//! The groups of a window, or of a part of one, and what is kept of each.
//!
//! Owns: [`Rows`], and [`Column`], one thing kept of every group.
//! Promises: adding an event allocates only when its group is new, or for what sketches hold; two parts merge to the whole, in
//! any order; no more groups than the bound.
//! Never: knows times, but those of first and last values.

use hashbrown::HashTable;

use super::distinct::Distinct;
use super::function::Kept;
use super::percentile::Percentiles;
use super::samples::Sample;
use super::sum::Sum;
use super::top::Top;
use crate::event::Origin;

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

/// One thing kept of every group, by rows.
#[derive(Clone, Debug)]
enum Column {
    Count(Vec<u64>),
    CountTrue(usize, Vec<u64>),
    CountNumbers(usize, Vec<u64>),
    Sum(usize, Vec<Sum>),
    /// Infinite until there is a number.
    Min(usize, Vec<f64>),
    Max(usize, Vec<f64>),
    First(usize, Vec<Option<Moment>>),
    Last(usize, Vec<Option<Moment>>),
    Distinct(usize, Vec<Distinct>),
    Percentile(usize, Vec<Percentiles>),
    Top(usize, Vec<Top>),
}

/// What is kept of one group, for whoever computes its results.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Whole(u64),
    Number(Option<f64>),
    Value(Option<&'a [u8]>),
    Percentiles(&'a Percentiles),
    Top(&'a Top),
}

/// A value, and which event it comes from: the earlier comes first, of two at the same time the one with the lower origin.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moment {
    time: i64,
    origin: Origin,
    value: Box<[u8]>,
}

impl Moment {
    fn order(&self) -> (i64, Origin) {
        (self.time, self.origin)
    }
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

impl Column {
    fn new(kept: Kept) -> Self {
        match kept {
            Kept::Count => Self::Count(Vec::new()),
            Kept::CountTrue(input) => Self::CountTrue(input, Vec::new()),
            Kept::CountNumbers(input) => Self::CountNumbers(input, Vec::new()),
            Kept::Sum(input) => Self::Sum(input, Vec::new()),
            Kept::Min(input) => Self::Min(input, Vec::new()),
            Kept::Max(input) => Self::Max(input, Vec::new()),
            Kept::First(input) => Self::First(input, Vec::new()),
            Kept::Last(input) => Self::Last(input, Vec::new()),
            Kept::Distinct(input) => Self::Distinct(input, Vec::new()),
            Kept::Percentile(input) => Self::Percentile(input, Vec::new()),
            Kept::Top(input) => Self::Top(input, Vec::new()),
        }
    }

    /// Makes a row for a group of which nothing was kept yet.
    fn push(&mut self) {
        match self {
            Self::Count(counts) | Self::CountTrue(_, counts) | Self::CountNumbers(_, counts) => {
                counts.push(0);
            }
            Self::Sum(_, sums) => sums.push(Sum::default()),
            Self::Min(_, numbers) => numbers.push(f64::INFINITY),
            Self::Max(_, numbers) => numbers.push(f64::NEG_INFINITY),
            Self::First(_, moments) | Self::Last(_, moments) => moments.push(None),
            Self::Distinct(_, sets) => sets.push(Distinct::default()),
            Self::Percentile(_, sketches) => sketches.push(Percentiles::default()),
            Self::Top(_, tops) => tops.push(Top::default()),
        }
    }

    #[inline]
    fn add(&mut self, row: usize, sample: &Sample<'_>) {
        match self {
            Self::Count(counts) => counts[row] += 1,
            Self::CountTrue(input, counts) => counts[row] += sample.inputs[*input],
            Self::CountNumbers(input, counts) => counts[row] += u64::from(sample.number(*input).is_some()),
            Self::Sum(input, sums) => {
                sample.number(*input).into_iter().for_each(|number| sums[row].add(number));
            }
            Self::Min(input, numbers) => {
                sample.number(*input).into_iter().for_each(|number| numbers[row] = numbers[row].min(number));
            }
            Self::Max(input, numbers) => {
                sample.number(*input).into_iter().for_each(|number| numbers[row] = numbers[row].max(number));
            }
            _ => self.add_to_sketch(row, sample),
        }
    }

    fn add_to_sketch(&mut self, row: usize, sample: &Sample<'_>) {
        match self {
            Self::First(input, moments) => {
                let order = (sample.time, sample.origin);
                if moments[row].as_ref().is_none_or(|known| order < known.order()) {
                    note(sample, *input, &mut moments[row]);
                }
            }
            Self::Last(input, moments) => {
                let order = (sample.time, sample.origin);
                if moments[row].as_ref().is_none_or(|known| order > known.order()) {
                    note(sample, *input, &mut moments[row]);
                }
            }
            Self::Distinct(input, sets) => match sample.inputs[*input] {
                super::function::ABSENT => {}
                hash => sets[row].add(hash),
            },
            Self::Percentile(input, sketches) => {
                sample.number(*input).into_iter().for_each(|number| sketches[row].add(number));
            }
            Self::Top(input, tops) => {
                sample.json(*input).into_iter().for_each(|value| tops[row].add(value, 1));
            }
            Self::Count(_)
            | Self::CountTrue(..)
            | Self::CountNumbers(..)
            | Self::Sum(..)
            | Self::Min(..)
            | Self::Max(..) => {}
        }
    }

    /// Adds a row of another column of the same kind.
    fn merge(&mut self, row: usize, other: &Self, other_row: usize) {
        match (self, other) {
            (Self::Count(counts), Self::Count(others))
            | (Self::CountTrue(_, counts), Self::CountTrue(_, others))
            | (Self::CountNumbers(_, counts), Self::CountNumbers(_, others)) => {
                counts[row] += others[other_row];
            }
            (Self::Sum(_, sums), Self::Sum(_, others)) => sums[row].merge(others[other_row]),
            (Self::Min(_, numbers), Self::Min(_, others)) => {
                numbers[row] = numbers[row].min(others[other_row]);
            }
            (Self::Max(_, numbers), Self::Max(_, others)) => {
                numbers[row] = numbers[row].max(others[other_row]);
            }
            (Self::First(_, moments), Self::First(_, others)) => {
                merge_moment(&mut moments[row], &others[other_row], |known, other| other < known);
            }
            (Self::Last(_, moments), Self::Last(_, others)) => {
                merge_moment(&mut moments[row], &others[other_row], |known, other| other > known);
            }
            (Self::Distinct(_, sets), Self::Distinct(_, others)) => sets[row].merge(&others[other_row]),
            (Self::Percentile(_, sketches), Self::Percentile(_, others)) => {
                sketches[row].merge(&others[other_row]);
            }
            (Self::Top(_, tops), Self::Top(_, others)) => tops[row].merge(&others[other_row]),
            _ => debug_assert!(false, "the columns of one aggregate are of the same kinds"),
        }
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Count(counts) | Self::CountTrue(_, counts) | Self::CountNumbers(_, counts) => {
                Cell::Whole(counts[row])
            }
            Self::Sum(_, sums) => Cell::Number(Some(sums[row].as_float())),
            Self::Min(_, numbers) | Self::Max(_, numbers) => {
                Cell::Number(Some(numbers[row]).filter(|number| number.is_finite()))
            }
            Self::First(_, moments) | Self::Last(_, moments) => {
                Cell::Value(moments[row].as_ref().map(|moment| &*moment.value))
            }
            Self::Distinct(_, sets) => Cell::Whole(sets[row].estimate()),
            Self::Percentile(_, sketches) => Cell::Percentiles(&sketches[row]),
            Self::Top(_, tops) => Cell::Top(&tops[row]),
        }
    }

    fn bytes(&self) -> usize {
        fn of<T>(items: &Vec<T>, beside: impl Fn(&T) -> usize) -> usize {
            items.capacity() * size_of::<T>() + items.iter().map(beside).sum::<usize>()
        }
        match self {
            Self::Count(counts) | Self::CountTrue(_, counts) | Self::CountNumbers(_, counts) => {
                counts.capacity() * size_of::<u64>()
            }
            Self::Sum(_, sums) => sums.capacity() * size_of::<Sum>(),
            Self::Min(_, numbers) | Self::Max(_, numbers) => numbers.capacity() * size_of::<f64>(),
            Self::First(_, moments) | Self::Last(_, moments) => {
                of(moments, |moment| moment.as_ref().map_or(0, |moment| moment.value.len()))
            }
            Self::Distinct(_, sets) => of(sets, Distinct::bytes),
            Self::Percentile(_, sketches) => of(sketches, Percentiles::bytes),
            Self::Top(_, tops) => of(tops, Top::bytes),
        }
    }
}

/// Keeps the value of an event that has one.
fn note(sample: &Sample<'_>, input: usize, moment: &mut Option<Moment>) {
    if let Some(value) = sample.json(input) {
        *moment = Some(Moment { time: sample.time, origin: sample.origin, value: value.into() });
    }
}

fn merge_moment(
    known: &mut Option<Moment>,
    other: &Option<Moment>,
    is_better: impl Fn((i64, Origin), (i64, Origin)) -> bool,
) {
    let Some(other) = other else { return };
    if known.as_ref().is_none_or(|known| is_better(known.order(), other.order())) {
        *known = Some(other.clone());
    }
}
