//! `compute` of an aggregate: results by name.
//!
//! ```toml
//! compute = { requests = "count", errors = { count = { "http.response.status_code|gte" = 500 } },
//!             error_rate = { ratio = ["errors", "requests"] }, p95 = { percentile = 95, of = "event.duration" } }
//! ```
//!
//! Owns: [`Compute`], and how each function is written.
//! Promises: a result does one thing; a ratio is of results that are numbers, and of none that is a ratio itself.
//! Never: computes one.

use std::sync::Arc;

use logweir_parsers::KeyId;
use logweir_pipeline::Keys;
use logweir_pipeline::aggregate::Function;
use toml::de::DeValue;

use super::super::conditions::WrittenCondition;
use super::super::decode::{Decoder, Found, Given};
use super::super::error::{Diagnostic, Place};
use super::super::nearest::suggest;
use super::super::raw::{Entry, Located, entries};
use super::super::schema::{Key, Table, table};
use super::super::transforms::intern;
use super::super::value::{At, Description, Integer, Value};

/// The results of an aggregate, in the order in which they are written.
pub(super) struct Compute(Vec<At<(String, Written)>>);

/// A result as it is written.
enum Written {
    /// A word.
    Simple(Function),
    /// A table.
    Keys(Box<FunctionKeys>),
}

table! {
    /// The keys of a result; each has one of them, and `of` beside it where that is said.
    struct FunctionKeys {
        /// How many events there are for which this condition is true. "count" without a table counts all.
        count: Option<WrittenCondition>,
        /// Events for which this condition is true, in a second. "rate" without a table is of all.
        rate: Option<WrittenCondition>,
        /// The sum of this field's numbers.
        sum: Option<At<String>>,
        /// The mean of this field's numbers.
        avg: Option<At<String>>,
        /// The least of this field's numbers.
        min: Option<At<String>>,
        /// The greatest of this field's numbers.
        max: Option<At<String>>,
        /// This field's value in the earliest event that has it.
        first: Option<At<String>>,
        /// This field's value in the latest event that has it.
        last: Option<At<String>>,
        /// How many different values this field has, or combinations of values these fields; exact up to 256.
        distinct: Option<At<Vec<At<String>>>>,
        /// The number that so many percent of those in the field `of` are at most, within 1 %.
        percentile: Option<At<Percent>>,
        /// The so many values that the field `of` has most often.
        top: Option<At<Integer<usize, 1, 100>>>,
        /// One result divided by another: `["errors", "requests"]`.
        ratio: Option<At<Vec<At<String>>>>,
        /// The field of `percentile` and `top`.
        of: Option<At<String>>,
    }
}

/// Above 0, and at most 100.
struct Percent(f64);

impl Value for Percent {
    fn describe() -> Description {
        Description::new("percentage", "a number above 0 and at most 100, such as 95 or 99.9")
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match given.value {
            DeValue::Integer(number) => number.as_str().parse::<f64>(),
            DeValue::Float(number) => number.as_str().parse::<f64>(),
            _ => return decoder.wrong_type(given),
        };
        match number {
            Ok(number) if number > 0.0 && number <= 100.0 => Some(Self(number)),
            _ => decoder.wrong(given, None),
        }
    }
}

impl Value for Compute {
    const KEYS: &'static [Key] = FunctionKeys::KEYS;

    fn describe() -> Description {
        Description::new(
            "table of results",
            "a table of results, such as { requests = \"count\", bytes = { sum = \"http.response.bytes\" } }",
        )
    }

    fn decode(given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = given.value else {
            return decoder.wrong_type(given);
        };
        let mut members = entries(given.place.file, table).collect::<Vec<_>>();
        if members.is_empty() {
            return decoder.wrong(given, Some("this table is empty".to_owned()));
        }
        members.sort_by_key(|entry| entry.key.place);
        // Everything that is wrong is told, so all are looked at before the first that failed counts.
        let results = members.iter().map(|entry| written(entry, given, decoder)).collect::<Vec<_>>();
        results.into_iter().collect::<Option<_>>().map(Self)
    }
}

fn written(entry: &Entry<'_>, given: Given<'_>, decoder: &mut Decoder<'_>) -> Option<At<(String, Written)>> {
    let (name, place) = (entry.key.value, entry.key.place);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        decoder.report(
            Diagnostic::error(format!("`{name}` cannot be the name of a result"))
                .at(place, "expected letters, digits, `_`, `-` and `.`"),
        );
        return None;
    }
    let value = given.inner(entry.value.value, entry.value.place);
    let written = match value.value {
        DeValue::String(word) => Written::Simple(match word.as_ref() {
            "count" => Function::Count(None),
            "rate" => Function::Rate(None),
            word => {
                let (label, _) = suggest(word, ["count", "rate"].into_iter(), "no such function");
                decoder.report(
                    Diagnostic::error(format!("unknown function `{word}`"))
                        .at(value.place, label)
                        .help("\"count\" and \"rate\" stand alone; the others are of a field, such as { sum = \"http.response.bytes\" }"),
                );
                return None;
            }
        }),
        DeValue::Table(table) => {
            let header = format!("`{name}` of {}", given.table);
            let found = Found::new(Located { value: &header, place: value.place }, table);
            decoder.refuse_unknown(&found, FunctionKeys::KEYS.iter());
            let things = found.entries.iter().filter(|entry| entry.key.value != "of").count();
            if things != 1 {
                decoder.report(Diagnostic::error(format!("`{name}` is of {things} functions")).at(
                    value.place,
                    "expected one, such as { avg = \"event.duration\" } or { percentile = 95, of = \"event.duration\" }",
                ));
                return None;
            }
            Written::Keys(Box::new(FunctionKeys::decode(&found, decoder)?))
        }
        _ => return decoder.wrong(value, Some("this is no function".to_owned())),
    };
    Some(At { value: (name.to_owned(), written), place })
}

