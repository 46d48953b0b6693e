//! What rules remember of each key, and when that makes an alert.
//!
//! Owns: [`RuleKind`], the table of kinds, one file a kind below `rule/`; [`Detector`], what a kind is once it has a
//! table of keys; [`Hit`] and [`Fired`], what goes in and what comes out.
//! Promises: the same hits give the same alerts, wherever between them [`Detector::advance`] is called and however
//! often the state is saved and loaded; memory and time a hit have a bound, whatever the hits are.
//! Never: sees a batch, a clock or a configuration file; keeps the text of a key.
//!
//! Hits come in order of (time, origin): a stage in front holds them back until the watermark has passed them. So a
//! detector is plain sequential code, and a hit at a time says that nothing earlier will come. Times are nanoseconds since
//! 1970, spans nanoseconds.
//!
//! A key fires once while its condition holds, which is judged at each hit, the hit included, and is armed again by a hit
//! at which it does not hold. With `suppress` it is instead silent for that long after an alert, and armed
//! then, whether the condition ceased to hold or not.

mod absence;
mod alarm;
mod anchor;
mod bounds;
mod buckets;
mod burn_rate;
mod closing;
mod combination;
mod count;
mod distinct;
mod document;
mod doorkeeper;
mod feed;
mod key_table;
mod keyed;
mod leaky;
mod matches;
mod mean;
mod new_value;
mod panes;
mod percentile;
mod ratio;
mod recent;
mod sequence;
mod session_count;
mod sigma;
mod single;
mod spike;
#[cfg(test)]
mod tests;
mod watch;
mod wheel;
mod window_count;

use std::fmt;

use crate::event::Origin;
use crate::snapshot::SnapshotError;
use anchor::Anchor;
use keyed::Room;

pub use absence::Absence;
pub use bounds::Bounds;
pub use burn_rate::{BurnRate, BurnWindows};
pub use closing::{Closing, Measure};
pub use combination::{Combination, Combined};
pub use count::{Count, CountWindow};
pub use distinct::Distinct;
pub use document::{Level, RuleText};
pub use leaky::Leaky;
pub use matches::Reads;
pub use mean::{Average, Sum};
pub use new_value::NewValue;
pub use percentile::Percentile;
pub use ratio::Ratio;
pub use sequence::Sequence;
pub use sigma::{SigmaConfig, SigmaRules, SigmaScratch};
pub use spike::Spike;
pub use watch::{Rule, RuleConfig, RuleScratch};

/// The longest span of a rule, so that sums of times and spans stay far from overflow.
pub const SPAN_MAX: i64 = 400 * 24 * 3600 * SECOND;
const SECOND: i64 = 1_000_000_000;

/// An event that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its time; never before that of the hit before it.
    pub time: i64,
    /// Where the event comes from.
    pub event: Origin,
    /// What `sum`, `avg` and `percentile` are about.
    pub number: f64,
    /// The hash of what `distinct` and `new_value` are about.
    pub value: u64,
    /// `sequence`: bit i for step i, and the bit behind the steps for the forbidden one. `ratio` and `burn_rate`: bit 0 for
    /// an event of the part that is measured.
    pub steps: u32,
}

impl Hit {
    /// A hit that says no more than that it happened.
    #[must_use]
    pub fn new(time: i64, event: Origin) -> Self {
        Self { time, event, number: 0.0, value: 0, steps: 0 }
    }
}

/// A reason for an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired {
    /// The key it is about.
    pub key: u128,
    /// Which pair of windows of a `burn_rate`; else 0.
    pub part: u8,
    /// Where the window begins.
    pub start: i64,
    /// Where the window ends.
    pub end: i64,
    /// The time of the first event of the window, as far as it is known.
    pub first: i64,
    /// The time of the last event of the window: that of the alert. With `absence` the end of the silence that was allowed.
    pub last: i64,
    /// Events that count.
    pub count: u64,
    /// What was compared.
    pub value: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// The first event of the window; where it is not remembered, a later one of the window.
    pub first_event: Origin,
    /// The last event of the window. No two alerts of a key and part have the same.
    pub last_event: Origin,
}

impl Fired {
    /// What a hit says of a window that reaches back by a span; what was compared is for the kind to say.
    fn at(hit: &Hit, span: i64, first: Anchor) -> Self {
        Self {
            key: 0,
            part: 0,
            start: hit.time - span,
            end: hit.time,
            first: first.time,
            last: hit.time,
            count: 1,
            value: 1.0,
            threshold: 1.0,
            first_event: first.event,
            last_event: hit.event,
        }
    }
}

/// What a rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Keys that have state.
    pub keys: usize,
    /// Bytes of memory for them.
    pub bytes: usize,
    /// Keys that lost their state to another one.
    pub evicted: u64,
    /// Hits that found no room for their key.
    pub refused: u64,
}

