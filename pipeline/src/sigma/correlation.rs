//! A rule about what other rules match, as it is written.
//!
//! Owns: [`CorrelationDocument`] with its types, conditions and aliases, and [`timespan`].
//! Promises: the condition fits the type: a count has whole numbers, a range one lower and one upper bound, a
//! combination is false when nothing happens.
//! Never: knows the rules that it names.

use super::error::{Fault, SigmaError};
use super::formula::Formula;
use super::metadata::Metadata;
use super::yaml::{Node, Section, Value};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// A correlation as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationDocument {
    /// What it says about itself.
    pub metadata: Metadata,
    /// What is computed.
    pub kind: CorrelationKind,
    /// The ids or names of the rules.
    pub rules: Vec<String>,
    /// Fields or aliases, whose values are those of a group.
    pub group_by: Vec<String>,
    /// Fields with other names in other rules.
    pub aliases: Vec<Alias>,
    /// How far apart the events may be, in nanoseconds; greater than zero.
    pub timespan: i64,
    /// When it is true.
    pub condition: CorrelationCondition,
    /// What is counted, summed or averaged; several are one value of several parts.
    pub fields: Vec<String>,
    /// Whether the rules alert by themselves too.
    pub generate: bool,
    /// A hash of what it asks for.
    pub digest: u64,
}

/// One name for fields that have other names in other rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// The id or name of a rule, and the field there.
    pub fields: Vec<(String, String)>,
}

/// What a correlation computes of the events of a group within the timespan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CorrelationKind {
    /// How many there are.
    EventCount,
    /// How many different values there are.
    ValueCount,
    /// Which rules matched.
    Temporal,
    /// Which rules matched, one after the other.
    TemporalOrdered,
    /// The sum of the values.
    ValueSum,
    /// The mean of the values.
    ValueAverage,
    /// The value below which this part of them is, 0 to 100.
    ValuePercentile(f64),
    /// The value in the middle.
    ValueMedian,
}

/// When a correlation is true.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationCondition {
    /// When what is computed is within these bounds; a temporal one computes how many of its rules matched.
    Bounds(Bounds),
    /// When these of its rules matched.
    Formula(Formula),
}

/// One bound, or a lower and an upper one.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds(Vec<(Operator, f64)>);

/// How a value relates to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `eq`
    Equal,
    /// `neq`
    NotEqual,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("gt", Operator::Greater),
    ("gte", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("lte", Operator::LessOrEqual),
    ("eq", Operator::Equal),
    ("neq", Operator::NotEqual),
];

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Equal => value == bound,
            Self::NotEqual => value != bound,
        }
    }

    /// Whether a value that holds goes on to hold as it grows.
    fn is_lower(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    fn is_upper(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }
}

impl Bounds {
    /// The bounds as they are written.
    #[must_use]
    pub fn members(&self) -> &[(Operator, f64)] {
        &self.0
    }

    /// Whether the value is within the bounds.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.0.iter().all(|(operator, bound)| operator.holds(value, *bound))
    }

    /// Whether a value that holds goes on to hold as it grows: a count need not wait for the end of the window.
    #[must_use]
    pub fn has_only_lower(&self) -> bool {
        self.0.iter().all(|(operator, _)| operator.is_lower())
    }
}

impl CorrelationKind {
    /// Its name in Sigma.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
            Self::ValueSum => "value_sum",
            Self::ValueAverage => "value_avg",
            Self::ValuePercentile(_) => "value_percentile",
            Self::ValueMedian => "value_median",
        }
    }

    /// Whether what it computes is a whole number.
    fn counts(self) -> bool {
        matches!(self, Self::EventCount | Self::ValueCount) || self.is_temporal()
    }

    fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }

    fn of(section: &Section<'_>) -> Result<Self, Fault> {
        let node = section.required("type")?;
        Ok(match section.text("type")?.unwrap_or_default().as_str() {
            "event_count" => Self::EventCount,
            "value_count" => Self::ValueCount,
            "temporal" => Self::Temporal,
            "temporal_ordered" => Self::TemporalOrdered,
            "value_sum" => Self::ValueSum,
            "value_avg" => Self::ValueAverage,
            "value_percentile" => Self::ValuePercentile(percentile(section)?),
            "value_median" => Self::ValueMedian,
            other => {
                let expected = "event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, \
                                value_percentile or value_median";
                return Err(section.value_error("type", other, expected).at(node.line));
            }
        })
    }
}

