//! The keys of each kind of rules.
//!
//! Owns: them, and the values that only they have.
//! Promises: a rule says in one of these tables what it asks of the events of a group.
//! Never: sees an event.

use std::time::Duration;

use toml::de::DeValue;

use super::super::aggregates::window::WindowKeys;
use super::super::conditions::WrittenCondition;
use super::super::decode::{Decoder, Given};
use super::super::error::Place;
use super::super::schema::table;
use super::super::value::tables::{Nested, Renames};
use super::super::value::{At, Description, Integer, Value};
use super::placeholders::PlaceholderLists;

table! {
    /// The kinds: a rule has one of these keys, or none.
    pub(super) struct KindKeys {
        /// The time that the rule looks at: `{ sliding = "2m" }` before each event; for `count` also `tumbling`, `hopping` and
        /// `session`, for `spike` `tumbling`.
        window: Option<At<Nested<WindowKeys>>>,
        /// So many events in the window.
        count: Option<At<Nested<CountKeys>>>,
        /// The share of some events in the window.
        ratio: Option<At<Nested<RatioKeys>>>,
        /// So many different values in the window.
        distinct: Option<At<Nested<DistinctKeys>>>,
        /// The sum of a field's numbers in the window.
        sum: Option<At<Nested<NumberKeys>>>,
        /// The mean of a field's numbers in the window.
        avg: Option<At<Nested<NumberKeys>>>,
        /// A percentile of a field's numbers in the window.
        percentile: Option<At<Nested<PercentileKeys>>>,
        /// One event after another.
        sequence: Option<At<Nested<SequenceKeys>>>,
        /// A group that had events has none any more.
        absence: Option<At<Nested<AbsenceKeys>>>,
        /// A value that the group never had.
        new_value: Option<At<Nested<NewValueKeys>>>,
        /// Many more events in a window than in those before it.
        spike: Option<At<Nested<SpikeKeys>>>,
        /// An error budget that is used up too fast.
        burn_rate: Option<At<Nested<BurnRateKeys>>>,
        /// A bucket with a leak that overflows.
        leaky: Option<At<Nested<LeakyKeys>>>,
        /// The rules in files of Sigma (YAML); each makes alerts with its own title, level and author.
        sigma: Option<At<Nested<SigmaKeys>>>,
    }
}

table! {
    /// The keys of `count`.
    pub(super) struct CountKeys {
        /// The least number of events; the alert comes with the event that reaches it.
        at_least: Option<Integer<u64, 1, 1_000_000>>,
        /// The greatest number; the alert comes when a window with events ends that has no more.
        at_most: Option<Integer<u64, 0, 1_000_000>>,
    }
}

table! {
    /// The keys of `ratio`.
    pub(super) struct RatioKeys {
        /// Which events are measured against all.
        of: WrittenCondition,
        /// The share above which it is an alert, such as 0.05.
        above: Number,
        /// Events that there must be in the window.
        at_least: Integer<u64, 1, 1_000_000_000> = 1,
    }
}

table! {
    /// The keys of `distinct`.
    pub(super) struct DistinctKeys {
        /// The field, or fields, whose values are told apart.
        of: At<Vec<At<String>>>,
        /// The least number of different values.
        at_least: Integer<u32, 1, 100_000>,
    }
}

table! {
    /// The keys of `sum` and `avg`.
    pub(super) struct NumberKeys {
        /// The field whose numbers are meant.
        of: At<String>,
        /// An alert when it is more.
        above: Option<Number>,
        /// An alert when it is less.
        below: Option<Number>,
        /// Events that there must be in the window, for `avg`.
        at_least: Integer<u64, 1, 1_000_000_000> = 1,
    }
}

table! {
    /// The keys of `percentile`.
    pub(super) struct PercentileKeys {
        /// Which percentile, such as 95.
        percent: Number,
        /// The field whose numbers are meant.
        of: At<String>,
        /// An alert when it is more.
        above: Option<Number>,
        /// An alert when it is less.
        below: Option<Number>,
        /// Events that there must be in the window.
        at_least: Integer<u64, 1, 1_000_000_000> = 1,
    }
}

