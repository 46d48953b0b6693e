//! What is kept of every group.
//!
//! Owns: [`Column`], one thing kept of every group, and [`Cell`], what is kept of one group.
//! Promises: adding an event allocates only for what sketches hold; rows merge in any order to the same.
//! Never: knows which group a row is.

use super::distinct::Distinct;
use super::function::{ABSENT, Kept};
use super::percentile::Percentiles;
use super::samples::Sample;
use super::sum::Sum;
use super::top::Top;
use crate::event::Origin;
use crate::snapshot::{Decoder, Encoder, Saved};

/// One thing kept of every group, by rows.
#[derive(Clone, Debug)]
pub(super) enum Column {
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
pub(super) struct Moment {
    time: i64,
    origin: Origin,
    value: Box<[u8]>,
}

impl Moment {
    fn order(&self) -> (i64, Origin) {
        (self.time, self.origin)
    }
}

impl Saved for Moment {
    const BYTES_MIN: usize = 32;

    fn save(&self, out: &mut Encoder<'_>) {
        out.i64(self.time);
        out.origin(self.origin);
        out.text(&self.value);
    }

    fn load(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { time: from.i64()?, origin: from.origin()?, value: from.text()?.into() })
    }
}

impl Column {
    pub(super) fn new(kept: Kept) -> Self {
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
    pub(super) fn push(&mut self) {
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
    pub(super) fn add(&mut self, row: usize, sample: &Sample<'_>) {
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
                ABSENT => {}
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
    pub(super) fn merge(&mut self, row: usize, other: &Self, other_row: usize) {
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

    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
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

    pub(super) fn save(&self, out: &mut Encoder<'_>) {
        match self {
            Self::Count(counts) | Self::CountTrue(_, counts) | Self::CountNumbers(_, counts) => {
                out.list(counts.iter());
            }
            Self::Sum(_, sums) => out.list(sums.iter()),
            Self::Min(_, numbers) | Self::Max(_, numbers) => out.list(numbers.iter()),
            Self::First(_, moments) | Self::Last(_, moments) => out.list(moments.iter()),
            Self::Distinct(_, sets) => out.list(sets.iter()),
            Self::Percentile(_, sketches) => out.list(sketches.iter()),
            Self::Top(_, tops) => out.list(tops.iter()),
        }
    }

    /// Takes over what so many rows had.
    pub(super) fn load(&mut self, rows: usize, from: &mut Decoder<'_>) -> Option<()> {
        fn take<T: Saved>(items: &mut Vec<T>, rows: usize, from: &mut Decoder<'_>) -> Option<()> {
            *items = from.list()?;
            (items.len() == rows).then_some(())
        }
        match self {
            Self::Count(counts) | Self::CountTrue(_, counts) | Self::CountNumbers(_, counts) => {
                take(counts, rows, from)
            }
            Self::Sum(_, sums) => take(sums, rows, from),
            Self::Min(_, numbers) | Self::Max(_, numbers) => take(numbers, rows, from),
            Self::First(_, moments) | Self::Last(_, moments) => take(moments, rows, from),
            Self::Distinct(_, sets) => take(sets, rows, from),
            Self::Percentile(_, sketches) => take(sketches, rows, from),
            Self::Top(_, tops) => take(tops, rows, from),
        }
    }

    pub(super) fn bytes(&self) -> usize {
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
