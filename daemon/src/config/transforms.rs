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

use super::decode::Decoder;
use super::error::{Diagnostic, Place};
use super::schema::{Key, Kind, SectionKind};
use super::section::{At, Section};

const STEPS: &[Key] = &[
    Key::optional("drop", Kind::Fields, "Drops the events whose fields have all of these values."),
    Key::optional("set", Kind::Fields, "Gives fields these values."),
    Key::optional("rename", Kind::Renames, "Renames fields."),
    Key::optional("remove", Kind::Texts, "Removes fields."),
];

/// The one kind of transform.
pub(crate) const TRANSFORM: SectionKind = SectionKind {
    header: "transforms.NAME",
    component: None,
    summary: "Changes or drops events between sources and outputs.",
    keys: &[&[
        Key::required("inputs", Kind::Inputs, "Names of the sources and transforms whose events it takes."),
        Key::required("steps", Kind::Steps(STEPS), "What is done to each event, in order."),
    ]],
};

/// The transform of a section; what is wrong goes to the decoder.
pub(crate) fn from_section(
    name: &str,
    section: &Section,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Transform> {
    let mut steps = Vec::new();
    for step in section.steps("steps")? {
        let kind = step.only_key()?;
        steps.push(match kind {
            "drop" => Step::Drop(constants(&step, kind, keys, decoder)?),
            "set" => Step::Set(constants(&step, kind, keys, decoder)?),
            "rename" => Step::Rename(renames(&step, kind, keys, decoder)?),
            _ => Step::Remove(removed(&step, kind, keys, decoder)?),
        });
    }
    Some(Transform { name: name.into(), steps })
}

fn constants(
    step: &Section,
    kind: &str,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Vec<(KeyId, ConstantValue)>> {
    let mut constants = Vec::new();
    for At { value: (name, value), place } in step.fields(kind)? {
        constants.push((intern(&name, place, keys, decoder)?, value));
    }
    not_empty(constants, step.place_of(kind), decoder)
}

fn renames(
    step: &Section,
    kind: &str,
    keys: &Arc<Keys>,
    decoder: &mut Decoder<'_>,
) -> Option<Vec<(KeyId, KeyId)>> {
    let mut renames = Vec::new();
    for At { value: (from, to), place } in step.fields(kind)? {
        let ConstantValue::Text(to) = to else { return None };
        renames.push((intern(&from, place, keys, decoder)?, intern(&to, place, keys, decoder)?));
    }
    not_empty(renames, step.place_of(kind), decoder)
}

fn removed(step: &Section, kind: &str, keys: &Arc<Keys>, decoder: &mut Decoder<'_>) -> Option<Vec<KeyId>> {
    let mut removed = Vec::new();
    for At { value, place } in step.texts(kind)? {
        removed.push(intern(&value, place, keys, decoder)?);
    }
    not_empty(removed, step.place_of(kind), decoder)
}

/// A step without fields would drop every event or do nothing; neither can be meant.
fn not_empty<T>(fields: Vec<T>, place: Place, decoder: &mut Decoder<'_>) -> Option<Vec<T>> {
    if fields.is_empty() {
        decoder.report(Diagnostic::error("a step without fields").at(place, "expected at least one field"));
        return None;
    }
    Some(fields)
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