/// What bounds a detector and how often a key fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most keys with state at a time.
    pub max_keys: u32,
    /// How long a key is silent after an alert; without it, while its condition holds.
    pub suppress: Option<i64>,
}

/// A kind with the state of its keys.
pub trait Detector: fmt::Debug + Send {
    /// Takes a hit of a key. `fired` is given what fires, that of other keys' windows that ended before it too.
    fn hit(&mut self, key: u128, hit: &Hit, fired: &mut Vec<Fired>);

    /// Takes hits one after another. With many keys this is much faster than each by itself.
    fn hits(&mut self, hits: &[(u128, Hit)], fired: &mut Vec<Fired>);

    /// Says that no hit before this time will come: windows that have ended are judged, and silent keys forgotten, at most
    /// a second of event time later.
    fn advance(&mut self, watermark: i64, fired: &mut Vec<Fired>);

    /// Makes a key known before its first hit, as if it had one at this time: `absence` waits for it from then on, and does
    /// not forget it.
    fn register(&mut self, key: u128, time: i64);

    /// Keys and bytes of this moment, evictions and refusals so far.
    fn usage(&self) -> Usage;

    /// Appends the whole state.
    fn save(&self, bytes: &mut Vec<u8>);

    /// Takes over a state that a detector of the same settings has saved.
    ///
    /// # Errors
    /// When the bytes are none; the state stays as it was.
    fn load(&mut self, bytes: &[u8]) -> Result<(), SnapshotError>;
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be {must}")]
pub struct RuleError {
    /// The setting's name.
    pub setting: &'static str,
    /// What it has to be.
    pub must: &'static str,
}

impl RuleError {
    /// An error unless it holds.
    fn unless(holds: bool, setting: &'static str, must: &'static str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self { setting, must }) }
    }

    /// An error unless it is a span of time.
    fn unless_span(span: i64, setting: &'static str) -> Result<(), Self> {
        Self::unless((1..=SPAN_MAX).contains(&span), setting, "more than nothing and at most 400 days")
    }
}

/// What a rule asks of the hits of a key: one variant a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// A key falls silent.
    Absence(Absence),
    /// The mean of a number.
    Average(Average),
    /// An error budget is used up too fast.
    BurnRate(BurnRate),
    /// What a window came to when it is over.
    Closing(Closing),
    /// Which of some things happened.
    Combined(Combined),
    /// How many hits.
    Count(Count),
    /// How many different values.
    Distinct(Distinct),
    /// A bucket with a leak overflows.
    Leaky(Leaky),
    /// Any hit.
    Match,
    /// A value that the key never had.
    NewValue(NewValue),
    /// A percentile of a number.
    Percentile(Percentile),
    /// The share of some hits.
    Ratio(Ratio),
    /// One step after another.
    Sequence(Sequence),
    /// Many more hits than before.
    Spike(Spike),
    /// The sum of a number.
    Sum(Sum),
}

impl RuleKind {
    /// The name of the kind in a configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Absence(_) => "absence",
            Self::Average(_) => "avg",
            Self::BurnRate(_) => "burn_rate",
            Self::Closing(_) => "closing",
            Self::Combined(_) => "combined",
            Self::Count(_) => "count",
            Self::Distinct(_) => "distinct",
            Self::Leaky(_) => "leaky",
            Self::Match => "match",
            Self::NewValue(_) => "new_value",
            Self::Percentile(_) => "percentile",
            Self::Ratio(_) => "ratio",
            Self::Sequence(_) => "sequence",
            Self::Spike(_) => "spike",
            Self::Sum(_) => "sum",
        }
    }

    /// Whether a group may fire without a hit of its own: when a window of it ends, or it falls silent.
    fn fires_between_hits(&self) -> bool {
        match self {
            Self::Absence(_) | Self::Closing(_) => true,
            Self::Count(count) => {
                count.at_most.is_some() || !matches!(count.window, CountWindow::Sliding { .. })
            }
            _ => false,
        }
    }

    /// The kind with an empty table of keys.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn detector(&self, limits: Limits) -> Result<Box<dyn Detector>, RuleError> {
        RuleError::unless(
            (1..=key_table::KEYS_MAX).contains(&limits.max_keys),
            "max_keys",
            "1 to 2,000,000,000",
        )?;
        let suppress = limits.suppress;
        if let Some(suppress) = suppress {
            RuleError::unless_span(suppress, "suppress")?;
        }
        let keyed = Room::new(self, limits);
        Ok(match self {
            Self::Absence(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Average(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::BurnRate(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Closing(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Combined(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Count(settings) => return settings.detector(&keyed, suppress),
            Self::Distinct(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Leaky(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Match => keyed.boxed(single::SingleKind::new(suppress)),
            Self::NewValue(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Percentile(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Ratio(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Sequence(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Spike(settings) => keyed.boxed(settings.kind(suppress)?),
            Self::Sum(settings) => keyed.boxed(settings.kind(suppress)?),
        })
    }
}