impl Compute {
    /// The functions with the numbers of their fields; what is wrong goes to the decoder.
    pub(super) fn checked(
        self,
        keys: &Arc<Keys>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Vec<(String, Function)>> {
        let names = self.0.iter().map(|result| result.value.0.clone()).collect::<Vec<_>>();
        let places = self.0.iter().map(|result| result.place).collect::<Vec<_>>();
        let mut results = Vec::new();
        for At { value: (name, written), place } in self.0 {
            let function = match written {
                Written::Simple(function) => Some(function),
                Written::Keys(function) => function.checked(place, &names, keys, decoder),
            };
            results.push(function.map(|function| (name, function)));
        }
        let results = results.into_iter().collect::<Option<Vec<_>>>()?;
        let is_number = |of: usize| {
            !matches!(
                results[of].1,
                Function::First(_) | Function::Last(_) | Function::Top { .. } | Function::Ratio { .. }
            )
        };
        for ((name, function), place) in results.iter().zip(places) {
            if let Function::Ratio { of, to } = *function
                && let Some(wrong) = [of, to].into_iter().find(|result| !is_number(*result))
            {
                decoder.report(
                    Diagnostic::error(format!("`{name}` cannot be a ratio of `{}`", names[wrong]))
                        .at(place, "expected two other results")
                        .help("a ratio is of results that are numbers, and not ratios themselves"),
                );
                return None;
            }
        }
        Some(results)
    }
}

/// A function of one field.
type FunctionOf = fn(KeyId) -> Function;

impl FunctionKeys {
    fn checked(
        self,
        place: Place,
        names: &[String],
        keys: &Arc<Keys>,
        decoder: &mut Decoder<'_>,
    ) -> Option<Function> {
        let field =
            |name: At<String>, decoder: &mut Decoder<'_>| intern(&name.value, name.place, keys, decoder);
        let of_field: [(_, FunctionOf); 6] = [
            (self.sum, Function::Sum),
            (self.avg, Function::Average),
            (self.min, Function::Min),
            (self.max, Function::Max),
            (self.first, Function::First),
            (self.last, Function::Last),
        ];
        let needs_of = self.percentile.is_some() || self.top.is_some();
        let of = match (self.of, needs_of) {
            (None, true) => {
                decoder.report(
                    Diagnostic::error("this function needs a field")
                        .at(place, "expected `of = \"FIELD\"` in its table"),
                );
                return None;
            }
            (Some(of), false) => {
                decoder.report(
                    Diagnostic::error("`of` stands beside `percentile` and `top` only")
                        .at(of.place, "expected this key to be left out"),
                );
                return None;
            }
            (of, _) => of,
        };
        for (name, function) in of_field {
            if let Some(name) = name {
                return field(name, decoder).map(function);
            }
        }
        if let Some(condition) = self.count {
            return condition.checked(keys, decoder).map(Some).map(Function::Count);
        }
        if let Some(condition) = self.rate {
            return condition.checked(keys, decoder).map(Some).map(Function::Rate);
        }
        if let Some(fields) = self.distinct {
            let fields = fields.value.into_iter().map(|name| field(name, decoder)).collect::<Vec<_>>();
            return fields.into_iter().collect::<Option<_>>().map(Function::Distinct);
        }
        if let Some(ratio) = self.ratio {
            return ratio_of(&ratio, names, decoder);
        }
        let of = field(of?, decoder)?;
        match (self.percentile, self.top) {
            (Some(At { value: Percent(percent), .. }), _) => Some(Function::Percentile { of, percent }),
            (None, top) => top.map(|top| Function::Top { of, values: top.value.0 }),
        }
    }
}

fn ratio_of(ratio: &At<Vec<At<String>>>, names: &[String], decoder: &mut Decoder<'_>) -> Option<Function> {
    let [of, to] = &ratio.value[..] else {
        decoder.report(
            Diagnostic::error("a ratio is of two results")
                .at(ratio.place, "expected two names, such as [\"errors\", \"requests\"]"),
        );
        return None;
    };
    let mut place = |name: &At<String>| {
        let found = names.iter().position(|known| *known == name.value);
        if found.is_none() {
            let (label, known) = suggest(&name.value, names.iter().map(String::as_str), "no such result");
            decoder.report(
                Diagnostic::error(format!("no result is called `{}`", name.value))
                    .at(name.place, label)
                    .help(format!("there are {known}")),
            );
        }
        found
    };
    let (of, to) = (place(of), place(to));
    of.zip(to).map(|(of, to)| Function::Ratio { of, to })
}
