//! `[transforms.NAME]`.
//!
//! Owns: the keys of a transform and the table of steps; each step's own keys stand in a file below `transforms/`.
//! Promises: every field name in a step has its number, and every file that it needs was read, before anything starts.
//! Never: touches an event.

mod convert;
mod fields;
mod geoip;
mod lookup;
mod parse;
mod redact;
mod sampling;
mod split;
#[cfg(test)]
mod tests;
mod user_agent;

use std::sync::Arc;

use logweir_parsers::{KeyId, key};
use logweir_pipeline::Keys;
use logweir_pipeline::transform::{Step, Transform, When};

use super::component::Fed;
use super::conditions::WrittenCondition;
use super::decode::{Decoder, Found};
use super::error::{Diagnostic, Place};
use super::leftovers::{ORIGINAL, Redaction};
use super::schema::{SectionKind, Table, table};
use super::value::tables::{Fields, Nested, Renames, Steps};
use super::value::{At, Value};
use convert::{Limits, Types};
use fields::{
    CopiedFields, FlattenedFields, Json, KeptFields, RemovedFields, RenamedFields, Severity, Values,
};
use geoip::GeoIpKeys;
use lookup::LookupKeys;
use parse::ParseKeys;
use redact::Redacted;
use sampling::{DedupeKeys, SampleKeys, ThrottleKeys};
use split::SplitKeys;
use user_agent::UserAgentKeys;

/// The time of an event, which is no field.
const TIME: &str = "@timestamp";
const TIME_HELP: &str = "to give an event another time, `convert` a field to one, such as { \"my.time\" = \"time\" }, and \
                         `rename` it to `@timestamp`; `copy` gives the time to a field";

/// The one kind of transform.
pub(crate) const TRANSFORM: SectionKind = SectionKind {
    header: "transforms.NAME",
    component: None,
    summary: "Changes or drops events between sources and outputs.",
    shared: &[Fed::KEYS],
    keys: &[TransformKeys::KEYS],
};

table! {
    /// The keys of a transform, besides its inputs.
    struct TransformKeys {
        /// What is done to each event, in order.
        steps: Steps<StepKeys>,
    }
}

/// What a step of the config is made into.
trait IntoStep: Value {
    /// The step; what is wrong goes to the decoder.
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>>;
}

/// A step with a table of its own.
impl<T: Table + IntoStepTable> IntoStep for Nested<T> {
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>> {
        self.0.into_step(place, keys, decoder)
    }
}