impl CorrelationDocument {
    pub(super) fn of(metadata: Metadata, root: &Section<'_>, section: &Section<'_>) -> Result<Self, Fault> {
        section.only("`type`, `rules`, `group-by`, `aliases`, `timespan`, `condition` and `generate`")?;
        let kind = CorrelationKind::of(section)?;
        section.required("rules")?;
        let mut rules = Vec::new();
        for rule in section.texts("rules")? {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let span = section.required("timespan")?;
        let span_text = section.text("timespan")?.unwrap_or_default();
        let expected = "a number and s, m, h, d, w, M or y, such as 5m";
        let timespan = timespan(&span_text)
            .ok_or_else(|| section.value_error("timespan", &span_text, expected).at(span.line))?;
        let (condition, fields) = condition(kind, section, rules.len())?;
        let generate = match section.truth("generate")? {
            Some(generate) => generate,
            None => root.truth("generate")?.unwrap_or(false),
        };
        let group_by = section.texts("group-by")?;
        let aliases = aliases(section)?;
        let digest = root.digest(&["correlation"]);
        Ok(Self { metadata, kind, rules, group_by, aliases, timespan, condition, fields, generate, digest })
    }
}

/// A length of time in nanoseconds: a whole number above zero and its unit. A month is 30.44 days, a year 365.24.
#[must_use]
pub fn timespan(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_629_746,
        'y' => 31_556_952,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let number = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.parse::<i64>().ok().filter(|number| *number > 0)?.checked_mul(seconds)?.checked_mul(SECOND)
}

/// The condition, and the fields that it is about.
fn condition(
    kind: CorrelationKind,
    section: &Section<'_>,
    rules: usize,
) -> Result<(CorrelationCondition, Vec<String>), Fault> {
    let node = match section.get("condition") {
        Some(node) => node,
        None if kind.is_temporal() => {
            let all = u32::try_from(rules).unwrap_or(u32::MAX);
            let bounds = Bounds(vec![(Operator::GreaterOrEqual, all.into())]);
            return Ok((CorrelationCondition::Bounds(bounds), Vec::new()));
        }
        None => section.required("condition")?,
    };
    if let Value::Text(text) = &node.value {
        let formula = formula(kind, text).map_err(|error| error.at(node.line))?;
        return Ok((CorrelationCondition::Formula(formula), Vec::new()));
    }
    let condition = node.section("correlation.condition")?;
    condition.only("`gt`, `gte`, `lt`, `lte`, `eq`, `neq`, `field` and `percentile`")?;
    let fields = condition.texts("field")?;
    let wrong = match (kind, fields.len()) {
        (CorrelationKind::EventCount | CorrelationKind::Temporal | CorrelationKind::TemporalOrdered, 0) => {
            None
        }
        (CorrelationKind::EventCount | CorrelationKind::Temporal | CorrelationKind::TemporalOrdered, _) => {
            Some("names a `field`, which its type has no use for")
        }
        (_, 0) => Some("needs a `field`"),
        (CorrelationKind::ValueCount, _) | (_, 1) => None,
        _ => Some("names several fields, which only `value_count` can"),
    };
    if let Some(wrong) = wrong {
        return Err(SigmaError::Correlation(wrong).at(node.line));
    }
    let needless =
        condition.get("percentile").filter(|_| !matches!(kind, CorrelationKind::ValuePercentile(_)));
    if let Some(needless) = needless {
        let error = SigmaError::Correlation("has a `percentile`, which only `value_percentile` has");
        return Err(error.at(needless.line));
    }
    Ok((CorrelationCondition::Bounds(bounds(kind, &condition)?), fields))
}

fn formula(kind: CorrelationKind, text: &str) -> Result<Formula, SigmaError> {
    let formula = Formula::parse(text)?;
    match kind {
        CorrelationKind::Temporal if !formula.quantifies() && formula.is_true(&|_| false) => {
            Err(SigmaError::Correlation("is true when no rule matches; it must need a match"))
        }
        CorrelationKind::Temporal if !formula.quantifies() => Ok(formula),
        CorrelationKind::Temporal => Err(SigmaError::Correlation("must name its rules, without `of`")),
        _ => Err(SigmaError::Correlation("may be a text only for the type `temporal`")),
    }
}

fn bounds(kind: CorrelationKind, condition: &Section<'_>) -> Result<Bounds, Fault> {
    let mut bounds = Vec::new();
    for (name, operator) in OPERATORS {
        let Some(node) = condition.get(name) else { continue };
        let bound = number(node).ok_or_else(|| condition.type_error(name, "a number").at(node.line))?;
        if kind.counts() && (bound.fract() != 0.0 || bound < 0.0) {
            return Err(condition.type_error(name, "a whole number, 0 or more").at(node.line));
        }
        bounds.push((*operator, bound));
    }
    let wrong = match bounds.as_slice() {
        [] => Some("needs one of gt, gte, lt, lte, eq and neq"),
        [_] => None,
        [(lower, from), (upper, to)] if lower.is_lower() && upper.is_upper() => {
            (from > to).then_some("has a lower bound above the upper one")
        }
        _ => Some("may have one operator, or gt or gte with lt or lte"),
    };
    match wrong {
        None => Ok(Bounds(bounds)),
        Some(wrong) => Err(SigmaError::Correlation(wrong).at(condition.line)),
    }
}

fn percentile(section: &Section<'_>) -> Result<f64, Fault> {
    let condition = section.required("condition")?.section("correlation.condition")?;
    let node = condition.required("percentile")?;
    let percentile = number(node).filter(|percentile| (0.0..=100.0).contains(percentile));
    percentile.ok_or_else(|| condition.type_error("percentile", "a number from 0 to 100").at(node.line))
}

fn number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(number) => i32::try_from(number).ok().map(f64::from),
        Value::Float(number) => Some(number),
        _ => None,
    }
}

fn aliases(section: &Section<'_>) -> Result<Vec<Alias>, Fault> {
    let Some(node) = section.get("aliases") else { return Ok(Vec::new()) };
    let mut aliases = Vec::new();
    for (name, node) in node.section("correlation.aliases")?.entries {
        let rules = node.section("correlation.aliases")?;
        let mut fields = Vec::new();
        for (rule, _) in rules.entries {
            let field = rules
                .text(rule)?
                .ok_or_else(|| rules.type_error(rule, "the name of a field").at(node.line))?;
            fields.push((rule.clone(), field));
        }
        aliases.push(Alias { name: name.clone(), fields });
    }
    Ok(aliases)
}