table! {
    /// The keys of `sequence`.
    pub(super) struct SequenceKeys {
        /// The events, each by a condition; one event may be several of them.
        steps: At<Conditions>,
        /// The longest time from the first to the last.
        within: Duration,
        /// Whether they must come in this order.
        in_order: bool = true,
        /// An event after which everything begins anew.
        without: Option<WrittenCondition>,
    }
}

table! {
    /// The keys of `absence`.
    pub(super) struct AbsenceKeys {
        /// The longest time without an event.
        r#for: Duration,
    }
}

table! {
    /// The keys of `new_value`.
    pub(super) struct NewValueKeys {
        /// The field, or fields, whose values are remembered.
        of: At<Vec<At<String>>>,
        /// How long a value is remembered.
        within: Duration,
        /// How long from the first event of a group on nothing is an alert. Absent: a day.
        learn: Option<Duration>,
        /// Values that are remembered of a group.
        values_max: Integer<u32, 1, 100_000> = 1000,
    }
}

table! {
    /// The keys of `spike`.
    pub(super) struct SpikeKeys {
        /// How many times the mean of the windows before.
        above: Number,
        /// How many windows before this one the mean is of.
        windows: Integer<u32, 1, 1000> = 12,
        /// How many of them there must be.
        history: Integer<u32, 1, 1000> = 3,
        /// Events that there must be in this window.
        at_least: Integer<u64, 1, 1_000_000_000> = 1,
    }
}

table! {
    /// The keys of `burn_rate`.
    pub(super) struct BurnRateKeys {
        /// Which events use up the budget.
        of: WrittenCondition,
        /// The share of events that are to be good, such as 0.999.
        objective: Number,
        /// Events that there must be in the long window.
        at_least: Integer<u64, 1, 1_000_000_000> = 100,
    }
}

table! {
    /// The keys of `leaky`.
    pub(super) struct LeakyKeys {
        /// Events that the bucket holds; one more is an alert.
        capacity: Integer<u32, 1, 1_000_000>,
        /// The time in which it loses one.
        leak: Duration,
    }
}

table! {
    /// The keys of `sigma`.
    pub(super) struct SigmaKeys {
        /// Files, and folders whose `*.yml` are read, those below them too.
        paths: At<Vec<At<String>>>,
        /// What the inputs are in the words of Sigma; only rules for it are loaded, as others would mean nothing.
        log_source: Nested<LogSourceKeys>,
        /// The names here of fields of Sigma, beside those that every log source has: `{ "c-uri" = "url.original" }`.
        fields: Option<Renames>,
        /// What `%name%` stands for in rules with the modifier `expand`: lists of values, or files with one value a line. A rule
        /// with a name that is not here is not loaded, which is told.
        placeholders: Option<PlaceholderLists>,
    }
}

table! {
    /// The keys of `log_source`: at least one.
    pub(super) struct LogSourceKeys {
        /// The kind of program, such as "webserver".
        category: Option<String>,
        /// The system or product, such as "linux".
        product: Option<String>,
        /// The program, such as "sshd".
        service: Option<String>,
    }
}

/// A number, whole or not.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl Value for Number {
    fn describe() -> Description {
        Description::new("number", "a number, such as 0.05")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match given.value {
            DeValue::Integer(number) => number.as_str().parse::<f64>(),
            DeValue::Float(number) => number.as_str().parse::<f64>(),
            _ => return decoder.wrong_type(given),
        };
        number.ok().filter(|number| number.is_finite()).map(Self).or_else(|| decoder.wrong(given, None))
    }
}

/// A list of conditions, each a step of its own.
pub(super) struct Conditions(pub(super) Vec<WrittenCondition>);

impl Value for Conditions {
    fn describe() -> Description {
        Description::new(
            "list of conditions",
            "a list of conditions, such as [{ \"event.outcome\" = \"failure\" }, { \"event.outcome\" = \"success\" }]",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = given.value else {
            return decoder.wrong_type(given);
        };
        let items = items.iter().map(|item| {
            let place = Place::new(given.place.file, item.span());
            WrittenCondition::decode(given.inner(item.get_ref(), place), decoder)
        });
        let items = items.collect::<Vec<_>>();
        items.into_iter().collect::<Option<_>>().map(Self)
    }
}
