//! What a rule asks of the events of a group.
//!
//! Owns: making a kind of the keys that a rule has, and what of them goes together.
//! Promises: what is wrong is told with what would be right.
//! Never: sees an event.

use std::sync::Arc;
use std::time::Duration;

use logweir_pipeline::Keys;
use logweir_pipeline::rule::{
    Absence, Average, Bounds, BurnRate, BurnWindows, Count, CountWindow, Distinct, Leaky, NewValue,
    Percentile, Ratio, Reads, RuleKind, Sequence, Spike, Sum,
};
use logweir_pipeline::watermark::nanos;

use super::super::aggregates::window::WindowKeys;
use super::super::decode::Decoder;
use super::super::error::{Diagnostic, Place};
use super::super::transforms::intern;
use super::super::value::tables::Nested;
use super::super::value::{At, Integer};
use super::keys::{
    AbsenceKeys, BurnRateKeys, Conditions, CountKeys, DistinctKeys, KindKeys, LeakyKeys, NewValueKeys,
    Number, NumberKeys, PercentileKeys, RatioKeys, SequenceKeys, SpikeKeys,
};

/// What the first hits of a `new_value` teach when the config does not say.
const LEARN: Duration = Duration::from_secs(24 * 3600);

/// The windows of the SRE workbook (chapter 5, "Alerting on SLOs", table 5-8): what uses up 2 % of a month's budget in an hour, 5 % in
/// six, and 10 % in three days.
fn burn_windows() -> Vec<BurnWindows> {
    const MINUTE: u64 = 60;
    [(60, 5, 14.4), (360, 30, 6.0), (4320, 360, 1.0)]
        .map(|(long, short, factor)| BurnWindows {
            long: nanos(Duration::from_secs(long * MINUTE)),
            short: nanos(Duration::from_secs(short * MINUTE)),
            factor,
        })
        .to_vec()
}

/// The kind that a rule is of, and what it reads.
type Checked = (RuleKind, Reads);

