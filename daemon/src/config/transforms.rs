//! `[transforms.NAME]`.
//!
//! Owns: the keys of a transform and of each kind of step, and their checked values.
//! Promises: every field name in a step has its number before anything starts.
//! Never: touches an event.

use std::sync::Arc;

use logweir_parsers::KeyId;
use logweir_pipeline::Keys;
use logweir_pipeline::event::ConstantValue;
use logweir_pipeline::transform::{Step, Transform};

use super::component::Fed;
use super::conditions::WrittenCondition;
use super::decode::{Decoder, Found};
use super::error::{Diagnostic, Place};
use super::schema::{SectionKind, Table, table};
use super::value::At;
use super::value::tables::{Fields, Renames, Steps};

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

table! {
    /// The keys of a step; each step has one of them.
    struct StepKeys {
        /// Drops the events for which this condition is true.
        drop: Option<WrittenCondition>,
        /// Gives fields these values.
        set: Option<At<Fields>>,
        /// Renames fields.
        rename: Option<At<Renames>>,
        /// Removes fields.
        remove: Option<At<Vec<At<String>>>>,
    }
}

/// The transform of a section; what is wrong goes to the decoder.
pub(crate) fn decode(
    name: &str,
    found: &Found<'_>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Transform> {
    let steps = TransformKeys::decode(found, decoder)?.steps.0;
    // Everything that is wrong is told, so all steps are checked before the first that failed counts.
    let steps = steps.into_iter().map(|step| checked_step(step, keys, decoder)).collect::<Vec<_>>();
    Some(Transform { name: name.into(), steps: steps.into_iter().collect::<Option<_>>()? })
}

fn checked_step(step: StepKeys, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Step> {
    match step {
        StepKeys { drop: Some(condition), .. } => condition.checked(keys, decoder).map(Step::Drop),
        StepKeys { set: Some(fields), .. } => constants(fields, keys, decoder).map(Step::Set),
        StepKeys { rename: Some(At { value, place }), .. } => {
            let rename = |decoder: &mut Decoder<'_>, (from, to): (String, String), place| {
                Some((intern(&from, place, keys, decoder)?, intern(&to, place, keys, decoder)?))
            };
            each(value.0, place, decoder, rename).map(Step::Rename)
        }
        StepKeys { remove: Some(At { value, place }), .. } => {
            let remove = |decoder: &mut Decoder<'_>, name: String, place| intern(&name, place, keys, decoder);
            each(value, place, decoder, remove).map(Step::Remove)
        }
        StepKeys { drop: None, set: None, rename: None, remove: None } => None,
    }
}

fn constants(
    At { value, place }: At<Fields>,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Vec<(KeyId, ConstantValue)>> {
    each(value.0, place, decoder, |decoder, (name, value), place| {
        Some((intern(&name, place, keys, decoder)?, value))
    })
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

/// The number of a field name.
pub(super) fn intern(name: &str, place: Place, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<KeyId> {
    if name == "@timestamp" {
        decoder.report(
            Diagnostic::error("`@timestamp` is not a field like others")
                .at(place, "expected another field; the line itself gives an event its time"),
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