/// The same as [`IntoStep`], for the table within.
trait IntoStepTable {
    /// The step; what is wrong goes to the decoder.
    fn into_step(self, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Box<dyn Step>>;
}

/// Declares the steps: the key of each, with its summary, and the type of its value.
macro_rules! steps {
    ($($(#[doc = $summary:literal])+ $step:ident: $value:ty,)+) => {
        table! {
            /// The keys of a step; each step has one of them, and may have `when`.
            struct StepKeys {
                /// Only for the events for which this condition is true.
                when: Option<WrittenCondition>,
                $($(#[doc = $summary])+ $step: Option<At<$value>>,)+
            }
        }

        /// The step that the config describes, with the name of its kind.
        fn checked_step(
            step: StepKeys,
            keys: &Arc<Keys>,
            decoder: &mut Decoder<'_>,
        ) -> Option<(&'static str, Box<dyn Step>)> {
            let when = match step.when {
                Some(when) => Some(when.checked(keys, decoder)?),
                None => None,
            };
            $(
                if let Some(At { value, place }) = step.$step {
                    let step = value.into_step(place, keys, decoder)?;
                    return Some((stringify!($step), match when {
                        Some(condition) => Box::new(When { condition, step }),
                        None => step,
                    }));
                }
            )+
            None
        }
    };
}

steps! {
    /// Drops the events for which this condition is true.
    drop: WrittenCondition,
    /// Gives fields these values. `{host.name}` in a text stands for a field, `{{` for a brace.
    set: Values,
    /// Renames fields.
    rename: RenamedFields,
    /// Gives the values of fields to other names as well.
    copy: CopiedFields,
    /// Removes fields.
    remove: RemovedFields,
    /// Removes all other fields. `http.*` stands for all names that begin so.
    keep: KeptFields,
    /// Gives fields another type: int, float, bool, ip, text, time, unix, unix_ms or time:FORMAT.
    convert: Types,
    /// Shortens the texts of fields to so many bytes.
    truncate: Limits,
    /// Hides secrets and personal data in fields.
    redact: Redacted,
    /// Reads a level's name from this field; sets `log.level` and `event.severity` on one scale.
    severity: Severity,
    /// Keeps a share of the events.
    sample: Nested<SampleKeys>,
    /// Lets so many events of a key through in a time, and drops the others.
    throttle: Nested<ThrottleKeys>,
    /// Drops repeats.
    dedupe: Nested<DedupeKeys>,
    /// Makes fields of the text in a field, as a format does of a line; they replace those that the event has.
    parse: Nested<ParseKeys>,
    /// Makes fields of the JSON object in this field, as the format `json` does of a line.
    json: Json,
    /// Makes fields with dotted names of the objects in these fields.
    flatten: FlattenedFields,
    /// Makes an event of each element of the JSON list in a field; they share the other fields.
    split: Nested<SplitKeys>,
    /// Sets fields from a table in a file.
    lookup: Nested<LookupKeys>,
    /// Sets `NAME.geo.*` and `NAME.as.*` from what a MaxMind database says of the address in `NAME.ip`.
    geoip: Nested<GeoIpKeys>,
    /// Sets `user_agent.*` from what a client says it is.
    user_agent: Nested<UserAgentKeys>,
}

/// The transform of a section, and what it does about secrets; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<(Transform, Redaction)> {
    let steps = TransformKeys::decode(found, decoder)?.steps.0;
    let redaction = redaction(&steps);
    // Each step is looked at, also behind one that is wrong.
    let steps = steps.into_iter().map(|step| checked_step(step, keys, decoder)).collect::<Vec<_>>();
    Some((Transform::new(name, steps.into_iter().collect::<Option<_>>()?), redaction))
}

/// What steps do about secrets. A step that is not for all events does nothing about the line.
fn redaction(steps: &[StepKeys]) -> Redaction {
    let covers = |step: &StepKeys| {
        let redacts = step.redact.as_ref().is_some_and(|step| step.value.looks_into(ORIGINAL));
        let removes = step.remove.as_ref().is_some_and(|step| step.value.has(ORIGINAL));
        let keeps = step.keep.as_ref().is_none_or(|step| step.value.keeps(ORIGINAL));
        step.when.is_none() && (redacts || removes || !keeps)
    };
    Redaction {
        redacts: steps.iter().find_map(|step| step.redact.as_ref()).map(|step| step.place),
        covers_original: steps.iter().any(covers),
    }
}

/// Turns each field of a step into what the step needs. A step without fields would do nothing, which cannot
/// be meant.
fn each<T, U>(
    fields: Vec<At<T>>,
    place: Place,
    decoder: &mut Decoder<'_>,
    mut turn: impl FnMut(&mut Decoder<'_>, T, Place) -> Option<U>,
) -> Option<Vec<U>> {
    if fields.is_empty() {
        decoder.report(Diagnostic::error("a step without fields").at(place, "expected at least one field"));
        return None;
    }
    fields.into_iter().map(|At { value, place }| turn(decoder, value, place)).collect()
}

/// The numbers of field names, at least one.
fn interned(
    names: Vec<At<String>>,
    place: Place,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Vec<KeyId>> {
    each(names, place, decoder, |decoder, name, place| intern(&name, place, keys, decoder))
}

/// The number of a field name, or of the event's time.
fn intern_or_time(name: &str, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<KeyId> {
    if name == TIME { Some(key::TIMESTAMP) } else { intern(name, place, keys, decoder) }
}

/// The number of a field name.
pub(super) fn intern(name: &str, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<KeyId> {
    if name == TIME {
        decoder.report(
            Diagnostic::error(format!("`{TIME}` is not a field like others"))
                .at(place, "expected another field; every event has a time")
                .help(TIME_HELP),
        );
        return None;
    }
    let key = if name.is_empty() { None } else { keys.intern(name) };
    if key.is_none() {
        decoder.report(
            Diagnostic::error(format!("`{name}` cannot be a field name"))
                .at(place, "expected 1 to 256 bytes, and no more names than `keys_max`"),
        );
    }
    key
}