impl KindKeys {
    /// The kind; what is wrong goes to the decoder.
    pub(super) fn checked(
        self,
        place: Place,
        keys: &Arc<Keys>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Checked> {
        let mut look = Look { window: self.window, place, keys, decoder };
        let kinds = [
            self.count.map(|kind| look.count(kind)),
            self.ratio.map(|kind| look.ratio(kind)),
            self.distinct.map(|kind| look.distinct(kind)),
            self.sum.map(|kind| look.sum(kind)),
            self.avg.map(|kind| look.avg(kind)),
            self.percentile.map(|kind| look.percentile(kind)),
            self.sequence.map(|kind| look.sequence(kind)),
            self.absence.map(|kind| look.absence(&kind)),
            self.new_value.map(|kind| look.new_value(kind)),
            self.spike.map(|kind| look.spike(&kind)),
            self.burn_rate.map(|kind| look.burn_rate(kind)),
            self.leaky.map(|kind| look.leaky(&kind)),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let first = kinds.next().unwrap_or(Some((RuleKind::Match, Reads::Nothing)));
        if kinds.next().is_some() {
            look.decoder.report(
                Diagnostic::error("a rule is of one kind").at(place, "expected one of its kinds only"),
            );
            return None;
        }
        look.no_window_left()?;
        first
    }
}

/// What the kinds are checked with.
struct Look<'a, 'd> {
    window: Option<At<Nested<WindowKeys>>>,
    place: Place,
    keys: &'a Arc<Keys>,
    decoder: &'a mut Decoder<'d>,
}

impl Look<'_, '_> {
    fn wrong<T>(&mut self, what: &str, place: Place, expected: &str) -> Option<T> {
        self.decoder.report(Diagnostic::error(what).at(place, expected));
        None
    }

    /// The length of the sliding window.
    fn sliding(&mut self, kind: &str) -> Option<i64> {
        let window = self.window.take();
        let place = window.as_ref().map_or(self.place, |window| window.place);
        match window.and_then(|window| window.value.0.only_sliding()) {
            Some(span) => Some(nanos(span)),
            None => self.wrong(
                &format!("`{kind}` needs a sliding window"),
                place,
                "expected `window = { sliding = \"5m\" }`",
            ),
        }
    }

    /// Tells of a window that the kind does not ask for.
    fn no_window_left(&mut self) -> Option<()> {
        match self.window.take() {
            Some(window) => self.wrong(
                "this kind of rule has no window",
                window.place,
                "expected this key to be left out: the kind says how long itself",
            ),
            None => Some(()),
        }
    }

    fn field(&mut self, name: &At<String>) -> Option<logweir_parsers::KeyId> {
        intern(&name.value, name.place, self.keys, self.decoder)
    }

    fn values(&mut self, names: &At<Vec<At<String>>>) -> Option<Reads> {
        let keys = names.value.iter().map(|name| self.field(name)).collect::<Vec<_>>();
        keys.into_iter().collect::<Option<_>>().map(Reads::Value)
    }

    fn bounds(&mut self, above: Option<Number>, below: Option<Number>, place: Place) -> Option<Bounds> {
        if above.is_none() && below.is_none() {
            return self.wrong(
                "there is nothing to compare with",
                place,
                "expected `above = …` or `below = …`",
            );
        }
        let number = |number: Option<Number>| number.map(|number| number.0);
        Some(Bounds { above: number(above), below: number(below), ..Bounds::default() })
    }

    fn count(&mut self, kind: At<Nested<CountKeys>>) -> Option<Checked> {
        let At { value: Nested(keys), place } = kind;
        if keys.at_least.is_none() && keys.at_most.is_none() {
            return self.wrong(
                "there is nothing to compare with",
                place,
                "expected `at_least = 10`, or `at_most = …`",
            );
        }
        let Some(window) = self.window.take() else {
            return self.wrong(
                "`count` needs a window",
                self.place,
                "expected `window = { sliding = \"5m\" }`, or another",
            );
        };
        let window: CountWindow = window.value.0.of_count(window.place, self.decoder)?;
        let number = |number: Option<Integer<u64, 1, 1_000_000>>| number.map(|number| number.0);
        let at_most = keys.at_most.map(|number| number.0);
        Some((RuleKind::Count(Count { window, at_least: number(keys.at_least), at_most }), Reads::Nothing))
    }

    fn ratio(&mut self, kind: At<Nested<RatioKeys>>) -> Option<Checked> {
        let Nested(RatioKeys { of, above, at_least }) = kind.value;
        let (span, of) = (self.sliding("ratio"), of.checked(self.keys, self.decoder));
        let ratio = Ratio { span: span?, above: above.0, at_least: at_least.0 };
        Some((RuleKind::Ratio(ratio), Reads::Part(of?)))
    }

    fn distinct(&mut self, kind: At<Nested<DistinctKeys>>) -> Option<Checked> {
        let Nested(DistinctKeys { of, at_least }) = kind.value;
        let (span, of) = (self.sliding("distinct"), self.values(&of));
        Some((RuleKind::Distinct(Distinct { span: span?, at_least: at_least.0 }), of?))
    }

    fn sum(&mut self, kind: At<Nested<NumberKeys>>) -> Option<Checked> {
        let At { value: Nested(keys), place } = kind;
        let (span, of) = (self.sliding("sum"), self.field(&keys.of));
        let bounds = self.bounds(keys.above, keys.below, place);
        Some((RuleKind::Sum(Sum { span: span?, bounds: bounds? }), Reads::Number(of?)))
    }

    fn avg(&mut self, kind: At<Nested<NumberKeys>>) -> Option<Checked> {
        let At { value: Nested(keys), place } = kind;
        let (span, of) = (self.sliding("avg"), self.field(&keys.of));
        let bounds = self.bounds(keys.above, keys.below, place);
        let average = Average { span: span?, bounds: bounds?, at_least: keys.at_least.0 };
        Some((RuleKind::Average(average), Reads::Number(of?)))
    }

    fn percentile(&mut self, kind: At<Nested<PercentileKeys>>) -> Option<Checked> {
        let At { value: Nested(keys), place } = kind;
        let (span, of) = (self.sliding("percentile"), self.field(&keys.of));
        let bounds = self.bounds(keys.above, keys.below, place);
        let percentile = Percentile {
            span: span?,
            percentile: keys.percent.0,
            bounds: bounds?,
            at_least: keys.at_least.0,
        };
        Some((RuleKind::Percentile(percentile), Reads::Number(of?)))
    }

    fn sequence(&mut self, kind: At<Nested<SequenceKeys>>) -> Option<Checked> {
        let Nested(SequenceKeys { steps, within, in_order, without }) = kind.value;
        let At { value: Conditions(steps), place } = steps;
        let count = u8::try_from(steps.len()).unwrap_or(u8::MAX);
        if !(2..=31).contains(&count) {
            return self.wrong(
                "a sequence has 2 to 31 steps",
                place,
                "expected another number of conditions",
            );
        }
        let conditions = steps.iter().chain(&without);
        let conditions = conditions.map(|step| step.checked(self.keys, self.decoder)).collect::<Vec<_>>();
        let conditions = conditions.into_iter().collect::<Option<_>>()?;
        let sequence = Sequence { steps: count, within: nanos(within), in_order };
        Some((RuleKind::Sequence(sequence), Reads::Steps(conditions)))
    }

    fn absence(&mut self, kind: &At<Nested<AbsenceKeys>>) -> Option<Checked> {
        let span = nanos(kind.value.0.r#for);
        Some((RuleKind::Absence(Absence { span }), Reads::Nothing))
    }

    fn new_value(&mut self, kind: At<Nested<NewValueKeys>>) -> Option<Checked> {
        let Nested(NewValueKeys { of, within, learn, values_max }) = kind.value;
        let of = self.values(&of)?;
        let learn = nanos(learn.unwrap_or(LEARN));
        let new_value = NewValue { span: nanos(within), learn, values_max: values_max.0 };
        Some((RuleKind::NewValue(new_value), of))
    }

    fn spike(&mut self, kind: &At<Nested<SpikeKeys>>) -> Option<Checked> {
        let Nested(SpikeKeys { above, windows, history, at_least }) = kind.value;
        let window = self.window.take();
        let place = window.as_ref().map_or(self.place, |window| window.place);
        let Some(size) = window.and_then(|window| window.value.0.only_tumbling()) else {
            return self.wrong(
                "`spike` needs a tumbling window",
                place,
                "expected `window = { tumbling = \"5m\" }`",
            );
        };
        let spike = Spike {
            size: nanos(size),
            windows: windows.0,
            history: history.0,
            times: above.0,
            at_least: at_least.0,
        };
        Some((RuleKind::Spike(spike), Reads::Nothing))
    }

    fn burn_rate(&mut self, kind: At<Nested<BurnRateKeys>>) -> Option<Checked> {
        let Nested(BurnRateKeys { of, objective, at_least }) = kind.value;
        let of = of.checked(self.keys, self.decoder)?;
        let burn_rate = BurnRate { objective: objective.0, windows: burn_windows(), at_least: at_least.0 };
        Some((RuleKind::BurnRate(burn_rate), Reads::Part(of)))
    }

    #[allow(clippy::unused_self)] // like its neighbours
    fn leaky(&mut self, kind: &At<Nested<LeakyKeys>>) -> Option<Checked> {
        let Nested(LeakyKeys { capacity, leak }) = kind.value;
        Some((RuleKind::Leaky(Leaky { capacity: capacity.0, leak: nanos(leak) }), Reads::Nothing))
    }
}
